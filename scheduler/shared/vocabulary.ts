/**
 * The nouns of PIPE as the pure core sees them. Identifiers and digests are opaque strings computed at the edge; times are
 * integer microseconds on the shell's clock; money is an integer number of gwei.
 */

/** What makes an answer valid (one per call, bought per call). */
export type Mode = "vanilla" | "optimistic" | "tee" | "zkml";
export const MODES = ["vanilla", "optimistic", "tee", "zkml"] as const satisfies readonly Mode[];

/** `fast`: raced and sealed with its block. `slow`: redundancy or time does not allow it; settled later, or refunded. */
export type Lane = "fast" | "slow";

/** Which of several accepted answers wins. Answers that count together come from as many different operators. */
export type ConflictRule =
  | { readonly kind: "first-valid" }
  /** `k` accepted answers with the same output; the first of them wins. */
  | { readonly kind: "agree"; readonly k: number }
  /** Outputs are numbers: `k` accepted ones, each within `tolerance` of their median, which wins (the lower one of two). */
  | { readonly kind: "median"; readonly k: number; readonly tolerance: number };

/** How many accepted answers it takes to decide a race. */
export function quorum(rule: ConflictRule): number {
  return rule.kind === "first-valid" ? 1 : rule.k;
}

/** A moment that never comes: greater than every time, and unlike Infinity it survives JSON. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** The moment this long after another; never, for a span without end. */
export function after(nowUs: number, spanUs: number): number {
  return spanUs === NEVER ? NEVER : nowUs + spanUs;
}

/** One inference asked for by a transaction, as far as scheduling needs to know it. The input's bytes stay at the edge. */
export interface CallTerms {
  readonly model: string;
  readonly mode: Mode;
  /** Digest of the job: chain, transaction, call index, model, input and mode. Equal digests ask the same question. */
  readonly digest: string;
  readonly inputHash: string;
  readonly tokensIn: number;
  /** Tokens asked for: an upper bound on the answer's length. */
  readonly tokensOut: number;
  readonly maxFeeGwei: number;
  readonly conflict: ConflictRule;
  /** A result accepted at height h may be stitched into blocks up to h + validityBlocks. */
  readonly validityBlocks: number;
}

/** What a user signed, as far as scheduling needs to know it. */
export interface TransactionTerms {
  readonly hash: string;
  readonly sender: string;
  readonly nonce: number;
  readonly gasPriceGwei: number;
  /** Blocks, counted from the one open at admission (which is the first), in which it may be sealed. */
  readonly ttlBlocks: number;
  /** Σ max fees of the declared calls, or the sender's cap when calls are to be discovered. */
  readonly escrowGwei: number;
  /** Declared calls; `undefined` when only pre-execution can tell; empty for an ordinary transaction. */
  readonly calls: readonly CallTerms[] | undefined;
  /**
   * The sender's next nonce on the chain, where the chain keeps nonces and transactions that are none of ours use some. Missing
   * where the inference mempool counts them itself.
   */
  readonly chainNonce?: number;
}

/** What a node offers for one (model, mode). */
export interface Offer {
  readonly model: string;
  readonly mode: Mode;
  readonly priceGwei: number;
  /**
   * Nodes of which the same input makes the same output bear the same label; given by the model registry, never by the node.
   * Missing where every node does.
   */
  readonly equivalence?: string;
}

/** The attestation document under which an enclave's key is registered, and the registration epoch whose nonce it answers. */
export interface AttestationRef {
  /** SHA-256 of the document. */
  readonly hash: string;
  readonly epoch: number;
}

/** An inference node as it registers. Operator, region and hardware are its failure domain. */
export interface NodeTerms {
  readonly id: string;
  /** Public key, hexadecimal; opaque to the engine. */
  readonly key: string;
  readonly operator: string;
  readonly region: string;
  readonly hardware: string;
  /** Copies that it runs at once. */
  readonly slots: number;
  /** Further copies that it lets wait. */
  readonly queueLimit: number;
  readonly offers: readonly Offer[];
  /** Missing for a node that proves nothing in mode `tee`. */
  readonly attestation?: AttestationRef;
}

/** Life of a copy; the table of transitions is in engine/copy-states.ts. */
export type CopyState =
  | "sent"
  | "running"
  | "verifying"
  | "held"
  | "won"
  | "supported"
  | "outvoted"
  | "outrun"
  | "rejected"
  | "failed"
  | "expired"
  | "cancelled";

/** Life of a transaction; the table of transitions is in mempool/transaction-states.ts. */
export type TransactionState =
  | "discovering"
  | "racing"
  | "ready"
  | "sealed"
  | "committed"
  | "refunded"
  | "replaced"
  | "withdrawn";

/** Why a copy was told to stop. */
export type CancelReason = "race-decided" | "lease-expired" | "budget" | "transaction-left" | "node-left";

/** Why a node says that a copy did not come to an answer. */
export type FailureReason = "error" | "overloaded" | "unknown-model" | "drained" | "cancelled";

/** Why a transaction ended without being sealed. */
export type RefundReason = "expired" | "pre-execution-failed" | "withdrawn" | "replaced";

/** Why a transaction is in the slow lane. */
export type SlowReason = "redundancy-collapsed" | "race-exhausted" | "out-of-time";
