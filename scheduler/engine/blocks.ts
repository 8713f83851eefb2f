import { Heap } from "../shared/heap.ts";
import { NEVER } from "../shared/vocabulary.ts";
import type { PendingTransaction } from "../../mempool/pending.ts";
import { isStale, type Pool } from "../../mempool/pool.ts";
import type { Commands } from "./commands.ts";
import type { Counters } from "./counters.ts";
import type { BlockOrder } from "./events.ts";
import type { Settlement } from "./settlement.ts";

/** What blocks ask of the transactions' life. */
export interface BlockListener {
  /** Some of its results may not be stitched at this height any more: it races again. */
  stale(tx: PendingTransaction, height: number, nowUs: number, out: Commands): void;
  left(tx: PendingTransaction, nowUs: number, out: Commands): void;
  returned(tx: PendingTransaction, nowUs: number, out: Commands): void;
}

interface BlockRecord {
  readonly height: number;
  readonly sealedUs: number;
  readonly transactions: PendingTransaction[];
  committed: boolean;
  /** Nothing of it can be challenged any more, and all its fees are paid or given back. */
  settled: boolean;
}

/**
 * Blocks from opening to finality.
 *
 * 1. Sealing looks at ready transactions only, however many wait (P7), and answers in the same step.
 * 2. A sealed transaction carries all of its results, each within its validity (P10).
 * 3. Fees are paid once, at commit or when nobody can challenge the result any more; a reorg takes them back before the
 *    transaction may be sealed again (P5).
 */
export class Blocks {
  readonly #pool: Pool;
  readonly #settlement: Settlement;
  readonly #counters: Counters;
  readonly #intervalUs: number;
  #listener: BlockListener | undefined;
  /** Sealed blocks that a reorg can still take back, ascending. */
  readonly #sealed: BlockRecord[] = [];
  #openHeight = 0;
  #open = false;
  #sealAtUs = NEVER;
  #uncommitted = 0;

  constructor(parts: { pool: Pool; settlement: Settlement; counters: Counters; intervalUs: number }) {
    this.#pool = parts.pool;
    this.#settlement = parts.settlement;
    this.#counters = parts.counters;
    this.#intervalUs = parts.intervalUs;
  }

  listen(listener: BlockListener): void {
    this.#listener = listener;
  }

  /** Height of the block that is open, or of the next one. */
  get height(): number {
    return this.#openHeight;
  }

