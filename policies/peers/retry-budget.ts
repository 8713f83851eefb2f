const SLICES = 10;
/** What one request puts in. */
const DEPOSIT = 1_000;

export type RetryBudgetSnapshot = readonly (readonly [slice: number, amount: number])[];

export interface RetryBudgetSpec {
  /** Extra requests per request, above 0. */
  readonly share: number;
  /** Extra requests per second that are allowed in any case. */
  readonly minPerS: number;
  /** Deposits and withdrawals are forgotten after so long, in steps of a tenth. */
  readonly ttlMs: number;
}

/**
 * Finagle's `RetryBudget`: a request deposits, an extra one withdraws 1 / `share` times as much, and both expire; besides there
 * is a reserve of `minPerS` × `ttl` extra requests. It counts requests, whatever they cost.
 */
export class RetryBudget {
  readonly #sliceUs: number;
  readonly #withdrawal: number;
  readonly #reserve: number;
  /** At most as many as a lifetime has slices, the present one included. */
  readonly #slices: [slice: number, amount: number][];

  constructor({ share, minPerS, ttlMs }: RetryBudgetSpec, snapshot: RetryBudgetSnapshot = []) {
    this.#sliceUs = (ttlMs * 1_000) / SLICES;
    this.#withdrawal = Math.floor(DEPOSIT / share);
    this.#reserve = minPerS * Math.floor(ttlMs / 1_000) * this.#withdrawal;
    this.#slices = snapshot.map(([slice, amount]) => [slice, amount]);
  }

  deposit(nowUs: number): void {
    this.#add(DEPOSIT, nowUs);
  }

  withdraw(nowUs: number): void {
    this.#add(-this.#withdrawal, nowUs);
  }

  /** Extra requests that could be sent now; never negative. */
  balance(nowUs: number): number {
    const oldest = this.#sliceOf(nowUs) - SLICES;
    let sum = this.#reserve;
    for (const [slice, amount] of this.#slices) if (slice > oldest) sum += amount;
    return Math.max(0, Math.floor(sum / this.#withdrawal));
  }

  #add(amount: number, nowUs: number): void {
    const present = this.#sliceOf(nowUs);
    const last = this.#slices.at(-1);
    if (last?.[0] === present) last[1] += amount;
    else this.#slices.push([present, amount]);
    while ((this.#slices[0] as [number, number])[0] <= present - SLICES) this.#slices.shift();
  }

  #sliceOf(us: number): number {
    return Math.floor(us / this.#sliceUs);
  }

  snapshot(): RetryBudgetSnapshot {
    return this.#slices.map(([slice, amount]) => [slice, amount] as const);
  }
}
