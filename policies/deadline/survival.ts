import type { FrozenLaw } from "./law.ts";
import { ALL, type Grid, momentAt } from "./staircase.ts";

/** A copy under way, in units of the job's expected duration. */
export interface Prospect {
  /** How much slower than its class its node is. */
  readonly pace: number;
  /** P(its node answers at all). */
  readonly alive: number;
  /** How long it has been running. */
  readonly age: number;
  /** How long until it starts. */
  readonly wait: number;
}

/**
 * By moment of a grid: P(no answer yet), and of that P(and it is running), which is what costs. Written over and over: asking for
 * so much memory for each plan would cost more than the plan.
 */
export class Survival {
  readonly open = new Float64Array(ALL + 1);
  readonly working = new Float64Array(ALL + 1);
  /** P(no answer up to now), by which `open` is divided. */
  before = 1;

  /** Of no copy at all. */
  clear(): void {
    this.open.fill(1);
    this.working.fill(0);
    this.before = 1;
  }

  /** Of these and another copy, which run independently of each other: the job is open as long as nobody has answered. */
  join({ open: others, working: running, before }: Survival): void {
    const { open, working } = this;
    for (let k = 0; k <= ALL; k++) {
      const own = open[k] as number;
      const other = others[k] as number;
      working[k] = (working[k] as number) * other + own * (running[k] as number);
      open[k] = own * other;
    }
    this.before *= before;
  }
}

/** Where a copy stands on the law's curve at each moment, whatever copies of its job have in common. */
export class Course {
  readonly #places = new Float64Array(ALL + 1);
  #now = 0;
  #alive = 1;
  /** The first moment at which it runs. */
  #starts = 0;

  follow(law: FrozenLaw, { pace, alive, age, wait }: Prospect, grid: Pick<Grid, "offset" | "step">): void {
    const places = this.#places;
    this.#alive = alive;
    this.#now = law.placeOf(age / pace);
    this.#starts = 0;
    for (let k = 0; k <= ALL; k++) {
      const ran = momentAt(grid, k) - wait;
      if (ran < 0) this.#starts = k + 1;
      places[k] = ran <= 0 ? this.#now : law.placeOf((age + ran) / pace);
    }
  }

  /** What it comes to for jobs of this kind. */
  survive(law: FrozenLaw, z: number, into: Survival): void {
    const alive = this.#alive;
    const before = 1 - alive + alive * law.survivalAt(this.#now, z);
    const { open, working } = into;
    const dead = (1 - alive) / before;
    for (let k = 0; k <= ALL; k++) {
      const running = (alive * law.survivalAt(this.#places[k] as number, z)) / before;
      open[k] = dead + running;
      working[k] = k < this.#starts ? 0 : running;
    }
    into.before = before;
  }
}
