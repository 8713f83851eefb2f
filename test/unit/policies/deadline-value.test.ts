import fc from "fast-check";
import { DEFAULTS, type LeafSpec, policyOf, type RacePicture } from "../../../policies/index.ts";
import { Learning } from "../../../policies/learning/learning.ts";
import type { PolicyMemory } from "../../../policies/memory.ts";
import { NOTHING_KNOWN } from "../../../policies/service-times.ts";
import { Random } from "../../../scheduler/shared/random.ts";
import { NEVER } from "../../../scheduler/shared/vocabulary.ts";
import { describe, expect, it } from "vitest";
import { type Frontier, frontierOf, type Plan } from "../../../policies/deadline/frontier.ts";
import type { Prospect } from "../../../policies/deadline/survival.ts";
import { FrozenLaw } from "../../../policies/deadline/law.ts";
import { bestPlan } from "../../../policies/deadline/price.ts";
import { gridOf, momentAt, type Staircase, until } from "../../../policies/deadline/staircase.ts";
import { normalCdf, normalQuantile } from "../../../scheduler/shared/normal.ts";

/** ln(duration) has this standard deviation; durations have mean 1. */
const SIGMA = 0.302627;
const ONE: Prospect = { pace: 1, alive: 1, age: 0, wait: 0 };

function survivalAt(t: number, sigma: number, phi = 0, z = 0): number {
  if (t <= 0) return 1;
  const normal = (Math.log(t) + (sigma * sigma) / 2) / sigma;
  return 1 - normalCdf((normal - Math.sqrt(phi) * z) / Math.sqrt(1 - phi));
}

function lognormal(sigma = SIGMA, phi = 0): FrozenLaw {
  return new FrozenLaw(
    Float64Array.from({ length: 201 }, (_, index) => survivalAt(Math.exp((index - 100) / 25), sigma)),
    phi,
    1,
  );
}

/** A job with one copy of this age, and what is to be had: all that the checker knows. */
interface Case {
  readonly sigma: number;
  readonly phi: number;
  readonly age: number;
  readonly stairs: Staircase;
  readonly worth: number;
}

/**
 * E[value of sealing] − work of launches at these times, in runs: the value of each block by the probability to be sealed in it,
 * the work by integrating how many copies run, both on a grid much finer than that of plans, and over forty classes of jobs
 * where copies are correlated. It shares nothing with what it checks but the definition.
 */
function net({ sigma, phi, age, stairs, worth }: Case, launches: readonly number[]): number {
  const parts = phi === 0 ? 1 : 40;
  let [sum, weight] = [0, 0];
  for (let part = 0; part < parts; part++) {
    const z = phi === 0 ? 0 : normalQuantile((part + 0.5) / parts);
    const alone = survivalAt(age, sigma, phi, z);
    const open = (t: number) =>
      launches.reduce(
        (product, at) => product * survivalAt(t - at, sigma, phi, z),
        survivalAt(age + t, sigma, phi, z) / alone,
      );
    let value = 0;
    let before = 1;
    for (let block = 0; block < stairs.blocks; block++) {
      const after = open(stairs.first + block * stairs.interval);
      value += Math.max(0, 1 - stairs.lossPerBlock * (stairs.passed + block)) * (before - after);
      before = after;
    }
    let work = 0;
    for (let t = 0; t < 5; t += WIDTH) {
      const running = 1 + launches.filter((at) => at <= t + WIDTH / 2).length;
      work += WIDTH * running * open(t + WIDTH / 2);
    }
    sum += alone * (worth * value - work);
    weight += alone;
  }
  return sum / weight;
}
const WIDTH = 0.04;

/** The best of all launch times on a grid, with so many further copies at the most. */
function bruteForce(given: Case, most: number): number {
  let best = net(given, []);
  const times = Array.from({ length: 25 }, (_, index) => (index * Math.min(2, lastOf(given.stairs))) / 24);
  for (const first of most >= 1 ? times : []) {
    best = Math.max(best, net(given, [first]));
    for (const second of most >= 2 ? times : [])
      if (second >= first) best = Math.max(best, net(given, [first, second]));
  }
  return best;
}

function lastOf({ first, interval, blocks }: Staircase): number {
  return first + (blocks - 1) * interval;
}

