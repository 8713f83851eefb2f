import { describe, expect, it } from "vitest";
import type { ServiceSpec } from "../../../sim/experiment/types.ts";
import { type Distribution, distributionOf, UnusableFile } from "../../../sim/kernel/distributions.ts";
import { gammaQuantile, gammaTails, logGamma } from "../../../sim/kernel/gamma.ts";
import { risingRoot } from "../../../sim/kernel/root.ts";
import { streamFor } from "../../../sim/kernel/streams.ts";

const FILES: Record<string, string> = {
  "durations.csv": "name,seconds\na,0.5\nb,0.25\nc,1\nd,0.25\n",
  "broken.csv": "name,seconds\na,0.5\nb,soon\n",
  "empty.csv": "name,seconds\n",
  "ragged.csv": "name,seconds\na,0.5\nb\n",
};
const files = (path: string) => FILES[path] as string;
const of = (spec: ServiceSpec) => distributionOf(spec, files);

const SAMPLES = 100_000;
/** A Kolmogorov–Smirnov distance above this has a probability of 1e-4: √(ln(2 / 1e-4) / 2 / n). */
const KS_LIMIT = Math.sqrt(Math.log(2 / 1e-4) / 2 / SAMPLES);

interface Case {
  readonly spec: ServiceSpec;
  /** From the textbook, worked out apart from the code. */
  readonly mean: number;
  /** `undefined` where it is infinite, or too heavy in the tail for a sample to show. */
  readonly variance: number | undefined;
}

const PHASES = { weights: [0.9, 0.1], meansMs: [50, 1_000] };
const QUANTILES = { probabilities: [0, 0.5, 0.95, 1], ms: [10, 100, 400, 2_000] };
/** The second moment of a straight stretch from a to b. */
const stretch = (a: number, b: number) => (a * a + a * b + b * b) / 3;

const CONTINUOUS: Record<string, Case> = {
  exponential: { spec: { kind: "exponential", meanMs: 40 }, mean: 40, variance: 1_600 },
  "lognormal, cv 1": { spec: { kind: "lognormal", meanMs: 7, cv: 1 }, mean: 7, variance: 49 },
  "lognormal, cv 0.3": { spec: { kind: "lognormal", meanMs: 7, cv: 0.3 }, mean: 7, variance: 49 * 0.09 },
  // scale² (Γ(1 + 2/k) − Γ(1 + 1/k)²): with k = ½ the scale is half the mean, Γ(5) − Γ(3)² = 20.
  "weibull, shape ½": { spec: { kind: "weibull", shape: 0.5, meanMs: 2 }, mean: 2, variance: 20 },
  "weibull, shape 2": { spec: { kind: "weibull", shape: 2, meanMs: 2 }, mean: 2, variance: 16 / Math.PI - 4 },
  "pareto, shape 4.5": { spec: { kind: "pareto", shape: 4.5, scaleMs: 7 }, mean: 9, variance: 49 * (4.5 / 2.5) - 81 },
  "gamma, shape 0.4": { spec: { kind: "gamma", shape: 0.4, meanMs: 10 }, mean: 10, variance: 250 },
  "gamma, shape 9": { spec: { kind: "gamma", shape: 9, meanMs: 10 }, mean: 10, variance: 100 / 9 },
  hyperexponential: {
    spec: { kind: "hyperexponential", ...PHASES },
    mean: 145,
    variance: 2 * (0.9 * 50 ** 2 + 0.1 * 1_000 ** 2) - 145 ** 2,
  },
  quantiles: {
    spec: { kind: "quantiles", ...QUANTILES },
    mean: 0.5 * 55 + 0.45 * 250 + 0.05 * 1_200,
    variance: 0.5 * stretch(10, 100) + 0.45 * stretch(100, 400) + 0.05 * stretch(400, 2_000) - 200 ** 2,
  },
  "stragglers of a lognormal": {
    spec: { kind: "stragglers", of: { kind: "lognormal", meanMs: 5, cv: 0.4 }, probability: 0.05, factor: 10 },
    mean: 7.25,
    variance: (0.95 + 0.05 * 100) * 25 * 1.16 - 7.25 ** 2,
  },
  "tokens, gamma, noise": {
    spec: {
      kind: "tokens",
      firstTokenMs: 200,
      perTokenMs: 15,
      noiseSigma: 0.25,
      tokens: { kind: "gamma", shape: 2, meanMs: 180 },
    },
    mean: 2_900 * Math.exp(0.03125),
    variance: (2_900 ** 2 + 225 * 16_200) * Math.exp(0.125) - (2_900 * Math.exp(0.03125)) ** 2,
  },
  "tokens without noise": {
    spec: {
      kind: "tokens",
      firstTokenMs: 200,
      perTokenMs: 15,
      noiseSigma: 0,
      tokens: { kind: "exponential", meanMs: 100 },
    },
    mean: 1_700,
    variance: 1_500 ** 2,
  },
};

