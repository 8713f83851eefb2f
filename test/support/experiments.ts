import type { Experiment } from "../../sim/experiment/types.ts";

/** Ten exponential FIFO servers of mean one second at utilisation 0.7, two copies of each job, races alone. */
export const REDUNDANCY_2: Experiment = {
  seed: 1,
  replications: 1,
  jobs: 20_000,
  warmup: 2_000,
  arrivals: { kind: "poisson", ratePerS: 7 },
  service: { kind: "exponential", meanMs: 1_000 },
  correlation: 0,
  fleet: { nodes: 10, slots: 1, queue: "fifo", speeds: [1], operators: 10, deadFraction: 0 },
  network: { oneWayMs: 0 },
  verification: { ms: 0 },
  blocks: "none",
  deadlineMs: undefined,
  policy: { kind: "fixed", copies: 2 },
  placement: { kind: "random" },
  budget: "unlimited",
};
