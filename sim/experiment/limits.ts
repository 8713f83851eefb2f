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
  ratePerS: 1_000_000,
  listItems: 1_001,
  // A service time within a service time within a service time.
  depth: 3,
  variants: 64,
  points: 10_000,
} as const;
