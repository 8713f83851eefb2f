import type { VerificationSpec } from "../experiment/types.ts";
import type { EventHeap } from "../kernel/event-heap.ts";
import { JUDGED, PRIORITY } from "./payloads.ts";

/**
 * Those who check proofs: so many at a time, first come first served. As in production a check is done also when the race
 * is over meanwhile.
 */
export class Verifiers {
  readonly #heap: EventHeap;
  readonly #us: number;
  #idle: number;
  /** Copies that wait; the first one stands at `#next`. */
  #line: number[] = [];
  #next = 0;

  constructor({ ms, workers }: VerificationSpec, heap: EventHeap) {
    this.#heap = heap;
    this.#us = Math.round(ms * 1_000);
    this.#idle = workers === "unlimited" ? Number.MAX_SAFE_INTEGER : workers;
  }

  /** Whether verdicts are known at once. */
  get instant(): boolean {
    return this.#us === 0;
  }

  check(copy: number, nowUs: number): void {
    if (this.#idle === 0) this.#line.push(copy);
    else {
      this.#idle--;
      this.#heap.schedule(nowUs + this.#us, PRIORITY.verdict, JUDGED + copy);
    }
  }

  /** A check is done: the next one begins. */
  checked(nowUs: number): void {
    this.#idle++;
    if (this.#next === this.#line.length) return;
    const copy = this.#line[this.#next++] as number;
    if (2 * this.#next > this.#line.length) {
      this.#line = this.#line.slice(this.#next);
      this.#next = 0;
    }
    this.check(copy, nowUs);
  }
}
