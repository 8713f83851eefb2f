import { DEFAULT_MEMPOOL_LIMITS } from "../../mempool/limits.ts";

/** Limits of an experiment file, with their reasons. */
export const EXPERIMENT_LIMITS = {
  // A sweep over hundreds of points fits many times over; what is longer is not an experiment file.
  textBytes: 1_000_000,
  // Counted and warm-up jobs of a replication: ten minutes of a fast machine.
  jobs: 100_000_000,
  replications: 1_000,
  // Placement looks at every node, so that more of them only take longer.
  nodes: 4_096,
  slots: 65_536,
  // The engine launches no more copies of one race.
  copies: 16,
  // Simulated times are integer microseconds and must stay exact over a whole run: a day for any one of them.
  ms: 86_400_000,
  // A year, and the shortest that is not a flood of changes.
  seconds: 31_536_000,
  shortestS: 0.001,
  ratePerS: 1_000_000,
  // How many times as long, or as fast, something may take.
  factor: 1_000_000,
  // The most that a mempool holds on to.
  ttlBlocks: DEFAULT_MEMPOOL_LIMITS.maxTtlBlocks,
  reorgDepth: DEFAULT_MEMPOOL_LIMITS.maxReorgDepth,
  // Slowdowns, partitions, classes of nodes.
  sections: 64,
  listItems: 1_001,
  // A service time within a service time within a service time.
  depth: 3,
  variants: 64,
  points: 10_000,
} as const;
