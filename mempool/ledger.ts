import { assert } from "../scheduler/shared/assert.ts";
import type { Commands, Movement } from "../scheduler/engine/commands.ts";
import type { Account, PendingTransaction } from "./pending.ts";

/**
 * Where totals since the journal's beginning go round, like an odometer: the sum of two of them stays exact. Money that comes
 * back can be escrowed again for as long as a scheduler lives, so that no number is large enough.
 */
export const ODOMETER_GWEI = 2 ** 52;

/** What deposits, escrows and bonds may come to at a time: 4.5 million ether. With it every balance is exact. */
const MAX_CIRCULATING_GWEI = ODOMETER_GWEI - 1;

/** A total that went past either end of the odometer. */
export function turned(totalGwei: number): number {
  if (totalGwei >= ODOMETER_GWEI) return totalGwei - ODOMETER_GWEI;
  return totalGwei < 0 ? totalGwei + ODOMETER_GWEI : totalGwei;
}

/**
 * Money (P5). Invariants, asserted at every movement; totals are read on the odometer:
 *
 * 1. Σ paid + Σ refunded + Σ held = Σ escrowed
 * 2. no deposit and no escrow is ever negative
 * 3. Σ forfeited = Σ compensated + Σ rewarded, and Σ bonded − Σ unbonded − Σ forfeited is what the nodes have put up
 */
