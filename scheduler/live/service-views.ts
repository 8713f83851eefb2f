import type { Counters } from "../engine/counters.ts";
import type { Engine, EngineSizes } from "../engine/engine.ts";
import type { BlockOrder } from "../engine/events.ts";
import type { TransactionTerms } from "../shared/vocabulary.ts";
import type { PolicyIdentity } from "../files/policy-version.ts";

/** What a producer asks of a block. `gas` is its own order: highest gas price first, each sender's nonces in order. */
export interface SealRequest {
  readonly height: number;
  readonly maxTransactions: number;
  readonly order: BlockOrder;
}

/**
 * A transaction in the chain's own format, as far as scheduling needs to know it. `escrowGwei` caps what all of its calls
 * may cost; `hash` is 64 hexadecimal digits.
 */
export type OpaqueTransaction = Omit<TransactionTerms, "calls">;

/** A transaction that has all of its results. */
export interface ReadyTransaction {
  readonly hash: string;
  /** What was submitted with `submitOpaque`. */
  readonly payload: Uint8Array | undefined;
  /** In call order; `digest` is the job's. */
  readonly outputs: readonly { readonly digest: string; readonly output: Uint8Array | undefined }[];
}

/** A sender's account. */
export interface AccountView {
  readonly nextNonce: number;
  readonly depositGwei: number;
  readonly pending: number;
}

/** Numbers for a dashboard. */
export interface ServiceStatistics {
  readonly counters: { readonly [K in keyof Counters]: number };
  readonly sizes: EngineSizes;
  readonly ledger: Engine["ledger"];
  /** Node messages that found no room. */
  readonly droppedMessages: number;
  readonly blobBytes: number;
  /** In force for races that open now. */
  readonly policy: PolicyIdentity;
}
