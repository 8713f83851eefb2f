import { assert } from "../../scheduler/shared/assert.ts";

/** How long one copy ran, and how that ended. */
export interface Run {
  readonly us: number;
  readonly tokens: number;
  /** `stopped`: it would have run longer (right-censored). */
  readonly end: "answered" | "failed" | "stopped";
}

/** Time that a copy takes before its noise: proportional to `first + each × tokens`. */
export interface TokenShape {
  readonly first: number;
  readonly each: number;
}

/** Below this many answers a slope would be mostly noise. */
const ENOUGH_FOR_A_SLOPE = 12;
/** Takes the same time whatever is asked. */
const FLAT: TokenShape = { first: 1, each: 0 };

/**
 * How durations grow with the tokens asked for: the line of least squares of relative errors through the answers, without a
 * negative part. Only its form matters, since the level is measured by what is left when it is divided out. Copies that were
 * stopped are left out: they lack at every length.
 */
export function tokenShape(runs: readonly Run[]): TokenShape {
  const answers = runs.filter(({ end, us }) => end === "answered" && us > 0);
  if (answers.length < ENOUGH_FOR_A_SLOPE) return FLAT;
  // Weights 1 ÷ us²: minimises Σ ((us − first − each × tokens) ÷ us)².
  let [w, wt, wtt, wy, wty] = [0, 0, 0, 0, 0];
  for (const { us, tokens } of answers) {
    const weight = 1 / (us * us);
    w += weight;
    wt += weight * tokens;
    wtt += weight * tokens * tokens;
    wy += weight * us;
    wty += weight * tokens * us;
  }
  const determinant = w * wtt - wt * wt;
  if (!(determinant > 1e-9 * w * wtt)) return FLAT;
  const each = (w * wty - wt * wy) / determinant;
  if (!(each > 0)) return FLAT;
  const first = (wy - each * wt) / w;
  return { first: Math.max(0, first), each };
}

/** What a copy of so many tokens takes when its noise is 1. */
export function shapeUs({ first, each }: TokenShape, tokens: number): number {
  // An answer without tokens still takes some time.
  return Math.max(first + each * tokens, Number.MIN_VALUE);
}

/** What comes of a copy, relative to its shape, with the probability of exactly that. */
interface Atom {
  readonly ratio: number;
  readonly failed: boolean;
  /** Probability of this one or one before it. */
  readonly upTo: number;
}

/**
 * Ends of copies by time and kind: the estimator of Aalen and Johansen (1978) for two competing ends, which with one kind is
 * that of Kaplan and Meier (1958). Copies that were stopped count as running until then: left out, or taken for ended, they
 * would make nodes look quicker than they are. What is left beyond the longest observation is taken for an answer at that
 * moment (Efron's convention), since nothing is known of it.
 *
 * Exact where `policies/service-times.ts` keeps buckets: that one has to forget and to be small, this one is held against the
 * run it comes from.
 */
export class EndsOfCopies {
  readonly #atoms: readonly Atom[];

  /** Needs a copy that was not stopped. */
  constructor(ratios: readonly { readonly ratio: number; readonly end: Run["end"] }[]) {
    assert(
      ratios.some(({ end }) => end !== "stopped"),
      "ends of copies: some copy came to its end",
    );
    // Who ends at the moment at which another is stopped ended before it.
    const ordered = [...ratios].sort((a, b) => a.ratio - b.ratio || rank(a.end) - rank(b.end));
    const atoms: Atom[] = [];
    let surviving = 1;
    let ended = 0;
    ordered.forEach(({ ratio, end }, index) => {
      if (end === "stopped") return;
      const mass = surviving / (ordered.length - index);
      surviving -= mass;
      ended += mass;
      atoms.push({ ratio, failed: end === "failed", upTo: ended });
    });
    const longest = ordered.at(-1);
    if (surviving > 0 && longest?.end === "stopped") atoms.push({ ratio: longest.ratio, failed: false, upTo: 1 });
    this.#atoms = atoms;
  }

  /** The end at probability `u`, 0 < u < 1. */
  at(u: number): { readonly ratio: number; readonly failed: boolean } {
    const atoms = this.#atoms;
    let [low, high] = [0, atoms.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((atoms[middle] as Atom).upTo < u) low = middle + 1;
      else high = middle;
    }
    return atoms[low] as Atom;
  }

  /** Probability that a copy, let run to its end, fails. */
  get failing(): number {
    let before = 0;
    let failing = 0;
    for (const { failed, upTo } of this.#atoms) {
      if (failed) failing += upTo - before;
      before = upTo;
    }
    return failing;
  }
}

function rank(end: Run["end"]): number {
  return end === "stopped" ? 1 : 0;
}
