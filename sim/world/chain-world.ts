import type { CopyView, SealedBlock, TransactionView } from "../../scheduler/engine/commands.ts";
import { DEFAULT_CONFIG, DEFAULT_RACES } from "../../scheduler/engine/config.ts";
import { Engine } from "../../scheduler/engine/engine.ts";
import { type CallTerms, NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { BlocksSpec } from "../experiment/types.ts";
import { ENGINE_SLOTS } from "./copy-table.ts";
import { FEE_GWEI, nodeTermsOf } from "./fleet.ts";
import { BLOCK, World, type WorldParts } from "./world.ts";

/** Deposit of a sender: enough for any run, small enough that all of them sum to a safe integer. */
const DEPOSIT_GWEI = 1_000_000_000;
const MAX_TRANSACTIONS = 100_000;

/**
 * The whole engine: mempool, fees, blocks, receipts. A job is a transaction with one call; it is over when it is sealed or
 * refunded. Each of the jobs under way at one time has a sender of its own, so that no transaction waits for another's nonce.
 */
export class ChainWorld extends World {
  protected readonly engine: Engine;
  readonly #blocks: BlocksSpec;
  readonly #intervalUs: number;
  #height = 1;
  #sealAtUs = 0;
  /** By job, since each of those under way at one time has a sender of its own. */
  readonly #senders: string[] = [];
  readonly #nonces: number[] = [];
  readonly #admittedHeight: number[] = [];
  readonly #calls: CallTerms[] = [];
  readonly #toRun: { id: number; round: number; job: number; done: boolean }[] = [];
  readonly #toPass: number[] = [];
  /** Job of each of the engine's transactions, by the slot in its handle. */
  readonly #jobOf: number[] = [];
  #entering = -1;
  #serial = 0;

  constructor(parts: WorldParts, blocks: BlocksSpec, engineSeed: number) {
    const { policy, placement, budget, fleet } = parts.experiment;
    // Nodes that never fail need nobody to watch whether they accept.
    const watched = fleet.deadFraction > 0;
    super(parts, watched);
    this.#blocks = blocks;
    this.#intervalUs = Math.round(blocks.intervalMs * 1_000);
    const verificationUs = Math.round(parts.experiment.verification.ms * 1_000);
    this.engine = new Engine({
      ...DEFAULT_CONFIG,
      seed: engineSeed,
      policy,
      placement,
      budget,
      races: {
        ...DEFAULT_RACES,
        verificationUs,
        acceptTimeoutUs: watched ? DEFAULT_RACES.acceptTimeoutUs : NEVER,
        redundancyFloor: Math.min(DEFAULT_RACES.redundancyFloor, fleet.operators),
      },
      blockIntervalUs: this.#intervalUs,
    });
    for (const node of nodeTermsOf(fleet)) this.#step({ kind: "node-joined", node });
    this.#open();
  }

  #step(event: Parameters<Engine["step"]>[1]): void {
    this.engineEvents++;
    this.engine.step(this.nowUs, event, this);
  }

  // ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #open(): void {
    this.#sealAtUs = this.nowUs + this.#intervalUs;
    this.#step({ kind: "block-opened", height: this.#height, sealAtUs: this.#sealAtUs });
    this.heap.schedule(this.#sealAtUs, 8, BLOCK);
  }

  protected happen(): void {
    const height = this.#height++;
    this.#step({ kind: "seal-requested", height, maxTransactions: MAX_TRANSACTIONS, order: "gas" });
    this.#step({ kind: "block-committed", height });
    this.#open();
    this.drain();
  }

  // ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────

  protected enter(job: number): void {
    const number = this.#serial++;
    this.#entering = job;
    const sender = this.#senderOf(job);
    const hash = `tx-${number}`;
    const call: CallTerms = {
      model: "model",
      mode: "vanilla",
      digest: hash,
      inputHash: hash,
      tokensIn: 0,
      tokensOut: Math.max(0, this.jobs.tokens[job] as number),
      maxFeeGwei: FEE_GWEI,
      conflict: { kind: "first-valid" },
      validityBlocks: this.#blocks.ttlBlocks,
    };
    this.#calls[job] = call;
    this.#admittedHeight[job] = this.#height;
    this.#step({
      kind: "submitted",
      transaction: {
        hash,
        sender,
        nonce: this.#nonces[job] as number,
        gasPriceGwei: 1,
        ttlBlocks: this.#blocks.ttlBlocks,
        escrowGwei: FEE_GWEI,
        calls: [call],
      },
    });
  }

  #senderOf(job: number): string {
    const known = this.#senders[job];
    if (known !== undefined) return known;
    const sender = `sender-${job}`;
    this.#senders[job] = sender;
    this.#nonces[job] = 0;
    this.#step({ kind: "deposited", account: sender, amountGwei: DEPOSIT_GWEI });
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

  override sealed(block: SealedBlock): void {
    const { measured, nowUs } = this;
    measured.blocks?.block(nowUs);
    for (const tx of block.transactions) {
      const job = this.#jobOfTx(tx);
      const late = block.height - (this.#admittedHeight[job] as number);
      this.#nonces[job] = (this.#nonces[job] as number) + 1;
      measured.blocks?.sealed(nowUs, late);
      const counted = this.#over(job);
      if (!counted) continue;
      measured.sealed++;
      measured.blocksLate += late;
      measured.blocks?.counted(late);
    }
  }

  override notify(tx: TransactionView): void {
    if (tx.state !== "refunded") return;
    this.measured.blocks?.refunded(this.nowUs);
    if (this.#over(this.#jobOfTx(tx))) this.measured.refunded++;
  }

  override rejected(hash: string): void {
    throw new Error(
      `the modelled mempool refused ${hash}: it can only be full, so the load is beyond what can be served`,
    );
  }

  #over(job: number): boolean {
    const counted = this.measured.counts(this.jobs.number[job] as number);
    if (counted) this.measured.over();
    // Not at once: commands of the step under way may still be about it.
    this.#toPass.push(job);
    return counted;
  }
}
