import { describe, expect, it } from "vitest";
import type { Experiment } from "../../../sim/experiment/types.ts";
import { simulate } from "../../../sim/world/simulate.ts";
import { REDUNDANCY_2, steadyBlocks } from "../../support/experiments.ts";

const BASE = REDUNDANCY_2;
const NO_QUEUES: Experiment = { ...BASE, fleet: { ...BASE.fleet, slots: "unlimited" } };

function meanMs(experiment: Experiment): number {
  const { responseSumUs, decided } = simulate(experiment, 0, { samples: 0 });
  return responseSumUs / decided / 1_000;
}

describe("the modelled world around the production engine", () => {
  it("gives the same result for the same seed and replication, another for another", () => {
    const { elapsedMs: _, ...first } = simulate(BASE, 3, { samples: 2 });
    const { elapsedMs: __, ...again } = simulate(BASE, 3, { samples: 2 });
    expect(again).toEqual(first);
    expect(simulate(BASE, 4, { samples: 0 }).responseSumUs).not.toBe(first.responseSumUs);
  });

  it("counts exactly the jobs that it is asked for, with two copies and one cancel each", () => {
    const result = simulate(NO_QUEUES, 0, { samples: 3 });
    expect(result).toMatchObject({ jobs: 20_000, decided: 20_000, copies: 40_000, cancelled: 20_000, speculative: 0 });
    expect(result.samples).toHaveLength(3);
    for (const { copies } of result.samples)
      expect(copies.map(({ end }) => end).toSorted()).toEqual(["cancelled", "won"]);
  });

  it("takes the shorter of two exponential times, plus network both ways and verification", () => {
    expect(meanMs(NO_QUEUES)).toBeCloseTo(500, -1.5);
    const { network, verification } = NO_QUEUES;
    const far: Experiment = {
      ...NO_QUEUES,
      network: { ...network, oneWayMs: 10 },
      verification: { ...verification, ms: 5 },
    };
    // The same durations, so that the difference is exact but for rounding.
    expect(meanMs(far) - meanMs(NO_QUEUES)).toBeCloseTo(25, 1);
  });

  it("works as long as its copies run: cancelling both at the first answer keeps exponential work at one service time", () => {
    const { workUs, jobs } = simulate(NO_QUEUES, 0, { samples: 0 });
    expect(workUs / jobs / 1_000).toBeCloseTo(1_000, -2);
  });

  it("compares policies on common random numbers: one copy alone takes what the first of two would take", () => {
    const service = { kind: "deterministic", ms: 700 } as const;
    expect(meanMs({ ...NO_QUEUES, service })).toBe(700);
    const alone = simulate({ ...NO_QUEUES, policy: { kind: "fixed", copies: 1 } }, 0, { samples: 0 });
    const raced = simulate(NO_QUEUES, 0, { samples: 0 });
    expect(alone.simulatedUs).toBeGreaterThanOrEqual(raced.simulatedUs);
    expect(alone.responseSumUs).toBeGreaterThan(raced.responseSumUs);
  });

  it("with fully correlated copies a second one helps nothing", () => {
    const one = { ...NO_QUEUES, correlation: 1, policy: { kind: "fixed", copies: 1 } } as const;
    expect(meanMs({ ...NO_QUEUES, correlation: 1 })).toBeCloseTo(meanMs(one), 6);
  });

  it("launches the second copy of a hedge only for jobs that linger", () => {
    const hedge = { kind: "hedge", delayMs: 2_000, maxCopies: 2 } as const;
    const { copies, speculative, jobs } = simulate({ ...NO_QUEUES, policy: hedge }, 0, { samples: 0 });
    // P(T > 2) of an exponential of mean 1.
    expect(speculative / jobs).toBeCloseTo(Math.exp(-2), 2);
    expect(copies - speculative).toBe(jobs);
  });

  it("goes on when nodes are dead", () => {
    const fleet = { ...NO_QUEUES.fleet, deadFraction: 0.3 };
    const { decided, jobs } = simulate({ ...NO_QUEUES, jobs: 2_000, fleet }, 0, { samples: 0 });
    expect(decided).toBe(jobs);
  });

  it("seals every transaction in blocks when there are blocks, and refunds those that are too slow", () => {
    const blocks = steadyBlocks(500, 24);
    const sealed = simulate({ ...NO_QUEUES, blocks }, 0, { samples: 0 });
    expect(sealed.sealed + sealed.refunded).toBe(sealed.jobs);
    expect(sealed.refunded).toBeLessThan(10);
    // A job of 500 ms on average, in blocks of 500 ms, waits for one further block on average.
    expect(sealed.blocksLate / sealed.sealed).toBeCloseTo(1, 1);
    const hurried = simulate({ ...NO_QUEUES, blocks: steadyBlocks(500, 2) }, 0, { samples: 0 });
    expect(hurried.refunded).toBeGreaterThan(1_000);
    expect(hurried.sealed + hurried.refunded).toBe(hurried.jobs);
  });
});
