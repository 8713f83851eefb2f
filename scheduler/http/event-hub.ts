import { randomBytes } from "node:crypto";
import type { PipeEvent } from "../live/notices.ts";
import { assert } from "../shared/assert.ts";

/** Where a follower stands: the number of the event that it gets next, and whether it missed some that nobody can count. */
export interface Cursor {
  readonly next: number;
  readonly lostTrack: boolean;
}

interface Entry {
  readonly event: PipeEvent;
  /** Made when the first follower gets to it. */
  frame: string | undefined;
}

/**
 * The latest events, for any number of followers at places of their own: a ring that all read and nobody waits for.
 *
 * 1. A follower that is slow costs nothing: it has a number, not a buffer. What the ring has dropped by the time that it reads
 *    on is told to it as `lagged`, with the count.
 * 2. Events are numbered from 1 within an epoch, which is the life of this process. A follower that comes back says the
 *    number of the last event that it saw, and goes on there; of another epoch it is told that it missed an unknown number.
 */
export class EventHub {
  readonly epoch = randomBytes(4).toString("hex");
  readonly #ring: (Entry | undefined)[];
  readonly #waiting = new Set<() => void>();
  #next = 1;
  #ended = false;

  constructor(capacity: number) {
    assert(capacity > 0, "a ring holds something");
    this.#ring = new Array<Entry | undefined>(capacity).fill(undefined);
  }

  get ended(): boolean {
    return this.#ended;
  }

  publish(event: PipeEvent): void {
    this.#ring[this.#next % this.#ring.length] = { event, frame: undefined };
    this.#next += 1;
    this.#wake();
  }

  /** Nothing comes any more. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Where somebody begins who saw the event of this id last; without one, at what happens next. */
  begin(lastEventId: string | undefined): Cursor {
    if (lastEventId === undefined) return { next: this.#next, lostTrack: false };
    const [, epoch, digits] = /^([0-9a-f]{8})-([0-9]{1,15})$/.exec(lastEventId) ?? [];
    const seen = Number(digits);
    if (epoch !== this.epoch || seen >= this.#next) return { next: this.#next, lostTrack: true };
    return { next: seen + 1, lostTrack: false };
  }

  /** Sets the id from which a client will come back, without an event: the one before the cursor's next. */
  greeting({ next }: Cursor): string {
    return `retry: 2000\nid: ${this.epoch}-${next - 1}\n\n`;
  }

  isWaiting({ next, lostTrack }: Cursor): boolean {
    return !lostTrack && next === this.#next;
  }

  /** What comes after the cursor, as text of server-sent events, up to about that many characters; and where that ends. */
  read(from: Cursor, maxCharacters: number): { readonly text: string; readonly cursor: Cursor } {
    let text = "";
    let { next } = from;
    if (from.lostTrack) text += this.#lagged(next - 1, null);
    const oldest = Math.max(1, this.#next - this.#ring.length);
    if (next < oldest) {
      text += this.#lagged(oldest - 1, oldest - next);
      next = oldest;
    }
    for (; next < this.#next && text.length < maxCharacters; next++) text += this.#frame(next);
    return { text, cursor: { next, lostTrack: false } };
  }

  /** Calls once when there is something to read, or nothing will come. Gives what takes the call back. */
  onNews(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  #wake(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  #frame(number: number): string {
    const entry = this.#ring[number % this.#ring.length];
    assert(entry !== undefined, "what is in the ring was published");
    entry.frame ??= `id: ${this.epoch}-${number}\nevent: ${entry.event.kind}\ndata: ${JSON.stringify(entry.event)}\n\n`;
    return entry.frame;
  }

  #lagged(last: number, missed: number | null): string {
    return `id: ${this.epoch}-${last}\nevent: lagged\ndata: ${JSON.stringify({ kind: "lagged", missed })}\n\n`;
  }
}
