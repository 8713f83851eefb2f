import { assert } from "../../scheduler/shared/assert.ts";
import { Heap } from "../../scheduler/shared/heap.ts";
import type { EvmTransaction } from "./transaction.ts";

/**
 * What a transaction is: its first run tells. `undetermined` ones are not in blocks; `inference` ones wait for their results in
 * the inference mempool, and take no room of `ordinary` ones here (P7).
 */
export type TransactionKind = "undetermined" | "ordinary" | "inference";

export interface PoolEntry {
  readonly transaction: EvmTransaction;
  /** Order of arrival. */
  readonly seq: number;
  /** Head of the chain when it came. */
  readonly height: number;
  kind: TransactionKind;
  /** What it took in its last run; all that it may take, before the first. */
  expectedGas: bigint;
  /** Blocks in which it took far longer than that lets expect. */
  overruns: number;
}

export interface PoolLimits {
  /** Of all kinds but `inference`, which the inference mempool bounds. */
  readonly maxOrdinary: number;
  readonly maxPerSender: number;
  /** Both fees of a replacement have to be at least this percentage of the old ones. */
  readonly replacementPercent: number;
  /** Blocks after which one that was in none leaves. */
  readonly maxAgeBlocks: number;
}

export const DEFAULT_POOL_LIMITS: PoolLimits = {
  // At 1 KB each, 20 MB; more than a thousand blocks of this machine's.
  maxOrdinary: 20_000,
  // As go-ethereum's queue for one account.
  maxPerSender: 64,
  replacementPercent: 110,
  // An hour of 500 ms blocks.
  maxAgeBlocks: 7_200,
};

export type PoolRefusal =
  | { readonly reason: "already-known" }
  | { readonly reason: "nonce-too-low"; readonly next: number }
  | { readonly reason: "nonce-too-high"; readonly next: number }
  | { readonly reason: "replacement-underpriced" }
  | { readonly reason: "pool-full" }
  | { readonly reason: "sender-limit"; readonly limit: number };

interface Sender {
  readonly byNonce: Map<number, PoolEntry>;
  /** On the chain's head. */
  chainNonce: number;
}

/** Which entries may be in the block now. */
export interface Selection {
  readonly baseFeePerGas: bigint;
  /** Inference transactions with all of their results. */
  isReady(entry: PoolEntry): boolean;
  /** The sender's next nonce in the block that is being built. */
  nextNonce(sender: string, chainNonce: number): number;
}

/**
 * Transactions that wait for a block, by sender and nonce, in the order of what they pay above the base fee.
 *
 * 1. A sender's transactions go into blocks in the order of their nonces, of whatever kind they are.
 * 2. Which may be next is known without looking at those that wait for a model: blocks cost what they carry (P7).
 */
export class TransactionPool {
  readonly #limits: PoolLimits;
  readonly #byHash = new Map<string, PoolEntry>();
  readonly #senders = new Map<string, Sender>();
  /** Senders whose next transaction is ordinary. */
  readonly #executable = new Set<string>();
  #ordinary = 0;
  #nextSeq = 0;

  constructor(limits: PoolLimits = DEFAULT_POOL_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#byHash.size;
  }

  get ordinary(): number {
    return this.#ordinary;
  }

  get(hash: string): PoolEntry | undefined {
    return this.#byHash.get(hash);
  }

  /** What waits at this place; a transaction with the same sender and nonce would replace it. */
  at(sender: string, nonce: number): PoolEntry | undefined {
    return this.#senders.get(sender)?.byNonce.get(nonce);
  }

  entries(): Iterable<PoolEntry> {
    return this.#byHash.values();
  }

  /** The sender's nonce on the chain's head; `undefined` while nothing of it waits here. */
  chainNonce(sender: string): number | undefined {
    return this.#senders.get(sender)?.chainNonce;
  }

  /** The first nonce from the chain's on that no transaction has. */
  pendingNonce(sender: string, chainNonce: number): number {
    const byNonce = this.#senders.get(sender)?.byNonce;
    let nonce = chainNonce;
    while (byNonce?.has(nonce) === true) nonce++;
    return nonce;
  }

