import type { LeafSpec } from "./policy.ts";

/**
 * Every policy with the settings that its system documents as default: what its name alone means on the command line, and one
 * of the two ways in which it takes part in tournaments. Where a system documents none, it says so here, and what stands in.
 */
export const DEFAULTS: { readonly [K in LeafSpec["kind"]]: LeafSpec & { readonly kind: K } } = {
  // Ours: the least that is a race.
  fixed: { kind: "fixed", copies: 2 },
  // Ours: what the engine does when nobody says otherwise.
  hedge: { kind: "hedge", delayMs: 4_000, maxCopies: 3 },
  // Ours: one job in a hundred may miss its block. Three copies are as many as a plan looks ahead.
  deadline: { kind: "deadline", target: 0.99, maxCopies: 3, withinBlocks: "none" },
  // The proposal requires attempts and leaves the rest open; these are the numbers of its examples (A6, "Hedging Policy",
  // "Throttling Retry Attempts and Hedged RPCs"). A server that refuses without a pushback time asks for no more.
  "grpc-hedging": {
    kind: "grpc-hedging",
    maxAttempts: 4,
    hedgingDelayMs: 500,
    maxTokens: 10,
    tokenRatio: 0.1,
    pushbackMs: "none",
  },
  // maxExtraLoad has no default; 1 % is the example of the filter's documentation. The others are constants of
  // WindowedPercentileHistogram, BackupRequestFilter and RetryBudget.
  finagle: {
    kind: "finagle",
    maxExtraLoad: 0.01,
    highestTrackableMs: 2_000,
    minSendBackupAfterMs: 1,
    ttlMs: 10_000,
    minRetriesPerSec: 10,
  },
  // CREATE TABLE's speculative_retry, and cassandra.yaml's read_request_timeout.
  cassandra: { kind: "cassandra", retry: "99p", timeoutMs: 5_000 },
  // num_retries, and RetryBudget's percentage and minimum. There is no default per-try timeout, so the route's 15 s stand in.
  envoy: { kind: "envoy", perTryTimeoutMs: 15_000, numRetries: 1, budgetPercent: 20, minRetryConcurrency: 3 },
  // spark.speculation.quantile, .multiplier, .minTaskRuntime and .interval of Spark 4. Jobs of a stage are ours: with a hundred
  // of them a tenth is a number.
  spark: {
    kind: "spark",
    quantile: 0.9,
    multiplier: 3,
    minTaskRuntimeMs: 100,
    intervalMs: 100,
    stageJobs: 100,
  },
  // δ of the paper's section on resource-aware restart, and its progress reports every 10 s or ten times in a task's life. The
  // bound on copies is that of later comparisons with it: three besides the first.
  mantri: { kind: "mantri", delta: 0.25, maxCopies: 4, reportMs: 10_000 },
  // The paper has no default budget; of those that it evaluates the smallest ones cost a few percent.
  "single-d": { kind: "single-d", budget: 0.05 },
  "single-r": { kind: "single-r", budget: 0.05 },
};
