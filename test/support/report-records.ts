import { measured } from "../../sim/experiment/result.ts";
import { parseExperimentFile } from "../../sim/experiment/parse.ts";
import type { PointRecord } from "../../sim/experiment/sweep.ts";
import { simulate } from "../../sim/world/simulate.ts";

/** A sweep that takes a moment: three policies at three loads, with blocks and a deadline. */
export const SMALL_SWEEP = `
seed: 3
replications: 3
jobs: 300
arrivals: { kind: poisson, ratePerS: 2 }
service: { kind: lognormal, meanMs: 2800, cv: 0.45 }
fleet: { nodes: 12, operators: 4 }
network: { oneWayMs: 20 }
blocks: { intervalMs: 500, ttlBlocks: 24 }
deadlineMs: 5000
policy: { kind: fixed, copies: 1 }
sweep:
  grid:
    policy:
      - { kind: fixed, copies: 1 }
      - { kind: fixed, copies: 2 }
      - { kind: hedge, delayMs: 1500, maxCopies: 2 }
    arrivals.ratePerS: [1, 2, 2.5]
`;

/** The records of an experiment file's sweep as a directory would hold them, measured here and now. */
export function recordsOf(text: string = SMALL_SWEEP): readonly PointRecord[] {
  const parsed = parseExperimentFile(text, "/");
  if (!parsed.ok) throw new Error(parsed.troubles.join("\n"));
  return parsed.value.points.map(({ overrides, experiment }, index) => {
    const replications = Array.from({ length: experiment.replications }, (_, replication) =>
      simulate(experiment, replication, { samples: replication === 0 ? 40 : 0 }),
    );
    const { result, responseHistogram, samples, blockSeries } = measured(experiment, replications, 1_000);
    const record = { key: `point-${index}`, overrides, experiment, result, responseHistogram, samples, blockSeries };
    return JSON.parse(JSON.stringify(record)) as PointRecord;
  });
}
