import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { EvmRun } from "../../mempool/evm/trial.ts";
import type { BlockEnvironment } from "../../mempool/evm/machine.ts";
import type { EvmTransaction } from "../../mempool/evm/transaction.ts";
import type { CallTerms, PreExecution, PreExecutionRequest, PreExecutor } from "../index.ts";
import type { ChainThread } from "./chain-thread.ts";
import { ReadKeys } from "./read-keys.ts";

export interface EvmPreExecutorOptions {
  readonly simulator: Pick<ChainThread, "askInTurn">;
  /** The transaction that has this hash and payload; `undefined` for what is none of this chain. */
  readonly transactionOf: (hash: string, payload: Uint8Array) => Promise<EvmTransaction | undefined>;
  /** Whether it waits in the pool. */
  readonly isWaiting: (hash: string) => boolean;
  /** Why these questions cannot be raced, in a sentence; `undefined` when they can. */
  readonly refusalOf: (calls: readonly DiscoveredCall[]) => string | undefined;
  /** The block that the next one will be. */
  readonly nextBlock: () => BlockEnvironment;
  /** A run came to its end, and took that much gas. */
  readonly onCompleted: (hash: string, gasUsed: bigint) => void;
  /** A run ended in a way for which the transaction will be refunded. */
  readonly onFailed: (hash: string, reason: string) => void;
}

/** Keys of a read set that are no state: this one stands for the transaction itself. */
export function transactionKey(hash: string): string {
  return `t:${hash}`;
}

/** Runs transactions on the simulator's chain, round by round, and knows which state the live ones depend on. */
export class EvmPreExecutor implements PreExecutor {
  readonly #options: EvmPreExecutorOptions;
  readonly #keys = new ReadKeys();
  /** Runs so far. */
  runs = 0;
  /** Transactions that a block's changes concerned, and those that they did not, counted block by block. */
  concerned = 0;
  spared = 0;

  constructor(options: EvmPreExecutorOptions) {
    this.#options = options;
  }

  async run({ transaction, payload, outputs }: PreExecutionRequest): Promise<PreExecution> {
    const { simulator, transactionOf, nextBlock } = this.#options;
    const { hash } = transaction;
    const tx = payload && (await transactionOf(hash, payload));
    if (tx === undefined) return this.#fail(hash, "its bytes are no transaction of this chain");
    const results = new Map<string, Uint8Array>();
    for (const [index, { terms }] of transaction.calls.entries()) {
      const output = outputs[index];
      if (output !== undefined) results.set(terms.digest, output);
    }
    this.runs++;
    // Not before what the chain itself is asked, such as to take a block over: there may be a thousand of these (P7).
    const run = await simulator.askInTurn(`races of ${tx.sender}`, "preExecute", tx, results, nextBlock());
    return this.#told(transaction, run);
  }

  /** The state changed under these keys. Gives those that a transaction's last run read. */
  changed(changedKeys: readonly string[]): readonly string[] {
    const { keys, readers } = this.#keys.relevant(changedKeys);
    this.concerned += readers;
    this.spared += this.#keys.size - readers;
    return keys;
  }

  /** The transaction is in no mempool any more. */
  forget(hash: string): void {
    this.#keys.forget(hash);
  }

  /** Transactions whose read sets are known. */
  get watched(): number {
    return this.#keys.size;
  }

  #told({ hash, escrowGwei }: PreExecutionRequest["transaction"], run: EvmRun): PreExecution {
    if (run.kind === "invalid") return this.#fail(hash, run.message);
    // One that left while it ran is forgotten already, and nobody would forget it again.
    if (this.#options.isWaiting(hash)) this.#keys.watch(hash, run.readSet);
    const calls = run.calls.map(termsOf);
    if (run.kind === "calls") {
      // For any of these the scheduler gives it up, and does not say why.
      const neededGwei = calls.reduce((sum, { maxFeeGwei }) => sum + maxFeeGwei, 0);
      const tooDear = `its calls may cost ${neededGwei} gwei, of which ${escrowGwei} are set aside`;
      const reason = neededGwei > escrowGwei ? tooDear : this.#options.refusalOf(run.calls);
      if (reason !== undefined) this.#options.onFailed(hash, reason);
      return { kind: "calls-discovered", calls, inputs: run.calls.map(({ input }) => input) };
    }
    this.#options.onCompleted(hash, run.gasUsed);
    return { kind: "pre-executed", readSet: [...run.readSet, transactionKey(hash)], calls };
  }

  #fail(hash: string, reason: string): PreExecution {
    this.#keys.forget(hash);
    this.#options.onFailed(hash, reason);
    return { kind: "failed", reason };
  }
}

/** A question of a contract as the scheduler races it. */
export function termsOf(call: DiscoveredCall): CallTerms {
  const { model, mode, digest, inputHash, tokensIn, tokensOut, maxFeeGwei, conflict, validityBlocks } = call;
  return { model, mode, digest, inputHash, tokensIn, tokensOut, maxFeeGwei, conflict, validityBlocks };
}
