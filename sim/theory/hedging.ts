import type { Law } from "./laws.ts";
import { areaUnder, inverse } from "./laws.ts";

/** One more copy after `delay`, unless the first has answered; the loser is cancelled. No queueing, independent copies. */
export interface Hedge {
  readonly law: Law;
  readonly delay: number;
}

/** P(T > t) = F̄(t) before the delay, F̄(t)·F̄(t − delay) after it. */
export function hedgeSurvival(t: number, { law, delay }: Hedge): number {
  return law.survival(t) * (t < delay ? 1 : law.survival(t - delay));
}

export function hedgeMean({ law, delay }: Hedge): number {
  return pieces(law, delay, Number.POSITIVE_INFINITY, (t) => hedgeSurvival(t, { law, delay }));
}

export function hedgeQuantile(p: number, hedge: Hedge): number {
  return inverse((t) => hedgeSurvival(t, hedge), 1 - p);
}

/** Machine-time per job, ∫₀^delay F̄ + 2∫_delay F̄(s)F̄(s − delay) ds; with a deadline, copies stop there at the latest. */
export function hedgeWork({ law, delay }: Hedge, deadline = Number.POSITIVE_INFINITY): number {
  return pieces(law, delay, deadline, (t) => (t < delay ? 1 : 2) * hedgeSurvival(t, { law, delay }));
}

/** Machine-time per job of that many copies at once. */
export function parallelWork(copies: number, law: Law, deadline = Number.POSITIVE_INFINITY): number {
  return copies * pieces(law, 0, deadline, (t) => law.survival(t) ** copies);
}

/** Copies launched per job beyond the first. */
export function hedgeDuplicates({ law, delay }: Hedge): number {
  return law.survival(delay);
}

/** P(on time) of the hedge before a deadline. */
export function hedgeOnTime(hedge: Hedge, deadline: number): number {
  return 1 - hedgeSurvival(deadline, hedge);
}

/** Copies on all of these at once, without limits of capacity: no policy meets more deadlines (1 − ΠF̄ⱼ(D)). */
export function clairvoyantOnTime(laws: readonly Law[], deadline: number): number {
  return 1 - laws.reduce((product, law) => product * law.survival(deadline), 1);
}

/**
 * The integral of a curve with kinks where a copy starts and where the law's support does (a Pareto law's scale): between
 * them it is smooth, which is what the quadrature wants.
 */
function pieces(law: Law, delay: number, to: number, f: (t: number) => number): number {
  const start = law.quantile(1e-12);
  const kinks = [delay, start, delay + start, delay + law.quantile(0.5), delay + law.quantile(0.99)];
  const cuts = [0, ...kinks.filter((kink) => kink > 0 && kink < to).sort((a, b) => a - b), to];
  let area = 0;
  for (const [index, cut] of cuts.slice(1).entries()) area += areaUnder(f, cuts[index] as number, cut);
  return area;
}
