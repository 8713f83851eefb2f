import { describe, expect, it } from "vitest";
import { DEFAULTS } from "../../../../policies/defaults.ts";
import type { CopyPicture } from "../../../../policies/index.ts";
import { probabilityOfSaving } from "../../../../policies/peers/mantri.ts";
import { duplicates, lotOf } from "../../../../policies/peers/reading.ts";
import { bestReissue } from "../../../../policies/peers/single.ts";
import { KaplanMeier, type ServiceTimes } from "../../../../policies/service-times.ts";
import { NEVER } from "../../../../scheduler/shared/vocabulary.ts";
import { lognormalFromMeanAndP95 } from "../../../../sim/experiment/lognormal.ts";
import { type DeadlineCase, reissueOnTime, singleR as optimalR } from "../../../../sim/theory/deadline.ts";
import { exponential, type Law, lognormal, pareto } from "../../../../sim/theory/laws.ts";
import { simulate } from "../../../../sim/world/simulate.ts";
import { experimentOf } from "../../../support/experiments.ts";
import { Stage } from "./stage.ts";

const S = 1_000_000;

/** A law known exactly, its unit a second. */
function knownTimes(law: Law): ServiceTimes {
  return {
    weight: Number.POSITIVE_INFINITY,
    known: true,
    survival: (us) => law.survival(us / S),
    quantileUs: (p) => law.quantile(p) * S,
    meanUs: () => law.mean * S,
  };
}

/** What the engine has learned of it after some thousand copies. */
function learnedTimes(law: Law): ServiceTimes {
  const times = new KaplanMeier();
  for (let index = 0; index < 4_000; index++)
    times.ended(law.quantile(((index * 1_237) % 4_000) / 4_000 + 1 / 8_000) * S);
  return times;
}

describe("spark", () => {
  const spec = { ...DEFAULTS.spark, stageJobs: 10 };
  /** Nine done of 100 to 900 ms: the median is 500 ms. */
  const stage = (changes: Partial<typeof spec> = {}): Stage =>
    new Stage({ ...spec, ...changes }).history(100, 900, 200, 800, 300, 700, 400, 600, 500);

  it("speculates once on a job that takes more than three times the median, at the next check", () => {
    const one = stage();
    // The stage starts on the grid of checks; the race 30 ms after one.
    one.wait(30).open().wait(20_000);
    expect(one.launchesMs).toEqual([0, 1_570]);
    expect(one.picture.live).toBe(2);
  });

  it("waits until nine of ten are done", () => {
    const few = new Stage(spec).history(100, 900, 200, 800, 300, 700, 400, 600).open().wait(20_000);
    expect(few.launched).toBe(1);
    few.win();
    expect(few.open().wait(60_001).launched).toBe(2);
  });

  it("does not speculate while more than a tenth of the jobs up to this one run", () => {
    const busy = stage();
    const before = busy.nowUs;
    busy.memory?.launched({ speculative: false }, before);
    busy.wait(30);
    busy.open().wait(20_000);
    expect(busy.launched).toBe(1);
    busy.memory?.ended({ outcome: "failed", speculative: false, launchedUs: before, endedUs: 0 }, busy.nowUs);
    expect(busy.wait(101).launched).toBe(2);
  });

  it("does not mind how many run that were launched later", () => {
    const busy = stage().wait(30).open().wait(1_000);
    for (let later = 0; later < 20; later++) busy.memory?.launched({ speculative: false }, busy.nowUs);
    expect(busy.wait(1_000).launched).toBe(2);
  });

  it("takes no job for slow that runs for less than minTaskRuntime", () => {
    const quick = new Stage(spec).history(1, 1, 1, 1, 1, 1, 1, 1, 1);
    quick.wait(91).open().wait(20_000);
    expect(quick.launchesMs).toEqual([0, 200]);
  });

  it("takes the mean of the two in the middle for the median of an even number", () => {
    const even = stage().history(1_000);
    expect(even.open().wait(20_000).launchesMs[1]).toBeCloseTo(1_700, 6);
  });

  it("speculates again when the speculative copy is lost", () => {
    const one = stage().open().wait(1_700);
    expect(one.launched).toBe(2);
    expect(one.lose(1, "failed").wait(200).launched).toBe(3);
  });

  it("gives the same decisions from a snapshot, and forgets what is older than a stage", () => {
    expect(stage().restore().wait(30).open().wait(20_000).launchesMs).toEqual([0, 1_570]);
    const long = stage();
    for (let ms = 1; ms < 500; ms++) long.history(ms);
    expect(long.memory?.snapshot()).toMatchObject({
      durations: Array.from({ length: 10 }, (_, i) => (490 + i) * 1_000),
    });
  });
});

