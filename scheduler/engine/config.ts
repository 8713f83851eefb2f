import { DEFAULTS } from "../../policies/defaults.ts";
import type { PlacementSpec } from "../../policies/placement.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import type { BudgetSpec } from "../../policies/work-budget.ts";
import type { MempoolLimits } from "../../mempool/limits.ts";
import { DEFAULT_MEMPOOL_LIMITS } from "../../mempool/limits.ts";
import { NEVER } from "../shared/vocabulary.ts";

/** What an engine is made with. Plain JSON; stands in the journal's header, since replay needs it (P13). */
export interface EngineConfig {
  /** Seed of the engine's own generator (32-bit integer). */
  readonly seed: number;
  readonly policy: PolicySpec;
  readonly placement: PlacementSpec;
  readonly budget: BudgetSpec;
  readonly races: RaceConfig;
  readonly optimistic: OptimisticConfig;
  readonly blockIntervalUs: number;
  readonly limits: MempoolLimits;
}

/** What makes an answer in mode `optimistic` worth trusting. */
export interface OptimisticConfig {
  /** Blocks after its own in which a sealed result can be challenged; a challenge under way may take as many again. */
  readonly challengeBlocks: number;
  /** Bond that a node puts up for one answer, as a multiple of its price; a price of nothing counts as one gwei. */
  readonly bondPerFee: number;
  /** What the challengers of a lie get of the bond, as a multiple of their price each; the rest is the sender's. */
  readonly rewardPerFee: number;
}

export interface RaceConfig {
  /** Nodes known at a time, those included that left a while ago. */
  readonly maxNodes: number;
  /** Below this many distinct operators able to run a (model, mode) its redundancy has collapsed. */
  readonly redundancyFloor: number;
  /** A node that has not accepted a copy after this long is taken for dead: the copy is lost. */
  readonly acceptTimeoutUs: number;
  /** Longest lease of a copy; its node stops by itself at the end. */
  readonly leaseUs: number;
  /** A proof without a verdict after this long counts as rejected. */
  readonly verdictTimeoutUs: number;
  /** Copies that one race may launch in all, beyond those of its quorum, before it leaves the fast lane. */
  readonly maxCopies: number;
  /** Pause before another try when a copy could not be placed. */
  readonly retryUs: number;
  /** Pause between tries in the slow lane. */
  readonly slowRetryUs: number;
  /** Errors in a row after which a node rests, and for how long at first (doubles each time up to the maximum). */
  readonly quarantineAfter: number;
  readonly quarantineUs: number;
  readonly maxQuarantineUs: number;
  /** Time from answer to verdict that planning allows for. */
  readonly verificationUs: number;
}

export const DEFAULT_RACES: RaceConfig = {
  maxNodes: 4_096,
  redundancyFloor: 2,
  acceptTimeoutUs: 1_000_000,
  leaseUs: 30_000_000,
  verdictTimeoutUs: 5_000_000,
  maxCopies: 16,
  retryUs: 100_000,
  slowRetryUs: 1_000_000,
  quarantineAfter: 3,
  quarantineUs: 2_000_000,
  maxQuarantineUs: 60_000_000,
  verificationUs: 5_000,
};

export const DEFAULT_OPTIMISTIC: OptimisticConfig = {
  // Four seconds of 500 ms blocks: a challenger has as long as the race had.
  challengeBlocks: 8,
  // With one call in ten challenged, a lie that is worth ten fees does not pay.
  bondPerFee: 100,
  rewardPerFee: 2,
};

/** For queueing studies: nodes are trusted to answer, so that no timer but the policy's is ever armed. */
export const BARE_RACES: RaceConfig = {
  ...DEFAULT_RACES,
  redundancyFloor: 0,
  acceptTimeoutUs: NEVER,
  leaseUs: NEVER,
  verdictTimeoutUs: NEVER,
  verificationUs: 0,
};

export const DEFAULT_CONFIG: EngineConfig = {
  seed: 1,
  policy: DEFAULTS.deadline,
  placement: { kind: "least-loaded" },
  // Twenty leases of the longest kind at a time, and about sixty of models that take ten seconds.
  budget: { ratio: 0.5, burstMs: 600_000 },
  races: DEFAULT_RACES,
  optimistic: DEFAULT_OPTIMISTIC,
  blockIntervalUs: 500_000,
  limits: DEFAULT_MEMPOOL_LIMITS,
};