describe.each(Object.entries(CONTINUOUS))("%s", (name, { spec, mean, variance }) => {
  const law = of(spec);
  const samples = drawn(law, name);

  it("knows its mean, and its samples have it", () => {
    expect(law.meanMs).toBeCloseTo(mean, 8);
    const average = sum(samples) / SAMPLES;
    expect(Math.abs(average - mean)).toBeLessThan(4.5 * Math.sqrt((variance as number) / SAMPLES));
  });

  it("has samples of the right variance", () => {
    const squares = Float64Array.from(samples, (x) => (x - mean) ** 2);
    const average = sum(squares) / SAMPLES;
    const error = Math.sqrt(sum(Float64Array.from(squares, (x) => (x - average) ** 2))) / SAMPLES;
    expect(Math.abs(average - (variance as number))).toBeLessThan(5 * error);
  });

  it("has samples distributed as its quantiles", () => {
    let distance = 0;
    for (let index = 0; index < SAMPLES; index += 50) {
      // The share of samples up to the quantile of u is to be u.
      const u = (index + 0.5) / SAMPLES;
      distance = Math.max(distance, Math.abs(shareUpTo(samples, law.quantile(u)) - u));
    }
    expect(distance).toBeLessThan(KS_LIMIT);
  });

  it("has probabilities that its quantiles give back, and quantiles that rise", () => {
    let before = 0;
    for (const u of [1e-9, 1e-4, 0.01, 0.2, 0.5, 0.7, 0.949, 0.95, 0.951, 0.99, 0.9999, 1 - 1e-9]) {
      const ms = law.quantile(u);
      expect(ms).toBeGreaterThan(before);
      expect(Math.abs(law.cdf(ms) - u) / Math.min(u, 1 - u)).toBeLessThan(1e-5);
      before = ms;
    }
    expect(law.cdf(-1)).toBe(0);
  });

  it("is finite at both ends of the unit interval", () => {
    for (const u of [0, 1]) expect(Number.isFinite(law.quantile(u))).toBe(true);
  });
});

describe("distributions with jumps", () => {
  it("deterministic", () => {
    const law = of({ kind: "deterministic", ms: 12.5 });
    expect([law.quantile(0.001), law.quantile(0.999), law.sample(streamFor(1, 0, "d")), law.meanMs]).toEqual(
      new Array(4).fill(12.5),
    );
    expect([law.cdf(12.4), law.cdf(12.5)]).toEqual([0, 1]);
  });

  it("a lognormal that does not vary is deterministic", () => {
    expect(of({ kind: "lognormal", meanMs: 3, cv: 0 }).quantile(0.9)).toBe(3);
  });

  it("empirical: each value of the column with equal probability", () => {
    const law = of({ kind: "empirical", file: "durations.csv", column: "seconds", unitMs: 1_000 });
    expect([0.01, 0.5, 0.51, 0.75, 0.76, 1].map((u) => law.quantile(u))).toEqual([250, 250, 500, 500, 1_000, 1_000]);
    expect([249, 250, 999, 1_000].map((ms) => law.cdf(ms))).toEqual([0, 0.5, 0.75, 1]);
    expect(law.meanMs).toBe(500);
    const samples = drawn(law, "empirical");
    for (const [ms, share] of [
      [250, 0.5],
      [500, 0.75],
    ] as const)
      expect(Math.abs(shareUpTo(samples, ms) - share)).toBeLessThan(KS_LIMIT);
  });

  it("stragglers of a constant", () => {
    const law = of({ kind: "stragglers", of: { kind: "deterministic", ms: 2 }, probability: 0.25, factor: 3 });
    expect([0.1, 0.7, 0.76, 0.99].map((u) => law.quantile(u))).toEqual([2, 2, 6, 6].map((ms) => expect.closeTo(ms, 9)));
    expect([law.cdf(1.9), law.cdf(2), law.cdf(6), law.meanMs]).toEqual([0, 0.75, 1, 3]);
  });

  it("tokens of a trace: each job brings its own", () => {
    const spec = { kind: "tokens", firstTokenMs: 100, perTokenMs: 10, noiseSigma: 0.5, tokens: "trace" } as const;
    const law = of(spec);
    expect(law.quantile(0.5, 40)).toBeCloseTo(500, 9);
    expect(law.cdf(law.quantile(0.83, 40), 40)).toBeCloseTo(0.83, 12);
    expect(law.meanMs).toBeUndefined();
    const stream = streamFor(1, 0, "trace tokens");
    const logs = Float64Array.from({ length: 20_000 }, () => Math.log(law.sample(stream, 40) / 500));
    expect(Math.abs(sum(logs) / 20_000)).toBeLessThan((4.5 * 0.5) / Math.sqrt(20_000));
    expect(() => law.sample(stream)).toThrow(/each job has to bring its own/);
  });
});