describe("mantri", () => {
  const running = (...agesS: readonly number[]): { copies: readonly CopyPicture[] } => ({
    copies: agesS.map((age) => ({
      node: { id: "node", slots: 1 },
      startedUs: 100 * S - age * S,
      ahead: 0,
      launchedUs: 100 * S - age * S,
      answeredUs: NEVER,
      speculative: false,
      live: true,
      held: false,
      endedUs: NEVER,
      outcome: undefined,
    })),
  });

  it("duplicates no memoryless job: P(X > 2 Y) of two exponentials is a third, P(min(X₁, X₂) > 1.5 Y) a quarter", () => {
    const times = knownTimes(exponential(1));
    expect(probabilityOfSaving(running(0.1), 100 * S, times)).toBeCloseTo(1 / 3, 2);
    expect(probabilityOfSaving(running(7), 100 * S, times)).toBeCloseTo(1 / 3, 2);
    expect(probabilityOfSaving(running(2, 1), 100 * S, times)).toBeCloseTo(1 / 4, 2);
  });

  it("finds the more in a duplicate the longer a heavy-tailed job has run, and the less with a light tail", () => {
    const at = (law: Law, ageS: number): number => probabilityOfSaving(running(ageS), 100 * S, knownTimes(law));
    const heavy = pareto(1.5, 1 / 3);
    expect(at(heavy, 4)).toBeGreaterThan(at(heavy, 1));
    expect(at(heavy, 1)).toBeGreaterThan(at(heavy, 0.4));
    const ordinary = lognormal(1, 0.3);
    expect(at(ordinary, 1)).toBeLessThan(0.05);
  });

  it("looks ten times in a job's life, or every ten seconds if that is more often", () => {
    const stage = new Stage({ ...DEFAULTS.mantri, delta: 1 });
    stage.serviceTimes = knownTimes(lognormal(3, 1));
    expect(stage.open().lookMs).toBeCloseTo(3_000 / Math.sqrt(2) / 10, 2);
    stage.serviceTimes = knownTimes(lognormal(3_000, 1));
    expect(stage.open().lookMs).toBe(10_000);
  });

  it("launches copies one report apart, up to so many at a time, and keeps the first", () => {
    const stage = new Stage({ ...DEFAULTS.mantri, maxCopies: 3 });
    stage.serviceTimes = knownTimes(pareto(1.1, 0.1));
    stage.open().wait(60_000);
    expect(stage.launched).toBe(3);
    expect(stage.picture.live).toBe(3);
    const [, second = 0, third = 0] = stage.launchesMs;
    expect(third - second).toBeGreaterThanOrEqual(100);
  });

  it("duplicates nothing while nothing is known, and what runs for longer than anything known", () => {
    expect(new Stage(DEFAULTS.mantri).open().wait(60_000).launched).toBe(1);
    const stage = new Stage(DEFAULTS.mantri);
    stage.serviceTimes = learnedTimes(lognormal(1, 0.1));
    expect(stage.open().wait(60_000).launched).toBe(4);
  });
});

/** lognormal(mean 7, p95 11) by mean and coefficient of variation. */
function languageModel(): Law {
  const law = lognormalFromMeanAndP95({ meanMs: 7_000, p95Ms: 11_000 });
  if (typeof law === "string") throw new Error(law);
  return lognormal(7, law.cv);
}

