import { setTimeout as sleep } from "node:timers/promises";
import type { EvmHead } from "../../mempool/evm/block.ts";
import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { BlockEnvironment } from "../../mempool/evm/machine.ts";
import type { PoolEntry, TransactionPool } from "../../mempool/evm/transaction-pool.ts";
import type { Pipe } from "../index.ts";
import { assert } from "../shared/assert.ts";
import { BlockBuilding, type BuiltBlock } from "./block-building.ts";
import type { ChainThread } from "./chain-thread.ts";
import { Credits } from "./credits.ts";
import type { Deposit } from "../../mempool/evm/deposit.ts";
import { depositsOf } from "./deposits.ts";
import type { EvmIntake } from "./intake.ts";
import type { ProducerLimits } from "./limits.ts";
import type { Outcomes } from "./outcomes.ts";
import { type EvmPreExecutor, transactionKey } from "./pre-executor.ts";
import type { Withdrawals } from "./withdrawals.ts";

export interface BlockTimes {
  readonly intervalMs: number;
  /** Before the cut-off, when transactions begin to be executed into the block. What comes later may still get in. */
  readonly buildMs: number;
  /** Before the cut-off, when no more is begun: state root, receipts and the scheduler's seal take what is left. */
  readonly closeMs: number;
  /** Blocks on top of one that confirm it; no reorg goes deeper. */
  readonly confirmations: number;
}

export const DEFAULT_TIMES: BlockTimes = { intervalMs: 500, buildMs: 350, closeMs: 40, confirmations: 2 };

export interface ProducerOptions {
  readonly times: BlockTimes;
  readonly limits: ProducerLimits;
  readonly head: EvmHead;
  readonly builder: ChainThread;
  readonly simulator: ChainThread;
  readonly pipe: Pipe;
  readonly pool: TransactionPool;
  readonly outcomes: Outcomes;
  readonly preExecutor: EvmPreExecutor;
  readonly intake: () => EvmIntake;
  readonly withdrawals: Withdrawals;
  /** A block is on the chain: its planned time of sealing and how much later it was there, in milliseconds. */
  readonly onBlock: (block: BuiltBlock, times: { readonly sealAtMs: number; readonly lateMs: number }) => void;
  /** The blocks above this one were taken back. */
  readonly onReorg: (toNumber: number) => void;
  /** The producer cannot go on. */
  readonly onFailure: (error: Error) => void;
}

/** A block that a reorg may take back. */
interface Kept {
  readonly block: BuiltBlock;
  readonly parent: EvmHead;
  readonly deposits: readonly Deposit[];
}

interface PendingReorg {
  readonly depth: number;
  readonly done: PromiseWithResolvers<number>;
}

/** Pause between two looks for what became ready. */
const LOOK_MS = 8;

/**
 * Makes a block each interval: opens it, executes what pays and what is ready, closes it in time whatever is missing, and tells
 * the scheduler what the chain did. One block at a time; a reorg waits for the block under construction.
 */
