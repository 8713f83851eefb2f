import type { Alarm, CallResult, ChallengeOutcome, Equivocation } from "../engine/commands.ts";
import type { Command } from "../engine/recorder.ts";
import type { PolicyIdentity } from "../files/policy-version.ts";
import type { Rejection } from "../../mempool/rejection.ts";
import type { CancelReason, Lane, RefundReason, SlowReason, TransactionState } from "../shared/vocabulary.ts";

/** What a service tells those who follow it. Everything in it is durable, but what the world outside did. */
export type PipeEvent =
  | {
      readonly kind: "transaction";
      readonly hash: string;
      readonly state: TransactionState;
      readonly lane: Lane;
      readonly slowReason: SlowReason | undefined;
      readonly refundReason: RefundReason | undefined;
      readonly admittedHeight: number;
      readonly expiryHeight: number;
      /** Known so far. */
      readonly calls: number;
    }
  | { readonly kind: "rejected"; readonly hash: string; readonly rejection: Rejection }
  | {
      readonly kind: "launched";
      readonly copy: number;
      readonly txHash: string;
      readonly callIndex: number;
      readonly node: string;
      readonly speculative: boolean;
      readonly lane: Lane;
    }
  | { readonly kind: "cancelled"; readonly copy: number; readonly node: string; readonly reason: CancelReason }
  | { readonly kind: "lost"; readonly copy: number; readonly node: string; readonly reason: string }
  | { readonly kind: "decided"; readonly result: CallResult }
  | { readonly kind: "sealed"; readonly height: number; readonly sealedUs: number; readonly transactions: number }
  | { readonly kind: "committed" | "reverted"; readonly height: number }
  | { readonly kind: "alarm"; readonly alarm: Alarm }
  | { readonly kind: "evidence"; readonly evidence: Equivocation }
  | { readonly kind: "challengeEnded"; readonly outcome: ChallengeOutcome }
  /** Races that open from now on begin under it. */
  | { readonly kind: "policy-changed"; readonly policy: PolicyIdentity }
  /** The policy file says something that cannot be followed; what was in force stays so. One line for each problem. */
  | { readonly kind: "policy-refused"; readonly file: string; readonly problems: readonly string[] }
  /** This follower was too slow: that many events before the next one are lost to it. */
  | { readonly kind: "lagged"; readonly missed: number };

/** What followers hear of a command; `undefined` for what is of the scheduler's own concern. */
export function noticeOf(command: Command): PipeEvent | undefined {
  switch (command.kind) {
    case "accepted":
    case "notify": {
      const { hash, state, lane, slowReason, refundReason, admittedHeight, expiryHeight, calls } = command.transaction;
      return {
        kind: "transaction",
        hash,
        state,
        lane,
        slowReason,
        refundReason,
        admittedHeight,
        expiryHeight,
        calls: calls.length,
      };
    }
    case "dispatch": {
      const { id, node, race, speculative } = command.copy;
      const { tx, callIndex, lane } = race;
      return { kind: "launched", copy: id, txHash: tx.hash, callIndex, node: node.id, speculative, lane };
    }
    case "cancel":
      return { kind: "cancelled", copy: command.copy.id, node: command.copy.node.id, reason: command.reason };
    case "lost":
      return { kind: "lost", copy: command.copy.id, node: command.copy.node.id, reason: command.reason };
    case "sealed": {
      const { height, sealedUs, transactions } = command.block;
      return { kind: "sealed", height, sealedUs, transactions: transactions.length };
    }
    case "rejected":
    case "decided":
    case "committed":
    case "reverted":
    case "alarm":
    case "evidence":
    case "challengeEnded":
      return command;
    default:
      return undefined;
  }
}
