import type { ServiceTimes } from "../../policies/service-times.ts";

export interface Prospect {
  /** P(nobody has answered when this copy is launched): how often it is launched at all. */
  readonly needed: number;
  /** P(an accepted answer by the deadline) if no copy came after this one. */
  readonly onTime: number;
}

/**
 * What copies launched at these moments are worth, when they run independently of each other for as long as has been learned.
 * All times in microseconds from the race's opening; `doneUs` is when the last answer must be there.
 */
export function prospects(launchesUs: readonly number[], doneUs: number, times: ServiceTimes): readonly Prospect[] {
  return launchesUs.map((atUs, index) => ({
    needed: noneBy(launchesUs.slice(0, index), atUs, times),
    onTime: 1 - noneBy(launchesUs.slice(0, index + 1), doneUs, times),
  }));
}

/** Steps of the integral: half a per mille of the time to the deadline each. */
const STEPS = 2_000;

/**
 * Expected machine-time up to the deadline, in microseconds: each launched copy runs until the first answer, and then all are
 * cancelled at once. ∫ (copies running at t) · P(nobody has answered by t) dt, by the midpoint rule.
 */
export function expectedWorkUs(launchesUs: readonly number[], doneUs: number, times: ServiceTimes): number {
  const stepUs = doneUs / STEPS;
  let workUs = 0;
  for (let step = 0; step < STEPS; step++) {
    const atUs = (step + 0.5) * stepUs;
    const running = launchesUs.filter((launchUs) => launchUs <= atUs);
    workUs += running.length * noneBy(running, atUs, times) * stepUs;
  }
  return workUs;
}

/** P(none of the copies has answered by then). */
function noneBy(launchesUs: readonly number[], atUs: number, times: ServiceTimes): number {
  return launchesUs.reduce((none, launchUs) => none * (atUs > launchUs ? times.survival(atUs - launchUs) : 1), 1);
}
