import { assert } from "../shared/assert.ts";

/** Limits of the live shell (P11); the reasons stand beside the defaults. */
export interface LiveLimits {
  /** Events that one batch may hold: what one append to the journal carries. */
  readonly maxBatchEvents: number;
  /** Requests (transactions first of all) that wait for the loop; beyond it they are refused as `overloaded`. */
  readonly maxWaitingRequests: number;
  /** Node messages that wait for the loop; beyond it they are dropped and counted, and leases end what was lost. */
  readonly maxWaitingMessages: number;
  /** Batches stepped whose append is still under way. */
  readonly maxBatchesInFlight: number;
  /** Bytes of inputs and answers that the shell keeps; beyond it transactions with calls are refused as `overloaded`. */
  readonly maxBlobBytes: number;
  readonly maxOutputBytes: number;
  /** Proofs that wait for a verifier; beyond it a proof is rejected as `verifier-overloaded`. */
  readonly maxWaitingProofs: number;
  /** Of one node; beyond it its proofs are rejected as `verifier-node-queue-full`. */
  readonly maxWaitingProofsPerNode: number;
  /** Checks handed to a verifier at once. */
  readonly maxProofsPerBatch: number;
  /** Longest time that checking a signature may take. */
  readonly proofTimeLimitMs: number;
  /** Longest time that checking an attestation or a zero-knowledge proof may take. */
  readonly dearProofTimeLimitMs: number;
  /** Megabytes of heap that a verifier may use; one that needs more is ended and replaced. */
  readonly verifierHeapMb: number;
  /** Verification time that a node may use up for proofs that turn out worthless, and what it gets back of it per second. */
  readonly proofCreditUs: number;
  readonly proofCreditUsPerSecond: number;
  /** No node owes more verification time than that. */
  readonly maxProofDebtUs: number;
  /** Of each kind of check, what all nodes without credit together get per second of time that nobody else wants. */
  readonly idleProofUsPerSecond: number;
  /** Nodes in debt that are remembered. */
  readonly maxIndebtedNodes: number;
  /** Longest time that a fresh verifier may take until it is ready. */
  readonly verifierStartLimitMs: number;
  /** Pre-executions under way. */
  readonly maxPreExecutions: number;
  readonly preExecutionTimeLimitMs: number;
  readonly maxSubscribers: number;
  /** Events that wait for one subscriber; a slower one is told how many it missed. */
  readonly maxWaitingNotices: number;
  /** A snapshot is taken each time that many batches, or that many events, were journalled since the last one. */
  readonly batchesPerSnapshot: number;
  readonly eventsPerSnapshot: number;
}

export const DEFAULT_LIVE_LIMITS: LiveLimits = {
  // Stepping this many events takes a few milliseconds, about as long as one fsync.
  maxBatchEvents: 4_096,
  // Two batches: a request that must wait longer than that is better refused.
  maxWaitingRequests: 8_192,
  // Some seconds of progress messages of a thousand copies.
  maxWaitingMessages: 65_536,
  // One being written, one waiting for it, and two stepped: more would only grow latency.
  maxBatchesInFlight: 4,
  // A thousand inputs of the largest size, or a quarter of a million usual ones; a snapshot holds them all.
  maxBlobBytes: 64 * 1024 * 1024,
  // As much as an input may have: an answer of some 16,000 tokens.
  maxOutputBytes: 64 * 1024,
  // At 10,000 checks a second per verifier, less than two seconds of work.
  maxWaitingProofs: 16_384,
  // What a node with 256 slots has under way; a node that is served at all gets through it in 30 ms.
  maxWaitingProofsPerNode: 256,
  // About three milliseconds of Ed25519 checks: long enough to make the message worth its cost, short enough to be fair.
  maxProofsPerBatch: 32,
  // An Ed25519 check takes 0.1 ms; ten thousand times that means that it hangs, also on a machine under load.
  proofTimeLimitMs: 1_000,
  // A pairing check takes 20 ms, the first one of a thread ten times that.
  dearProofTimeLimitMs: 5_000,
  // A verifier with all its caches full needs about 60.
  verifierHeapMb: 256,
  // Five thousand worthless signatures or twenty worthless zero-knowledge proofs at once, two hundred or one per second.
  proofCreditUs: 500_000,
  proofCreditUsPerSecond: 20_000,
  // Two hangs; paid back in less than ten minutes.
  maxProofDebtUs: 10_000_000,
  // A twentieth of one verifier: so rarely in the way of an honest proof that the 99th percentile of its wait does not double.
  idleProofUsPerSecond: 50_000,
  // As many as the engine knows nodes.
  maxIndebtedNodes: 4_096,
  verifierStartLimitMs: 10_000,
  maxPreExecutions: 1_024,
  preExecutionTimeLimitMs: 2_000,
  maxSubscribers: 64,
  maxWaitingNotices: 1_024,
  // A restart steps at most this much again: well below a second of work.
  batchesPerSnapshot: 5_000,
  eventsPerSnapshot: 50_000,
};

/** Relations between limits, checked when a service is made. */
export function assertLiveLimits(limits: LiveLimits): void {
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  assert(limits.maxWaitingProofsPerNode <= limits.maxWaitingProofs, "one node's proofs must fit into the queue");
  assert(limits.maxProofsPerBatch <= limits.maxWaitingProofs, "a verifier's batch must fit into the queue");
  assert(limits.maxOutputBytes <= limits.maxBlobBytes, "one answer must fit into the store");
}
