import { assert } from "../scheduler/shared/assert.ts";
import { Heap } from "../scheduler/shared/heap.ts";
import { Slab, type SlabSnapshot } from "../scheduler/shared/slab.ts";
import { advance } from "../scheduler/shared/transitions.ts";
import { NEVER, type TransactionTerms } from "../scheduler/shared/vocabulary.ts";
import type { MempoolLimits } from "./limits.ts";
import { Account, CallSlot, PendingTransaction } from "./pending.ts";
import type { Rejection } from "./rejection.ts";
import { TRANSACTION_STATES, type TransactionEvent } from "./transaction-states.ts";

/**
 * The inference mempool: who waits, in which order, until when.
 *
 * 1. Order is the order of admission (`seq`); gas price has no part in it (P7, P12).
 * 2. A sender's pending transactions have consecutive nonces, with holes only where one left (then the hole may be filled), or,
 *    where the chain keeps nonces, where a transaction is none of ours (then it holds up nobody).
 * 3. `sealable` holds each ready transaction that is its sender's next, at most once, and possibly some that are so
 *    no longer; whoever takes one out checks.
 * 4. Every pending transaction stands in the expiry list of its last block (P8).
 */
export class Pool {
  readonly limits: MempoolLimits;
  readonly transactions = new Slab<PendingTransaction>();
  readonly #byHash = new Map<string, PendingTransaction>();
  readonly #accounts = new Map<string, Account>();
  readonly #expiries = new Map<number, number[]>();
  readonly sealable = new Heap<PendingTransaction>((a, b) => a.seq < b.seq);
  /** No list is left for a block below this height. */
  #expiredBelow = 0;
  #nextSeq = 0;
  /** Admitted and not yet sealed or gone. */
  pending = 0;

  constructor(limits: MempoolLimits) {
    this.limits = limits;
  }

  byHash(hash: string): PendingTransaction | undefined {
    return this.#byHash.get(hash);
  }

  account(id: string): Account | undefined {
    return this.#accounts.get(id);
  }

  /** The account, made when it is new; `undefined` when there are too many. */
  openAccount(id: string): Account | undefined {
    let account = this.#accounts.get(id);
    if (account === undefined && this.#accounts.size < this.limits.maxAccounts) {
      account = new Account(id);
      this.#accounts.set(id, account);
    }
    return account;
  }

  /** Why the mempool cannot take it from this account, by its own rules alone; `undefined` when it can. */
  refusal(terms: TransactionTerms, account: Account | undefined): Rejection | undefined {
    const { limits } = this;
    if (this.#byHash.has(terms.hash)) return { reason: "duplicate" };
    const outOfRange = this.#outOfRange(terms);
    if (outOfRange !== undefined) return outOfRange;
    const nextNonce = account?.nextNonce ?? 0;
    if (terms.nonce < nextNonce) return { reason: "nonce-used", expectedNonce: nextNonce + firstHole(account) };
    const place = terms.nonce - nextNonce;
    const maxPlace = account?.byChain === true ? limits.maxPendingPerSender - 1 : (account?.queue.length ?? 0);
    if (place > maxPlace) return { reason: "nonce-gap", expectedNonce: nextNonce + firstHole(account) };
    const replaced = account?.queue[place];
    if (replaced !== undefined) {
      // More in any case: a percentage of nothing is nothing, and who replaces makes nodes begin anew.
      const bumpedGwei = Math.ceil((replaced.gasPriceGwei * limits.replacementPercent) / 100);
      const minimumGasPriceGwei = Math.max(bumpedGwei, replaced.gasPriceGwei + 1);
      if (terms.gasPriceGwei < minimumGasPriceGwei) return { reason: "underpriced-replacement", minimumGasPriceGwei };
    } else {
      if (account === undefined && this.#accounts.size >= limits.maxAccounts) {
        return { reason: "too-many-accounts", limit: limits.maxAccounts };
      }
      if (this.pending >= limits.maxPending) return { reason: "pool-full", limit: limits.maxPending };
      if ((account?.pending ?? 0) >= limits.maxPendingPerSender) {
        return { reason: "sender-limit", limit: limits.maxPendingPerSender };
      }
    }
    const availableGwei = (account?.depositGwei ?? 0) + (replaced?.heldGwei ?? 0);
    if (availableGwei < terms.escrowGwei) {
      return { reason: "underfunded", availableGwei, neededGwei: terms.escrowGwei };
    }
    return undefined;
  }

  #outOfRange(terms: TransactionTerms): Rejection | undefined {
    const { limits } = this;
    if (terms.ttlBlocks === 0) return { reason: "out-of-range", field: "ttlBlocks", limit: limits.maxTtlBlocks };
    return (
      beyond("nonce", terms.nonce, Number.MAX_SAFE_INTEGER) ??
      beyond("gasPriceGwei", terms.gasPriceGwei, limits.maxGasPriceGwei) ??
      beyond("ttlBlocks", terms.ttlBlocks, limits.maxTtlBlocks) ??
      beyond("escrowGwei", terms.escrowGwei, limits.maxFeeGwei * limits.maxCallsPerTransaction) ??
      beyond("calls", terms.calls === undefined ? 0 : terms.calls.length, limits.maxCallsPerTransaction)
    );
  }