  /** What all of a sender's waiting transactions may cost at the most, in wei, the one at this nonce apart. */
  committedWei(sender: string, butNonce: number): bigint {
    let sum = 0n;
    for (const [nonce, { transaction }] of this.#senders.get(sender)?.byNonce ?? [])
      if (nonce !== butNonce) sum += costOf(transaction);
    return sum;
  }

  /** Why it cannot be taken; `undefined` when it can. `chainNonce`: of its sender on the chain's head. */
  refusal(transaction: EvmTransaction, chainNonce: number): PoolRefusal | undefined {
    const { hash, sender, nonce } = transaction;
    const { maxOrdinary, maxPerSender, replacementPercent } = this.#limits;
    if (this.#byHash.has(hash)) return { reason: "already-known" };
    if (nonce < chainNonce) return { reason: "nonce-too-low", next: chainNonce };
    if (nonce >= chainNonce + maxPerSender)
      return { reason: "nonce-too-high", next: this.pendingNonce(sender, chainNonce) };
    const replaced = this.at(sender, nonce)?.transaction;
    if (replaced !== undefined) {
      const percent = BigInt(replacementPercent);
      const enough = (offered: bigint, before: bigint) => offered > before && offered * 100n >= before * percent;
      const outbids =
        enough(transaction.maxFeePerGas, replaced.maxFeePerGas) &&
        enough(transaction.maxPriorityFeePerGas, replaced.maxPriorityFeePerGas);
      return outbids ? undefined : { reason: "replacement-underpriced" };
    }
    if ((this.#senders.get(sender)?.byNonce.size ?? 0) >= maxPerSender)
      return { reason: "sender-limit", limit: maxPerSender };
    return this.#ordinary >= maxOrdinary ? { reason: "pool-full" } : undefined;
  }

  /** Takes one that `refusal` has nothing against. Gives the one that it replaces. */
  add(
    transaction: EvmTransaction,
    at: { readonly chainNonce: number; readonly height: number },
  ): PoolEntry | undefined {
    const { hash, sender, nonce } = transaction;
    const replaced = this.at(sender, nonce);
    if (replaced !== undefined) this.remove(replaced.transaction.hash);
    const entry: PoolEntry = {
      transaction,
      seq: this.#nextSeq++,
      height: at.height,
      kind: "undetermined",
      expectedGas: transaction.gasLimit,
      overruns: 0,
    };
    let known = this.#senders.get(sender);
    if (known === undefined) {
      known = { byNonce: new Map(), chainNonce: at.chainNonce };
      this.#senders.set(sender, known);
    }
    known.chainNonce = at.chainNonce;
    known.byNonce.set(nonce, entry);
    this.#byHash.set(hash, entry);
    this.#ordinary++;
    this.#follow(sender);
    return replaced;
  }

  /** Its run told what it is. */
  classify(hash: string, kind: TransactionKind): void {
    const entry = this.#byHash.get(hash);
    if (entry === undefined || entry.kind === kind) return;
    this.#ordinary += Number(kind !== "inference") - Number(entry.kind !== "inference");
    entry.kind = kind;
    this.#follow(entry.transaction.sender);
  }

  remove(hash: string): PoolEntry | undefined {
    const entry = this.#byHash.get(hash);
    if (entry === undefined) return undefined;
    const { sender, nonce } = entry.transaction;
    const known = this.#senders.get(sender);
    assert(known !== undefined, "a transaction's sender is known");
    this.#byHash.delete(hash);
    known.byNonce.delete(nonce);
    if (entry.kind !== "inference") this.#ordinary--;
    if (known.byNonce.size === 0) this.#senders.delete(sender);
    this.#follow(sender);
    return entry;
  }

  /**
   * The chain's head is another one: these senders have these nonces there. Gives what can be in no block any more: its nonce is
   * used, and it left, or its time is over.
   */
  headChanged(nonces: ReadonlyMap<string, number>, height: number): PoolEntry[] {
    const gone: PoolEntry[] = [];
    for (const [sender, chainNonce] of nonces) {
      const known = this.#senders.get(sender);
      if (known === undefined) continue;
      known.chainNonce = chainNonce;
      for (const [nonce, entry] of known.byNonce) if (nonce < chainNonce) gone.push(entry);
      this.#follow(sender);
    }
    // In the order of arrival, so that only the oldest are looked at.
    for (const entry of this.#byHash.values()) {
      if (entry.height + this.#limits.maxAgeBlocks > height) break;
      if (entry.kind !== "inference") gone.push(entry);
    }
    for (const { transaction } of gone) this.remove(transaction.hash);
    return gone;
  }

  /**
   * Those that may be in the block now: what pays most above the base fee first, each sender's in the order of nonces, ties by
   * arrival. `readySenders`: of inference transactions that have their results. A sender's next is given once the block has the
   * one before, as `nextNonce` tells then.
   */
  *select(selection: Selection, readySenders: Iterable<string>): Generator<PoolEntry> {
    const { baseFeePerGas } = selection;
    const best = new Heap<PoolEntry>((a, b) => {
      const difference = tipOf(a.transaction, baseFeePerGas) - tipOf(b.transaction, baseFeePerGas);
      return difference > 0n || (difference === 0n && a.seq < b.seq);
    });
    const offer = (sender: string): void => {
      const next = this.#next(sender, selection);
      if (next !== undefined) best.push(next);
    };
    for (const sender of new Set([...this.#executable, ...readySenders])) offer(sender);
    for (let entry = best.pop(); entry !== undefined; entry = best.pop()) {
      const { sender, nonce } = entry.transaction;
      // It may have left, or been replaced, while others were executed.
      if (this.#byHash.get(entry.transaction.hash) !== entry) continue;
      yield entry;
      if (this.#nextNonce(sender, selection) > nonce) offer(sender);
    }
  }

  #nextNonce(sender: string, selection: Selection): number {
    return selection.nextNonce(sender, this.#senders.get(sender)?.chainNonce ?? 0);
  }

  #next(sender: string, selection: Selection): PoolEntry | undefined {
    const known = this.#senders.get(sender);
    const entry = known?.byNonce.get(selection.nextNonce(sender, known.chainNonce));
    if (entry === undefined || entry.transaction.maxFeePerGas < selection.baseFeePerGas) return undefined;
    const may = entry.kind === "ordinary" || (entry.kind === "inference" && selection.isReady(entry));
    return may ? entry : undefined;
  }

  #follow(sender: string): void {
    const known = this.#senders.get(sender);
    if (known?.byNonce.get(known.chainNonce)?.kind === "ordinary") this.#executable.add(sender);
    else this.#executable.delete(sender);
  }
}

/** The most that a transaction can cost its sender, in wei. */
export function costOf({ gasLimit, maxFeePerGas, value }: EvmTransaction): bigint {
  return gasLimit * maxFeePerGas + value;
}

/** What a unit of its gas pays above the base fee, in wei; negative when it does not pay that. */
export function tipOf({ maxFeePerGas, maxPriorityFeePerGas }: EvmTransaction, baseFeePerGas: bigint): bigint {
  const room = maxFeePerGas - baseFeePerGas;
  return maxPriorityFeePerGas < room ? maxPriorityFeePerGas : room;
}