function planOf({ sigma, phi, age, stairs, worth }: Case, most: number): Plan {
  return bestPlan(frontierOf(lognormal(sigma, phi), [{ ...ONE, age }], stairs, most), worth, 1);
}

const staircases = fc
  .record({
    interval: fc.double({ min: 0.03, max: 1.5, noNaN: true }),
    phase: fc.double({ min: 0.05, max: 1, noNaN: true }),
    blocks: fc.integer({ min: 2, max: 40 }),
    passed: fc.integer({ min: 0, max: 3 }),
    lossPerBlock: fc.double({ min: 0.01, max: 0.3, noNaN: true }),
  })
  .map(({ interval, phase, ...rest }): Staircase => ({ interval, first: phase * interval, ...rest }));

describe("the staircase of seal times", () => {
  it("has its cut-offs among the moments of the grid, and loses what there is to lose", () => {
    fc.assert(
      fc.property(staircases, (stairs) => {
        const grid = gridOf(stairs);
        const left = 1 - stairs.passed * stairs.lossPerBlock;
        expect(grid.drops.reduce((sum, drop) => sum + drop, 0)).toBeCloseTo(left, 9);
        expect(grid.offset).toBeGreaterThan(0);
        expect(grid.offset).toBeLessThan(grid.step * (1 + 1e-6));
        if (stairs.interval < grid.step) return;
        for (const cut of grid.cuts.slice(0, -1)) {
          const blocks = (momentAt(grid, cut) - stairs.first) / stairs.interval;
          expect(Math.abs(blocks - Math.round(blocks))).toBeLessThan(1e-6);
        }
      }),
    );
  });

  it("is one step where nothing is lost before the last block", () => {
    expect(gridOf({ first: 0.5, interval: 0.25, blocks: 7, passed: 2, lossPerBlock: 0 })).toEqual(gridOf(until(2)));
  });

  it("ends with the last block that is worth something", () => {
    const stairs = { first: 0.1, interval: 0.2, passed: 0, lossPerBlock: 0.25 };
    expect(gridOf({ ...stairs, blocks: 100 })).toEqual(gridOf({ ...stairs, blocks: 4 }));
  });
});

describe("value less the price of work", () => {
  it("is within a fiftieth of a run, or a hundredth, of the best of all launch times, by an independent count", () => {
    const cases = fc.record({
      sigma: fc.constantFrom(0.2, SIGMA, 0.6),
      phi: fc.constantFrom(0, 0, 0.5),
      age: fc.constantFrom(0, 0, 0.6, 1.1),
      stairs: staircases,
      worth: fc.constantFrom(0.3, 2, 10, 60),
    });
    fc.assert(
      fc.property(cases, fc.constantFrom(1, 2), (given, most) => {
        fc.pre(given.stairs.passed * given.stairs.lossPerBlock < 1);
        const best = bruteForce(given, given.phi === 0 ? most : 1);
        const ours = net(given, planOf(given, given.phi === 0 ? most : 1).launches);
        expect(best - ours).toBeLessThan(0.02 + 0.01 * Math.abs(best));
      }),
      { numRuns: 40 },
    );
  });

  it("knows what its plans are worth", () => {
    const stairs = { first: 0.05, interval: 0.0714, blocks: 40, passed: 0, lossPerBlock: 0.03 };
    for (const worth of [1, 10, 100]) {
      const given = { sigma: SIGMA, phi: 0, age: 0, stairs, worth };
      const plan = planOf(given, 2);
      expect(worth * (1 - plan.late) - plan.work).toBeCloseTo(net(given, plan.launches), 1);
    }
  });

  it("never launches less for a job that is worth more, however busy the nodes are", () => {
    const worths = fc.array(fc.double({ min: 1e-3, max: 1e4, noNaN: true }), { minLength: 2, maxLength: 8 });
    const crowdings = fc.double({ min: 0, max: 5, noNaN: true });
    fc.assert(
      fc.property(staircases, worths, crowdings, fc.constantFrom(0, 0.5), (stairs, unordered, crowding, phi) => {
        const frontier: Frontier = frontierOf(lognormal(SIGMA, phi), [ONE], stairs, 2);
        const plans = unordered.toSorted((a, b) => a - b).map((worth) => bestPlan(frontier, worth, 1 + crowding));
        for (const [index, plan] of plans.entries()) {
          const before = plans[index - 1] ?? plan;
          expect(plan.work).toBeGreaterThanOrEqual(before.work);
          expect(plan.late).toBeLessThanOrEqual(before.late);
        }
        const single = frontierOf(lognormal(SIGMA, phi), [ONE], stairs, 1);
        const times = unordered
          .toSorted((a, b) => a - b)
          .map((worth) => bestPlan(single, worth, 1 + crowding).launches[0] ?? Number.POSITIVE_INFINITY);
        expect(times).toEqual(times.toSorted((a, b) => b - a));
      }),
    );
  });

  it("launches a copy just early enough for a block when durations are all alike", () => {
    // Its node answers at half odds, a fresh one always, after exactly one expected duration.
    const sure = new FrozenLaw(
      Float64Array.from({ length: 201 }, (_, index) => (index < 101 ? 1 : 0)),
      0,
      1,
    );
    const stairs = { first: 0.3, interval: 0.8, blocks: 3, passed: 0, lossPerBlock: 0.3 };
    const plan = bestPlan(frontierOf(sure, [{ ...ONE, alive: 0.5 }], stairs, 1), 10, 1);
    expect(plan.launches).toHaveLength(1);
    // Answered at 1.1, the second cut-off, or a little before; not in between.
    const slack = 1.1 - (plan.launches[0] as number) - 1.04;
    expect(slack).toBeGreaterThanOrEqual(-1e-9);
    expect(slack).toBeLessThan(0.1);
  });
});

