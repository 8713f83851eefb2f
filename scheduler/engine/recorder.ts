import type { CancelReason } from "../shared/vocabulary.ts";
import type { Rejection } from "../../mempool/rejection.ts";
import type {
  Alarm,
  CallResult,
  ChallengeOutcome,
  Commands,
  CopyView,
  Equivocation,
  Movement,
  OrderEntry,
  SealedBlock,
  SealRefusal,
  TransactionView,
} from "./commands.ts";

/**
 * The engine's commands as plain data: views copied at the moment of the command, keys in a fixed order, so that JSON text of
 * equal commands is equal (P13). `kind` is the name of the sink's method.
 */
export type Command =
  | { readonly kind: "accepted" | "preExecute" | "notify"; readonly transaction: TransactionView }
  | { readonly kind: "rejected"; readonly hash: string; readonly rejection: Rejection }
  | { readonly kind: "ordered"; readonly entry: OrderEntry }
  | { readonly kind: "dispatch" | "verify"; readonly copy: CopyView }
  | { readonly kind: "cancel"; readonly copy: CopyView; readonly reason: CancelReason }
  | { readonly kind: "lost"; readonly copy: CopyView; readonly reason: string }
  | { readonly kind: "decided"; readonly result: CallResult }
  | { readonly kind: "moved"; readonly movement: Movement }
  | { readonly kind: "sealed"; readonly block: SealedBlock }
  | { readonly kind: "sealRefused"; readonly refusal: SealRefusal }
  | { readonly kind: "committed" | "reverted"; readonly height: number }
  | { readonly kind: "suspect"; readonly suspicion: Equivocation }
  | { readonly kind: "evidence"; readonly evidence: Equivocation }
  | { readonly kind: "challengeEnded"; readonly outcome: ChallengeOutcome }
  | { readonly kind: "alarm"; readonly alarm: Alarm };

/** A sink that keeps commands as plain data until they are taken. */
export class Recorder implements Commands {
  #commands: Command[] = [];

  /** The commands since the last take, in order. */
  take(): Command[] {
    const taken = this.#commands;
    this.#commands = [];
    return taken;
  }

  accepted(transaction: TransactionView): void {
    this.#commands.push({ kind: "accepted", transaction: copyTransaction(transaction) });
  }
  rejected(hash: string, rejection: Rejection): void {
    this.#commands.push({ kind: "rejected", hash, rejection });
  }
  ordered(entry: OrderEntry): void {
    this.#commands.push({ kind: "ordered", entry: { ...entry } });
  }
  preExecute(transaction: TransactionView): void {
    this.#commands.push({ kind: "preExecute", transaction: copyTransaction(transaction) });
  }
  dispatch(copy: CopyView): void {
    this.#commands.push({ kind: "dispatch", copy: copyCopy(copy) });
  }
  cancel(copy: CopyView, reason: CancelReason): void {
    this.#commands.push({ kind: "cancel", copy: copyCopy(copy), reason });
  }
  verify(copy: CopyView): void {
    this.#commands.push({ kind: "verify", copy: copyCopy(copy) });
  }
  lost(copy: CopyView, reason: string): void {
    this.#commands.push({ kind: "lost", copy: copyCopy(copy), reason });
  }
  decided(result: CallResult): void {
    this.#commands.push({ kind: "decided", result });
  }
  moved(movement: Movement): void {
    this.#commands.push({ kind: "moved", movement: { ...movement } });
  }
  sealed(block: SealedBlock): void {
    const { height, sealedUs, transactions } = block;
    this.#commands.push({
      kind: "sealed",
      block: { height, sealedUs, transactions: transactions.map(copyTransaction) },
    });
  }
  sealRefused(refusal: SealRefusal): void {
    this.#commands.push({ kind: "sealRefused", refusal });
  }
  committed(height: number): void {
    this.#commands.push({ kind: "committed", height });
  }
  reverted(height: number): void {
    this.#commands.push({ kind: "reverted", height });
  }
  notify(transaction: TransactionView): void {
    this.#commands.push({ kind: "notify", transaction: copyTransaction(transaction) });
  }
  suspect(suspicion: Equivocation): void {
    this.#commands.push({ kind: "suspect", suspicion });
  }
  evidence(evidence: Equivocation): void {
    this.#commands.push({ kind: "evidence", evidence });
  }
  challengeEnded(outcome: ChallengeOutcome): void {
    this.#commands.push({ kind: "challengeEnded", outcome });
  }
  alarm(alarm: Alarm): void {
    this.#commands.push({ kind: "alarm", alarm });
  }
}

function copyTransaction(t: TransactionView): TransactionView {
  return {
    id: t.id,
    hash: t.hash,
    sender: t.sender,
    nonce: t.nonce,
    gasPriceGwei: t.gasPriceGwei,
    seq: t.seq,
    admittedUs: t.admittedUs,
    admittedHeight: t.admittedHeight,
    expiryHeight: t.expiryHeight,
    escrowGwei: t.escrowGwei,
    state: t.state,
    lane: t.lane,
    slowReason: t.slowReason,
    refundReason: t.refundReason,
    finalHeight: t.finalHeight,
    round: t.round,
    calls: t.calls.map(({ terms, result }) => ({ terms, result })),
  };
}

function copyCopy(c: CopyView): CopyView {
  const { race } = c;
  return {
    id: c.id,
    nonce: c.nonce,
    node: { id: c.node.id },
    race: {
      id: race.id,
      tx: { id: race.tx.id, hash: race.tx.hash },
      callIndex: race.callIndex,
      call: race.call,
      lane: race.lane,
      openedUs: race.openedUs,
      deadlineUs: race.deadlineUs,
    },
    state: c.state,
    speculative: c.speculative,
    launchedUs: c.launchedUs,
    leaseUs: c.leaseUs,
    outputHash: c.outputHash,
    answerHash: c.answerHash,
  };
}
