import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { EvmRun } from "../../mempool/evm/trial.ts";
import type { BlockEnvironment } from "../../mempool/evm/machine.ts";
import type { EvmTransaction } from "../../mempool/evm/transaction.ts";
import type { CallTerms, PreExecution, PreExecutionRequest, PreExecutor } from "../index.ts";
import type { ChainThread } from "./chain-thread.ts";
import { ReadKeys } from "./read-keys.ts";

export interface EvmPreExecutorOptions {
  readonly simulator: Pick<ChainThread, "ask">;
  /** The transaction that has this hash and payload; `undefined` for what is none of this chain. */
  readonly transactionOf: (hash: string, payload: Uint8Array) => Promise<EvmTransaction | undefined>;
  /** The block that the next one will be. */
  readonly nextBlock: () => BlockEnvironment;
  /** A run came to its end, and took that much gas. */
  readonly onCompleted: (hash: string, gasUsed: bigint) => void;
  /** A run ended without an answer; the transaction will be refunded. */
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
    const run = await simulator.ask("preExecute", tx, results, nextBlock());
    return this.#told(hash, run);
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

  #told(hash: string, run: EvmRun): PreExecution {
    switch (run.kind) {
      case "invalid":
        return this.#fail(hash, run.message);
      case "calls":
        this.#keys.watch(hash, run.readSet);
        return {
          kind: "calls-discovered",
          calls: run.calls.map(termsOf),
          inputs: run.calls.map(({ input }) => input),
        };
      case "completed":
        this.#options.onCompleted(hash, run.gasUsed);
        this.#keys.watch(hash, run.readSet);
        return {
          kind: "pre-executed",
          readSet: [...run.readSet, transactionKey(hash)],
          calls: run.calls.map(termsOf),
        };
    }
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