export class EvmProducer {
  readonly #options: ProducerOptions;
  #head: EvmHead;
  /** Until its block is the head: what it holds is taken, though the chain does not say so yet. */
  #building: BlockBuilding | undefined;
  readonly #credits: Credits;
  #nextSealAtMs: number;
  /** Not yet confirmed, the oldest first. */
  readonly #kept: Kept[] = [];
  #reorg: PendingReorg | undefined;
  #stopping = false;
  #ended: Promise<void> | undefined;
  readonly #stop = new AbortController();

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#head = options.head;
    this.#credits = new Credits(options.pipe);
    this.#nextSealAtMs = nowMs() + options.times.intervalMs;
  }

  get head(): EvmHead {
    return this.#head;
  }

  /** The block under construction, or the next one. */
  get nextBlock(): BlockEnvironment {
    const { number, timestamp, coinbase, gasLimit } = this.#head;
    return {
      number: number + 1,
      timestamp: Math.max(timestamp, Math.floor(this.#nextSealAtMs / 1000)),
      coinbase,
      gasLimit,
      baseFeePerGas: this.#head.nextBaseFeePerGas,
    };
  }

  /** The first nonce of the sender that no transaction in the block under construction has. */
  nonceBuilt(sender: string, chainNonce: number): number {
    return this.#building?.freeNonce(sender, chainNonce) ?? chainNonce;
  }

  start(): void {
    this.#ended = this.#run().catch((error: unknown) => {
      this.#reorg?.done.reject(error);
      if (!this.#stopping) this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Ends; a block that is not closed yet is given up. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stop.abort();
    this.#reorg?.done.reject(new Error("the producer stops"));
    await this.#ended;
  }

  /** Takes back the latest blocks, as many as are not confirmed, after the one under construction. Gives the new head's number. */
  reorg(depth: number): Promise<number> {
    const { confirmations } = this.#options.times;
    if (!(Number.isInteger(depth) && depth >= 1 && depth <= confirmations))
      return Promise.reject(new RangeError(`a reorg takes back 1 to ${confirmations} blocks, not ${depth}`));
    if (this.#reorg !== undefined) return Promise.reject(new Error("a reorg is under way"));
    const done = Promise.withResolvers<number>();
    this.#reorg = { depth, done };
    return done.promise;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      await this.#oneBlock();
      if (this.#reorg !== undefined) await this.#takeBack(this.#reorg);
    }
  }

  async #oneBlock(): Promise<void> {
    const { times, pipe, onBlock } = this.#options;
    const sealAtMs = this.#nextSealAtMs;
    const env = this.nextBlock;
    await pipe.openBlock({ height: env.number, sealAtMs });
    const built = (await this.#build(env, sealAtMs)) ?? (await this.#emptyBlock(env, sealAtMs));
    if (built === undefined) return;
    await this.#sleepUntil(sealAtMs);
    const lateMs = nowMs() - sealAtMs;
    const missed = Math.max(0, Math.floor(lateMs / times.intervalMs));
    this.#nextSealAtMs = sealAtMs + times.intervalMs * (1 + missed);
    await this.#adopt(built);
    onBlock(built, { sealAtMs, lateMs });
  }

  async #build(env: BlockEnvironment, sealAtMs: number): Promise<BuiltBlock | undefined> {
    const { times, builder } = this.#options;
    const building = this.#buildingOf(env);
    await builder.ask("begin", env);
    this.#building = building;
    await this.#sleepUntil(sealAtMs - times.buildMs);
    const closeAtMs = sealAtMs - times.closeMs;
    const deadlineMs = performance.now() + (closeAtMs - nowMs());
    while (!this.#stopping && performance.now() < deadlineMs) {
      await building.round(deadlineMs);
      await this.#sleepUntil(Math.min(closeAtMs, nowMs() + LOOK_MS));
    }
    return this.#stopping ? undefined : building.seal();
  }

  /** The scheduler did not seal what was executed: it is taken back, and a block without inference goes out on time. */
  async #emptyBlock(env: BlockEnvironment, sealAtMs: number): Promise<BuiltBlock | undefined> {
    this.#building = undefined;
    if (this.#stopping) return undefined;
    const { pipe, builder } = this.#options;
    await builder.ask("abandon");
    await pipe.reorged(env.number);
    await pipe.openBlock({ height: env.number, sealAtMs });
    await builder.ask("begin", env);
    const built = await this.#buildingOf(env).seal();
    assert(built !== undefined, "an empty block is sealed as it is");
    return built;
  }

  #buildingOf(env: BlockEnvironment): BlockBuilding {
    const { builder, pool, pipe, limits } = this.#options;
    return new BlockBuilding({
      ...{ builder, pool, pipe, env, maxInference: limits.maxInferencePerBlock },
      onAsks: (entry, calls) => this.#asks(entry, calls),
      onInvalid: (entry, message) => this.#invalid(entry, message),
    });
  }

  #asks(entry: PoolEntry, calls: readonly DiscoveredCall[]): void {
    const { pipe, intake } = this.#options;
    // What cannot be told now is found again in the next block.
    if (entry.kind === "inference")
      void pipe.stateChanged([transactionKey(entry.transaction.hash)]).catch(() => undefined);
    else void intake().askedInBlock(entry, calls);
  }

  #invalid(entry: PoolEntry, message: string): void {
    this.#options.pool.remove(entry.transaction.hash);
    this.#drop(entry, { reason: message, advice: "Sign it again once that is mended." });
  }

  /** It is in the pool no more, and will be in no block. */
  #drop({ transaction, kind }: PoolEntry, why: { readonly reason: string; readonly advice: string }): void {
    const { outcomes, withdrawals } = this.#options;
    outcomes.note(transaction.hash, { state: "dropped", ...why });
    if (kind === "inference") void withdrawals.withdraw(transaction.hash);
  }

  /** The block is on the chain. */
  async #adopt(block: BuiltBlock): Promise<void> {
    const { simulator, pool, pipe, preExecutor, withdrawals } = this.#options;
    // Runs on the state before have said what they read once this is answered.
    await simulator.ask("apply", block.diff, block.head);
    const parent = this.#head;
    this.#head = block.head;
    for (const { transaction, kind } of block.included) {
      pool.remove(transaction.hash);
      if (kind === "inference") preExecutor.forget(transaction.hash);
    }
    // Not of the senders alone: a delegation (EIP-7702) uses a nonce of whoever signed it, in anybody's transaction.
    this.#headChanged(new Map(block.diff.map(({ address, nonce }) => [address, Number(nonce)])));
    this.#building = undefined;
    this.#kept.push({ block, parent, deposits: depositsOf(block.receipts) });
    const changed = preExecutor.changed(block.changedKeys);
    if (changed.length > 0) await pipe.stateChanged(changed);
    while (this.#kept.length > this.#options.times.confirmations) await this.#confirm(this.#kept.shift());
    void this.#credits.tell();
    void withdrawals.again();
  }

  #headChanged(nonces: ReadonlyMap<string, number>): void {
    for (const entry of this.#options.pool.headChanged(nonces, this.#head.number))
      this.#drop(entry, { reason: "its nonce is used, or its time is over", advice: "" });
  }

  async #confirm(kept: Kept | undefined): Promise<void> {
    if (kept === undefined) return;
    await this.#options.pipe.committed(kept.block.head.number);
    this.#credits.add(kept.deposits);
  }

  async #takeBack({ depth, done }: PendingReorg): Promise<void> {
    const { builder, simulator, pipe, preExecutor, onReorg } = this.#options;
    const taken = this.#kept.splice(-depth);
    const [first] = taken;
    if (first === undefined) {
      this.#reorg = undefined;
      return done.resolve(this.#head.number);
    }
    const { parent } = first;
    await builder.ask("rollback", parent.number);
    await simulator.ask("rollback", parent.number);
    const nonces = await this.#noncesOf(taken);
    this.#head = parent;
    this.#headChanged(nonces);
    for (const { block } of taken) for (const entry of block.included) this.#putBack(entry, nonces);
    onReorg(parent.number);
    await pipe.reorged(parent.number + 1);
    const changed = preExecutor.changed(taken.flatMap(({ block }) => block.changedKeys));
    if (changed.length > 0) await pipe.stateChanged(changed);
    this.#reorg = undefined;
    done.resolve(parent.number);
  }

  /** What the chain says now of the senders that these blocks changed. */
  async #noncesOf(taken: readonly Kept[]): Promise<Map<string, number>> {
    const { simulator, pool } = this.#options;
    const changed = taken.flatMap(({ block }) => block.diff.map(({ address }) => address));
    const known = changed.filter((address) => pool.chainNonce(address) !== undefined);
    const senders = taken.flatMap(({ block }) => block.included.map(({ transaction }) => transaction.sender));
    const asked = [...new Set([...known, ...senders])].map(async (address) => {
      return [address, (await simulator.ask("account", address)).nonce] as const;
    });
    return new Map(await Promise.all(asked));
  }

  #putBack({ transaction, kind, expectedGas }: PoolEntry, nonces: ReadonlyMap<string, number>): void {
    const { pool, outcomes } = this.#options;
    const chainNonce = nonces.get(transaction.sender) ?? transaction.nonce;
    const replaced = pool.add(transaction, { chainNonce, height: this.#head.number });
    // Somebody used its nonce between the two states of the chain.
    if (replaced !== undefined && replaced.transaction.hash !== transaction.hash)
      this.#drop(replaced, { reason: "a reorg brought back another one with its nonce", advice: "" });
    pool.classify(transaction.hash, kind);
    const entry = pool.get(transaction.hash);
    if (entry !== undefined) entry.expectedGas = expectedGas;
    outcomes.forget(transaction.hash);
  }

  async #sleepUntil(atMs: number): Promise<void> {
    // A timer may fire a little early.
    for (let ms = atMs - nowMs(); ms > 0 && !this.#stopping; ms = atMs - nowMs())
      await sleep(Math.max(1, ms), undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}

const STARTED_MS = Date.now() - performance.now();

/** Wall time that never goes back. */
export function nowMs(): number {
  return STARTED_MS + performance.now();
}
