import type {
  CallTerms,
  CancelReason,
  CopyState,
  Lane,
  Mode,
  RefundReason,
  SlowReason,
  TransactionState,
} from "../shared/vocabulary.ts";
import type { Rejection } from "../../mempool/rejection.ts";
import type { BudgetBucket } from "../../policies/work-budget.ts";

/**
 * Everything that leaves the engine. `step` calls a method of this sink for each command, in order. The arguments are views
 * of the engine's own records, valid during the call only: a shell copies what it keeps (see `recorder`), the simulator
 * reads what it needs and allocates nothing.
 */
export interface Commands {
  accepted(transaction: TransactionView): void;
  rejected(hash: string, rejection: Rejection): void;
  /** An entry of the ordering log, to be hash-chained at the edge (P12). */
  ordered(entry: OrderEntry): void;
  /** Run the transaction with the results so far; answer with the calls that it needs, or its completion and read set. */
  preExecute(transaction: TransactionView): void;
  dispatch(copy: CopyView): void;
  cancel(copy: CopyView, reason: CancelReason): void;
  verify(copy: CopyView): void;
  /** A copy ended without a proof that counts: it failed, kept silent, or its proof was rejected. The race goes on (P4). */
  lost(copy: CopyView, reason: string): void;
  decided(result: CallResult): void;
  /** One movement of money (P5). */
  moved(movement: Movement): void;
  sealed(block: SealedBlock): void;
  sealRefused(refusal: SealRefusal): void;
  /** The block's fees are paid. */
  committed(height: number): void;
  reverted(height: number): void;
  /** The transaction's state or lane changed. */
  notify(transaction: TransactionView): void;
  /** A node seems to have given two answers. Find out whether it signed both; answer with `suspicion-judged`. */
  suspect(suspicion: Equivocation): void;
  /** It did. */
  evidence(evidence: Equivocation): void;
  /** A challenged result was upheld, overturned, or left open. */
  challengeEnded(outcome: ChallengeOutcome): void;
  alarm(alarm: Alarm): void;
}

export interface TransactionView {
  readonly id: number;
  readonly hash: string;
  readonly sender: string;
  readonly nonce: number;
  readonly gasPriceGwei: number;
  /** Position in the inference mempool's order. */
  readonly seq: number;
  readonly admittedUs: number;
  readonly admittedHeight: number;
  /** The last block that may carry it. */
  readonly expiryHeight: number;
  readonly escrowGwei: number;
  readonly state: TransactionState;
  readonly lane: Lane;
  readonly slowReason: SlowReason | undefined;
  readonly refundReason: RefundReason | undefined;
  /**
   * Once it is sealed: after the block of this height, reorgs apart, nothing about it can change. Later than its own block
   * where results can be challenged: that is the trust gap.
   */
  readonly finalHeight: number;
  /** Pre-execution round under way or last done. */
  readonly round: number;
  readonly calls: readonly CallView[];
}

export interface CallView {
  readonly terms: CallTerms;
  readonly result: CallResult | undefined;
}

export interface CopyView {
  readonly id: number;
  /** Fresh random number of this assignment; the proof binds it (P3). */
  readonly nonce: number;
  readonly node: { readonly id: string };
  readonly race: RaceView;
  readonly state: CopyState;
  readonly speculative: boolean;
  readonly launchedUs: number;
  /** When the node stops by itself, whatever it was told. */
  readonly leaseUs: number;
  readonly outputHash: string;
  readonly answerHash: string;
}

export interface RaceView {
  readonly id: number;
  readonly tx: { readonly id: number; readonly hash: string };
  readonly callIndex: number;
  readonly call: CallTerms;
  readonly lane: Lane;
  readonly openedUs: number;
  readonly deadlineUs: number;
}

/** The decision of one race: who won, with which answer, against whom, for what fee. What a receipt is made of. */
export interface CallResult {
  readonly txHash: string;
  readonly callIndex: number;
  readonly digest: string;
  readonly model: string;
  readonly mode: Mode;
  readonly inputHash: string;
  readonly lane: Lane;
  /** The winning copy. */
  readonly copy: number;
  readonly node: string;
  readonly nonce: number;
  readonly speculative: boolean;
  readonly outputHash: string;
  readonly answerHash: string;
  readonly maxFeeGwei: number;
  readonly feeGwei: number;
  readonly openedUs: number;
  readonly launchedUs: number;
  readonly answeredUs: number;
  readonly decidedUs: number;
  readonly decidedHeight: number;
  /** The last block that may carry it. */
  readonly validUntilHeight: number;
  /** What the winner put up for it (mode `optimistic`), and the blocks, counted from its seal, in which it can be challenged. */
  readonly bondGwei: number;
  readonly challengeBlocks: number;
  /** The other answers that the conflict rule counted for the decision; each is paid too. In the order of their verdicts. */
  readonly supporters: readonly Support[];
  /** Node of every other copy, in launch order, with how that copy ended. */
  readonly rivals: readonly Rival[];
}

