import type { Common } from "@ethereumjs/common";
import { assert } from "../../scheduler/shared/assert.ts";
import { type EncodedBlock, encodeBlock, type EvmHead } from "./block.ts";
import { type Addition, assertFollows, BlockBuild } from "./build.ts";
import { GasPace } from "./gas-pace.ts";
import { type EvmGenesis, worldOf } from "./genesis.ts";
import { type BlockEnvironment, Machine } from "./machine.ts";
import { hexOf, RecordingState } from "./recording-state.ts";
import { type EvmTransaction, sharedCommon } from "./transaction.ts";
import { type CallOutcome, type CallRequest, type EvmRun, type GasEstimate, Trial, type TrialLimits } from "./trial.ts";
import { NO_CODE, slotValue, type StateDiff, type World } from "./world.ts";

/** A block that is made: what is kept, sent to followers, and told to those who ask. */
export interface SealedEvmBlock extends EncodedBlock {
  readonly diff: StateDiff;
  /** What changed, as read sets name it. */
  readonly changedKeys: readonly string[];
}

export interface EvmLimits extends TrialLimits {
  /** Blocks that a rollback can take back, and whose state can be asked for. */
  readonly keptBlocks: number;
  /** Gas that a millisecond is taken to burn until something was measured. */
  readonly startGasPerMs: number;
}

export const DEFAULT_EVM_LIMITS: EvmLimits = {
  // What runs for longer has no place in a block of 500 ms.
  runMs: 300,
  // Twice what a reorg of the mempool may take back. What a block keeps is the part of the state that it changed.
  keptBlocks: 128,
  // A loop of cheap instructions on a slow machine.
  startGasPerMs: 2_000,
};

/** BLOCKHASH reaches as far back, also from a block that a rollback uncovered. */
const BLOCKHASH_REACH = 256;

interface Block {
  readonly head: EvmHead;
  readonly world: World;
}

/**
 * An Ethereum chain in memory: its head, the blocks before as far as a reorg may go, one block under construction, and runs that
 * leave nothing behind. One call at a time, except that a run may be made between the steps of a block. It decides nothing: which
 * transactions a block has, and with which results, its caller says.
 */
export class EvmChain {
  readonly genesis: EvmGenesis;
  readonly limits: EvmLimits;
  readonly #common: Common;
  /** The last ones, the newest at the end; never empty. */
  readonly #blocks: Block[];
  /** Hashes of the blocks, by number. */
  readonly #hashes = new Map<number, string>();
  readonly #builder: { readonly machine: Machine; readonly state: RecordingState };
  readonly #trial: Trial;
  readonly #pace: GasPace;
  #build: BlockBuild | undefined;

  private constructor(terms: {
    readonly genesis: EvmGenesis;
    readonly limits: EvmLimits;
    readonly common: Common;
    readonly first: Block;
    readonly builder: { readonly machine: Machine; readonly state: RecordingState };
    readonly trial: Trial;
    readonly hashes: Map<number, string>;
  }) {
    this.genesis = terms.genesis;
    this.limits = terms.limits;
    this.#pace = new GasPace(terms.limits.startGasPerMs);
    this.#common = terms.common;
    this.#blocks = [terms.first];
    this.#builder = terms.builder;
    this.#trial = terms.trial;
    this.#hashes = terms.hashes;
  }

  static async create(genesis: EvmGenesis, limits: EvmLimits = DEFAULT_EVM_LIMITS): Promise<EvmChain> {
    const common = sharedCommon(genesis.chainId, genesis.hardfork);
    const world = worldOf(genesis);
    const { timestamp, coinbase, gasLimit, baseFeePerGas } = genesis;
    const env = { number: 0, timestamp, coinbase, gasLimit, baseFeePerGas };
    const parentHash = "0".repeat(64);
    const extraData = new Uint8Array(0);
    const { head } = encodeBlock({ env, parentHash, stateRoot: world.root, executed: [], extraData, common });
    const hashes = new Map([[0, head.hash]]);
    const hashOf = (number: number) => {
      const hash = hashes.get(number);
      assert(hash !== undefined, `the hash of block ${number} is not kept`);
      return new Uint8Array(Buffer.from(hash, "hex"));
    };
    const machineOn = async () => {
      const state = new RecordingState(world);
      return { state, machine: await Machine.create({ common, state, hashOf }) };
    };
    const { pipeChainId } = genesis;
    const trial = new Trial({ ...(await machineOn()), common, pipeChainId, limits });
    return new EvmChain({ genesis, limits, common, first: { head, world }, builder: await machineOn(), trial, hashes });
  }

  get head(): EvmHead {
    return this.#tip.head;
  }

  /** Gas that the machine burns in a millisecond, on the safe side. */
  get gasPerMs(): number {
    return this.#pace.gasPerMs;
  }

