import { setTimeout as sleep } from "node:timers/promises";
import { failedRun, type Run, type RunOptions } from "../model-runner.ts";
import { AnswerStream } from "./answer-stream.ts";
import type { Backend, NodeLog, Probe } from "./backend.ts";
import { type ChatSettings, readInput, requestBody } from "./chat-request.ts";
import { bodyStart, errorText } from "./http-text.ts";
import { BACKEND_LIMITS } from "./limits.ts";
import { probeModels } from "./openai-probe.ts";
import { retryAfterMs } from "./retry-after.ts";
import { type RunTimes, TimeLimits } from "./time-limits.ts";

export interface OpenAiSettings extends ChatSettings, RunTimes {
  /** Up to and with `/v1`, without a slash at the end. */
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly outputBytes: number;
  readonly retries: number;
}

/** What one request came to. */
type Attempt =
  | { readonly kind: "ended"; readonly run: Run }
  /** May be tried again, as no token has come. */
  | { readonly kind: "refused"; readonly run: Run; readonly afterMs: number | undefined };

/** Statuses that say that the same request may succeed at another time. */
const TRY_AGAIN: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 529]);
/** Of these the ones that say that there is too much to do. */
const BUSY: ReadonlySet<number> = new Set([429, 503, 529]);

/**
 * Answers by a server that speaks OpenAI's protocol of chat completions: vLLM, TGI, llama.cpp's, Ollama, or a hosted one.
 *
 * B1. When the copy is over its connection is closed, so that the server stops computing (P9).
 * B2. A request is repeated only as long as no token has come, and only if that still fits before the latest first token.
 * B3. No stream brings more than its limit of bytes, and none takes longer than its limit of time.
 * B4. The API key goes to the server that the operator named and nowhere else: redirections are not followed.
 */
export class OpenAiBackend implements Backend {
  readonly #settings: OpenAiSettings;
  readonly #log: NodeLog;

  constructor(settings: OpenAiSettings, log: NodeLog) {
    this.#settings = settings;
    this.#log = log;
  }

  async run(input: Uint8Array, options: RunOptions): Promise<Run> {
    const read = readInput(input);
    if (!read.ok) return failedRun("error", read.why);
    if (options.tokensOut < 1) return failedRun("error", "the call asks for no tokens");
    const { firstTokenMs, totalMs } = this.#settings;
    const limits = new TimeLimits(options.signal, { firstTokenMs, totalMs: Math.min(totalMs, options.withinMs) });
    try {
      const body = requestBody(read.messages, options.tokensOut, this.#settings);
      return await this.#persist(body, limits, options);
    } catch (error) {
      return failedRun("error", limits.signal.aborted ? limits.why : errorText(error));
    } finally {
      limits.end();
    }
  }

  probe(signal: AbortSignal): Promise<Probe> {
    const { url, name } = this.#settings;
    return probeModels({ url: `${url}/models`, name, headers: this.#headers(), signal });
  }

  async close(): Promise<void> {
    // Connections end with their copies; those that are kept idle end by themselves.
  }

  async #persist(body: string, limits: TimeLimits, options: RunOptions): Promise<Run> {
    for (let retry = 0; ; retry++) {
      const attempt = await this.#attempt(body, limits, options);
      if (attempt.kind === "ended") return attempt.run;
      const waitMs = attempt.afterMs ?? BACKEND_LIMITS.firstRetryMs * 2 ** retry;
      if (retry >= this.#settings.retries || waitMs >= limits.leftMs()) return attempt.run;
      await sleep(waitMs, undefined, { signal: limits.signal });
    }
  }

  async #attempt(body: string, limits: TimeLimits, options: RunOptions): Promise<Attempt> {
    const response = await this.#post(body, limits.signal).catch((error: unknown) => {
      if (limits.signal.aborted) throw error;
      return errorText(error);
    });
    if (typeof response === "string") return refused(failedRun("error", response), undefined);
    if (response.status !== 200) return this.#refusal(response);
    const type = response.headers.get("content-type") ?? "";
    if (response.body === null || !type.toLowerCase().startsWith("text/event-stream")) {
      await response.body?.cancel();
      return ended(failedRun("error", `the server answered with ${type || "nothing"}, not with a stream of events`));
    }
    return this.#read(response.body, limits, options);
  }

  #post(body: string, signal: AbortSignal): Promise<Response> {
    const headers = {
      ...this.#headers(),
      accept: "text/event-stream",
      // What is compressed could be little on the wire and huge here.
      "accept-encoding": "identity",
      "content-type": "application/json",
    };
    return fetch(`${this.#settings.url}/chat/completions`, {
      method: "POST",
      headers,
      body,
      signal,
      redirect: "manual",
    });
  }

  #headers(): Record<string, string> {
    const { apiKey } = this.#settings;
    return apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  }

  async #refusal(response: Response): Promise<Attempt> {
    const { status, headers } = response;
    const said = await bodyStart(response, BACKEND_LIMITS.maxRefusalBytes);
    const run = failedRun(BUSY.has(status) ? "overloaded" : "error", `HTTP ${status}: ${said}`);
    return TRY_AGAIN.has(status) ? refused(run, retryAfterMs(headers.get("retry-after"), Date.now())) : ended(run);
  }

  async #read(body: ReadableStream<Uint8Array>, limits: TimeLimits, options: RunOptions): Promise<Attempt> {
    const answer = new AnswerStream({
      outputBytes: this.#settings.outputBytes,
      onTokens(tokens) {
        limits.tokenCame();
        options.onProgress(tokens);
      },
    });
    const reader = body.getReader();
    try {
      let piece = await reader.read();
      while (!piece.done) {
        answer.feed(piece.value);
        if (answer.over) break;
        piece = await reader.read();
      }
    } catch (error) {
      const run = failedRun("error", limits.signal.aborted ? limits.why : `the stream was cut: ${errorText(error)}`);
      return limits.firstTokenCame || limits.signal.aborted ? ended(run) : refused(run, undefined);
    }
    const end = answer.end();
    if (end.ok) linger(reader, limits);
    else limits.abort(end.why);
    if (!end.ok) return ended(failedRun("error", end.why));
    this.#log("debug", "a model answered", { model: this.#settings.name, tokens: end.tokens });
    return ended({ ok: true, output: new TextEncoder().encode(end.text) });
  }
}

/** Reads on to the end of a stream that said that it is over, so that its connection can be used again, but not for long. */
function linger(reader: ReadableStreamDefaultReader<Uint8Array>, limits: TimeLimits): void {
  const limit = setTimeout(() => limits.abort("the stream did not end after its last event"), BACKEND_LIMITS.lingerMs);
  const drain = async (): Promise<void> => {
    while (!(await reader.read()).done);
  };
  drain()
    .catch(() => undefined)
    .finally(() => clearTimeout(limit));
}

function ended(run: Run): Attempt {
  return { kind: "ended", run };
}

function refused(run: Run, afterMs: number | undefined): Attempt {
  return { kind: "refused", run, afterMs };
}
