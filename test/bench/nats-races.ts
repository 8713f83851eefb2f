/** Load for a scheduler whose journal is in JetStream: transactions that were signed before, submitted so many at a time. */
import { type Pipe, type SignedTransaction, transactionHash } from "../../scheduler/index.ts";
import type { User } from "../live/support/users.ts";

const IN_FLIGHT = 64;

/** Transactions with one call each, signed before anything runs: that is their users' work, and stops this thread for seconds. */
export class Load {
  readonly users: readonly User[];
  readonly #signed: readonly SignedTransaction[];
  #turn = 0;

  /** `signedBefore`: as many as will be asked for; what comes after them is signed while it is measured. */
  constructor(users: readonly User[], signedBefore: number) {
    this.users = users;
    this.#signed = Array.from({ length: signedBefore }, (_, index) => this.#sign(index));
  }

  next(): SignedTransaction {
    const turn = this.#turn++;
    return this.#signed[turn] ?? this.#sign(turn);
  }

  #sign(turn: number): SignedTransaction {
    return (this.users[turn % this.users.length] as User).sign();
  }
}

/** Submits one by one; each block takes what is ready. */
export class Races {
  readonly #pipe: Pipe;
  readonly #load: Load;
  readonly #waiting = new Map<string, () => void>();
  #height = 1;
  #decided = 0;
  #sealing: Promise<void> = Promise.resolve();

  static async begin(pipe: Pipe, load: Load): Promise<Races> {
    const races = new Races(pipe, load);
    for (const { id } of load.users) await pipe.deposit({ account: id, amountGwei: 1_000_000_000 });
    await pipe.openBlock({ height: races.#height, sealAtMs: Date.now() + 500 });
    void races.#follow();
    return races;
  }

  private constructor(pipe: Pipe, load: Load) {
    this.#pipe = pipe;
    this.#load = load;
  }

  /** From submission until its race is decided. */
  async once(): Promise<void> {
    const signed = this.#load.next();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(transactionHash(signed), resolve);
    const outcome = await this.#pipe.submit(signed);
    if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
    await promise;
  }

  async #follow(): Promise<void> {
    for await (const event of this.#pipe.events()) {
      if (event.kind === "lagged") throw new Error("the benchmark has missed events");
      if (event.kind !== "transaction" || event.state !== "ready") continue;
      this.#waiting.get(event.hash)?.();
      this.#waiting.delete(event.hash);
      // Not waited for: what is not heard meanwhile would be missed.
      if (++this.#decided % 1_000 === 0) this.#sealing = this.#sealing.then(() => this.#seal());
    }
  }

  /** So that the mempool stays small. */
  async #seal(): Promise<void> {
    await this.#pipe.seal({ height: this.#height, maxTransactions: 10_000, order: "gas" });
    await this.#pipe.committed(this.#height);
    this.#height += 1;
    await this.#pipe.openBlock({ height: this.#height, sealAtMs: Date.now() + 500 });
  }
}

/** Of a second, with so many under way. */
export async function throughput(act: () => Promise<void>, windowMs: number): Promise<number> {
  const startedMs = performance.now();
  let count = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < startedMs + windowMs) {
      await act();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return (count * 1_000) / (performance.now() - startedMs);
}
