import { assert } from "../scheduler/shared/assert.ts";
import type { Commands, Movement } from "../scheduler/engine/commands.ts";
import type { Account, PendingTransaction } from "./pending.ts";

/**
 * Money (P5). Invariants, asserted at every movement:
 *
 * 1. Σ paid + Σ refunded + Σ held = Σ escrowed
 * 2. no deposit, no escrow and no total is ever negative
 */
export class Ledger {
  depositedGwei = 0;
  escrowedGwei = 0;
  heldGwei = 0;
  paidGwei = 0;
  refundedGwei = 0;
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
    const amountGwei = tx.heldGwei;
    if (amountGwei === 0) return;
    tx.heldGwei = 0;
    this.heldGwei -= amountGwei;
    this.refundedGwei += amountGwei;
    tx.account.depositGwei += amountGwei;
    this.#say(out, "refunded", tx.account.id, amountGwei, tx.hash, -1, height);
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
    return { depositedGwei, escrowedGwei, heldGwei, paidGwei, refundedGwei };
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
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
