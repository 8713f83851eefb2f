import jstat from "jstat";
import { assert } from "../../scheduler/shared/assert.ts";

/**
 * Laws of service times, written from their textbook forms and apart from the distributions that the simulator draws from:
 * what checks must not share code with what it checks.
 */
export interface Law {
  /** F̄(t) = P(S > t); 1 for t < 0. */
  survival(t: number): number;
  /** Smallest t with P(S ≤ t) ≥ p, for 0 < p < 1. */
  quantile(p: number): number;
  readonly mean: number;
  /** E[S²]; Infinity where there is none. */
  readonly secondMoment: number;
}

export function deterministic(value: number): Law {
  return {
    survival: (t) => (t < value ? 1 : 0),
    quantile: () => value,
    mean: value,
    secondMoment: value * value,
  };
}

export function exponential(mean: number): Law {
  return {
    survival: (t) => (t < 0 ? 1 : Math.exp(-t / mean)),
    quantile: (p) => -mean * Math.log1p(-p),
    mean,
    secondMoment: 2 * mean * mean,
  };
}

/** P(S > t) = exp(−(t/λ)^shape), λ = mean / Γ(1 + 1/shape). */
export function weibull(shape: number, mean: number): Law {
  const scale = mean / gammaFunction(1 + 1 / shape);
  return {
    survival: (t) => (t < 0 ? 1 : Math.exp(-((t / scale) ** shape))),
    quantile: (p) => scale * (-Math.log1p(-p)) ** (1 / shape),
    mean,
    secondMoment: scale * scale * gammaFunction(1 + 2 / shape),
  };
}

/** P(S > t) = (scale/t)^shape from `scale` on. */
export function pareto(shape: number, scale: number): Law {
  return {
    survival: (t) => (t < scale ? 1 : (scale / t) ** shape),
    quantile: (p) => scale * (1 - p) ** (-1 / shape),
    mean: shape > 1 ? (shape * scale) / (shape - 1) : Number.POSITIVE_INFINITY,
    secondMoment: shape > 2 ? (shape * scale * scale) / (shape - 2) : Number.POSITIVE_INFINITY,
  };
}

/** ln S is normal with variance ln(1 + cv²). */
export function lognormal(mean: number, cv: number): Law {
  const variance = Math.log1p(cv * cv);
  const mu = Math.log(mean) - variance / 2;
  const sigma = Math.sqrt(variance);
  return {
    survival: (t) => (t <= 0 ? 1 : jstat.normal.cdf((mu - Math.log(t)) / sigma, 0, 1)),
    quantile: (p) => Math.exp(mu + sigma * jstat.normal.inv(p, 0, 1)),
    mean,
    secondMoment: mean * mean * (1 + cv * cv),
  };
}

/** With the given probability `factor` times as long. */
export function withStragglers(law: Law, { probability, factor }: { probability: number; factor: number }): Law {
  const survival = (t: number): number => (1 - probability) * law.survival(t) + probability * law.survival(t / factor);
  return {
    survival,
    quantile: (p) => inverse(survival, 1 - p),
    mean: law.mean * (1 - probability + probability * factor),
    secondMoment: law.secondMoment * (1 - probability + probability * factor * factor),
  };
}

/** The smaller of several independent draws of one law: what a race without queueing takes. */
export function fastestOf(copies: number, law: Law): Law {
  assert(Number.isInteger(copies) && copies >= 1, "a race has copies");
  const survival = (t: number): number => law.survival(t) ** copies;
  return {
    survival,
    quantile: (p) => law.quantile(1 - (1 - p) ** (1 / copies)),
    mean: areaUnder(survival, 0, Number.POSITIVE_INFINITY),
    // E[S²] = ∫ 2t F̄(t) dt.
    secondMoment: areaUnder((t) => 2 * t * survival(t), 0, Number.POSITIVE_INFINITY),
  };
}

/** The t at which a falling curve passes `level`, by bisection over all magnitudes. */
export function inverse(survival: (t: number) => number, level: number): number {
  let [low, high] = [1e-12, 1e-12];
  while (survival(high) > level) {
    high *= 2;
    assert(high < 1e300, "the curve never falls to that level");
  }
  for (let step = 0; step < 200 && high - low > 1e-14 * high; step++) {
    const middle = (low + high) / 2;
    if (survival(middle) > level) low = middle;
    else high = middle;
  }
  return high;
}

/** Nodes of the tanh-sinh rule on either side of the middle; 2⁻⁵ apart. */
const HALF_NODES = 130;
const NODE_STEP = 2 ** -5;

/**
 * ∫ f from `from` to `to` (Infinity allowed) by tanh-sinh quadrature (Takahasi and Mori 1974), which is indifferent to what
 * f does at the ends. `f` is to be smooth in between: split where it is not.
 */
export function areaUnder(f: (t: number) => number, from: number, to: number): number {
  if (!(to > from)) return 0;
  let area = 0;
  for (let index = -HALF_NODES; index <= HALF_NODES; index++) {
    const x = index * NODE_STEP;
    const sinh = (Math.PI / 2) * Math.sinh(x);
    const slope = (Math.PI / 2) * Math.cosh(x);
    if (to === Number.POSITIVE_INFINITY) {
      // t = from + e^sinh maps the line onto (from, ∞).
      const distance = Math.exp(sinh);
      const value = f(from + distance);
      if (Number.isFinite(distance) && value !== 0) area += value * distance * slope;
    } else {
      const distance = (to - from) / (1 + Math.exp(-2 * sinh));
      const weight = ((to - from) / 2) * (slope / Math.cosh(sinh) ** 2);
      if (weight > 0) area += f(from + distance) * weight;
    }
  }
  return area * NODE_STEP;
}

export function gammaFunction(x: number): number {
  return Math.exp(jstat.gammaln(x));
}
