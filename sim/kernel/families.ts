import { gammaQuantile, gammaTails, logGamma } from "./gamma.ts";
import { normalCdf, normalQuantile } from "../../scheduler/shared/normal.ts";
import type { Stream } from "./streams.ts";

/**
 * A distribution of durations in milliseconds. `tokens` matters only where the tokens of each job come from a trace of
 * arrivals; everything else disregards it.
 */
export interface Distribution {
  /** Smallest duration not exceeded with probability u. 0 and 1 are taken as the nearest numbers that a stream gives. */
  quantile(u: number, tokens?: number): number;
  /** Distributed as `quantile(stream.unit())`, though by a faster method where there is one. */
  sample(stream: Stream, tokens?: number): number;
  /** P(duration ≤ ms). */
  cdf(ms: number, tokens?: number): number;
  /** `undefined` where it is infinite, or depends on each job's tokens. */
  readonly meanMs: number | undefined;
}

const SMALLEST_UNIT = 2 ** -53;

/** Keeps u within what a stream can give, so that no quantile is infinite. */
export function within(u: number): number {
  return Math.min(Math.max(u, SMALLEST_UNIT), 1 - SMALLEST_UNIT);
}

export function deterministic(ms: number): Distribution {
  return { quantile: () => ms, sample: () => ms, cdf: (x) => (x >= ms ? 1 : 0), meanMs: ms };
}

export function exponential(meanMs: number): Distribution {
  return {
    quantile: (u) => -meanMs * Math.log1p(-within(u)),
    sample: (stream) => meanMs * stream.exponential(),
    cdf: (ms) => (ms <= 0 ? 0 : -Math.expm1(-ms / meanMs)),
    meanMs,
  };
}

/** ln of the duration is normal; its variance is ln(1 + cv²). */
export function lognormal(meanMs: number, cv: number): Distribution {
  if (cv === 0) return deterministic(meanMs);
  const variance = Math.log1p(cv * cv);
  const sigma = Math.sqrt(variance);
  const mu = Math.log(meanMs) - variance / 2;
  return {
    quantile: (u) => Math.exp(mu + sigma * normalQuantile(within(u))),
    sample: (stream) => Math.exp(mu + sigma * stream.normal()),
    cdf: (ms) => (ms <= 0 ? 0 : normalCdf((Math.log(ms) - mu) / sigma)),
    meanMs,
  };
}

/** P(duration > t) = exp(−(t / scale)^shape), with scale = mean / Γ(1 + 1/shape). */
export function weibull(shape: number, meanMs: number): Distribution {
  const scale = meanMs / Math.exp(logGamma(1 + 1 / shape));
  return {
    quantile: (u) => scale * (-Math.log1p(-within(u))) ** (1 / shape),
    sample: (stream) => scale * stream.exponential() ** (1 / shape),
    cdf: (ms) => (ms <= 0 ? 0 : -Math.expm1(-((ms / scale) ** shape))),
    meanMs,
  };
}

/** P(duration > t) = (scale / t)^shape from `scaleMs` on. */
export function pareto(shape: number, scaleMs: number): Distribution {
  return {
    quantile: (u) => scaleMs * (1 - within(u)) ** (-1 / shape),
    sample: (stream) => scaleMs * Math.exp(stream.exponential() / shape),
    cdf: (ms) => (ms <= scaleMs ? 0 : 1 - (scaleMs / ms) ** shape),
    meanMs: shape > 1 ? (shape * scaleMs) / (shape - 1) : undefined,
  };
}

export function gamma(shape: number, meanMs: number): Distribution {
  const scale = meanMs / shape;
  return {
    quantile: (u) => scale * gammaQuantile(shape, within(u)),
    sample: (stream) => scale * gammaVariate(stream, shape),
    cdf: (ms) => gammaTails(shape, ms / scale).below,
    meanMs,
  };
}

/**
 * A gamma variate of scale 1 by squeezed rejection (Marsaglia and Tsang, ACM Transactions on Mathematical Software 26(3),
 * 2000); a shape below 1 takes the variate of shape + 1 times U^(1/shape).
 */
export function gammaVariate(stream: Stream, shape: number): number {
  if (shape < 1) return gammaVariate(stream, shape + 1) * Math.exp(-stream.exponential() / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = stream.normal();
    const v = (1 + c * x) ** 3;
    const u = stream.unit();
    if (v <= 0) continue;
    const squared = x * x;
    if (u < 1 - 0.0331 * squared * squared) return d * v;
    if (Math.log(u) < squared / 2 + d * (1 - v + Math.log(v))) return d * v;
  }
}
