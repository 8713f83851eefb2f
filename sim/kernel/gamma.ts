import { normalQuantile } from "../../scheduler/shared/normal.ts";

/** Lanczos' approximation with g = 7 and nine terms, coefficients by Godfrey (2001): relative error about 1e-15. */
const LANCZOS_G = 7;
const LANCZOS_FIRST = 0.99999999999980993;
const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;
/** Both expansions need a few times √shape terms where they are slowest, so that this allows shapes up to 10^8. */
const MAX_TERMS = 100_000;
const PRECISION = 1e-16;
/** Keeps the continued fraction's partial denominators from vanishing. */
const TINY = 1e-300;
const MAX_NEWTON_STEPS = 100;
/** A step in ln x is held to this, since the logarithm of a survival function is flat where it is near 1. */
const LONGEST_STEP = 2;

/** ln Γ(a) for a > 0. */
export function logGamma(a: number): number {
  if (a < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * a)) - logGamma(1 - a);
  const base = a - 0.5 + LANCZOS_G;
  const sum = LANCZOS.reduce((total, coefficient, index) => total + coefficient / (a + index), LANCZOS_FIRST);
  return 0.5 * Math.log(2 * Math.PI) + (a - 0.5) * Math.log(base) - base + Math.log(sum);
}

/** The regularised incomplete gamma functions: P(a, x) below and Q(a, x) = 1 − P(a, x) above, each without cancellation. */
export interface GammaTails {
  readonly below: number;
  readonly above: number;
}

export function gammaTails(a: number, x: number): GammaTails {
  if (!(x > 0)) return { below: 0, above: 1 };
  if (x === Number.POSITIVE_INFINITY) return { below: 1, above: 0 };
  const factor = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    const below = factor * lowerSeries(a, x);
    return { below, above: 1 - below };
  }
  const above = factor * upperFraction(a, x);
  return { below: 1 - above, above };
}

/** Σ xⁿ / (a (a+1) … (a+n)), DLMF 8.11.4. */
function lowerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n <= MAX_TERMS && term > sum * PRECISION; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** The continued fraction DLMF 8.9.2 in its even form, by Lentz's method. */
function upperFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n <= MAX_TERMS; n++) {
    const numerator = -n * (n - a);
    b += 2;
    d = 1 / awayFromZero(numerator * d + b);
    c = awayFromZero(b + numerator / c);
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 4 * PRECISION) break;
  }
  return fraction;
}

function awayFromZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}

/**
 * x with P(a, x) = u, for u in (0, 1). Newton's method on ln P, or ln Q in the upper half, as a function of ln x: both are
 * concave, so that each step after the first approaches the root from one side.
 */
export function gammaQuantile(a: number, u: number): number {
  const upper = u > 0.5;
  const target = Math.log(upper ? 1 - u : u);
  let logX = Math.log(firstGuess(a, u));
  for (let step = 0; step < MAX_NEWTON_STEPS; step++) {
    const x = Math.exp(logX);
    if (x === 0) return 0;
    const tails = gammaTails(a, x);
    const tail = upper ? tails.above : tails.below;
    const slope = Math.exp(a * logX - x - logGamma(a)) / tail;
    const wanted = ((upper ? 1 : -1) * (Math.log(tail) - target)) / slope;
    const change = Math.max(-LONGEST_STEP, Math.min(LONGEST_STEP, wanted));
    logX += change;
    if (Math.abs(change) < 1e-14 * Math.max(1, Math.abs(logX))) break;
  }
  return Math.exp(logX);
}

/** The cube of a normal quantile (Wilson and Hilferty 1931), or where that fails the power by which P begins. */
function firstGuess(a: number, u: number): number {
  const cube = (1 - 1 / (9 * a) + normalQuantile(u) / (3 * Math.sqrt(a))) ** 3;
  return a >= 1 && cube > 0.1 ? a * cube : Math.exp((Math.log(u) + logGamma(a + 1)) / a);
}