export class Ledger {
  /** In deposits, escrows and bonds now. What a reorg takes back of payments may come on top. */
  circulatingGwei = 0;
  depositedGwei = 0;
  escrowedGwei = 0;
  heldGwei = 0;
  paidGwei = 0;
  refundedGwei = 0;
  bondedGwei = 0;
  unbondedGwei = 0;
  forfeitedGwei = 0;
  compensatedGwei = 0;
  rewardedGwei = 0;
  readonly #movement: Mutable<Movement> = {
    kind: "deposited",
    account: "",
    amountGwei: 0,
    txHash: "",
    callIndex: -1,
    height: -1,
  };

  /** Whether so much more can come in. */
  hasRoomFor(amountGwei: number): boolean {
    return this.circulatingGwei + amountGwei <= MAX_CIRCULATING_GWEI;
  }

  deposit(account: Account, amountGwei: number, out: Commands): void {
    account.depositGwei += amountGwei;
    this.circulatingGwei += amountGwei;
    this.depositedGwei = turned(this.depositedGwei + amountGwei);
    this.#say(out, "deposited", account.id, amountGwei, "", -1, -1);
  }

  escrow(tx: PendingTransaction, out: Commands): void {
    const { account, escrowGwei } = tx;
    assert(account.depositGwei >= escrowGwei, "escrow beyond the deposit; admission should have refused");
    account.depositGwei -= escrowGwei;
    tx.heldGwei = escrowGwei;
    this.escrowedGwei = turned(this.escrowedGwei + escrowGwei);
    this.heldGwei += escrowGwei;
    this.#say(out, "escrowed", account.id, escrowGwei, tx.hash, -1, -1);
  }

  /** Gives back all that is still held. */
  refundRest(tx: PendingTransaction, height: number, out: Commands): void {
    this.refund(tx, tx.heldGwei, -1, height, out);
  }

  refund(tx: PendingTransaction, amountGwei: number, callIndex: number, height: number, out: Commands): void {
    if (amountGwei === 0) return;
    assert(amountGwei <= tx.heldGwei, "refund beyond the escrow");
    tx.heldGwei -= amountGwei;
    this.heldGwei -= amountGwei;
    this.refundedGwei = turned(this.refundedGwei + amountGwei);
    tx.account.depositGwei += amountGwei;
    this.#say(out, "refunded", tx.account.id, amountGwei, tx.hash, callIndex, height);
  }

  pay(
    tx: PendingTransaction,
    callIndex: number,
    node: string,
    amountGwei: number,
    height: number,
    out: Commands,
  ): void {
    assert(amountGwei <= tx.heldGwei, "payment beyond the escrow");
    tx.heldGwei -= amountGwei;
    this.heldGwei -= amountGwei;
    this.circulatingGwei -= amountGwei;
    this.paidGwei = turned(this.paidGwei + amountGwei);
    this.#say(out, "paid", node, amountGwei, tx.hash, callIndex, height);
  }

  /** A reorg takes a payment back into escrow. */
  unpay(
    tx: PendingTransaction,
    callIndex: number,
    node: string,
    amountGwei: number,
    height: number,
    out: Commands,
  ): void {
    tx.heldGwei += amountGwei;
    this.heldGwei += amountGwei;
    this.circulatingGwei += amountGwei;
    this.paidGwei = turned(this.paidGwei - amountGwei);
    this.#say(out, "unpaid", node, amountGwei, tx.hash, callIndex, height);
  }

  /** The chain says that a node's bond changed by this much. */
  bond(node: string, changeGwei: number, out: Commands): void {
    this.circulatingGwei += changeGwei;
    if (changeGwei > 0) this.bondedGwei = turned(this.bondedGwei + changeGwei);
    else this.unbondedGwei = turned(this.unbondedGwei - changeGwei);
    this.#say(out, changeGwei > 0 ? "bonded" : "unbonded", node, Math.abs(changeGwei), "", -1, -1);
  }

  /** Out of a node's bond; `reward` and `compensate` say where it goes, the latter last. */
  forfeit(
    tx: PendingTransaction,
    callIndex: number,
    node: string,
    amountGwei: number,
    height: number,
    out: Commands,
  ): void {
    this.forfeitedGwei = turned(this.forfeitedGwei + amountGwei);
    this.#say(out, "forfeited", node, amountGwei, tx.hash, callIndex, height);
  }

  reward(
    tx: PendingTransaction,
    callIndex: number,
    node: string,
    amountGwei: number,
    height: number,
    out: Commands,
  ): void {
    this.circulatingGwei -= amountGwei;
    this.rewardedGwei = turned(this.rewardedGwei + amountGwei);
    this.#say(out, "rewarded", node, amountGwei, tx.hash, callIndex, height);
  }

  compensate(tx: PendingTransaction, callIndex: number, amountGwei: number, height: number, out: Commands): void {
    this.compensatedGwei = turned(this.compensatedGwei + amountGwei);
    tx.account.depositGwei += amountGwei;
    this.#say(out, "compensated", tx.account.id, amountGwei, tx.hash, callIndex, height);
    const shared = turned(this.compensatedGwei + this.rewardedGwei);
    assert(this.forfeitedGwei === shared, "P5: forfeited bonds do not add up");
  }

  #say(
    out: Commands,
    kind: Movement["kind"],
    account: string,
    amountGwei: number,
    txHash: string,
    callIndex: number,
    height: number,
  ): void {
    const used = turned(turned(this.paidGwei + this.refundedGwei) + this.heldGwei);
    assert(used === this.escrowedGwei, "P5: the ledger does not add up");
    assert(this.heldGwei >= 0, "P5: what is held is negative");
    const movement = this.#movement;
    movement.kind = kind;
    movement.account = account;
    movement.amountGwei = amountGwei;
    movement.txHash = txHash;
    movement.callIndex = callIndex;
    movement.height = height;
    out.moved(movement);
  }

  snapshot(): LedgerSnapshot {
    const { circulatingGwei, depositedGwei, escrowedGwei, heldGwei, paidGwei, refundedGwei } = this;
    const { bondedGwei, unbondedGwei, forfeitedGwei, compensatedGwei, rewardedGwei } = this;
    const escrow = { circulatingGwei, depositedGwei, escrowedGwei, heldGwei, paidGwei, refundedGwei };
    return { ...escrow, bondedGwei, unbondedGwei, forfeitedGwei, compensatedGwei, rewardedGwei };
  }

  restore(snapshot: LedgerSnapshot): void {
    Object.assign(this, snapshot);
  }
}

export interface LedgerSnapshot {
  readonly circulatingGwei: number;
  readonly depositedGwei: number;
  readonly escrowedGwei: number;
  readonly heldGwei: number;
  readonly paidGwei: number;
  readonly refundedGwei: number;
  readonly bondedGwei: number;
  readonly unbondedGwei: number;
  readonly forfeitedGwei: number;
  readonly compensatedGwei: number;
  readonly rewardedGwei: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
