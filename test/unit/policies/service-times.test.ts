import { describe, expect, it } from "vitest";
import { KaplanMeier } from "../../../policies/index.ts";
import { NOTHING_KNOWN } from "../../../policies/service-times.ts";
import { Random } from "../../../scheduler/shared/random.ts";

const SECOND = 1_000_000;
/** Width of a bucket of the estimator. */
const GROWTH = 1.08;

interface Observation {
  readonly us: number;
  readonly ended: boolean;
}

function learn(observations: readonly Observation[]): KaplanMeier {
  const estimator = new KaplanMeier();
  for (const observation of observations) tell(estimator, observation);
  return estimator;
}

function tell(estimator: KaplanMeier, { us, ended }: Observation): void {
  if (ended) estimator.ended(us);
  else estimator.censored(us);
}

/** The estimator as its definition says it: over the distinct times of ends, Π (1 − ended then / not over before). */
function productLimit(observations: readonly Observation[], tUs: number): number {
  let survives = 1;
  for (const time of new Set(observations.map(({ us }) => us))) {
    const ended = observations.filter(({ us, ended }) => ended && us === time).length;
    if (time <= tUs) survives *= 1 - ended / observations.filter(({ us }) => us >= time).length;
  }
  return survives;
}

/** Lognormal of mean 1 s and coefficient of variation 1, by Box and Muller. */
function lognormalUs(random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
  return SECOND * Math.exp(-Math.LN2 / 2 + Math.sqrt(Math.LN2) * normal);
}

/** Times on a grid of which no two share a bucket, so that grouping changes nothing. */
function onGrid(random: Random, count: number): Observation[] {
  return Array.from({ length: count }, () => ({
    us: 5_000 * 1.2 ** random.below(40),
    ended: random.unit() < 0.6,
  }));
}

