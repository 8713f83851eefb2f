import { describe, expect, it } from "vitest";
import { DEFAULTS, type LeafSpec } from "../../../policies/index.ts";
import type { Experiment } from "../../../sim/experiment/types.ts";
import { simulate } from "../../../sim/world/simulate.ts";
import { REDUNDANCY_2 } from "../../support/experiments.ts";

const SEED = 11;
const REPLICATIONS = 6;
const DEADLINE_US = 12_000_000;
const LEARNING_S = 600;
const SLOW_S = 60;
const AFTER_S = 60;
const NODES = 40;

/** Share of jobs in time, by when they came: long before the slowdown, and in stretches of so many seconds after its end. */
function inTime(policy: LeafSpec, load: number, stretchS: number): { before: number; after: number[] } {
  const ratePerS = (load * NODES) / 7;
  const jobs = Math.round(ratePerS * (LEARNING_S + SLOW_S + AFTER_S + 40));
  const experiment: Experiment = {
    ...REDUNDANCY_2,
    seed: SEED,
    jobs,
    warmup: 0,
    arrivals: { kind: "poisson", ratePerS },
    service: { kind: "lognormal", meanMs: 7_000, cv: 0.30969 },
    fleet: {
      ...REDUNDANCY_2.fleet,
      nodes: NODES,
      operators: NODES,
      slots: 1,
      slowdowns: [{ atS: LEARNING_S, forS: SLOW_S, factor: 5 }],
    },
    deadlineMs: DEADLINE_US / 1_000,
    placement: { kind: "least-loaded" },
    policy,
  };
  const counts = Array.from({ length: 1 + Math.floor(AFTER_S / stretchS) }, () => ({ jobs: 0, inTime: 0 }));
  for (let replication = 0; replication < REPLICATIONS; replication++) {
    for (const { openedUs, decidedUs } of simulate(experiment, replication, { samples: jobs }).samples) {
      const sinceS = openedUs / 1e6 - LEARNING_S - SLOW_S;
      // What came a few seconds before the slowdown was met by it.
      const isBefore = sinceS < -SLOW_S - 40 && sinceS > -SLOW_S - LEARNING_S / 2;
      const count = isBefore ? counts[0] : sinceS < 0 ? undefined : counts[1 + Math.floor(sinceS / stretchS)];
      if (count === undefined) continue;
      count.jobs++;
      if (decidedUs - openedUs <= DEADLINE_US) count.inTime++;
    }
  }
  const [before = 0, ...after] = counts.map((count) => count.inTime / count.jobs);
  return { before, after };
}

/** Half of the width of a 99.9 % interval for a share of 0.98 among the jobs of a stretch. */
const CHANCE = 0.03;

describe(`a fleet that was five times slower for a minute, seed ${SEED}`, { timeout: 60_000 }, () => {
  it("answers as many in time as before from 20 s after its recovery on", () => {
    const { before, after } = inTime(DEFAULTS.deadline, 0.3, 20);
    expect(before).toBeGreaterThan(0.98);
    for (const share of after.slice(1)) expect(share).toBeGreaterThan(before - CHANCE);
  });

  it("works off what has queued up meanwhile as soon as with one copy a job, where that was more than it can serve at once", () => {
    const ours = inTime(DEFAULTS.deadline, 0.5, 20);
    const one = inTime({ kind: "fixed", copies: 1 }, 0.5, 20);
    const lag = ours.after.map((share, stretch) => (one.after[stretch] as number) - share);
    for (const behind of lag) expect(behind).toBeLessThan(0.06);
    expect(ours.after[2]).toBeGreaterThan(one.before - CHANCE);
  });
});
