import type { PolicySpec } from "../../policies/policy.ts";
import type { Scale } from "./candidates.ts";
import type { Average, Trial } from "./objective.ts";

/** Where settings are tried: an experiment, or a recorded run. */
export interface TuneWorld {
  /** The policy that is in force there; `recorded`: those that a run had, with their changes. */
  readonly present: PolicySpec | "recorded";
  readonly scale: Scale;
  /** Jobs of a replication. */
  readonly jobs: number;
  /** What a replication is called in progress and words, such as "replications of 2,000 jobs". */
  readonly size: string;
  /** One replication with random numbers of the seed's. The same two mean the same luck under all policies. */
  measure(policy: PolicySpec | "recorded", replication: number, seed: number): Promise<Trial | "endless">;
  /** What one who knows all durations would reach in that replication. */
  bound(replication: number, seed: number): Promise<Average>;
}
