/** What is to be credited; `key` is what its sender knows it again by. */
export interface Deposit {
  readonly account: string;
  readonly amountGwei: number;
  readonly key?: string;
}

export type KeyedDeposit = Required<Deposit>;

/**
 * `made`: credited now; `known`: it was before, and nothing was done; `key-reused`: its key was another deposit's; `refused`:
 * the amount, the name, or the number of accounts, is out of range.
 */
export type DepositOutcome = "made" | "known" | "key-reused" | "refused";

/** Producers ask again within minutes, not after so many deposits. Each takes some hundred bytes of a snapshot. */
const CAPACITY = 4_096;

/** The latest deposits that had a key. A function of the journal, so that a restart and a successor know them, too. */
export class KeyedDeposits {
  readonly #made = new Map<string, KeyedDeposit>();

  constructor(made: readonly KeyedDeposit[]) {
    for (const deposit of made) this.note(deposit);
  }

  note({ key, account, amountGwei }: KeyedDeposit): void {
    this.#made.set(key, { key, account, amountGwei });
    const [oldest] = this.#made.keys();
    if (this.#made.size > CAPACITY && oldest !== undefined) this.#made.delete(oldest);
  }

  /** What becomes of a deposit by its key; `undefined` for one that is new, or has none. */
  outcomeOf({ key, account, amountGwei }: Deposit): "known" | "key-reused" | undefined {
    const made = key === undefined ? undefined : this.#made.get(key);
    if (made === undefined) return undefined;
    return made.account === account && made.amountGwei === amountGwei ? "known" : "key-reused";
  }

  snapshot(): readonly KeyedDeposit[] {
    return [...this.#made.values()];
  }
}
