import type { Deposit } from "../../mempool/evm/deposit.ts";
import type { Pipe } from "../index.ts";

/** Deposits told to the scheduler at a time: a block may have thousands, and blocks wait for no journal (P7). */
const AT_A_TIME = 256;

/** Deposits of confirmed blocks on their way to the scheduler. None is lost while that has too much to do; each is told once. */
export class Credits {
  readonly #pipe: Pick<Pipe, "deposit">;
  #waiting: Deposit[] = [];
  #telling: Promise<void> | undefined;
  /** Not taken: there is no room for another account. The contract keeps what was paid in. */
  refused = 0;

  constructor(pipe: Pick<Pipe, "deposit">) {
    this.#pipe = pipe;
  }

  /** Not yet told. */
  get size(): number {
    return this.#waiting.length;
  }

  add(deposits: readonly Deposit[]): void {
    // Those of one account in one block are one.
    const sums = new Map<string, number>();
    for (const { account, amountGwei } of deposits) sums.set(account, (sums.get(account) ?? 0) + amountGwei);
    for (const [account, amountGwei] of sums) this.#waiting.push({ account, amountGwei });
  }

  /** Tells what waits; one that is under way goes on. Never rejects: what could not be told waits for the next call. */
  tell(): Promise<void> {
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = undefined;
    });
    return this.#telling;
  }

  async #tellAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, AT_A_TIME);
      const told = await Promise.all(some.map((deposit) => this.#pipe.deposit(deposit).catch(() => undefined)));
      this.refused += told.filter((taken) => taken === false).length;
      const untold = some.filter((_, place) => told[place] === undefined);
      this.#waiting.unshift(...untold);
      if (untold.length > 0) return;
    }
  }
}
