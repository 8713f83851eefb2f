import { normalCdf, normalQuantile } from "../../scheduler/shared/normal.ts";
import type { PlainData } from "../memory.ts";

/** Values of φ that are weighed against each other. */
const GRID = [0, 0.2, 0.4, 0.6, 0.8, 0.95] as const;
/** Belief before the first pair: what goes against independence has to be shown. */
const PRIOR = [Math.log(2), 0, 0, 0, 0, 0] as const;
/** Pairs after which what they said has faded to 1/e. */
const MEMORY = 1_024;
/** So few of the pairs are looked at. */
const ONE_IN = 4;
/** One pair says no more than this against any φ: the marginal law is itself only learned. */
const LEAST = 1e-3;

/**
 * φ, the share of a duration's (Gaussian) variance that copies of one job have in common, by maximum a posteriori over a grid.
 * A decided race tells when its winner answered and up to when each loser had not; under a Gaussian copula the likelihood of
 * that is proportional to P(Z_loser > z_cut | Z_winner = z) = 1 − Φ((z_cut − φ z) / √(1 − φ²)), with z the normal quantile of
 * the learned law. Jobs with one copy say nothing of φ, and that the second copy is launched only for some jobs does no harm,
 * since what decides it stands in what is conditioned on.
 */
export class Correlation {
  readonly #logLikelihood: number[] = [...PRIOR];
  #phi = 0;
  #passed = 0;

  get phi(): number {
    return this.#phi;
  }

  /** Probabilities, by the marginal law, that a copy is over by the moment: of the winner's answer, and of the loser's cut. */
  pair(winner: number, loser: number): void {
    // There are as many pairs as hedged jobs, and φ changes slowly.
    if (++this.#passed < ONE_IN) return;
    this.#passed = 0;
    const z = normalQuantile(within(winner));
    const cut = normalQuantile(within(loser));
    let total = 0;
    let weighed = 0;
    let best = Number.NEGATIVE_INFINITY;
    const fade = 1 - 1 / MEMORY;
    for (let index = 0; index < GRID.length; index++) {
      const phi = GRID[index] as number;
      const outlasts = 1 - normalCdf((cut - phi * z) / Math.sqrt(1 - phi * phi));
      const log = (this.#logLikelihood[index] as number) * fade + Math.log(Math.max(LEAST, outlasts));
      this.#logLikelihood[index] = log;
      best = Math.max(best, log);
    }
    for (let index = 0; index < GRID.length; index++) {
      const weight = Math.exp((this.#logLikelihood[index] as number) - best);
      total += weight;
      weighed += weight * (GRID[index] as number);
    }
    this.#phi = weighed / total;
  }

  snapshot(): PlainData {
    return [...this.#logLikelihood, this.#phi, this.#passed];
  }

  restore(snapshot: PlainData): void {
    const values = snapshot as readonly number[];
    for (let index = 0; index < GRID.length; index++) this.#logLikelihood[index] = values[index] as number;
    this.#phi = values[GRID.length] as number;
    this.#passed = values[GRID.length + 1] as number;
  }
}

function within(probability: number): number {
  return Math.min(1 - 1e-4, Math.max(1e-4, probability));
}