describe("Kaplan–Meier", () => {
  it("knows nothing at first, and says so in the hopeful way", () => {
    for (const times of [NOTHING_KNOWN, new KaplanMeier()]) {
      const { weight } = times;
      expect([weight, times.survival(1), times.quantileUs(0.5), times.meanUs()]).toEqual([0, 0, undefined, 0]);
    }
  });

  it("gives the survival of the 21 patients under 6-MP (Freireich and others 1963), worked out by hand", () => {
    const remission = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+".split(" ");
    const estimator = learn(
      remission.map((text) => ({ us: Number.parseInt(text, 10) * SECOND, ended: !text.endsWith("+") })),
    );
    const steps = [
      [5, 1],
      [6, 18 / 21],
      [7, (18 / 21) * (16 / 17)],
      [10, (18 / 21) * (16 / 17) * (14 / 15)],
      [13, (18 / 21) * (16 / 17) * (14 / 15) * (11 / 12)],
      [16, (18 / 21) * (16 / 17) * (14 / 15) * (11 / 12) * (10 / 11)],
      [23, (18 / 21) * (16 / 17) * (14 / 15) * (11 / 12) * (10 / 11) * (6 / 7) * (5 / 6)],
      [35, 0.448],
    ] as const;
    // A time counts at the end of its bucket.
    for (const [s, survival] of steps) expect(estimator.survival(s * GROWTH * SECOND)).toBeCloseTo(survival, 3);
    expect(estimator.weight).toBe(21);
    // The median is 23; the curve ends above 0.4, so that no higher quantile is known.
    expect((estimator.quantileUs(0.5) as number) / SECOND).toBeGreaterThanOrEqual(23);
    expect((estimator.quantileUs(0.5) as number) / SECOND).toBeLessThan(23 * GROWTH);
    expect(estimator.quantileUs(0.6)).toBeUndefined();
  });

  it("agrees with its definition on random samples, and never rises", () => {
    const random = new Random(5);
    for (let sample = 0; sample < 20; sample++) {
      const observations = onGrid(random, 60);
      const estimator = learn(observations);
      let before = 1;
      for (let step = 0; step < 40; step++) {
        const us = 5_000 * 1.2 ** step;
        const survival = estimator.survival(us * GROWTH);
        expect(survival).toBeCloseTo(productLimit(observations, us), 9);
        expect(survival).toBeLessThanOrEqual(before);
        before = survival;
      }
    }
  });

  it("gives as a quantile the first time by which enough have ended", () => {
    const estimator = learn(Array.from({ length: 60 }, (_, index) => ({ us: (index + 1) * SECOND, ended: true })));
    for (const [p, s] of [
      [0.05, 3],
      [0.5, 30],
      [0.95, 57],
    ] as const) {
      const quantileUs = estimator.quantileUs(p) as number;
      expect(quantileUs).toBeGreaterThan((s * SECOND) / GROWTH);
      expect(quantileUs).toBeLessThan(s * SECOND * GROWTH ** 2);
      // A hair later, since the edge itself may fall into either bucket.
      expect(1 - estimator.survival(1.000_001 * quantileUs)).toBeGreaterThanOrEqual(p);
    }
    // The middle of the range, too long by half a bucket on average.
    expect(estimator.meanUs() / SECOND).toBeGreaterThan(30.5);
    expect(estimator.meanUs() / SECOND).toBeLessThan(30.5 * GROWTH);
    expect(() => estimator.quantileUs(1)).toThrow("0 < p < 1");
  });

  it("is not misled by cancelled losers, as it would be were they dropped", () => {
    const random = new Random(11);
    const trueP95 = 2.781 * SECOND;
    const observations: Observation[] = [];
    for (let job = 0; job < 4_000; job++) {
      const firstUs = lognormalUs(random);
      if (firstUs <= trueP95) observations.push({ us: firstUs, ended: true });
      else {
        // A second copy starts at the true 95th percentile; whoever is done first cancels the other.
        const secondUs = trueP95 + lognormalUs(random);
        const firstWins = firstUs <= secondUs;
        observations.push({ us: Math.min(firstUs, secondUs), ended: firstWins });
        observations.push({ us: Math.min(firstUs, secondUs) - trueP95, ended: !firstWins });
      }
    }
    const p95 = (kept: readonly Observation[]): number => learn(kept).quantileUs(0.95) as number;
    expect(Math.abs(Math.log(p95(observations) / trueP95))).toBeLessThan(Math.log(GROWTH));
    expect(p95(observations.filter(({ ended }) => ended))).toBeLessThan(trueP95 / GROWTH);
  });

  it("lets the past fade: after a change, some thousand observations tell the new median", () => {
    const estimator = new KaplanMeier();
    for (let n = 0; n < 10_000; n++) estimator.ended(SECOND);
    for (let n = 0; n < 10_000; n++) estimator.ended(4 * SECOND);
    expect(estimator.weight).toBeLessThan(8_192);
    expect(estimator.quantileUs(0.5)).toBeGreaterThan(4 * SECOND);
  });

  it("keeps times beyond its buckets in the outermost ones", () => {
    const estimator = learn([
      { us: 0, ended: true },
      { us: 10 ** 12, ended: true },
    ]);
    expect(estimator.quantileUs(0.5)).toBe(1_000);
    expect(estimator.survival(2_000)).toBe(0.5);
    expect(estimator.survival(10 ** 13)).toBe(0.5);
  });

  it("goes on from a snapshot in plain JSON exactly where it was, halved counts and all", () => {
    const random = new Random(9);
    const estimator = learn(onGrid(random, 5_000));
    const restored = new KaplanMeier();
    restored.restore(JSON.parse(JSON.stringify(estimator.snapshot())));
    expect(restored.snapshot()).toEqual(estimator.snapshot());
    for (const observation of onGrid(random, 100)) {
      for (const each of [estimator, restored]) tell(each, observation);
      expect(restored.quantileUs(0.9)).toBe(estimator.quantileUs(0.9));
      expect(restored.survival(observation.us)).toBe(estimator.survival(observation.us));
    }
    expect(restored.snapshot()).toEqual(estimator.snapshot());
    expect(restored.meanUs()).toBe(estimator.meanUs());
  });
});
