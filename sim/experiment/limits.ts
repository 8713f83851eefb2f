import { DEFAULT_MEMPOOL_LIMITS } from "../../mempool/limits.ts";
import { FIELD_LIMITS } from "../../scheduler/fields/limits.ts";

/** Limits of an experiment file, with their reasons. */
export const EXPERIMENT_LIMITS = {
  ...FIELD_LIMITS,
  // A sweep over hundreds of points fits many times over; what is longer is not an experiment file.
  textBytes: 1_000_000,
  // Counted and warm-up jobs of a replication: ten minutes of a fast machine.
  jobs: 100_000_000,
  replications: 1_000,
  // Placement looks at every node, so that more of them only take longer.
  nodes: 4_096,
  slots: 65_536,
  // No chain is faster by far, and a run would be nothing but blocks.
  shortestBlockMs: 1,
  // Bursts without a job between two jobs, on average: each of them costs time.
  burstsPerJob: 1_000_000,
  // Relative speeds of nodes.
  speed: 1_000,
  lowestSpeed: 0.001,
  // The most that a mempool holds on to.
  ttlBlocks: DEFAULT_MEMPOOL_LIMITS.maxTtlBlocks,
  reorgDepth: DEFAULT_MEMPOOL_LIMITS.maxReorgDepth,
  // Slowdowns, partitions, classes of nodes.
  sections: 64,
  listItems: 1_001,
  variants: 64,
  points: 10_000,
} as const;
