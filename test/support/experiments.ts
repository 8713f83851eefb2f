import type { PlainSection } from "../../scheduler/fields/fields.ts";
import { parseExperiment } from "../../sim/experiment/parse.ts";
import type { BlocksSpec, Experiment } from "../../sim/experiment/types.ts";

/** An experiment as a file with these keys would give it. */
export function experimentOf(section: PlainSection): Experiment {
  const parsed = parseExperiment(section, "");
  if (!parsed.ok) throw new Error(parsed.troubles.join("\n"));
  return parsed.value;
}

/** Ten exponential FIFO servers of mean one second at utilisation 0.7, two copies of each job, races alone. */
export const REDUNDANCY_2: Experiment = experimentOf({
  replications: 1,
  jobs: 20_000,
  warmup: 2_000,
  arrivals: { kind: "poisson", ratePerS: 7 },
  service: { kind: "exponential", meanMs: 1_000 },
  fleet: { nodes: 10 },
  policy: { kind: "fixed", copies: 2 },
});

/** Blocks in time, of which none is taken back. */
export function steadyBlocks(intervalMs: number, ttlBlocks: number): BlocksSpec {
  return { intervalMs, ttlBlocks, jitterMs: 0, reorgs: "none" };
}
