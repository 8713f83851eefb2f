import type { Counters } from "../engine/counters.ts";
import type { Engine, EngineSizes } from "../engine/engine.ts";
import type { PolicyIdentity } from "../files/policy-version.ts";

/** What a producer asks of a block. `gas` is its own order: highest gas price first, each sender's nonces in order. */
export interface SealRequest {
  readonly height: number;
  readonly maxTransactions: number;
  readonly order: "arrival" | "gas";
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
