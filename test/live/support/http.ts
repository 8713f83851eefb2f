import { request as plainRequest } from "node:http";
import { type Scheduler, type SchedulerOptions, startScheduler } from "../../../scheduler/http/scheduler.ts";
import type { HttpLimits } from "../../../scheduler/http/limits.ts";
import type { PipeOptions } from "../../../scheduler/index.ts";
import { ECHO_REGISTRY } from "./registries.ts";
import { honest, type Script, ScriptedNodes, scriptedNode } from "./scripted-nodes.ts";
import { CHAIN } from "./users.ts";

export const TOKEN = "the-token-of-the-producer-in-these-tests";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into answers, which the document's schemas describe.
  readonly json: any;
}

export interface Asked {
  readonly body?: unknown;
  /** In place of the JSON of `body`. */
  readonly raw?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** As the producer. */
  readonly producer?: boolean;
}

/** What a client in another language would have: a URL, and a token. */
export class Client {
  readonly url: string;
  readonly token: string;
  /** Sees every answer: the check against the document. */
  onAnswer: (method: string, path: string, answer: Answer) => void = () => undefined;

  constructor(url: string, token = TOKEN) {
    this.url = url;
    this.token = token;
  }

  async ask(method: string, path: string, { body, raw, headers = {}, producer = false }: Asked = {}): Promise<Answer> {
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(content === undefined ? {} : { "content-type": "application/json" }),
        ...(producer ? { authorization: `Bearer ${this.token}` } : {}),
        ...headers,
      },
      ...(content === undefined ? {} : { body: content }),
    });
    const text = await response.text();
    const isJson = /[/+]json$/.test(response.headers.get("content-type") ?? "") && text !== "";
    const answer = {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
    this.onAnswer(method, path, answer);
    return answer;
  }

  get(path: string, asked?: Asked): Promise<Answer> {
    return this.ask("GET", path, asked);
  }

  post(path: string, body?: unknown, asked?: Asked): Promise<Answer> {
    return this.ask("POST", path, { body, ...asked });
  }

  /** As the producer. */
  tell(path: string, body?: unknown): Promise<Answer> {
    return this.ask("POST", path, { body, producer: true });
  }

  async untilState(hash: string, state: string): Promise<void> {
    const untilMs = performance.now() + 10_000;
    for (;;) {
      const { json } = await this.get(`/v1/transactions/${hash}`);
      if (json.state === state) return;
      if (performance.now() > untilMs) throw new Error(`${hash} is ${json.state} after ten seconds, not ${state}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

export interface Served extends Scheduler {
  readonly client: Client;
  readonly nodes: ScriptedNodes;
}

/** A scheduler behind HTTP whose nodes answer at once. */
export async function serve(
  options: {
    readonly scripts?: readonly Script[];
    readonly pipe?: Partial<PipeOptions>;
    readonly limits?: Partial<HttpLimits>;
    readonly http?: Partial<SchedulerOptions["http"]>;
    readonly otlpUrl?: string;
  } = {},
): Promise<Served> {
  const { scripts = [honest, honest], limits = {}, otlpUrl } = options;
  const nodes = new ScriptedNodes(scripts.map((script, index) => scriptedNode(index, script)));
  const scheduler = await startScheduler({
    pipe: {
      directory: undefined,
      chainId: CHAIN,
      fleet: { transport: nodes },
      registry: ECHO_REGISTRY,
      policy: { kind: "fixed", copies: 1 },
      logger: "silent",
      ...options.pipe,
    },
    http: { host: "127.0.0.1", port: 0, token: TOKEN, tls: undefined, limits, ...options.http },
    otlpUrl,
  });
  return { ...scheduler, client: new Client(scheduler.url), nodes };
}

/** An event as a follower gets it. */
export interface Heard {
  readonly id: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into events, whose members depend on their kind.
  readonly data: any;
}

/** A follower as a program in another language would write it: lines, and nothing but lines. */
export class Follower {
  readonly heard: Heard[] = [];
  readonly comments: string[] = [];
  lastId = "";
  readonly status: Promise<number>;
  readonly ended: Promise<void>;
  readonly #stop: () => void;
  #waiting: (() => void)[] = [];

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    const { promise: status, resolve: onStatus, reject } = Promise.withResolvers<number>();
    const { promise: ended, resolve: onEnd } = Promise.withResolvers<void>();
    this.status = status;
    this.ended = ended;
    const request = plainRequest(`${url}/v1/events`, { headers, agent: false }, (response) => {
      onStatus(response.statusCode ?? 0);
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        const frames = text.split("\n\n");
        text = frames.pop() ?? "";
        for (const frame of frames) this.#take(frame);
      });
      response.on("close", onEnd);
      response.on("error", () => undefined);
    });
    request.on("error", (error) => {
      reject(error);
      onEnd();
    });
    request.end();
    this.#stop = () => request.destroy();
  }

  /** The first event that fits, of those heard so far or yet to come. */
  async until(fits: (heard: Heard) => boolean): Promise<Heard> {
    const limit = setTimeout(() => this.#stop(), 10_000);
    try {
      for (;;) {
        const found = this.heard.find(fits);
        if (found !== undefined) return found;
        const more = new Promise<boolean>((resolve) => this.#waiting.push(() => resolve(true)));
        if (!(await Promise.race([more, this.ended.then(() => false)])))
          throw new Error("the stream ended before it came");
      }
    } finally {
      clearTimeout(limit);
    }
  }

  stop(): Promise<void> {
    this.#stop();
    return this.ended;
  }

  #take(frame: string): void {
    const fields = frame.split("\n").map((line) => /^([a-z]*): ?(.*)$/.exec(line) ?? ["", "", line]);
    const field = (name: string): string | undefined => fields.find(([, found]) => found === name)?.[2];
    if (frame.startsWith(":")) this.comments.push(frame);
    const [id, data] = [field("id"), field("data")];
    if (id !== undefined) this.lastId = id;
    if (data !== undefined) this.heard.push({ id: id ?? "", event: field("event") ?? "", data: JSON.parse(data) });
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
