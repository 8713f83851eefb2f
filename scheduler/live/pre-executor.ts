import type { TransactionView } from "../engine/commands.ts";
import type { CallTerms } from "../shared/vocabulary.ts";

/** What one round of pre-execution found out. */
export type PreExecution =
  /** These calls are needed: all known so far, in call order, those that have results included. */
  | {
      readonly kind: "calls-discovered";
      readonly calls: readonly CallTerms[];
      /** Inputs of calls that no sender declared, in any order; they are found by their SHA-256. */
      readonly inputs?: readonly Uint8Array[];
    }
  /** The transaction ran to its end with the results at hand, and read these keys of the chain's state. */
  | {
      readonly kind: "pre-executed";
      readonly readSet: readonly string[];
      /** The calls that it asked for, all answered, where fewer may be needed than in a round before. */
      readonly calls?: readonly CallTerms[];
    }
  | { readonly kind: "failed"; readonly reason: string };

export interface PreExecutionRequest {
  /** The transaction with the results so far (`transaction.calls`). */
  readonly transaction: TransactionView;
  /** The calls that its sender declared, `undefined` when only running it can tell. */
  readonly declared: readonly CallTerms[] | undefined;
  /** What was submitted with `submitOpaque`. */
  readonly payload: Uint8Array | undefined;
  /** Outputs of the calls that are answered, by index of the call in `transaction.calls`. */
  readonly outputs: readonly (Uint8Array | undefined)[];
}

/** Runs a transaction against current state. A rejection counts as `failed`. */
export interface PreExecutor {
  run(request: PreExecutionRequest): Promise<PreExecution>;
}

/** For chains whose transactions declare their calls: there is nothing to find out and no state to read. */
export const declaredCalls: PreExecutor = {
  run: async ({ transaction, declared }) => {
    if (declared === undefined) return { kind: "failed", reason: "the transaction declares no calls" };
    const answered = declared.every((_, index) => transaction.calls[index]?.result !== undefined);
    return answered ? { kind: "pre-executed", readSet: [] } : { kind: "calls-discovered", calls: declared };
  },
};
