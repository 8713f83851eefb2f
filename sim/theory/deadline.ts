import type { Law } from "./laws.ts";

/** Meet a deadline with at most `budget` extra copies per job, counted whether cancelled or not. */
export interface DeadlineCase {
  readonly law: Law;
  readonly deadline: number;
  readonly budget: number;
}

export interface Reissue {
  readonly delay: number;
  /** Probability with which a job that still runs at `delay` gets its copy. */
  readonly probability: number;
  readonly onTime: number;
}

/** P(on time) of SingleR(delay, q): F(D) + q·F̄(D)·F(D − delay) (Kaler, He and Elnikety, "Optimal reissue policies for reducing tail latency", SPAA 2017). */
export function reissueOnTime(given: DeadlineCase, delay: number, probability: number): number {
  const { law, deadline } = given;
  const late = law.survival(deadline);
  return 1 - late + probability * late * (1 - law.survival(deadline - delay));
}

/** SingleD: a copy for every job that still runs at the time that spends the budget, F̄(delay) = budget. */
export function singleD(given: DeadlineCase): Reissue {
  const delay = given.law.quantile(1 - given.budget);
  return { delay, probability: 1, onTime: reissueOnTime(given, delay, 1) };
}

/** SingleR: of all delays with q = min(1, budget / F̄(delay)) the one with the most jobs on time. */
export function singleR(given: DeadlineCase): Reissue {
  const at = (delay: number): Reissue => {
    const probability = Math.min(1, given.budget / given.law.survival(delay));
    return { delay, probability, onTime: reissueOnTime(given, delay, probability) };
  };
  // The curve may have two hills (at once, or late), so the best of a grid comes first and is refined around itself.
  const steps = 2_000;
  let best = at(0);
  for (let step = 1; step < steps; step++) best = better(best, at((given.deadline * step) / steps));
  for (let width = given.deadline / steps; width > 1e-9 * given.deadline; width /= 2) {
    best = better(best, at(Math.max(0, best.delay - width / 2)));
    best = better(best, at(Math.min(given.deadline, best.delay + width / 2)));
  }
  return best;
}

function better(a: Reissue, b: Reissue): Reissue {
  return b.onTime > a.onTime ? b : a;
}
