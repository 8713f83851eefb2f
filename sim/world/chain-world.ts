import type { CopyView, SealedBlock, TransactionView } from "../../scheduler/engine/commands.ts";
import { DEFAULT_CONFIG, DEFAULT_RACES } from "../../scheduler/engine/config.ts";
import { Engine } from "../../scheduler/engine/engine.ts";
import { assert } from "../../scheduler/shared/assert.ts";
import { type CallTerms, NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { Rejection } from "../../mempool/rejection.ts";
import type { BlocksSpec } from "../experiment/types.ts";
import { BlockClock } from "./block-clock.ts";
import { ENGINE_SLOTS } from "./copy-table.ts";
import { highestPriceGwei } from "./fleet.ts";
import { tokensAsked } from "./job-table.ts";
import { PRIORITY, SEALS } from "./payloads.ts";
import { World, type WorldParts } from "./world.ts";

/** What a sender pays in at a time: enough for a thousand of the dearest answers. */
const DEPOSIT_GWEI = 1_000_000;
const MAX_TRANSACTIONS = 100_000;
/** A node's bond: for more answers than a run has open at one time, and little enough for the sum of all to be exact. */
const BOND_GWEI = 2 ** 40;
/** What production answers to more than can be served. Any other rejection would be a mistake of this world. */
const REFUSALS: ReadonlySet<Rejection["reason"]> = new Set(["infeasible", "pool-full", "too-many-accounts"]);

/**
 * The whole engine: mempool, fees, blocks, receipts. A job is a transaction with one call; it is over when it is refused,
 * refunded, or in a block that is final. Each of the jobs under way at one time has a sender of its own, so that no
 * transaction waits for another's nonce.
 */
export class ChainWorld extends World {
  protected readonly engine: Engine;
  readonly #blocks: BlocksSpec;
  readonly #clock: BlockClock;
  #height = 1;
  /** Blocks opened so far, those included that the chain took back: what a job's lateness is counted in. */
  #opened = 0;
  /** Blocks that are not final, the latest last, with the jobs in them. */
  readonly #tips: SealedJobs[] = [];
  /** By job, since each of those under way at one time has a sender of its own; and what is left of the sender's deposit. */
  readonly #senders: string[] = [];
  readonly #nonces: number[] = [];
  readonly #deposits: number[] = [];
  readonly #admittedBlock: number[] = [];
  readonly #calls: CallTerms[] = [];
  readonly #toRun: { id: number; round: number; job: number; done: boolean }[] = [];
  readonly #toPass: number[] = [];
  /** Job of each of the engine's transactions, by the slot in its handle. */
  readonly #jobOf: number[] = [];
  readonly #maxFeeGwei: number;
  #entering = -1;
  #serial = 0;

  constructor(parts: WorldParts, blocks: BlocksSpec, engineSeed: number) {
    super(parts);
    const { policy, placement, budget, fleet, verification, mode } = parts.experiment;
    this.#blocks = blocks;
    this.#clock = new BlockClock(blocks, parts.streamFor("blocks"));
    this.#maxFeeGwei = highestPriceGwei(fleet);
    this.engine = new Engine({
      ...DEFAULT_CONFIG,
      seed: engineSeed,
      policy,
      placement,
      budget,
      races: {
        ...DEFAULT_RACES,
        verificationUs: Math.round(verification.ms * 1_000),
        // Nodes that never fail need nobody to watch whether they accept.
        acceptTimeoutUs: this.watched ? DEFAULT_RACES.acceptTimeoutUs : NEVER,
        redundancyFloor: Math.min(DEFAULT_RACES.redundancyFloor, fleet.operators),
      },
      blockIntervalUs: this.#clock.intervalUs,
    });
    for (const { terms: node } of this.fleet) {
      this.#step({ kind: "node-joined", node });
      if (mode === "optimistic") this.#step({ kind: "bond-changed", node: node.id, bondGwei: BOND_GWEI });
    }
    this.#open();
  }

  #step(event: Parameters<Engine["step"]>[1]): void {
    this.engineEvents++;
    this.engine.step(this.nowUs, event, this);
  }

  // ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #open(): void {
    this.#opened++;
    const sealUs = this.#clock.open();
    this.#step({ kind: "block-opened", height: this.#height, sealAtUs: this.#clock.announcedUs });
    this.heap.schedule(sealUs, PRIORITY.block, SEALS);
  }

  protected happen(): void {
    const height = this.#height++;
    this.#step({ kind: "seal-requested", height, maxTransactions: MAX_TRANSACTIONS, order: "gas" });
    this.#step({ kind: "block-committed", height });
    this.#finalise(height - this.#clock.depth);
    if (this.#clock.reorganises()) this.#reorganise();
    this.#open();
    this.drain();
  }

  override sealed({ height, transactions }: SealedBlock): void {
    const { measured, nowUs } = this;
    measured.blocks?.block(nowUs);
    const [number, jobs]: [number, number[]] = [this.#opened, []];
    for (const tx of transactions) {
      const job = this.#jobOfTx(tx);
      this.#nonces[job] = (this.#nonces[job] as number) + 1;
      measured.blocks?.sealed(nowUs, number - (this.#admittedBlock[job] as number));
      jobs.push(job);
    }
    this.#tips.push({ height, number, jobs });
  }

  /** Blocks up to this height stay. */
  #finalise(height: number): void {
    const { measured } = this;
    while (this.#tips[0] !== undefined && this.#tips[0].height <= height) {
      const block = this.#tips.shift() as SealedJobs;
      for (const job of block.jobs) {
        if (!this.#over(job)) continue;
        const late = block.number - (this.#admittedBlock[job] as number);
        measured.sealed++;
        measured.blocksLate += late;
        measured.blocks?.counted(late);
      }
    }
  }

  #reorganise(): void {
    const first = this.#tips[0];
    if (first === undefined) return;
    this.#step({ kind: "block-reverted", height: first.height });
    this.#height = first.height;
  }

  override reverted(height: number): void {
    const block = this.#tips.pop();
    assert(block?.height === height, "blocks are taken back from the tip on");
    for (const job of block.jobs) {
      this.#nonces[job] = (this.#nonces[job] as number) - 1;
      if (this.measured.counts(this.jobs.number[job] as number)) this.measured.reorged++;
    }
  }

  // ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────

  protected enter(job: number): void {
    const number = this.#serial++;
    this.#entering = job;
    const sender = this.#senderOf(job);
    const hash = `tx-${number}`;
    const call: CallTerms = {
      model: "model",
      mode: this.experiment.mode,
      digest: hash,
      inputHash: hash,
      tokensIn: 0,
      tokensOut: tokensAsked(this.jobs.tokens[job] as number),
      maxFeeGwei: this.#maxFeeGwei,
      conflict: { kind: "first-valid" },
      validityBlocks: this.#blocks.ttlBlocks,
    };
    this.#calls[job] = call;
    this.#admittedBlock[job] = this.#opened;
    this.#step({
      kind: "submitted",
      transaction: {
        hash,
        sender,
        nonce: this.#nonces[job] as number,
        gasPriceGwei: 1,
        ttlBlocks: this.#blocks.ttlBlocks,
        escrowGwei: this.#maxFeeGwei,
        calls: [call],
      },
    });
  }

  /** The job's sender, with enough on deposit for another fee. */
  #senderOf(job: number): string {
    const sender = this.#senders[job] ?? `sender-${job}`;
    if (this.#senders[job] === undefined) {
      this.#senders[job] = sender;
      this.#nonces[job] = 0;
      this.#deposits[job] = 0;
    }
    let left = (this.#deposits[job] as number) - this.#maxFeeGwei;
    if (left <= 0) {
      left += DEPOSIT_GWEI;
      this.#step({ kind: "deposited", account: sender, amountGwei: DEPOSIT_GWEI });
    }
    this.#deposits[job] = left;
    return sender;
  }

  override accepted(tx: TransactionView): void {
    this.#jobOf[tx.id % ENGINE_SLOTS] = this.#entering;
  }

  override preExecute(tx: TransactionView): void {
    this.#toRun.push({ id: tx.id, round: tx.round, job: this.#jobOfTx(tx), done: tx.calls.length > 0 });
  }

  #jobOfTx(tx: { readonly id: number }): number {
    return this.#jobOf[tx.id % ENGINE_SLOTS] as number;
  }

  protected settle(): void {
    for (let asked = this.#toRun.pop(); asked !== undefined; asked = this.#toRun.pop()) {
      const { id: tx, round, job, done } = asked;
      if (done) this.#step({ kind: "pre-executed", tx, round, readSet: [] });
      else this.#step({ kind: "calls-discovered", tx, round, calls: [this.#calls[job] as CallTerms] });
    }
    for (let job = this.#toPass.pop(); job !== undefined; job = this.#toPass.pop()) this.jobs.close(job);
  }

  protected jobOf(view: CopyView): number {
    return this.#jobOfTx(view.race.tx);
  }

  /** The race is won; the transaction is over when its block is. */
  protected won(): void {}

  override notify(tx: TransactionView): void {
    if (tx.state !== "refunded") return;
    this.measured.blocks?.refunded(this.nowUs);
    if (this.#over(this.#jobOfTx(tx))) this.measured.refunded++;
  }

  override rejected(hash: string, { reason }: Rejection): void {
    assert(REFUSALS.has(reason), `the modelled mempool refused ${hash} as ${reason}`);
    if (this.#over(this.#entering)) this.measured.refused++;
  }

  #over(job: number): boolean {
    const counted = this.measured.over(this.jobs.number[job] as number);
    // Not at once: commands of the step under way may still be about it.
    this.#toPass.push(job);
    return counted;
  }
}

/** A block, its number among all that were opened, and the jobs that it carries. */
interface SealedJobs {
  readonly height: number;
  readonly number: number;
  readonly jobs: readonly number[];
}