const SECOND = 1_000_000;
const OPENED_US = 100 * SECOND;

/** THEORY.md's case: copies take 7 s on average, 11 s at the 95th percentile. */
function learned(): Learning {
  const learning = new Learning();
  const random = new Random(3);
  for (let job = 0; job < 2_000; job++) {
    const ratio = Math.exp(SIGMA * normalQuantile((random.unit() + 1e-9) / (1 + 2e-9)) - (SIGMA * SIGMA) / 2);
    learning.answered({ tokensIn: 1, tokensOut: 1 }, `node-${job % 9}`, 7 * SECOND * ratio);
  }
  return learning;
}

const LEARNING = learned();

/** A race of which the first copy has just been launched: in one of four blocks of twelve seconds each. */
function raceOf(memory: PolicyMemory | undefined, maxFeeGwei = 1_000): RacePicture {
  const first = {
    node: { id: "node-1", slots: 1 },
    launchedUs: OPENED_US,
    startedUs: OPENED_US,
    ahead: 0,
    answeredUs: NEVER,
    endedUs: NEVER,
    outcome: undefined,
    speculative: false,
    live: true,
    held: false,
  };
  const [conflict, terms] = [{ kind: "first-valid" } as const, { digest: "d", inputHash: "i", validityBlocks: 8 }];
  return {
    id: 1,
    call: { model: "m", mode: "vanilla", tokensIn: 1, tokensOut: 1, maxFeeGwei, conflict, ...terms },
    lane: "fast",
    openedUs: OPENED_US,
    deadlineUs: OPENED_US + 48 * SECOND,
    targetUs: OPENED_US + 48 * SECOND,
    firstBlockUs: OPENED_US + 12 * SECOND,
    blockUs: 12 * SECOND,
    askedGwei: 70,
    live: 1,
    missing: 1,
    launched: 1,
    lost: 0,
    copies: [first],
    memory,
    learning: LEARNING,
    room: { busy: 1, slots: 1_000_000, idle: 9 },
  };
}

/** When the policy wants its second copy, in seconds after the first; `undefined` for not while that may still be running. */
function secondAt(spec: Partial<typeof DEFAULTS.deadline>, maxFeeGwei?: number, memory?: PolicyMemory) {
  const policy = policyOf({ ...DEFAULTS.deadline, ...spec } as LeafSpec);
  const remembered = memory ?? policy.remember?.();
  const race = raceOf(remembered, maxFeeGwei);
  if (memory === undefined) for (let job = 0; job < 20; job++) remembered?.opened(race, OPENED_US);
  const decision = { launch: 0, lookAtUs: NEVER };
  const surroundings = {
    nowUs: OPENED_US,
    serviceTimes: NOTHING_KNOWN,
    budgetUs: NEVER,
    domains: 9,
    random: new Random(1),
  };
  for (let look = 0; look < 20; look++) {
    policy.decide(race, surroundings, decision);
    if (decision.launch > 0) return (surroundings.nowUs - OPENED_US) / SECOND;
    if (decision.lookAtUs > OPENED_US + 24 * SECOND) return undefined;
    surroundings.nowUs = decision.lookAtUs;
  }
  return undefined;
}