  get #tip(): Block {
    const tip = this.#blocks.at(-1);
    assert(tip !== undefined, "a chain has a head");
    return tip;
  }

  /** The next block, if it comes at this time (seconds since 1970; never before the head's) and nothing else changes. */
  nextEnvironment(timestamp: number): BlockEnvironment {
    const { head } = this;
    return {
      number: head.number + 1,
      timestamp: Math.max(timestamp, head.timestamp),
      coinbase: head.coinbase,
      gasLimit: head.gasLimit,
      baseFeePerGas: head.nextBaseFeePerGas,
    };
  }

  // ── runs that leave nothing behind ───────────────────────────────────────────────────────────────────────────────

  /**
   * Runs the transaction against the head, as in the block `env`, with the results that it has so far by their digests. The
   * sender's nonce is not held against a later one.
   */
  preExecute(tx: EvmTransaction, results: ReadonlyMap<string, Uint8Array>, env: BlockEnvironment): Promise<EvmRun> {
    return this.#trial.preExecute(tx, results, { standing: this.#tip, env });
  }

  /** A call without a signature. `at` is a state root that is still kept; the head's, without. */
  call(request: CallRequest, env: BlockEnvironment, at?: string): Promise<CallOutcome> {
    return this.#trial.call(request, this.#at(at), env);
  }

  estimateGas(request: CallRequest, env: BlockEnvironment, at?: string): Promise<GasEstimate> {
    return this.#trial.estimateGas(request, this.#at(at), env);
  }

  /** Whether the state after this block can still be asked for. */
  keeps(stateRoot: string): boolean {
    return this.#blocks.some(({ head }) => head.stateRoot === stateRoot);
  }

  /** An account that there is not has neither nonce nor balance nor code. Of "0x" and 40 lower-case digits. */
  account(address: string, at?: string): { nonce: number; balance: bigint; codeHash: string } {
    const { nonce, balance, code } = this.#at(at).world.account(address.slice(2)) ?? NOBODY;
    return { nonce: Number(nonce), balance, codeHash: hexOf(code.hash) };
  }

  code(address: string, at?: string): Uint8Array {
    return this.#at(at).world.account(address.slice(2))?.code.bytes ?? NO_CODE.bytes;
  }

  /** The slot's value without leading zeros. `slot`: 64 hexadecimal digits without prefix. */
  storage(address: string, slot: string, at?: string): Uint8Array {
    const account = this.#at(at).world.account(address.slice(2));
    return account === undefined ? NO_CODE.bytes : slotValue(account.storage, slot);
  }

  #at(stateRoot: string | undefined): Block {
    if (stateRoot === undefined) return this.#tip;
    const found = this.#blocks.findLast(({ head }) => head.stateRoot === stateRoot);
    assert(found !== undefined, "the state that is asked for is not kept");
    return found;
  }

  // ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins the block after the head. It must follow from it: `nextEnvironment` gives one that does. */
  async begin(env: BlockEnvironment): Promise<void> {
    assert(this.#build === undefined, "a block is under construction");
    const { head, world } = this.#tip;
    assertFollows(head, env);
    this.#build = this.#buildOn({ head, world }, env);
  }

  /**
   * Runs the transaction as the block's next one, with the results of its calls, and no others, by their digests. It is not begun
   * when it may take more than `leftMs`, by the gas that it took in its last run, and taken back when it does.
   */
  add(
    tx: EvmTransaction,
    results: ReadonlyMap<string, Uint8Array>,
    leftMs: number,
    expectedGas = tx.gasLimit,
  ): Promise<Addition> {
    assert(this.#build !== undefined, "no block is under construction");
    return this.#build.add(tx, results, leftMs, expectedGas);
  }

  /** Ends the block, which is the head from now on. `extraData` has 32 bytes at the most. */
  async seal(extraData: Uint8Array): Promise<SealedEvmBlock> {
    assert(this.#build !== undefined, "no block is under construction");
    const { world, ...sealed } = this.#build.seal(extraData);
    this.#build = undefined;
    this.#append({ head: sealed.head, world });
    return sealed;
  }

  async abandon(): Promise<void> {
    this.#build = undefined;
  }

  /** A block beside the head that never becomes one, for whoever checks it. Ends with the next `begin`. */
  rehearse(env: BlockEnvironment): BlockBuild {
    assert(this.#build === undefined, "a block is under construction");
    return this.#buildOn(this.#tip, env);
  }

  #buildOn({ head, world }: Block, env: BlockEnvironment): BlockBuild {
    const { pipeChainId } = this.genesis;
    const common = this.#common;
    return new BlockBuild({ ...this.#builder, parent: head, world, env, pace: this.#pace, common, pipeChainId });
  }

  // ── following ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes over a block that another instance made. Throws, and changes nothing, when it is not the next one or its state is another. */
  async apply(diff: StateDiff, head: EvmHead): Promise<void> {
    assert(this.#build === undefined, "a block is under construction");
    if (head.parentHash !== this.head.hash || head.number !== this.head.number + 1)
      throw new FollowError(`block ${head.number} does not follow block ${this.head.number}`);
    const world = this.#tip.world.with(diff);
    if (hexOf(world.root) !== head.stateRoot) throw new FollowError(`the state after block ${head.number} is another`);
    this.#append({ head, world });
  }

  /** The state after that block again; those after it are forgotten. Throws for one that is no longer kept. */
  async rollback(toNumber: number): Promise<void> {
    this.#build = undefined;
    const kept = this.#blocks.findIndex(({ head }) => head.number === toNumber);
    if (kept === -1) throw new FollowError(`block ${toNumber} is not kept`);
    for (const { head } of this.#blocks.splice(kept + 1)) this.#hashes.delete(head.number);
  }

  #append(block: Block): void {
    const { number, hash } = block.head;
    this.#blocks.push(block);
    this.#hashes.set(number, hash);
    if (this.#blocks.length > this.limits.keptBlocks + 1) this.#blocks.shift();
    this.#hashes.delete(number - BLOCKHASH_REACH - this.limits.keptBlocks);
  }
}

/** A block that cannot be followed, or a state that is gone: what follows must begin anew. */
export class FollowError extends Error {
  override readonly name = "FollowError";
}

const NOBODY = { nonce: 0n, balance: 0n, code: NO_CODE };
