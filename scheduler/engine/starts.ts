import { NEVER } from "../shared/vocabulary.ts";
import type { Copy } from "./race.ts";

/** Copies that are over are cleared away when there are this many of them, and they are the most. */
const CLEAR_AFTER = 32;

/**
 * When each copy on a node starts, as far as that can be known from outside: a node runs as many copies at a time as it has
 * slots, and takes the others in the order in which they came. What a copy waits says nothing of how long it runs.
 */
export class Starts {
  #running = 0;
  #waiting: Copy[] = [];
  #head = 0;

  take(copy: Copy, slots: number, nowUs: number): void {
    if (this.#running < slots) {
      this.#running++;
      copy.startedUs = nowUs;
      return;
    }
    this.#waiting.push(copy);
  }

  release(copy: Copy, slots: number, nowUs: number): void {
    // Left in the line, and passed over when its turn would come.
    if (copy.startedUs === NEVER) return;
    this.#running--;
    while (this.#running < slots) {
      const next = this.#waiting[this.#head];
      if (next === undefined) break;
      this.#head++;
      if (!next.executing) continue;
      next.startedUs = nowUs;
      this.#running++;
    }
    if (this.#head >= CLEAR_AFTER && 2 * this.#head >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Copies come back in the order in which they were launched. */
  readmit(copy: Copy): void {
    if (copy.startedUs === NEVER) this.#waiting.push(copy);
    else this.#running++;
  }
}