describe("deadline with a value", () => {
  it("launches nothing but the first copy for what is worth nothing, heavy tails or not", () => {
    expect(secondAt({ sealGwei: 0 })).toBeUndefined();
    expect(secondAt({ sealGwei: "fee", lossPerBlock: 0.4 }, 0)).toBeUndefined();
    const policy = policyOf({ ...DEFAULTS.deadline, sealGwei: 0 } as LeafSpec);
    const cold = raceOf(policy.remember?.());
    const decision = { launch: 9, lookAtUs: 9 };
    const surroundings = {
      nowUs: OPENED_US,
      serviceTimes: NOTHING_KNOWN,
      budgetUs: 0,
      domains: 9,
      random: new Random(1),
    };
    policy.decide(cold, surroundings, decision);
    expect(decision).toEqual({ launch: 0, lookAtUs: NEVER });
  });

  it("launches sooner what is worth more, by rule or by fee", () => {
    const by = [50, 2_000, 5_000, 6_000, 8_000, 1e6].map((sealGwei) => secondAt({ sealGwei, lossPerBlock: 0.4 }) ?? 99);
    expect(by).toEqual(by.toSorted((a, b) => b - a));
    expect(by[0]).toBe(99);
    expect(new Set(by).size).toBeGreaterThan(2);
    expect(by.at(-1)).toBe(0);
    expect(secondAt({ sealGwei: "fee", lossPerBlock: 0.4 }, 6_000)).toEqual(
      secondAt({ sealGwei: 6_000, lossPerBlock: 0.4 }),
    );
  });

  it("takes what nodes ask for an answer as the price of the time that answers take", () => {
    // 70 gwei for 7 s on average.
    const spec = { sealGwei: 6_000, lossPerBlock: 0.4 };
    const [asked, told] = [secondAt(spec), secondAt({ ...spec, workGweiPerS: 10 })];
    expect(Math.abs((asked as number) - (told as number))).toBeLessThan(0.5);
    expect(secondAt({ ...spec, workGweiPerS: 100 })).toBeUndefined();
  });

  it("decides the same again, and after a snapshot", () => {
    const spec = { sealGwei: 6_000, lossPerBlock: 0.4 } as const;
    const policy = policyOf({ ...DEFAULTS.deadline, ...spec });
    const memory = policy.remember?.();
    for (let job = 0; job < 20; job++) memory?.opened(raceOf(memory), OPENED_US);
    const at = secondAt(spec, undefined, memory);
    expect(at).toBeGreaterThan(0);
    const restored = policy.remember?.(JSON.parse(JSON.stringify(memory?.snapshot())));
    expect(secondAt(spec, undefined, restored)).toBe(at);
    expect(restored?.snapshot()).toEqual(memory?.snapshot());
  });

  it("says why, in words and numbers that add up", () => {
    const policy = policyOf({ ...DEFAULTS.deadline, sealGwei: 6_000, lossPerBlock: 0.4, workGweiPerS: 10 });
    const memory = policy.remember?.();
    const race = raceOf(memory);
    for (let job = 0; job < 20; job++) memory?.opened(race, OPENED_US);
    const surroundings = {
      nowUs: OPENED_US,
      serviceTimes: NOTHING_KNOWN,
      budgetUs: 0,
      domains: 9,
      random: new Random(1),
    };
    const { words = [], numbers = {} } = policy.explain?.(race, surroundings) ?? {};
    expect(words[0]).toBe(
      "Sealing this call in the open block is worth 6000 gwei, and 40 % of it less in each later one; a machine-second costs 10 gwei.",
    );
    expect(words.join(" ")).toMatch(/further copies are launched .* s after the first/);
    expect(words.join(" ")).toMatch(/With one copy .* would be lost .* as planned .*: better by/);
    const of = (name: string) => numbers[name] as number;
    const gain = of("lossAloneGwei") - of("lossPlannedGwei") - of("workPlannedGwei") + of("workAloneGwei");
    expect(of("gainGwei")).toBeCloseTo(gain, 6);
    expect(of("gainGwei")).toBeGreaterThan(0);
    expect(of("worthRuns")).toBeCloseTo(6_000 / 70, -1);
  });
});
