import { expect, it } from "vitest";
import type { PlainSection } from "../../../scheduler/fields/fields.ts";
import { CopyTable } from "../../../sim/world/copy-table.ts";
import { JobTable } from "../../../sim/world/job-table.ts";
import { simulate } from "../../../sim/world/simulate.ts";
import { SimulationLimit } from "../../../sim/world/simulation-limit.ts";
import { experimentOf } from "../../support/experiments.ts";
import { OpenWorld } from "./open-world.ts";
import { SMALL } from "./small-world.ts";

const FAULTS = {
  fleet: {
    nodes: 10,
    slots: 2,
    queue: "batching",
    batching: { slowdownPerCopy: 0.2 },
    deadFraction: 0.1,
    stragglers: { everyS: 20, lastsS: 5, factor: 3 },
    outages: { everyS: 30, lastsS: 3, kind: "crash" },
    churn: { leaveEveryS: 40, returnAfterS: 4 },
    dishonest: { fraction: 0.2, probability: 0.2, speedFactor: 5 },
    errors: { fraction: 0.3, probability: 0.1 },
  },
  network: { oneWayMs: 5, jitterMs: 20, loss: 0.05, duplication: 0.1 },
  verification: { ms: 3, workers: 2 },
  policy: { kind: "fixed", copies: 2 },
} as const;

it("nothing is left of what is over, whatever became of it: memory does not grow with the number of jobs", () => {
  for (const jobs of [500, 4_000]) {
    const world = new OpenWorld({ ...SMALL, ...FAULTS, jobs });
    world.run();
    expect(world.held).toBeLessThan(60);
    expect(world.jobsHeld).toBeLessThan(60);
  }
});

it("a copy whose Cancel is lost stays on its node until its lease ends, and no longer", { timeout: 60_000 }, () => {
  // Dead nodes never answer; every other Cancel is lost.
  const world = new OpenWorld({
    ...SMALL,
    jobs: 10_000,
    fleet: { nodes: 10, slots: "unlimited", deadFraction: 0.5 },
    network: { loss: 0.5 },
  });
  world.run();
  expect(world.held).toBeLessThan(40);
});

it.each<[string, PlainSection, RegExp]>([
  [
    "a run that cannot end says so",
    // Every copy needs longer than the longest lease.
    { ...SMALL, jobs: 5, service: { kind: "deterministic", ms: 31_000 }, fleet: { nodes: 4, deadFraction: 0.25 } },
    /none of the counted jobs has come to its end in 200000 events.*lease, after 30 s at the latest/s,
  ],
  [
    "a run that would take longer than numbers reach says so",
    { ...SMALL, jobs: 1_000, arrivals: { kind: "poisson", ratePerS: 1e-9 }, fleet: { nodes: 4 } },
    /140 simulated years: raise arrivals\.ratePerS/,
  ],
  [
    "arrivals beyond all numbers are no other matter",
    { ...SMALL, jobs: 10, arrivals: { kind: "poisson", ratePerS: 1e-300 }, fleet: { nodes: 4 } },
    /140 simulated years/,
  ],
  [
    "weather without end while nobody comes says so",
    {
      ...SMALL,
      jobs: 5,
      arrivals: { kind: "poisson", ratePerS: 1e-6 },
      fleet: { nodes: 4, stragglers: { everyS: 0.001, lastsS: 0.001, factor: 2 } },
    },
    /in 200000 events, and no further one arrived: raise arrivals\.ratePerS/,
  ],
  [
    "durations beyond all numbers are no other matter",
    {
      ...SMALL,
      jobs: 1,
      warmup: 0,
      arrivals: { kind: "poisson", ratePerS: 1e-9 },
      service: { kind: "pareto", scaleMs: 86_400_000, shape: 0.01 },
      fleet: { nodes: 4 },
    },
    /140 simulated years/,
  ],
])("%s", { timeout: 60_000 }, (_, section, message) => {
  const run = (): unknown => {
    try {
      return simulate(experimentOf(section), 0, { samples: 0, limits: { patience: 200_000, events: 1e9 } });
    } catch (error) {
      return error;
    }
  };
  const error = run();
  expect(error).toBeInstanceOf(SimulationLimit);
  expect((error as Error).message).toMatch(message);
});

it.each([1e6, 1e-6])("slowdowns by %d that multiply leave times finite", (factor) => {
  const slowdowns = Array.from({ length: 64 }, () => ({ atS: 0, forS: 31_536_000, factor }));
  const arrivals = { kind: "poisson", ratePerS: 1e-5 };
  const experiment = experimentOf({
    ...SMALL,
    jobs: 50,
    warmup: 0,
    arrivals,
    fleet: { nodes: 50, slots: "unlimited", slowdowns },
  });
  const { decided, responseSumUs } = simulate(experiment, 0, { samples: 0 });
  expect(decided).toBe(50);
  // As much as one slowdown alone may do; a copy that takes no time at all ends in the microsecond in which it begins.
  const [least, most] = factor > 1 ? [0.99e11, 1.01e11] : [0, 1];
  expect(responseSumUs / 50).toBeGreaterThanOrEqual(least);
  expect(responseSumUs / 50).toBeLessThanOrEqual(most);
});

it("a load that cannot be served says so, before engine and heap are full", { timeout: 60_000 }, () => {
  const jobs = new JobTable();
  for (let number = 0; number < 2 ** 20; number++) jobs.take(number, 0);
  expect(() => jobs.take(2 ** 20, 0)).toThrow(/more than 1048576 jobs under way at one time.*lower arrivals.ratePerS/);
  const copies = new CopyTable();
  for (let id = 0; id < 2 ** 21; id++) copies.take(id);
  expect(() => copies.take(2 ** 21)).toThrow(/more than 2097152 copies under way at one time/);
});

it("a run lets others see how far it is, and ends when they will not wait", () => {
  const experiment = experimentOf({ ...SMALL, jobs: 200_000, warmup: 1_000, fleet: { nodes: 10 } });
  const seen: { ended: number; endedInAll: number }[] = [];
  const onLook = ({ ended, endedInAll, of }: { ended: number; endedInAll: number; of: number }): void => {
    expect(of).toBe(200_000);
    seen.push({ ended, endedInAll });
    if (seen.length === 2) throw new SimulationLimit("enough");
  };
  expect(() => simulate(experiment, 0, { samples: 0, onLook })).toThrow("enough");
  const [first, second] = seen;
  expect(first?.ended).toBeGreaterThan(0);
  expect(first?.endedInAll).toBe((first?.ended ?? 0) + 1_000);
  expect(second?.ended).toBeGreaterThan(first?.ended ?? 0);
});