  /** Takes a transaction that `refusal` has nothing against. */
  admit(terms: TransactionTerms, account: Account, nowUs: number, height: number): PendingTransaction {
    const origin = { id: this.transactions.nextId(), seq: this.#nextSeq++, admittedUs: nowUs, admittedHeight: height };
    const tx = new PendingTransaction(terms, account, origin);
    this.transactions.put(tx);
    this.#byHash.set(tx.hash, tx);
    const place = tx.nonce - account.nextNonce;
    // Filled, not sparse: a hole must be found like any other place.
    while (account.queue.length < place) account.queue.push(undefined);
    assert(account.queue[place] === undefined, "admission over a transaction that was not removed");
    account.queue[place] = tx;
    account.pending++;
    this.pending++;
    this.#watchExpiry(tx);
    return tx;
  }

  /** The chain says what the account's next nonce is. Gives the transactions whose nonces it used; they have to leave. */
  follow(account: Account, chainNonce: number): PendingTransaction[] {
    account.byChain = true;
    if (chainNonce > account.nextNonce)
      return account.queue.slice(0, chainNonce - account.nextNonce).filter((tx) => tx !== undefined);
    // A reorg gave nonces back that no transaction of ours had.
    const nextNonce = Math.max(chainNonce, account.floor, account.nextNonce - this.limits.maxPendingPerSender);
    while (account.nextNonce > nextNonce) {
      account.queue.unshift(undefined);
      account.nextNonce--;
    }
    return [];
  }

  /** After those that `follow` gave have left. */
  skipTo(account: Account, chainNonce: number): void {
    if (chainNonce <= account.nextNonce) return;
    account.queue.splice(0, chainNonce - account.nextNonce);
    account.nextNonce = chainNonce;
    this.#offerNext(account);
  }

  /** Moves a transaction along its table of states. */
  move(tx: PendingTransaction, event: TransactionEvent): void {
    tx.state = advance(TRANSACTION_STATES, tx.state, event);
  }

  /** A pending transaction leaves unsealed. */
  remove(tx: PendingTransaction): void {
    const { account } = tx;
    account.queue[tx.nonce - account.nextNonce] = undefined;
    account.pending--;
    this.pending--;
    while (account.queue.length > 0 && account.queue[account.queue.length - 1] === undefined) account.queue.pop();
    // Transactions without calls need no deposit: accounts would be free, and all be taken by who makes them up.
    const unused = account.nextNonce === 0 && account.depositGwei === 0 && account.queue.length === 0;
    if (unused) this.#accounts.delete(account.id);
    this.forget(tx);
    if (account.byChain) this.#offerNext(account);
  }

  /** Nothing is known of it any more: it left, or its block is final. */
  forget(tx: PendingTransaction): void {
    this.#byHash.delete(tx.hash);
    this.transactions.remove(tx);
  }

  /** A transaction became ready: sealable once its nonce is next. */
  offerToSeal(tx: PendingTransaction): void {
    if (tx.inSealable || !isNext(tx)) return;
    tx.inSealable = true;
    this.sealable.push(tx);
  }

  /** Takes all out of `sealable`; what stays ready must be offered again. */
  takeSealable(): PendingTransaction[] {
    const taken: PendingTransaction[] = [];
    for (let tx = this.sealable.pop(); tx !== undefined; tx = this.sealable.pop()) {
      tx.inSealable = false;
      if (this.isSealable(tx)) taken.push(tx);
    }
    return taken;
  }

  /** Whether what came out of `sealable` still is. */
  isSealable(tx: PendingTransaction): boolean {
    return tx.state === "ready" && isNext(tx);
  }

  /**
   * Transactions that the block of this height may have, in the mempool's order, those included that may follow another of them
   * into it.
   */
  ready(limit: number, height: number): PendingTransaction[] {
    const found: PendingTransaction[] = [];
    for (const first of this.sealable.values()) {
      if (!this.isSealable(first)) continue;
      const { queue, nextNonce, byChain } = first.account;
      for (let place = first.nonce - nextNonce; place < queue.length; place++) {
        const tx = queue[place];
        if (tx === undefined ? !byChain : tx.state !== "ready" || isStale(tx, height)) break;
        if (tx !== undefined) found.push(tx);
      }
    }
    return found.sort((a, b) => a.seq - b.seq).slice(0, limit);
  }

  #offerNext(account: Account): void {
    const next = account.queue.find((tx) => tx !== undefined);
    if (next?.state === "ready") this.offerToSeal(next);
  }

