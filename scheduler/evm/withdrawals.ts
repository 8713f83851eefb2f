import type { TransactionPool } from "../../mempool/evm/transaction-pool.ts";
import type { Pipe } from "../index.ts";

/**
 * Takes transactions out of the scheduler that are in the pool no more. A scheduler that has too much to do is asked again: nodes
 * would race for what nobody wants, and its escrow would be held until its time to live ends.
 */
export class Withdrawals {
  readonly #pipe: Pick<Pipe, "withdraw">;
  readonly #pool: TransactionPool;
  readonly #owed = new Set<string>();

  constructor(parts: { readonly pipe: Pick<Pipe, "withdraw">; readonly pool: TransactionPool }) {
    this.#pipe = parts.pipe;
    this.#pool = parts.pool;
  }

  /** Still to be told. */
  get size(): number {
    return this.#owed.size;
  }

  /** Resolves when the scheduler has heard it, or cannot now. */
  async withdraw(hash: string): Promise<void> {
    this.#owed.add(hash);
    try {
      await this.#pipe.withdraw(hash);
      this.#owed.delete(hash);
    } catch {
      // Overloaded: once more with the next block. Or it is closed, which ends all of it.
    }
  }

  /** Once more, for those that are not known again since. */
  async again(): Promise<void> {
    const owed = [...this.#owed];
    this.#owed.clear();
    await Promise.all(owed.filter((hash) => this.#pool.get(hash) === undefined).map((hash) => this.withdraw(hash)));
  }
}
