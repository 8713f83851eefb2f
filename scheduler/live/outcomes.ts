import type { SealRefusal } from "../engine/commands.ts";
import type { Rejection } from "../../mempool/rejection.ts";
import type { IntakeProblem } from "../proofs/transaction.ts";
import { describeRejection } from "../proofs/transaction.ts";
import { type CallRefusal, describeCallRefusal } from "../registry/call-check.ts";
import type { BlockRecord } from "./records.ts";

/** Why a transaction was not taken. `advice` says what its sender can do. */
export type SubmitProblem =
  | IntakeProblem
  | { readonly kind: "rejected"; readonly rejection: Rejection; readonly advice: string }
  /** A call that the model registry does not allow. */
  | { readonly kind: "not-registered"; readonly refusal: CallRefusal; readonly advice: string }
  | { readonly kind: "overloaded"; readonly advice: string }
  | { readonly kind: "closed"; readonly advice: string };

/** Once it is `ok`, the transaction is durable: it is sealed or refunded whatever happens to this process. */
export type SubmitOutcome =
  | { readonly ok: true; readonly hash: string }
  | { readonly ok: false; readonly problem: SubmitProblem };

export type SealOutcome =
  | { readonly ok: true; readonly block: BlockRecord }
  | { readonly ok: false; readonly refusal: SealRefusal; readonly advice: string };

export function rejected(rejection: Rejection): SubmitOutcome {
  return { ok: false, problem: { kind: "rejected", rejection, advice: describeRejection(rejection) } };
}

export function refusedByRegistry(refusal: CallRefusal): SubmitOutcome {
  return { ok: false, problem: { kind: "not-registered", refusal, advice: describeCallRefusal(refusal) } };
}

export const OVERLOADED: SubmitOutcome = {
  ok: false,
  problem: {
    kind: "overloaded",
    advice:
      "More comes in than can be made durable. Nothing was taken; send the same transaction again after a second.",
  },
};

export const CLOSED: SubmitOutcome = {
  ok: false,
  problem: {
    kind: "closed",
    advice: "The scheduler is closing. Nothing was taken; send the same transaction again when it is back.",
  },
};

export function sealRefused(refusal: SealRefusal): SealOutcome {
  return { ok: false, refusal, advice: adviceFor(refusal) };
}

function adviceFor(refusal: SealRefusal): string {
  switch (refusal.reason) {
    case "not-open":
      return `Block ${refusal.height} is not the open one (that is ${refusal.openHeight}). Open it first.`;
    case "bad-limit":
      return `A block cannot take ${refusal.maxTransactions} transactions. Ask for a positive number within the limits.`;
    case "too-many-uncommitted":
      return `${refusal.limit} sealed blocks wait for the chain, which is the limit. Tell which are committed, or taken back.`;
  }
}
