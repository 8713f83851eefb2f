import type { PipeEvent } from "./notices.ts";

/**
 * Hands events to any number of followers, each with a buffer of its own. A follower that is too slow loses the newest
 * events and is told how many (`lagged`); it never makes the service wait or its memory grow (P11).
 */
export class Subscribers {
  readonly #maxSubscribers: number;
  readonly #maxWaiting: number;
  readonly #open = new Set<Subscription>();

  constructor(options: { readonly maxSubscribers: number; readonly maxWaiting: number }) {
    this.#maxSubscribers = options.maxSubscribers;
    this.#maxWaiting = options.maxWaiting;
  }

  get count(): number {
    return this.#open.size;
  }

  /** `undefined` when there are too many. Events from now on; leaving the `for await` loop ends it. */
  subscribe(): AsyncIterableIterator<PipeEvent> | undefined {
    if (this.#open.size >= this.#maxSubscribers) return undefined;
    const subscription = new Subscription(this.#maxWaiting, () => this.#open.delete(subscription));
    this.#open.add(subscription);
    return subscription;
  }

  publish(event: PipeEvent): void {
    for (const subscription of this.#open) subscription.offer(event);
  }

  /** Ends every subscription after what waits in it. */
  close(): void {
    for (const subscription of this.#open) subscription.end();
    this.#open.clear();
  }
}

class Subscription implements AsyncIterableIterator<PipeEvent> {
  readonly #maxWaiting: number;
  readonly #left: () => void;
  #waiting: PipeEvent[] = [];
  #missed = 0;
  #takers: ((result: IteratorResult<PipeEvent>) => void)[] = [];
  #ended = false;

  constructor(maxWaiting: number, left: () => void) {
    this.#maxWaiting = maxWaiting;
    this.#left = left;
  }

  offer(event: PipeEvent): void {
    if (this.#ended) return;
    const taker = this.#takers.shift();
    if (taker !== undefined) taker({ done: false, value: event });
    else if (this.#missed === 0 && this.#waiting.length < this.#maxWaiting) this.#waiting.push(event);
    else this.#missed += 1;
  }

  end(): void {
    this.#ended = true;
    for (const taker of this.#takers.splice(0)) taker({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<PipeEvent>> {
    const value = this.#take();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  return(): Promise<IteratorResult<PipeEvent>> {
    this.#waiting = [];
    this.#missed = 0;
    this.end();
    this.#left();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): PipeEvent | undefined {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined || this.#missed === 0) return waiting;
    const missed = this.#missed;
    this.#missed = 0;
    return { kind: "lagged", missed };
  }
}
