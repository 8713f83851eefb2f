import type { Transitions } from "../scheduler/shared/transitions.ts";
import type { TransactionState } from "../scheduler/shared/vocabulary.ts";

export type TransactionEvent =
  | "calls"
  | "results"
  | "complete"
  | "outdated"
  | "stale"
  | "seal"
  | "commit"
  | "revert"
  | "refund"
  | "replace"
  | "withdraw";

/**
 * Life of a transaction in the inference mempool.
 *
 * - `calls`: pre-execution named calls without a result; `results`: every known call has one, pre-execution goes on
 * - `complete`: pre-execution came to its end; `outdated`: the state that it read changed, it runs again
 * - `stale`: at sealing a result was past its validity, its call is raced again
 */
export const TRANSACTION_STATES: Transitions<TransactionState, TransactionEvent> = {
  discovering: {
    calls: "racing",
    complete: "ready",
    outdated: "discovering",
    refund: "refunded",
    replace: "replaced",
    withdraw: "withdrawn",
  },
  racing: {
    results: "discovering",
    refund: "refunded",
    replace: "replaced",
    withdraw: "withdrawn",
  },
  ready: {
    outdated: "discovering",
    stale: "racing",
    seal: "sealed",
    refund: "refunded",
    replace: "replaced",
    withdraw: "withdrawn",
  },
  sealed: { commit: "committed", revert: "discovering" },
  committed: { revert: "discovering" },
  refunded: {},
  replaced: {},
  withdrawn: {},
};
