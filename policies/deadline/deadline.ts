import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { PlainData } from "../memory.ts";
import {
  type CopyPicture,
  type Decision,
  type Policy,
  type RacePicture,
  racing,
  type Surroundings,
} from "../policy.ts";
import { frontierOf, type Plan, type Prospect } from "./frontier.ts";
import type { FrozenLaw } from "./law.ts";
import { DeadlineMemory } from "./memory.ts";
import type { DeadlineSpec } from "./spec.ts";
import { planAt } from "./price.ts";

/** As long as nothing is known of durations, a second copy is launched at this share of the time to the deadline. */
const COLD_SHARE = 0.4;
/** A node that is free may come at any time; looking for it more often than this does not pay. */
const RETRY_SHARE = 1 / 64;
const LEAST_RETRY_US = 10_000;

/**
 * Launches a copy when, of all plans, the one with the least work that keeps enough jobs of its class in time says so. See
 * docs/POLICIES.md for the argument; `frontier.ts` for the plans, `price.ts` for the choice.
 *
 * Speculative copies go to nodes that are free, never behind other jobs: a copy that waits takes a place in a queue and helps
 * only when the queue is short, which is when another node is free.
 */
export function deadline(spec: DeadlineSpec): Policy {
  const most = spec.maxCopies - 1;
  return {
    spec,
    learns: true,
    remember: (snapshot?: PlainData) => new DeadlineMemory(spec.target, Math.min(2, most), snapshot),
    decide(race, surroundings, decision) {
      decision.lookAtUs = NEVER;
      // A job without a copy is never left without one on purpose, and a quorum has to be full before anything can be decided.
      const lacking = Math.max(0, 1 - racing(race));
      decision.launch = lacking;
      if (lacking > 0 || racing(race) > most || race.targetUs === NEVER || race.targetUs <= surroundings.nowUs) return;
      const next = nextLaunchUs(race, surroundings, most);
      if (next === NEVER) return;
      if (next > surroundings.nowUs) decision.lookAtUs = next;
      else if (race.room.idle > 0) launchOne(race, surroundings, decision, most);
      else decision.lookAtUs = retryUs(race, surroundings);
    },
  };
}

/** One at a time: whether a second one pays at the same moment is asked again in a microsecond. */
function launchOne(race: RacePicture, surroundings: Surroundings, decision: Decision, most: number): void {
  decision.launch = 1;
  if (racing(race) < most) decision.lookAtUs = surroundings.nowUs + 1;
}

function retryUs(race: RacePicture, { nowUs }: Surroundings): number {
  return nowUs + Math.max(LEAST_RETRY_US, Math.round((race.targetUs - nowUs) * RETRY_SHARE));
}

/** When the next copy is due if nothing happens before: `NEVER` for none. */
export function nextLaunchUs(race: RacePicture, surroundings: Surroundings, most: number): number {
  const { learning, copies, targetUs } = race;
  const memory = race.memory as DeadlineMemory | undefined;
  const law = memory?.law;
  const first = copies[0];
  if (memory === undefined || law === undefined || learning === undefined || first === undefined) {
    if (racing(race) > 1 || first === undefined) return NEVER;
    return Math.round(first.launchedUs + COLD_SHARE * (targetUs - first.launchedUs));
  }
  const expectedUs = learning.expectedUs(race.call);
  const { nowUs } = surroundings;
  // As planned: the first copy runs, and those launched since were launched by the same plan.
  if (race.lost === 0 && race.missing === 1 && copies.length <= 2) {
    const plans = memory.plansFor(race, learning);
    if (plans === undefined) return NEVER;
    const launch = planAt(plans, memory.price).launches[copies.length - 1];
    return launch === undefined ? NEVER : Math.round(first.launchedUs + launch * expectedUs);
  }
  const plan = planFromHere(race, law, surroundings, most);
  const launch = plan.launches[0];
  return launch === undefined ? NEVER : Math.round(nowUs + launch * expectedUs);
}

/** For a race in which something went otherwise than planned: from what is running now. */
function planFromHere(race: RacePicture, law: FrozenLaw, { nowUs }: Surroundings, most: number): Plan {
  const learning = race.learning as NonNullable<RacePicture["learning"]>;
  const memory = race.memory as DeadlineMemory;
  const expectedUs = learning.expectedUs(race.call);
  const prospect = (copy: CopyPicture): Prospect => ({
    pace: learning.paces.pace(copy.node.id),
    alive: learning.paces.alive(copy.node.id),
    age: copy.startedUs === NEVER ? 0 : (Math.min(nowUs, copy.answeredUs) - copy.startedUs) / expectedUs,
    wait: copy.startedUs === NEVER ? copy.ahead : 0,
  });
  const running = race.copies.filter(({ live }) => live).map(prospect);
  const left = Math.min(1, most + 1 - racing(race));
  return planAt(frontierOf(law, running, (race.targetUs - nowUs) / expectedUs, left), memory.price);
}
