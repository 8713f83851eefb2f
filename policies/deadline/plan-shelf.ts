import type { Frontier } from "./frontier.ts";
import { type Key, MOST_BLOCKS, MOST_STEPS } from "./plan-key.ts";

/** Plans that are kept: about one a horizon. */
const MAX_PLANS = 4_096;

/** Frontiers by the part of the key that tells copies apart. */
type Shelf = Map<number, Frontier>;

/** What there is to choose from, by key, as long as the law stays as it is. */
export class PlanShelf {
  /** By staircase, and by wait and age, of which there are few; then by the rest as small integers, which are found soonest. */
  readonly #shelves = new Map<number, Map<number, Shelf>>();
  #last: Shelf = new Map();
  #lastStairs = -1;
  #lastTimes = -1;
  #count = 0;

  get(key: Key): Frontier | undefined {
    return this.#shelfOf(key).get(copyOf(key));
  }

  keep(key: Key, frontier: Frontier): Frontier {
    if (this.#count >= MAX_PLANS) this.clear();
    this.#shelfOf(key).set(copyOf(key), frontier);
    this.#count++;
    return frontier;
  }

  clear(): void {
    this.#shelves.clear();
    this.#lastStairs = -1;
    this.#count = 0;
  }

  #shelfOf({ wait, age, interval, blocks, passed }: Key): Shelf {
    const stairs = (interval * MOST_BLOCKS + blocks) * MOST_BLOCKS + passed;
    const times = wait * (MOST_STEPS + 1) + age;
    if (stairs === this.#lastStairs && times === this.#lastTimes) return this.#last;
    let byTimes = this.#shelves.get(stairs);
    if (byTimes === undefined) {
      byTimes = new Map();
      this.#shelves.set(stairs, byTimes);
    }
    let shelf = byTimes.get(times);
    if (shelf === undefined) {
      shelf = new Map();
      byTimes.set(times, shelf);
    }
    [this.#last, this.#lastStairs, this.#lastTimes] = [shelf, stairs, times];
    return shelf;
  }
}

/** Eleven bits, eight and nine. */
function copyOf({ first, pace, alive }: Key): number {
  return (first * 256 + (pace + 128)) * 512 + alive;
}