  /** When the block of this height is expected to seal; `NEVER` before the first block opened. */
  sealTimeUs(height: number): number {
    if (this.#sealAtUs === NEVER) return NEVER;
    return this.#sealAtUs + (height - this.#openHeight) * this.#intervalUs;
  }

  /** False when a block of this height was sealed already. */
  open(height: number, sealAtUs: number, nowUs: number, out: Commands): boolean {
    const tip = this.#sealed[this.#sealed.length - 1];
    if (tip !== undefined && height <= tip.height) return false;
    this.#openHeight = height;
    this.#sealAtUs = sealAtUs;
    this.#open = true;
    for (const block of this.#sealed) this.#settle(block, nowUs, out);
    return true;
  }

  // ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  seal(request: { height: number; maxTransactions: number; order: BlockOrder }, nowUs: number, out: Commands): void {
    const { height, maxTransactions, order } = request;
    const { limits } = this.#pool;
    const known = this.#sealed.find((block) => block.height === height);
    if (known !== undefined) {
      // The producer may have missed the answer: the same block again.
      out.sealed(known);
      return;
    }
    if (!this.#open || height !== this.#openHeight) {
      out.sealRefused({ reason: "not-open", height, openHeight: this.#openHeight });
    } else if (
      !(Number.isInteger(maxTransactions) && maxTransactions >= 0 && maxTransactions <= limits.maxTransactionsPerBlock)
    ) {
      out.sealRefused({ reason: "bad-limit", height, maxTransactions });
    } else if (this.#uncommitted >= limits.maxReorgDepth) {
      out.sealRefused({ reason: "too-many-uncommitted", height, limit: limits.maxReorgDepth });
    } else this.#sealOpen(maxTransactions, order, nowUs, out);
  }

  #sealOpen(maxTransactions: number, order: BlockOrder, nowUs: number, out: Commands): void {
    const height = this.#openHeight;
    const transactions = this.#select(order, maxTransactions, nowUs, out);
    const block: BlockRecord = { height, sealedUs: nowUs, transactions, committed: false, settled: false };
    this.#sealed.push(block);
    this.#uncommitted++;
    this.#open = false;
    this.#openHeight = height + 1;
    this.#sealAtUs += this.#intervalUs;
    this.#counters.sealed += transactions.length;
    for (const tx of transactions) this.#settlement.sealed(tx, height);
    out.sealed(block);
    for (const tx of transactions) {
      if (tx.lane === "slow") this.#counters.sealedSlow++;
      this.#listener?.left(tx, nowUs, out);
      out.notify(tx);
    }
  }

  #select(order: BlockOrder, maxTransactions: number, nowUs: number, out: Commands): PendingTransaction[] {
    if (order === "arrival") return this.#selectByArrival(maxTransactions, nowUs, out);
    if (order === "gas") return this.#selectByGas(maxTransactions, nowUs, out);
    return this.#selectGiven(order.slice(0, maxTransactions), nowUs, out);
  }

  /** What the producer executed, in its order. */
  #selectGiven(hashes: readonly string[], nowUs: number, out: Commands): PendingTransaction[] {
    const selected: PendingTransaction[] = [];
    for (const hash of hashes) {
      const tx = this.#pool.byHash(hash);
      if (tx === undefined || !this.#fits(tx, nowUs, out)) continue;
      selected.push(tx);
      const next = this.#pool.markSealed(tx, this.#openHeight);
      if (next !== undefined) this.#pool.offerToSeal(next);
    }
    // Nobody takes what was selected out of the heap otherwise.
    for (const tx of this.#pool.takeSealable()) if (this.#fits(tx, nowUs, out)) this.#pool.offerToSeal(tx);
    return selected;
  }

  #selectByArrival(maxTransactions: number, nowUs: number, out: Commands): PendingTransaction[] {
    const { sealable } = this.#pool;
    const selected: PendingTransaction[] = [];
    while (selected.length < maxTransactions) {
      const tx = sealable.pop();
      if (tx === undefined) break;
      tx.inSealable = false;
      if (!this.#fits(tx, nowUs, out)) continue;
      selected.push(tx);
      const next = this.#pool.markSealed(tx, this.#openHeight);
      if (next !== undefined) this.#pool.offerToSeal(next);
    }
    return selected;
  }

  /** The producer's own order: highest gas price first, each sender's nonces in order. Ties by arrival. */
  #selectByGas(maxTransactions: number, nowUs: number, out: Commands): PendingTransaction[] {
    const candidates = this.#pool.takeSealable();
    const best = new Heap<PendingTransaction>(
      (a, b) => a.gasPriceGwei > b.gasPriceGwei || (a.gasPriceGwei === b.gasPriceGwei && a.seq < b.seq),
    );
    for (const tx of candidates) best.push(tx);
    const selected: PendingTransaction[] = [];
    while (selected.length < maxTransactions) {
      const tx = best.pop();
      if (tx === undefined) break;
      if (!this.#fits(tx, nowUs, out)) continue;
      selected.push(tx);
      const next = this.#pool.markSealed(tx, this.#openHeight);
      if (next !== undefined) best.push(next);
    }
    for (let tx = best.pop(); tx !== undefined; tx = best.pop()) if (tx.state === "ready") this.#pool.offerToSeal(tx);
    return selected;
  }

  #fits(tx: PendingTransaction, nowUs: number, out: Commands): boolean {
    if (!this.#pool.isSealable(tx)) return false;
    const height = this.#openHeight;
    if (!isStale(tx, height)) return true;
    this.#listener?.stale(tx, height, nowUs, out);
    return false;
  }

  // ── commit and reorg ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * The chain confirmed this block, and so every one before it. False when there is no such block, or it was committed before.
   * Were one left out, all later ones would have to be kept for as long as it is.
   */
  commit(height: number, nowUs: number, out: Commands): boolean {
    const block = this.#sealed.find((one) => one.height === height);
    if (block === undefined || block.committed) return false;
    for (const one of this.#sealed) if (!one.committed && one.height <= height) this.#commitOne(one, nowUs, out);
    this.#finalise();
    return true;
  }

  #commitOne(block: BlockRecord, nowUs: number, out: Commands): void {
    const { height } = block;
    block.committed = true;
    this.#uncommitted--;
    for (const tx of block.transactions) {
      this.#settlement.committed(tx, height, nowUs, out);
      this.#pool.move(tx, "commit");
      this.#counters.committed++;
      out.notify(tx);
    }
    out.committed(height);
    this.#settle(block, nowUs, out);
  }

  #settle(block: BlockRecord, nowUs: number, out: Commands): void {
    if (!block.committed || block.settled) return;
    block.settled = true;
    for (const tx of block.transactions) {
      if (!this.#settlement.settle(tx, this.#openHeight, nowUs, out)) block.settled = false;
    }
  }

  /** Beyond the depth of a reorg a committed block is final, and its transactions need not be known any more. */
  #finalise(): void {
    while (this.#sealed.length > this.#pool.limits.maxReorgDepth && this.#sealed[0]?.settled === true) {
      const block = this.#sealed.shift() as BlockRecord;
      for (const tx of block.transactions) this.#pool.forget(tx);
    }
  }

  /** Takes back this block and every later one. False when none of them is known. */
  revert(height: number, nowUs: number, out: Commands): boolean {
    const returned: PendingTransaction[] = [];
    let block = this.#sealed[this.#sealed.length - 1];
    if (block === undefined || block.height < height) return false;
    while (block !== undefined && block.height >= height) {
      this.#takeBack(block, nowUs, out);
      for (const tx of block.transactions) returned.push(tx);
      this.#sealAtUs -= (this.#openHeight - block.height) * this.#intervalUs;
      this.#openHeight = block.height;
      this.#open = false;
      this.#sealed.pop();
      block = this.#sealed[this.#sealed.length - 1];
    }
    returned.sort((a, b) => a.seq - b.seq);
    for (const tx of returned) this.#listener?.returned(tx, nowUs, out);
    return true;
  }

  #takeBack(block: BlockRecord, nowUs: number, out: Commands): void {
    if (!block.committed) this.#uncommitted--;
    // Latest first, so that each sender's nonces unwind in order.
    for (const tx of block.transactions.toReversed()) {
      this.#settlement.reverted(tx, block.height, nowUs, out);
      this.#pool.takeBack(tx);
      this.#counters.reverted++;
    }
    out.reverted(block.height);
  }

  snapshot() {
    return {
      sealed: this.#sealed.map(({ transactions, ...block }) => ({
        ...block,
        transactions: transactions.map(({ id }) => id),
      })),
      openHeight: this.#openHeight,
      open: this.#open,
      sealAtUs: this.#sealAtUs,
      uncommitted: this.#uncommitted,
    };
  }

  restore(snapshot: BlocksSnapshot): void {
    this.#openHeight = snapshot.openHeight;
    this.#open = snapshot.open;
    this.#sealAtUs = snapshot.sealAtUs;
    this.#uncommitted = snapshot.uncommitted;
    for (const { transactions, ...block } of snapshot.sealed) {
      this.#sealed.push({
        ...block,
        transactions: transactions.flatMap((id) => this.#pool.transactions.get(id) ?? []),
      });
    }
  }
}

export type BlocksSnapshot = ReturnType<Blocks["snapshot"]>;
