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
  /** From `#head` on; some of them are over. */
  #waiting: Copy[] = [];
  #head = 0;
  #over = 0;

  /** Whoever came before, and still waits, goes first. */
  take(copy: Copy, slots: number, nowUs: number): void {
    if (this.#running < slots && this.#head === this.#waiting.length) {
      this.#running++;
      copy.startedUs = nowUs;
      return;
    }
    this.#waiting.push(copy);
    this.fill(slots, nowUs);
  }

  release(copy: Copy, slots: number, nowUs: number): void {
    if (copy.startedUs === NEVER) {
      // Left in the line, and passed over when its turn would come.
      this.#over++;
      this.#clear(copy);
      return;
    }
    this.#running--;
    this.fill(slots, nowUs);
  }

  /** Whoever has a slot starts: also after a registration with more of them. */
  fill(slots: number, nowUs: number): void {
    while (this.#running < slots) {
      const next = this.#waiting[this.#head];
      if (next === undefined) break;
      this.#head++;
      if (!waits(next)) {
        this.#over--;
        continue;
      }
      next.startedUs = nowUs;
      this.#running++;
    }
    this.#clear(undefined);
  }

  /** Nothing of what is over is kept for long, however long the copies run for which the others wait. */
  #clear(ending: Copy | undefined): void {
    const gone = this.#head + this.#over;
    if (gone < CLEAR_AFTER || 2 * gone < this.#waiting.length) return;
    this.#waiting = this.#waiting.filter((copy, place) => place >= this.#head && waits(copy) && copy !== ending);
    this.#head = 0;
    this.#over = 0;
  }

  /** Copies held on to, over or not. */
  get kept(): number {
    return this.#waiting.length;
  }

  /** Those that wait, in order. */
  get line(): readonly Copy[] {
    return this.#waiting.filter((copy, place) => place >= this.#head && waits(copy));
  }

  /** After a restart; those that wait come back in their order. */
  readmit(copy: Copy): void {
    if (copy.startedUs === NEVER) this.#waiting.push(copy);
    else this.#running++;
  }
}

function waits({ executing, startedUs }: Copy): boolean {
  return executing && startedUs === NEVER;
}
