import { assert } from "../scheduler/shared/assert.ts";

/** Speculative work may never exceed `burstMs` + `ratio` × primary work done, at any moment (P6). */
export type BudgetSpec = { readonly ratio: number; readonly burstMs: number } | "unlimited";

/**
 * Machine-time that speculative copies may use. A copy reserves the length of its lease before it starts and gives back
 * what it did not use, so that the bound holds at every prefix of time, also when every copy runs to the end of its lease:
 *
 *   used + reserved ≤ burst + ratio × primary work done
 */
export class WorkBudget {
  readonly spec: BudgetSpec;
  readonly #ratio: number;
  readonly #burstUs: number;
  #primaryUs = 0;
  #usedUs = 0;
  #reservedUs = 0;

  constructor(spec: BudgetSpec) {
    this.spec = spec;
    this.#ratio = spec === "unlimited" ? 0 : spec.ratio;
    this.#burstUs = spec === "unlimited" ? 0 : Math.round(spec.burstMs * 1_000);
    assert(this.#ratio >= 0 && this.#burstUs >= 0, "a budget is not negative");
  }

  get unlimited(): boolean {
    return this.spec === "unlimited";
  }

  /** What may still be reserved now, in microseconds of machine-time. */
  get availableUs(): number {
    if (this.unlimited) return Number.MAX_SAFE_INTEGER;
    return Math.floor(this.#burstUs + this.#ratio * this.#primaryUs - this.#usedUs - this.#reservedUs);
  }

  /** Whether the whole amount could be reserved. */
  reserve(us: number): boolean {
    if (this.unlimited) return true;
    if (us > this.availableUs) return false;
    this.#reservedUs += us;
    return true;
  }

  /** A speculative copy ended: its reservation is replaced by what it used. */
  settle(reservedUs: number, usedUs: number): void {
    if (this.unlimited) return;
    assert(usedUs <= reservedUs, "a speculative copy outlived its reservation");
    this.#reservedUs -= reservedUs;
    this.#usedUs += usedUs;
  }

  /** A primary copy ended after this much machine-time. */
  earn(primaryUs: number): void {
    this.#primaryUs += primaryUs;
  }

  snapshot(): WorkBudgetSnapshot {
    return { primaryUs: this.#primaryUs, usedUs: this.#usedUs, reservedUs: this.#reservedUs };
  }

  restore(snapshot: WorkBudgetSnapshot): void {
    this.#primaryUs = snapshot.primaryUs;
    this.#usedUs = snapshot.usedUs;
    this.#reservedUs = snapshot.reservedUs;
  }
}

export interface WorkBudgetSnapshot {
  readonly primaryUs: number;
  readonly usedUs: number;
  readonly reservedUs: number;
}
