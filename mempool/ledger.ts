import { assert } from "../scheduler/shared/assert.ts";
import type { Commands, Movement } from "../scheduler/engine/commands.ts";
import type { Account, PendingTransaction } from "./pending.ts";

/**
 * Money (P5). Invariants, asserted at every movement:
 *
 * 1. Σ paid + Σ refunded + Σ held = Σ escrowed
 * 2. no deposit, no escrow and no total is ever negative
 * 3. Σ forfeited = Σ compensated + Σ rewarded, and Σ bonded − Σ unbonded − Σ forfeited is what the nodes have put up
 */
export class Ledger {
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

  deposit(account: Account, amountGwei: number, out: Commands): void {
    account.depositGwei += amountGwei;
    this.depositedGwei += amountGwei;
    this.#say(out, "deposited", account.id, amountGwei, "", -1, -1);
  }

  escrow(tx: PendingTransaction, out: Commands): void {
    const { account, escrowGwei } = tx;
    assert(account.depositGwei >= escrowGwei, "escrow beyond the deposit; admission should have refused");
    account.depositGwei -= escrowGwei;
    tx.heldGwei = escrowGwei;
    this.escrowedGwei += escrowGwei;
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
    this.refundedGwei += amountGwei;
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
    this.paidGwei += amountGwei;
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
    this.paidGwei -= amountGwei;
    this.#say(out, "unpaid", node, amountGwei, tx.hash, callIndex, height);
  }

  /** The chain says that a node's bond changed by this much. */
  bond(node: string, changeGwei: number, out: Commands): void {
    if (changeGwei > 0) this.bondedGwei += changeGwei;
    else this.unbondedGwei -= changeGwei;
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
    this.forfeitedGwei += amountGwei;
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
    this.rewardedGwei += amountGwei;
    this.#say(out, "rewarded", node, amountGwei, tx.hash, callIndex, height);
  }

  compensate(tx: PendingTransaction, callIndex: number, amountGwei: number, height: number, out: Commands): void {
    this.compensatedGwei += amountGwei;
    tx.account.depositGwei += amountGwei;
    this.#say(out, "compensated", tx.account.id, amountGwei, tx.hash, callIndex, height);
    assert(this.forfeitedGwei === this.compensatedGwei + this.rewardedGwei, "P5: forfeited bonds do not add up");
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
    assert(this.paidGwei + this.refundedGwei + this.heldGwei === this.escrowedGwei, "P5: the ledger does not add up");
    assert(this.paidGwei >= 0 && this.heldGwei >= 0, "P5: a total is negative");
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
    const { depositedGwei, escrowedGwei, heldGwei, paidGwei, refundedGwei } = this;
    const { bondedGwei, unbondedGwei, forfeitedGwei, compensatedGwei, rewardedGwei } = this;
    const escrow = { depositedGwei, escrowedGwei, heldGwei, paidGwei, refundedGwei };
    return { ...escrow, bondedGwei, unbondedGwei, forfeitedGwei, compensatedGwei, rewardedGwei };
  }

  restore(snapshot: LedgerSnapshot): void {
    Object.assign(this, snapshot);
  }
}

export interface LedgerSnapshot {
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
