import { normalCdf, normalQuantile } from "../../scheduler/shared/normal.ts";
import { type Learning, UNIT } from "../learning/learning.ts";
import type { PlainData } from "../memory.ts";

/** Points of the frozen curve per factor e, and how far it reaches: ratios from e⁻⁴ to e⁴. */
const PER_E = 25;
const REACH = 4;
const POINTS = 2 * REACH * PER_E + 1;
/** Below this, copies of a job are taken for independent, which is an eighth of the work. */
const LEAST_PHI = 0.1;
/** Standard deviations. */
const SURELY = 6;
/** Strata of what copies have in common, by probability; finer where jobs are hard, since those are the late ones. */
const STRATA = [0, 0.5, 0.8, 0.9, 0.95, 0.975, 0.99, 0.997, 1] as const;

/**
 * What plans are made of: the learned law as it was at some moment. Plans made from the same one are the same, whenever they
 * are made, so that an engine restored from a snapshot decides as the one that went on (P13).
 */
export class FrozenLaw {
  /** P(ratio > exp((index − middle) / PER_E)). */
  readonly #survival: Float64Array;
  /** Normal quantiles of 1 − survival, where copies are correlated. */
  readonly #normals: Float64Array | undefined;
  readonly phi: number;
  /** √φ and √(1 − φ). */
  readonly #common: number;
  readonly #own: number;
  /** P(a node of which nothing is known answers). */
  readonly alive: number;
  /** Mean ratio, and its squared coefficient of variation. */
  readonly mean: number;
  readonly scv: number;

  constructor(survival: Float64Array, phi: number, alive: number) {
    this.#survival = survival;
    this.phi = phi < LEAST_PHI ? 0 : phi;
    this.#common = Math.sqrt(this.phi);
    this.#own = Math.sqrt(1 - this.phi);
    this.alive = alive;
    if (this.phi > 0) this.#normals = survival.map((s) => normalQuantile(Math.min(1 - 1e-9, Math.max(1e-9, 1 - s))));
    let mean = Math.exp(-REACH);
    let square = mean * mean;
    for (let index = 1; index < POINTS; index++) {
      const from = ratioAt(index - 1);
      const to = ratioAt(index);
      const between = ((survival[index - 1] as number) + (survival[index] as number)) / 2;
      mean += between * (to - from);
      square += between * (to * to - from * from);
    }
    this.mean = mean;
    this.scv = Math.max(0, square / (mean * mean) - 1);
  }

  static of(learning: Learning): FrozenLaw {
    const { law } = learning;
    const survival = Float64Array.from({ length: POINTS }, (_, index) => law.smoothSurvival(UNIT * ratioAt(index)));
    return new FrozenLaw(survival, learning.correlation.phi, learning.paces.usuallyAlive);
  }

  /** P(ratio > r), between points on a straight line. */
  survival(r: number): number {
    return r <= 0 ? 1 : interpolated(this.#survival, r, 1, 0);
  }

  /** Points z of a quadrature over what the copies of a job have in common. */
  get shared(): { readonly nodes: readonly number[]; readonly weights: readonly number[] } {
    return this.phi === 0 ? ALONE : QUADRATURE;
  }

  /** Where r stands on the curve, for `survivalAt`: the dear half of it, and the same for all z. */
  placeOf(r: number): number {
    const normals = this.#normals;
    if (normals === undefined) return this.survival(r);
    return r <= 0 ? Number.NEGATIVE_INFINITY : interpolated(normals, r, -6, 6);
  }

  /** P(ratio > r | z) by where r stands, under the Gaussian copula ln ratio ~ √φ z + √(1 − φ) ε. */
  survivalAt(place: number, z: number): number {
    if (this.#normals === undefined) return place;
    const normal = (place - this.#common * z) / this.#own;
    // Where all copies, or none, are done but for one in a billion, and the tail would be the dearest part.
    if (normal > SURELY) return 0;
    return normal < -SURELY ? 1 : 1 - normalCdf(normal);
  }

  snapshot(): PlainData {
    return { survival: [...this.#survival], phi: this.phi, alive: this.alive };
  }

  static restore(snapshot: PlainData): FrozenLaw {
    const { survival, phi, alive } = snapshot as { survival: readonly number[]; phi: number; alive: number };
    return new FrozenLaw(Float64Array.from(survival), phi, alive);
  }
}

const ALONE = { nodes: [0], weights: [1] } as const;
const QUADRATURE = stratified();

/** Each stratum at its mean, with its probability: E[Z | a < Z ≤ b] = (φ(a) − φ(b)) / (Φ(b) − Φ(a)). */
function stratified(): { readonly nodes: readonly number[]; readonly weights: readonly number[] } {
  const density = (p: number) => {
    if (p === 0 || p === 1) return 0;
    const z = normalQuantile(p);
    return Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
  };
  const weights = STRATA.slice(1).map((to, index) => to - (STRATA[index] as number));
  const nodes = weights.map(
    (weight, index) => (density(STRATA[index] as number) - density(STRATA[index + 1] as number)) / weight,
  );
  return { nodes, weights };
}

function ratioAt(index: number): number {
  return Math.exp((index - REACH * PER_E) / PER_E);
}

function interpolated(values: Float64Array, r: number, before: number, beyond: number): number {
  const place = PER_E * (Math.log(r) + REACH);
  if (place <= 0) return before;
  if (place >= POINTS - 1) return Math.min(beyond === 0 ? (values[POINTS - 1] as number) : beyond, 1e9);
  const index = Math.floor(place);
  const from = values[index] as number;
  return from + (place - index) * ((values[index + 1] as number) - from);
}