describe("heavy tails", () => {
  it("a Pareto without a mean says so", () => {
    const law = of({ kind: "pareto", shape: 1, scaleMs: 2 });
    expect(law.meanMs).toBeUndefined();
    expect(law.quantile(0.99)).toBeCloseTo(200, 9);
  });
});

describe("unusable files", () => {
  it.each([
    ["broken.csv", "seconds", /broken\.csv: row 2, seconds: "soon" is not a number/],
    ["durations.csv", "minutes", /has no column minutes; its columns are name, seconds/],
    ["empty.csv", "seconds", /has no rows/],
    ["ragged.csv", "seconds", /ragged\.csv: Invalid Record Length/],
  ])("%s, %s", (file, column, message) => {
    const read = () => of({ kind: "empirical", file, column, unitMs: 1 });
    expect(read).toThrow(UnusableFile);
    expect(read).toThrow(message);
  });
});

describe("the gamma functions", () => {
  it("agree with known values", () => {
    expect(logGamma(5)).toBeCloseTo(Math.log(24), 13);
    expect(logGamma(0.5)).toBeCloseTo(0.5 * Math.log(Math.PI), 13);
    expect(logGamma(0.1)).toBeCloseTo(2.252712651734206, 12);
    // Integer shapes have a closed form: Q(3, x) = e^−x (1 + x + x²/2).
    for (const x of [0.01, 1, 3.9, 4.1, 30]) {
      expect(gammaTails(3, x).above / (Math.exp(-x) * (1 + x + (x * x) / 2))).toBeCloseTo(1, 12);
    }
    expect(gammaTails(2, 0)).toEqual({ below: 0, above: 1 });
    expect(gammaTails(2, Number.POSITIVE_INFINITY)).toEqual({ below: 1, above: 0 });
  });

  it("have the quantiles of an independent implementation", () => {
    // From SciPy 1.10, gamma.ppf.
    for (const [shape, u, expected] of [
      [0.1, 1e-6, 6.073048362408003e-61],
      [0.1, 0.9, 0.266154553738837],
      [0.1, 0.999999, 9.45702706045744],
      [0.5, 0.3, 0.07423593091627269],
      [2.5, 1e-6, 0.0064480801032485435],
      [2.5, 0.9, 4.618178449890562],
      [40, 0.3, 36.45767115693809],
      [40, 0.999999, 77.54026115402883],
      [10_000, 0.3, 9_947.319262019584],
      [10_000, 0.999999, 10_482.561164638257],
    ] as const)
      expect(gammaQuantile(shape, u) / expected).toBeCloseTo(1, 9);
  });
});

describe("root of a rising function", () => {
  it("finds smooth roots, kinks and jumps, from above", () => {
    expect(risingRoot((x) => x ** 3 - 2, 0, 10, 1e-14)).toBeCloseTo(2 ** (1 / 3), 13);
    expect(risingRoot((x) => (x < 7 / 3 ? -1 : 1e9), 0, 10, 1e-13)).toBeCloseTo(7 / 3, 12);
    expect(risingRoot((x) => (x < 7 / 3 ? -1e9 : 0), 0, 10, 1e-13)).toBeCloseTo(7 / 3, 12);
    expect(risingRoot((x) => x - 10, 0, 10, 1e-13)).toBeCloseTo(10, 12);
    expect(risingRoot((x) => x, 0, 10, 1e-13)).toBe(0);
  });

  it("takes few steps where the function is smooth", () => {
    let evaluations = 0;
    risingRoot(
      (x) => {
        evaluations++;
        return 1 - Math.exp(-x) - 0.3;
      },
      0,
      50,
      1e-12,
    );
    expect(evaluations).toBeLessThan(30);
  });
});

function drawn(law: Distribution, name: string): Float64Array {
  const stream = streamFor(7, 0, name);
  return Float64Array.from({ length: SAMPLES }, () => law.sample(stream)).sort();
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function shareUpTo(sorted: Float64Array, limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low / sorted.length;
}