  /** It goes into a block: its sender's next transaction may follow in the same one. */
  markSealed(tx: PendingTransaction, height: number): PendingTransaction | undefined {
    const { account } = tx;
    this.move(tx, "seal");
    tx.sealedHeight = height;
    const holes = tx.nonce - account.nextNonce;
    if (holes > 0) account.queue.splice(0, holes);
    account.queue.shift();
    account.nextNonce = tx.nonce + 1;
    account.floor = account.nextNonce;
    account.pending--;
    this.pending--;
    const next = account.byChain ? account.queue.find((waiting) => waiting !== undefined) : account.queue[0];
    return next !== undefined && next.state === "ready" ? next : undefined;
  }

  /** A reorg brings it back, before every later transaction of its sender. */
  takeBack(tx: PendingTransaction): void {
    const { account } = tx;
    this.move(tx, "revert");
    tx.sealedHeight = NEVER;
    tx.finalHeight = NEVER;
    // What the chain's other transactions had used between them is free again.
    while (account.byChain && account.nextNonce > tx.nonce + 1) {
      account.queue.unshift(undefined);
      account.nextNonce--;
    }
    account.nextNonce--;
    assert(account.nextNonce === tx.nonce, "a reorg must take back a sender's transactions latest first");
    account.floor = tx.nonce;
    account.queue.unshift(tx);
    account.pending++;
    this.pending++;
    this.#watchExpiry(tx);
  }

  #watchExpiry(tx: PendingTransaction): void {
    if (tx.expiryHeight < this.#expiredBelow) this.#expiredBelow = tx.expiryHeight;
    const list = this.#expiries.get(tx.expiryHeight);
    if (list === undefined) this.#expiries.set(tx.expiryHeight, [tx.id]);
    else list.push(tx.id);
  }