const CASES: readonly (readonly [string, DeadlineCase, number])[] = [
  ["lognormal(mean 1, cv 1)", { law: lognormal(1, 1), deadline: 4, budget: 0.02 }, 0.98735],
  ["Pareto(1.5, mean 1)", { law: pareto(1.5, 1 / 3), deadline: 4, budget: 0.02 }, 0.98651],
  ["lognormal(mean 7, p95 11)", { law: languageModel(), deadline: 12, budget: 0.05 }, 0.97464],
];

describe("single-r", () => {
  it.each(CASES)("finds the best moment and probability for %s", (_, given, onTime) => {
    const { law, budget, deadline } = given;
    const reissue = bestReissue(knownTimes(law), budget, deadline * S);
    const found = reissueOnTime(given, (reissue?.delayUs ?? 0) / S, reissue?.probability ?? 0);
    expect(found).toBeCloseTo(onTime, 4);
    expect(optimalR(given).onTime).toBeCloseTo(onTime, 4);
    // Within its budget of copies.
    expect((reissue?.probability ?? 0) * law.survival((reissue?.delayUs ?? 0) / S)).toBeLessThanOrEqual(budget + 1e-12);
  });

  it.each(CASES)("loses at most a thousandth of that with what it has learned of %s", (_, given, onTime) => {
    const reissue = bestReissue(learnedTimes(given.law), given.budget, given.deadline * S);
    const found = reissueOnTime(given, (reissue?.delayUs ?? 0) / S, reissue?.probability ?? 0);
    expect(found).toBeGreaterThan(onTime - 0.001);
  });

  it("launches for the share of races that it says, at its moment, whenever it is asked", () => {
    const stage = new Stage({ kind: "single-r", delayMs: 300, probability: 0.25 });
    let reissued = 0;
    for (let race = 0; race < 4_000; race++) {
      stage.open();
      const looks = stage.lookMs;
      stage.wait(200);
      stage.ask();
      expect(stage.lookMs).toBe(looks);
      stage.wait(400);
      stage.ask();
      if (stage.launched === 2) reissued++;
      if (stage.launched === 2) expect(stage.launchesMs).toEqual([0, 300]);
      stage.win();
    }
    // Five standard deviations.
    expect(reissued / 4_000).toBeGreaterThan(0.25 - 0.035);
    expect(reissued / 4_000).toBeLessThan(0.25 + 0.035);
  });

  it("replaces what is lost, and reissues once all the same", () => {
    const stage = new Stage({ kind: "single-r", delayMs: 300, probability: 1 }).open().wait(100).lose(0, "failed");
    expect(stage.wait(5_000).launchesMs).toEqual([0, 100, 300]);
    expect(stage.lose(2, "failed").wait(5_000).launched).toBe(3);
  });

  it("goes by the earlier of the race's deadline and its own, and by SingleD's moment without either", () => {
    const times = knownTimes(lognormal(1, 1));
    /** The moment of the first race whose lot comes out well. */
    const at = (deadlineMs: number | undefined, raceMs: number | undefined): number => {
      const stage = new Stage({ kind: "single-r", budget: 0.02, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
      stage.serviceTimes = times;
      for (;;) {
        if (raceMs !== undefined) stage.deadlineUs = stage.nowUs + raceMs * 1_000;
        if (typeof stage.open().lookMs === "number") return stage.lookMs as number;
        stage.wait(1);
      }
    };
    const [soon, late] = [at(4_000, undefined), at(6_000, undefined)];
    expect(late).toBeGreaterThan(soon);
    expect([at(undefined, 4_000), at(4_000, 6_000), at(6_000, 4_000)]).toEqual([soon, soon, soon]);
    expect(at(undefined, undefined)).toBeCloseTo(lognormal(1, 1).quantile(0.98) * 1_000, 2);
    expect(bestReissue(new KaplanMeier(), 0.05, 4 * S)).toBeUndefined();
  });

  it("meets the deadline as often as theory says, in the simulator", () => {
    const policy = { kind: "single-r", delayMs: 3_110, probability: 0.53 };
    const experiment = experimentOf({
      replications: 1,
      jobs: 150_000,
      warmup: 100,
      arrivals: { kind: "poisson", ratePerS: 20 },
      service: { kind: "lognormal", meanMs: 1_000, cv: 1 },
      fleet: { nodes: 20, slots: "unlimited" },
      deadlineMs: 4_000,
      policy,
    });
    const { onTime, jobs, speculative } = simulate(experiment, 0, { samples: 0 });
    // Four standard errors of a share of 150,000.
    expect(Math.abs(onTime / jobs - 0.98735)).toBeLessThan(4 * Math.sqrt((0.98735 * 0.01265) / jobs));
    expect(speculative / jobs).toBeCloseTo(0.02, 2);
  });
});

describe("single-d", () => {
  it("launches another copy of everything that still runs, once", () => {
    expect(new Stage({ kind: "single-d", delayMs: 300 }).open().wait(9_000).launchesMs).toEqual([0, 300]);
    expect(new Stage({ kind: "single-d", delayMs: 0 }).open().launchesMs).toEqual([0, 0]);
  });

  it("finds the moment that as many jobs outlast as its budget has copies", () => {
    const stage = new Stage({ kind: "single-d", budget: 0.05 });
    expect(stage.open().wait(9_000).launched).toBe(1);
    stage.serviceTimes = knownTimes(exponential(1));
    expect(stage.open().wait(9_000).launchesMs[1]).toBeCloseTo(-1_000 * Math.log(0.05), 2);
    const all = new Stage({ kind: "single-d", budget: 1 });
    all.serviceTimes = stage.serviceTimes;
    expect(all.open().launchesMs).toEqual([0, 0]);
  });
});

describe("what the peers read from a race", () => {
  const copy = (launchedUs: number, endedUs: number, held = false): CopyPicture => ({
    node: { id: "node", slots: 1 },
    startedUs: launchedUs,
    ahead: 0,
    launchedUs,
    endedUs,
    held,
    answeredUs: NEVER,
    speculative: false,
    live: endedUs === NEVER && !held,
    outcome: undefined,
  });

  it.each<[string, number, readonly CopyPicture[], number]>([
    ["one copy", 1, [copy(0, NEVER)], 0],
    ["two at once", 1, [copy(0, NEVER), copy(0, NEVER)], 1],
    ["a replacement", 1, [copy(0, 5), copy(5, NEVER)], 0],
    ["a duplicate whose original is lost", 1, [copy(0, 9), copy(5, NEVER)], 1],
    ["a lost duplicate", 1, [copy(0, NEVER), copy(5, 9)], 1],
    ["as many as a quorum takes", 2, [copy(0, NEVER), copy(0, NEVER)], 0],
    ["one more", 2, [copy(0, NEVER), copy(0, NEVER), copy(3, NEVER)], 1],
    ["one more beside an answer that waits", 1, [copy(0, NEVER, true), copy(0, NEVER), copy(3, NEVER)], 1],
  ])("knows duplicates: %s", (_, missing, copies, count) => {
    expect(duplicates({ missing, copies })).toBe(count);
  });

  it("draws lots that are uniform, and independent of neighbouring handles and moments", () => {
    const cells = new Array<number>(16).fill(0);
    let product = 0;
    for (let id = 0; id < 64; id++) {
      for (let ms = 0; ms < 64; ms++) {
        const lot = lotOf({ id, openedUs: 1e15 + ms * 1_000 });
        const next = lotOf({ id: id + 1, openedUs: 1e15 + ms * 1_000 });
        cells[Math.floor(lot * 16)] = (cells[Math.floor(lot * 16)] as number) + 1;
        product += (lot - 0.5) * (next - 0.5);
      }
    }
    // 4,096 lots: 256 per cell with a standard deviation of 15.5, and a mean product with one of 0.0013.
    for (const count of cells) expect(Math.abs(count - 256)).toBeLessThan(70);
    expect(Math.abs(product / 4_096)).toBeLessThan(0.006);
  });
});