/** An accepted answer that helped another to win, by `agree` or `median`. */
export interface Support {
  readonly copy: number;
  readonly node: string;
  readonly nonce: number;
  readonly outputHash: string;
  readonly answerHash: string;
  readonly feeGwei: number;
  readonly answeredUs: number;
}

export interface Rival {
  readonly node: string;
  readonly end: CopyState;
  readonly speculative: boolean;
}

export interface SealedBlock {
  readonly height: number;
  readonly sealedUs: number;
  /** In block order. */
  readonly transactions: readonly TransactionView[];
}

export type SealRefusal =
  | { readonly reason: "not-open"; readonly height: number; readonly openHeight: number }
  | { readonly reason: "bad-limit"; readonly height: number; readonly maxTransactions: number }
  | { readonly reason: "too-many-uncommitted"; readonly height: number; readonly limit: number };

/**
 * `admitted`: the transaction takes its place. `queued`: a job is known and may race. `launched`: its first copy is sent;
 * the rule is that no queued job of the same model and mode with a smaller (seq, callIndex) waits at that moment.
 * `left`: the transaction is no more in the mempool. `returned`: a reorg brought it back.
 */
export interface OrderEntry {
  readonly entry: "admitted" | "queued" | "launched" | "dequeued" | "left" | "returned";
  readonly atUs: number;
  readonly seq: number;
  readonly txHash: string;
  readonly sender: string;
  readonly nonce: number;
  /** −1 where the entry is about the whole transaction. */
  readonly callIndex: number;
  /** `model/mode`, empty where the entry is about the whole transaction. */
  readonly queue: string;
}

/**
 * Money moves between four places: the sender's deposit, escrow (held), nodes, and nodes' bonds. `deposited` brings it in;
 * `escrowed`: deposit → held; `refunded`: held → deposit; `paid`: held → node; `unpaid`: node → held (a reorg took back a
 * committed block). What was refunded at a commit stays refunded, since its owner may have spent it: after a reorg the fee
 * once paid is what the call may still cost.
 *
 * `bonded` and `unbonded`: the chain says that a node put up more, or took some back; `forfeited`: out of a node's bond, of
 * which `compensated` goes to the sender's deposit and `rewarded` to the nodes that showed what was wrong.
 */
export interface Movement {
  readonly kind:
    | "deposited"
    | "escrowed"
    | "refunded"
    | "paid"
    | "unpaid"
    | "bonded"
    | "unbonded"
    | "forfeited"
    | "compensated"
    | "rewarded";
  /** Sender for `deposited`, `escrowed`, `refunded` and `compensated`; node for the others. */
  readonly account: string;
  readonly amountGwei: number;
  /** Empty for `deposited`. */
  readonly txHash: string;
  /** −1 where it concerns the whole transaction. */
  readonly callIndex: number;
  /** Block that caused it, −1 for none. */
  readonly height: number;
}

/**
 * `upheld`: a node of another operator gave the same output. `overturned`: two of other operators gave another one, which is
 * the same: the bond is forfeited, the fee refunded. `dissenter` names a challenger that stood alone against two others and
 * forfeits likewise. `open`: nobody answered in time, or all answers differ; then the fee is refunded where one differed.
 */
export interface ChallengeOutcome {
  readonly txHash: string;
  readonly callIndex: number;
  readonly node: string;
  readonly outputHash: string;
  readonly verdict: "upheld" | "overturned" | "open";
  readonly dissenter: string;
  readonly forfeitedGwei: number;
  readonly height: number;
  /** In the order of their verdicts. */
  readonly answers: readonly Support[];
}

/** Two answers with different outputs of one node to one assignment. */
export interface Equivocation {
  readonly copy: number;
  readonly node: string;
  readonly firstAnswerHash: string;
  readonly secondAnswerHash: string;
}

export type Alarm =
  | {
      readonly kind: "redundancy";
      readonly model: string;
      readonly mode: Mode;
      readonly state: RedundancyState;
      readonly domains: number;
    }
  /** A node was not taken, or not all that it offers. */
  | { readonly kind: "fleet-full" | "too-many-models"; readonly node: string; readonly limit: number }
  /**
   * So many speculative copies of a (model, mode) were denied since this was last said of it and this bucket; said at most once
   * in ten seconds.
   */
  | {
      readonly kind: "budget-exhausted";
      readonly model: string;
      readonly mode: Mode;
      readonly bucket: BudgetBucket;
      readonly denials: number;
    }
  /** Copies take far longer than they used to, while speculation is denied: redundancy shrinks so that primary copies go on. */
  | {
      readonly kind: "brown-out";
      readonly model: string;
      readonly mode: Mode;
      readonly state: "begun" | "over";
      readonly recentMs: number;
      readonly usualMs: number;
    }
  | { readonly kind: "node-quarantined"; readonly node: string; readonly untilUs: number; readonly reason: string };

/** `collapsed`: fewer distinct operators could run it than the redundancy floor asks for. */
export type RedundancyState = "healthy" | "collapsed";