  /** Calls `leave` for each pending transaction whose last block is below this height, oldest block first. */
  expire(height: number, leave: (tx: PendingTransaction) => void): void {
    // Heights mostly go up one by one; after a jump the lists are fewer than the heights between.
    if (height - this.#expiredBelow > this.#expiries.size) {
      const due = [...this.#expiries.keys()].filter((last) => last < height);
      for (const last of due.sort((a, b) => a - b)) this.#expireList(last, leave);
    } else for (let last = this.#expiredBelow; last < height; last++) this.#expireList(last, leave);
    this.#expiredBelow = Math.max(height, this.#expiredBelow);
  }

  #expireList(last: number, leave: (tx: PendingTransaction) => void): void {
    const ids = this.#expiries.get(last);
    if (ids === undefined) return;
    this.#expiries.delete(last);
    for (const id of ids) {
      const tx = this.transactions.get(id);
      if (tx !== undefined && tx.sealedHeight === NEVER) leave(tx);
    }
  }

  snapshot(): PoolSnapshot {
    return {
      slab: this.transactions.snapshot(),
      accounts: [...this.#accounts.values()].map(({ id, depositGwei, nextNonce, byChain, floor }) => {
        return { id, depositGwei, nextNonce, byChain, floor };
      }),
      transactions: [...this.transactions.values()].map(plainTransaction),
      expiries: [...this.#expiries].map(([height, ids]) => [height, [...ids]]),
      expiredBelow: this.#expiredBelow,
      nextSeq: this.#nextSeq,
    };
  }

  restore(snapshot: PoolSnapshot): void {
    this.transactions.restore(snapshot.slab);
    this.#nextSeq = snapshot.nextSeq;
    this.#expiredBelow = snapshot.expiredBelow;
    for (const plain of snapshot.accounts) this.#accounts.set(plain.id, Object.assign(new Account(plain.id), plain));
    for (const [height, ids] of snapshot.expiries) this.#expiries.set(height, [...ids]);
    for (const plain of snapshot.transactions) {
      const tx = this.#revive(plain);
      this.transactions.readmit(tx);
      this.#byHash.set(tx.hash, tx);
      if (tx.sealedHeight !== NEVER) continue;
      const { queue, nextNonce } = tx.account;
      while (queue.length < tx.nonce - nextNonce) queue.push(undefined);
      queue[tx.nonce - nextNonce] = tx;
      tx.account.pending++;
      this.pending++;
      if (tx.inSealable) this.sealable.push(tx);
    }
  }

  #revive(plain: PlainTransaction): PendingTransaction {
    const account = this.#accounts.get(plain.sender);
    assert(account !== undefined, "snapshot: a transaction without its account");
    const ttlBlocks = plain.expiryHeight - plain.admittedHeight + 1;
    const tx = new PendingTransaction({ ...plain, ttlBlocks }, account, plain);
    const { sender: _, calls, slowReason, refundReason, ...fields } = plain;
    Object.assign(tx, fields);
    tx.slowReason = slowReason ?? undefined;
    tx.refundReason = refundReason ?? undefined;
    tx.calls = calls.map(({ terms, result, ...slotFields }) =>
      Object.assign(new CallSlot(terms), { ...slotFields, result: result ?? undefined }),
    );
    return tx;
  }
}

function beyond(field: string, value: number, limit: number): Rejection | undefined {
  if (Number.isSafeInteger(value) && value >= 0 && value <= limit) return undefined;
  return { reason: "out-of-range", field, limit };
}

/** Whether some of its results may not be stitched into the block of this height. */
export function isStale({ calls }: PendingTransaction, height: number): boolean {
  return calls.some(({ result }) => result === undefined || result.validUntilHeight < height);
}

/** Whether no other transaction of its sender has to be sealed before it. */
function isNext({ nonce, account }: PendingTransaction): boolean {
  if (nonce === account.nextNonce) return true;
  return account.byChain && account.queue.find((tx) => tx !== undefined)?.nonce === nonce;
}

/** Place of the first nonce that is free, counted from the account's next. */
export function firstHole(account: Account | undefined): number {
  if (account === undefined) return 0;
  const hole = account.queue.indexOf(undefined);
  return hole < 0 ? account.queue.length : hole;
}

function plainTransaction(tx: PendingTransaction) {
  const { account, slowReason, refundReason, calls, ...rest } = tx;
  return {
    ...rest,
    sender: account.id,
    slowReason: slowReason ?? null,
    refundReason: refundReason ?? null,
    calls: calls.map(({ result, ...slot }) => ({ ...slot, result: result ?? null })),
  };
}

type PlainTransaction = ReturnType<typeof plainTransaction>;

export interface PoolSnapshot {
  readonly slab: SlabSnapshot;
  readonly accounts: readonly Pick<Account, "id" | "depositGwei" | "nextNonce" | "byChain" | "floor">[];
  readonly transactions: readonly PlainTransaction[];
  readonly expiries: readonly (readonly [number, readonly number[]])[];
  readonly expiredBelow: number;
  readonly nextSeq: number;
}
