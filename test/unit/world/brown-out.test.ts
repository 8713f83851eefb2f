import { describe, expect, it } from "vitest";
import type { Experiment } from "../../../sim/experiment/types.ts";
import { simulate } from "../../../sim/world/simulate.ts";
import { experimentOf } from "../../support/experiments.ts";

/** Twenty nodes with room for all; one job in ten is hedged in ordinary times. */
const USUAL: Experiment = experimentOf({
  replications: 1,
  jobs: 4_000,
  warmup: 2_000,
  arrivals: { kind: "poisson", ratePerS: 10 },
  service: { kind: "lognormal", meanMs: 1_000, cv: 0.6 },
  fleet: { nodes: 20, slots: "unlimited" },
  policy: { kind: "hedge", delayMs: 1_800, maxCopies: 2 },
  budget: { ratio: 0.05, burstMs: 20_000 },
});
/** The whole fleet takes five times as long from the first counted jobs on. */
const slow = (experiment: Experiment): Experiment => ({
  ...experiment,
  fleet: { ...experiment.fleet, slowdowns: [{ atS: 200, forS: 100_000, factor: 5 }] },
});

function speculativeShare(experiment: Experiment): number {
  const { speculative, jobs } = simulate(experiment, 0, { samples: 0 });
  return speculative / jobs;
}

describe("a brown-out", () => {
  it("makes nearly every job linger: without a budget the fleet works nearly double, with one hardly more than before", () => {
    const usual = speculativeShare(USUAL);
    expect(usual).toBeGreaterThan(0.05);
    const unlimited = speculativeShare(slow({ ...USUAL, budget: "unlimited" }));
    expect(unlimited).toBeGreaterThan(0.8);
    expect(speculativeShare(slow(USUAL))).toBeLessThan(unlimited / 5);
  });

  it("costs primary copies nothing", () => {
    const { decided, jobs, copies, speculative } = simulate(slow(USUAL), 0, { samples: 0 });
    expect([decided, copies - speculative]).toEqual([jobs, jobs]);
  });
});
