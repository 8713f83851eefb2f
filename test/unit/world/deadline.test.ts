import { describe, expect, it } from "vitest";
import { DEFAULTS, type LeafSpec } from "../../../policies/index.ts";
import { simulate } from "../../../sim/world/simulate.ts";
import { tokensAsked } from "../../../sim/world/job-table.ts";
import type { Experiment, FleetSpec } from "../../../sim/experiment/types.ts";
import { REDUNDANCY_2 } from "../../support/experiments.ts";

/** THEORY.md's case: lognormal of mean 7 s and 95th percentile 11 s, to be answered within 12 s. */
function measure(policy: LeafSpec, ratePerS: number, fleet: Partial<FleetSpec>, jobs = 12_000) {
  const experiment: Experiment = {
    ...REDUNDANCY_2,
    jobs,
    warmup: 2_000,
    arrivals: { kind: "poisson", ratePerS },
    service: { kind: "lognormal", meanMs: 7_000, cv: 0.30969 },
    fleet: { ...REDUNDANCY_2.fleet, nodes: 10, operators: 10, ...fleet },
    deadlineMs: 12_000,
    placement: { kind: "least-loaded" },
    policy,
  };
  const { onTime, workUs, copies } = simulate(experiment, 0, { samples: 0 });
  return { onTime: onTime / jobs, workS: workUs / jobs / 1e6, copies: copies / jobs };
}

const { deadline } = DEFAULTS;
const ONE: LeafSpec = { kind: "fixed", copies: 1 };

describe("deadline in the simulator", () => {
  it("finds the known optimum by itself: 0.99 in time for at most 1.03 × 9.24 machine-seconds, from job 2,000 on", () => {
    const { onTime, workS } = measure(deadline, 1, { slots: "unlimited" }, 40_000);
    expect(onTime).toBeGreaterThan(0.989);
    expect(workS).toBeLessThan(1.03 * 9.24);
  });

  it("hedges in an idle fleet and leaves a busy one alone, without being told which it is in", () => {
    const idle = measure(deadline, 0.43, {});
    expect(idle.onTime).toBeGreaterThan(measure(ONE, 0.43, {}).onTime + 0.01);
    const busy = measure(deadline, 1.28, {});
    expect(busy.copies).toBeLessThan(1.1);
    // Two copies of each would not even be served.
    expect(busy.onTime).toBeGreaterThan(measure(ONE, 1.28, {}).onTime - 0.03);
  });

  it("works around nodes that never answer, and pays less for it than two copies of everything", () => {
    const dead = { deadFraction: 0.1 };
    const ours = measure(deadline, 0.6, dead);
    const two = measure({ kind: "fixed", copies: 2 }, 0.6, dead);
    expect(ours.onTime).toBeGreaterThan(two.onTime);
    expect(ours.workS).toBeLessThan(two.workS);
  });
});

describe("tokens asked for", () => {
  it.each([
    [0, 0],
    [1, 16],
    [16, 16],
    [17, 32],
    [129, 256],
  ])("of an answer with %d are %d", (tokens, asked) => {
    expect(tokensAsked(tokens)).toBe(asked);
  });
});
