import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import { type Policy, type RacePicture, racing } from "../policy.ts";
import type { ServiceTimes } from "../service-times.ts";
import { lookAt, replacements } from "./reading.ts";

export interface MantriSpec {
  readonly kind: "mantri";
  /** How probable it must be that a further copy saves machine-time. */
  readonly delta: number;
  /** Copies of a job at a time. */
  readonly maxCopies: number;
  /** From one report of progress to the next at the most; with short jobs it is a tenth of their median. */
  readonly reportMs: number;
}

/** A task reports so many times in its life at the least. */
const REPORTS = 10;
/** Equally probable durations of a new copy over which is averaged. */
const POINTS = 16;

/**
 * Mantri's duplicates (Ananthanarayanan et al., "Reining in the outliers in map-reduce clusters using Mantri", OSDI 2010): with
 * c copies running a further one when
 *
 *   P(t_rem > t_new · (c + 1) / c) > delta,
 *
 * that is when c + 1 copies for t_new probably cost less than c copies for t_rem. Mantri knows t_rem from a task's reports of
 * progress. Nodes here report none, so it is what is learned of durations, given how long each copy has run:
 *
 *   P(t_rem > x) = Π F̄(aᵢ + x) / F̄(aᵢ) over the running copies of age aᵢ.
 */
export function mantri(spec: MantriSpec): Policy {
  return {
    spec,
    decide(race, { nowUs, serviceTimes }, decision) {
      decision.launch = replacements(race);
      decision.lookAtUs = NEVER;
      if (racing(race) + decision.launch >= spec.maxCopies) return;
      const usualUs = serviceTimes.quantileUs(0.5) ?? Number.POSITIVE_INFINITY;
      const reportUs = Math.min(spec.reportMs * 1_000, usualUs / REPORTS);
      decision.lookAtUs = lookAt(nowUs + reportUs, nowUs);
      if (decision.launch > 0 || !serviceTimes.known) return;
      // Nothing is known of a copy before its first report.
      if (youngestUs(race, nowUs) < reportUs) return;
      if (probabilityOfSaving(race, nowUs, serviceTimes) > spec.delta) decision.launch = 1;
    },
  };
}

function youngestUs({ copies }: RacePicture, nowUs: number): number {
  let youngest = Number.POSITIVE_INFINITY;
  for (const { live, launchedUs } of copies) if (live) youngest = Math.min(youngest, nowUs - launchedUs);
  return youngest;
}

/** P(t_rem > t_new · (c + 1) / c); 1 for a race whose copies all run for longer than any did before. */
export function probabilityOfSaving(
  { copies }: Pick<RacePicture, "copies">,
  nowUs: number,
  serviceTimes: ServiceTimes,
): number {
  const ages: number[] = [];
  for (const { live, launchedUs } of copies) if (live) ages.push(nowUs - launchedUs);
  const factor = (ages.length + 1) / ages.length;
  let probability = 0;
  for (let point = 0; point < POINTS; point++) {
    const newUs = serviceTimes.quantileUs((point + 0.5) / POINTS);
    // The data do not reach as far: a copy may take for ever, and then saves nothing.
    if (newUs === undefined) break;
    let lasts = 1;
    for (const age of ages) {
      const before = serviceTimes.survival(age);
      if (before > 0) lasts *= serviceTimes.survival(age + newUs * factor) / before;
    }
    probability += lasts / POINTS;
  }
  return probability;
}
