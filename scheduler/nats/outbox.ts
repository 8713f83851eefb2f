import type { Loss } from "./refusals.ts";

export interface OutboxOptions {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly onLoss: (loss: Loss) => void;
}

interface Waiting<A> {
  readonly message: A;
  readonly bytes: number;
  readonly sinceMs: number;
}

/** What waits for a server that is away or slow, in order. Bounded in number, bytes and time: the oldest is lost first. */
export class Outbox<A> {
  readonly #options: OutboxOptions;
  readonly #waiting: Waiting<A>[] = [];
  #bytes = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  push(message: A, bytes: number, nowMs: number): void {
    const { maxMessages, maxBytes, onLoss } = this.#options;
    this.#waiting.push({ message, bytes, sinceMs: nowMs });
    this.#bytes += bytes;
    while (this.#waiting.length > maxMessages || this.#bytes > maxBytes) {
      this.#shift();
      onLoss("too-many-waiting");
    }
  }

  /** Gives what waits to `send`, for as long as `ready` says so. */
  drain(nowMs: number, ready: () => boolean, send: (message: A) => void): void {
    while (this.#waiting.length > 0 && ready()) {
      const next = this.#shift();
      if (next === undefined) return;
      if (nowMs - next.sinceMs > this.#options.maxAgeMs) this.#options.onLoss("waited-too-long");
      else send(next.message);
    }
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#bytes = 0;
  }

  #shift(): Waiting<A> | undefined {
    const first = this.#waiting.shift();
    if (first !== undefined) this.#bytes -= first.bytes;
    return first;
  }
}
