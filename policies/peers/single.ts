import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { Decision, Policy, RacePicture, Surroundings } from "../policy.ts";
import type { ServiceTimes } from "../service-times.ts";
import { deadlineUsOf, duplicates, lookAt, lotOf, replacements } from "./reading.ts";

/** SingleD: another copy for every job that still runs at one moment. */
export type SingleDSpec =
  | { readonly kind: "single-d"; readonly delayMs: number }
  /** Copies per job; the moment is that which so many jobs outlast. */
  | { readonly kind: "single-d"; readonly budget: number };

/** SingleR: another copy at one moment, with a probability. */
export type SingleRSpec =
  | { readonly kind: "single-r"; readonly delayMs: number; readonly probability: number }
  /** Copies per job; moment and probability are those with which most jobs are done by the deadline. */
  | {
      readonly kind: "single-r";
      readonly budget: number;
      /** From the race's opening, in place of its own deadline, or if that is earlier. */
      readonly deadlineMs?: number;
    };

export interface Reissue {
  readonly delayUs: number;
  readonly probability: number;
}

/**
 * The policies of Kaler, He and Elnikety, "Optimal reissue policies for reducing tail latency" (SPAA 2017). Both count copies,
 * and reckon with copies that are independent of each other and of the load that they make.
 */
export function singleD(spec: SingleDSpec): Policy {
  const given = "delayMs" in spec ? { delayUs: spec.delayMs * 1_000, probability: 1 } : undefined;
  return {
    spec,
    decide(race, surroundings, decision) {
      const { serviceTimes } = surroundings;
      reissue(race, surroundings, decision, given ?? atQuantile(serviceTimes, 1 - (spec as { budget: number }).budget));
    },
  };
}

export function singleR(spec: SingleRSpec): Policy {
  if ("delayMs" in spec) {
    const given = { delayUs: spec.delayMs * 1_000, probability: spec.probability };
    return {
      spec,
      decide: (race, surroundings, decision) => reissue(race, surroundings, decision, given),
    };
  }
  const { budget, deadlineMs } = spec;
  const ownUs = deadlineMs === undefined ? NEVER : deadlineMs * 1_000;
  return {
    spec,
    decide(race, surroundings, decision) {
      const deadlineUs = Math.min(deadlineUsOf(race) === NEVER ? NEVER : deadlineUsOf(race) - race.openedUs, ownUs);
      reissue(race, surroundings, decision, bestReissue(surroundings.serviceTimes, budget, deadlineUs));
    },
  };
}

/** One further copy at the moment, if the lot says so; none before anything is known. */
function reissue(race: RacePicture, { nowUs }: Surroundings, decision: Decision, when: Reissue | undefined): void {
  decision.launch = replacements(race);
  decision.lookAtUs = NEVER;
  if (when === undefined || lotOf(race) >= when.probability || duplicates(race) > 0) return;
  const dueUs = race.openedUs + when.delayUs;
  if (nowUs >= dueUs) decision.launch++;
  else decision.lookAtUs = lookAt(dueUs, nowUs);
}

function atQuantile(serviceTimes: ServiceTimes, share: number): Reissue | undefined {
  const delayUs = share > 0 ? serviceTimes.quantileUs(share) : 0;
  return delayUs === undefined ? undefined : { delayUs, probability: 1 };
}

/** Delays that are tried: closer than the buckets in which durations are learned. */
const STEPS = 64;

/**
 * d* = argmax q(d) · F(D − d) with q(d) = min(1, B / F̄(d)), over a grid of delays from 0 to the deadline; without a deadline
 * it is SingleD. `undefined` while nothing is known. Exported for the tests.
 */
export function bestReissue(serviceTimes: ServiceTimes, budget: number, deadlineUs: number): Reissue | undefined {
  if (!serviceTimes.known) return undefined;
  if (deadlineUs === NEVER) return atQuantile(serviceTimes, 1 - budget);
  let [best, bestDelayUs, bestProbability] = [0, 0, 0];
  for (let step = 0; step < STEPS; step++) {
    const delayUs = (deadlineUs * step) / STEPS;
    const probability = Math.min(1, budget / serviceTimes.survival(delayUs));
    const gain = probability * (1 - serviceTimes.survival(deadlineUs - delayUs));
    if (gain > best) [best, bestDelayUs, bestProbability] = [gain, delayUs, probability];
  }
  return { delayUs: bestDelayUs, probability: bestProbability };
}
