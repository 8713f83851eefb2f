import { createParser, type EventSourceParser } from "eventsource-parser";
import { BACKEND_LIMITS } from "./limits.ts";

export interface AnswerStreamOptions {
  /** Of the answer's text as UTF-8. */
  readonly outputBytes: number;
  /** Told how many tokens there are so far, when there are more than before. */
  readonly onTokens: (tokens: number) => void;
}

/** What a stream brought, when it had come to its end. */
export type StreamEnd =
  | { readonly ok: true; readonly text: string; readonly tokens: number }
  | { readonly ok: false; readonly why: string };

/** What an event may hold, as far as it is looked at. */
interface Chunk {
  readonly error?: unknown;
  readonly choices?: unknown;
  readonly usage?: { readonly completion_tokens?: unknown } | null;
}

/**
 * Collects an answer from the server-sent events of a chat completion, however they are cut into pieces.
 *
 * An answer is whole when its stream said so: by a reason to finish, or by `[DONE]`. One that merely ended was cut. What the
 * model thinks aloud before it answers is progress, but no part of the answer.
 */
export class AnswerStream {
  readonly #options: AnswerStreamOptions;
  readonly #maxBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #parser: EventSourceParser;
  readonly #texts: string[] = [];
  #bytes = 0;
  #outputBytes = 0;
  #tokens = 0;
  #finished = false;
  #done = false;
  #fault: string | undefined;

  constructor(options: AnswerStreamOptions) {
    this.#options = options;
    this.#maxBytes = BACKEND_LIMITS.streamBytes(options.outputBytes);
    this.#parser = createParser({
      maxBufferSize: BACKEND_LIMITS.maxEventCharacters,
      onEvent: ({ data }) => this.#event(data),
      onError: ({ type }) => {
        if (type === "max-buffer-size-exceeded") this.#fail("an event of the stream is too long");
      },
    });
  }

  /** Nothing that comes later matters. */
  get over(): boolean {
    return this.#done || this.#fault !== undefined;
  }

  feed(bytes: Uint8Array): void {
    if (this.over) return;
    this.#bytes += bytes.length;
    if (this.#bytes > this.#maxBytes) return this.#fail(`the stream is longer than ${this.#maxBytes} bytes`);
    const text = this.#decode(bytes);
    if (text !== undefined) this.#parser.feed(text);
  }

  /** What came of it; called when the stream is over or has ended. */
  end(): StreamEnd {
    if (this.#fault !== undefined) return { ok: false, why: this.#fault };
    if (!this.#done && !this.#finished) return { ok: false, why: "the stream ended before the answer did" };
    return { ok: true, text: this.#texts.join(""), tokens: this.#tokens };
  }

  #decode(bytes: Uint8Array): string | undefined {
    try {
      return this.#decoder.decode(bytes, { stream: true });
    } catch {
      this.#fail("the stream is not UTF-8");
      return undefined;
    }
  }

  #event(data: string): void {
    if (this.over) return;
    if (data.trim() === "[DONE]") {
      this.#done = true;
      return;
    }
    const chunk = parsed(data);
    if (chunk === undefined) return this.#fail("an event of the stream is no JSON object");
    if (chunk.error !== undefined && chunk.error !== null) {
      return this.#fail(`the server broke off: ${JSON.stringify(chunk.error).slice(0, 300)}`);
    }
    if (chunk.choices !== undefined && !Array.isArray(chunk.choices)) return this.#fail("`choices` is no list");
    for (const choice of chunk.choices ?? []) this.#choice(choice);
    this.#count(chunk.usage?.completion_tokens);
  }

  #choice(choice: unknown): void {
    if (!isObject(choice)) return this.#fail("a choice is no object");
    if (choice["index"] !== undefined && choice["index"] !== 0) return;
    const { delta, finish_reason: reason } = choice;
    if (delta !== undefined && delta !== null) this.#delta(delta);
    // Some servers send an empty reason as long as there is none.
    if (reason === undefined || reason === null || reason === "") return;
    if (reason === "content_filter") return this.#fail("the server withheld a part of the answer (content_filter)");
    this.#finished = true;
  }

  #delta(delta: unknown): void {
    if (!isObject(delta)) return this.#fail("a delta is no object");
    const { content, reasoning_content: thought, reasoning } = delta;
    if (content !== undefined && content !== null && typeof content !== "string")
      return this.#fail("content is no text");
    const isText = typeof content === "string" && content !== "";
    if (isText) this.#append(content);
    if (isText || isSaid(thought) || isSaid(reasoning)) this.#count(this.#tokens + 1);
  }

  #append(text: string): void {
    this.#outputBytes += Buffer.byteLength(text);
    if (this.#outputBytes > this.#options.outputBytes) {
      return this.#fail(`the answer is longer than ${this.#options.outputBytes} bytes`);
    }
    this.#texts.push(text);
  }

  /** The server's own count is taken where it is higher: an event may bring several tokens. */
  #count(tokens: unknown): void {
    if (!Number.isSafeInteger(tokens) || (tokens as number) <= this.#tokens) return;
    this.#tokens = tokens as number;
    this.#options.onTokens(this.#tokens);
  }

  #fail(why: string): void {
    this.#fault ??= why;
  }
}

function parsed(data: string): Chunk | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSaid(text: unknown): boolean {
  return typeof text === "string" && text !== "";
}
