import type { SealedEvmBlock } from "../../mempool/evm/chain.ts";
import type { BlockEnvironment } from "../../mempool/evm/machine.ts";
import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { PoolEntry, TransactionPool } from "../../mempool/evm/transaction-pool.ts";
import type { BlockRecord, Pipe } from "../index.ts";
import type { ChainThread } from "./chain-thread.ts";

export interface BuildingOptions {
  readonly builder: Pick<ChainThread, "ask">;
  readonly pool: TransactionPool;
  readonly pipe: Pick<Pipe, "ready" | "seal">;
  readonly env: BlockEnvironment;
  readonly maxInference: number;
  /** It asks something else in the block than in its last run: it has to be run again before it can be in a block. */
  readonly onAsks: (entry: PoolEntry, calls: readonly DiscoveredCall[]) => void;
  /** It cannot be in a block as things are. */
  readonly onInvalid: (entry: PoolEntry, message: string) => void;
}

export interface BuiltBlock extends SealedEvmBlock {
  readonly included: readonly PoolEntry[];
  /** The scheduler's signed header with the receipts of the block's results. */
  readonly inference: BlockRecord;
}

/** What a transaction may be expected to end in, whatever it does: what takes longer has no place in any block. */
const MIN_FAIR_MS = 100;

/** One block under construction: executes what may be in it, best first, as it becomes ready. */
export class BlockBuilding {
  readonly #options: BuildingOptions;
  readonly #included: PoolEntry[] = [];
  readonly #nonces = new Map<string, number>();
  /** Those that were executed, or that the block cannot have. */
  readonly #tried = new Set<string>();
  /** Under execution: nothing may replace it any more. */
  #executing: PoolEntry | undefined;
  #inference = 0;
  /** What did not fit any more: gas that may be used, and gas that takes time. As much, or more, need not be tried again. */
  #full = { gas: NO_LIMIT, time: NO_LIMIT };

  constructor(options: BuildingOptions) {
    this.#options = options;
  }

  get env(): BlockEnvironment {
    return this.#options.env;
  }

  /** The sender's next nonce in this block, `chainNonce` being that on the chain. */
  nextNonce(sender: string, chainNonce: number): number {
    return this.#nonces.get(sender) ?? chainNonce;
  }

  /** The first nonce of the sender that no transaction in this block has, or may be about to have. */
  freeNonce(sender: string, chainNonce: number): number {
    const executing = this.#executing?.transaction;
    return executing?.sender === sender ? executing.nonce + 1 : this.nextNonce(sender, chainNonce);
  }

  /** Executes what is there and was not tried yet, until the deadline (of `performance.now`). Gives how many it took. */
  async round(deadlineMs: number): Promise<number> {
    const { pool, pipe, env, maxInference } = this.#options;
    const ready = new Map<string, ReadonlyMap<string, Uint8Array>>();
    const senders = new Set<string>();
    for (const { hash, outputs } of await pipe.ready(maxInference)) {
      const entry = pool.get(hash);
      if (entry === undefined || this.#tried.has(hash)) continue;
      senders.add(entry.transaction.sender);
      ready.set(hash, new Map(outputs.flatMap(({ digest, output }) => (output ? [[digest, output] as const] : []))));
    }
    const selection = {
      baseFeePerGas: env.baseFeePerGas,
      isReady: ({ transaction }: PoolEntry) => ready.has(transaction.hash) && this.#inference < maxInference,
      nextNonce: (sender: string, chainNonce: number) => this.nextNonce(sender, chainNonce),
    };
    let taken = 0;
    for (const entry of pool.select(selection, senders)) {
      if (performance.now() >= deadlineMs) break;
      if (this.#tried.has(entry.transaction.hash) || this.#isTooMuch(entry)) continue;
      if (await this.#try(entry, ready.get(entry.transaction.hash) ?? NO_RESULTS, deadlineMs)) taken++;
    }
    return taken;
  }

  async #try(entry: PoolEntry, results: ReadonlyMap<string, Uint8Array>, deadlineMs: number): Promise<boolean> {
    const { builder, onAsks, onInvalid } = this.#options;
    const { transaction } = entry;
    this.#tried.add(transaction.hash);
    this.#executing = entry;
    const leftMs = Math.max(0, deadlineMs - performance.now());
    const added = await builder.ask("add", transaction, results, leftMs, entry.expectedGas).finally(() => {
      this.#executing = undefined;
    });
    switch (added.kind) {
      case "included":
        this.#included.push(entry);
        this.#nonces.set(transaction.sender, transaction.nonce + 1);
        if (entry.kind === "inference") this.#inference++;
        return true;
      case "asks":
        onAsks(entry, added.calls);
        return false;
      case "invalid":
        onInvalid(entry, added.message);
        return false;
      case "overran":
        // With less time than this it may have been the block's fault.
        if (leftMs >= MIN_FAIR_MS) this.#overran(entry);
        return false;
      case "no-room":
        this.#full[added.of] = added.of === "gas" ? transaction.gasLimit : entry.expectedGas;
        return false;
    }
  }

  /** It may have been a pause of the machine's: it gets more time in the next block, but not for ever. */
  #overran(entry: PoolEntry): void {
    entry.overruns++;
    entry.expectedGas *= OVERRUN_FACTOR;
    if (entry.overruns >= MAX_OVERRUNS) this.#options.onInvalid(entry, "takes longer than a block has time for");
  }

  /** Who fills a block with a few large ones that find no room must not keep small ones out of what is left. */
  #isTooMuch({ transaction, expectedGas }: PoolEntry): boolean {
    return transaction.gasLimit >= this.#full.gas || expectedGas >= this.#full.time;
  }

  /**
   * The block is closed: the scheduler seals the transactions that were executed, and the root over its receipts goes into the
   * header. `undefined` when the scheduler did not seal these very ones; then nothing of the block may be used.
   */
  async seal(): Promise<BuiltBlock | undefined> {
    const { builder, pipe, env } = this.#options;
    const order = this.#included.flatMap(({ kind, transaction }) => (kind === "inference" ? [transaction.hash] : []));
    const sealed = await pipe.seal({ height: env.number, maxTransactions: order.length, order });
    if (!sealed.ok) throw new Error(`block ${env.number} cannot be sealed: ${sealed.advice}`);
    const { header } = sealed.block;
    if (header.transactions.join() !== order.join()) return undefined;
    const end = await builder.ask("seal", Buffer.from(header.receiptsRoot, "hex"));
    return { ...end, included: this.#included, inference: sealed.block };
  }
}

const OVERRUN_FACTOR = 4n;
const MAX_OVERRUNS = 3;
/** More than any block has. */
const NO_LIMIT = 2n ** 64n;
const NO_RESULTS: ReadonlyMap<string, Uint8Array> = new Map();
