import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { PlainData } from "../memory.ts";
import { type CopyPicture, type Policy, type RacePicture, racing } from "../policy.ts";
import { explainDeadline } from "./explain.ts";
import type { Frontier } from "./frontier.ts";
import type { Prospect } from "./survival.ts";
import type { FrozenLaw } from "./law.ts";
import { DeadlineMemory } from "./memory.ts";
import { turnsOf } from "./plan-key.ts";
import type { DeadlineSpec } from "./spec.ts";
import { shareLeft, type Staircase } from "./staircase.ts";
import { staircaseOf, valueGwei } from "./value.ts";

/** As long as nothing is known of durations, a second copy is launched at this share of the time to the deadline. */
const COLD_SHARE = 0.4;
/** A node that is free may come at any time; looking for it more often than this does not pay. */
const RETRY_SHARE = 1 / 24;
const LEAST_RETRY_US = 10_000;
/** A launch that comes later than planned by more than this share of the whole time is planned anew. */
const LATE_SHARE = 1 / 64;

/** More blocks than a plan looks ahead: what hangs on the whole time hangs on so many of them, where each is worth something. */
const BLOCKS_AHEAD = 24;

/**
 * Launches a copy when, of all plans, the one with the least work that keeps enough jobs of its class in time says so, or the
 * one with the most value less work where sealing has a value. See docs/POLICIES.md for the argument; `frontier.ts` for the
 * plans, `price.ts` and `value.ts` for the choice.
 *
 * Speculative copies go to nodes that are free, never behind other jobs: a copy that waits takes a place in a queue and helps
 * only when the queue is short, which is when another node is free.
 */
export function deadline(spec: DeadlineSpec): Policy {
  const most = spec.maxCopies - 1;
  return {
    spec,
    learns: true,
    ...(spec.withinBlocks === "none" ? {} : { withinBlocks: spec.withinBlocks }),
    explain: (race, { nowUs }) => explainDeadline(spec, race, nowUs),
    remember: (snapshot?: PlainData) => new DeadlineMemory(spec, snapshot),
    decide(race, surroundings, decision) {
      decision.lookAtUs = NEVER;
      // A job without a copy is never left without one on purpose, and a quorum has to be full before anything can be decided.
      const lacking = Math.max(0, 1 - racing(race));
      decision.launch = lacking;
      if (lacking > 0 || racing(race) > most || race.targetUs === NEVER || race.targetUs <= surroundings.nowUs) return;
      const { nowUs } = surroundings;
      const { idle, busy } = race.room;
      const next = nextLaunch(spec, race, nowUs, busy);
      if (next.atUs > nowUs) decision.lookAtUs = next.lookUs;
      else if (idle > 0) {
        decision.launch = 1;
        // One at a time: whether a second one pays at the same moment is asked again in a microsecond.
        if (racing(race) < most) decision.lookAtUs = Math.max(next.thenUs, nowUs + 1);
      } else decision.lookAtUs = retryUs(spec, race, nowUs);
    },
  };
}

/** The time that there is for a job, or for what of it matters. */
function spanUs(
  { lossPerBlock = 0 }: DeadlineSpec,
  { openedUs, targetUs, firstBlockUs, blockUs }: RacePicture,
): number {
  const whole = targetUs - openedUs;
  return lossPerBlock === 0 || firstBlockUs === NEVER ? whole : Math.min(whole, BLOCKS_AHEAD * blockUs);
}

function retryUs(spec: DeadlineSpec, race: RacePicture, nowUs: number): number {
  return nowUs + Math.max(LEAST_RETRY_US, Math.round(spanUs(spec, race) * RETRY_SHARE));
}

export interface NextLaunch {
  /** When the next copy is due if nothing happens before: `NEVER` for none. */
  readonly atUs: number;
  /** When to ask again: were the nodes less busy then, the copy would be due earlier. */
  readonly lookUs: number;
  /** When the one after it is due. */
  readonly thenUs: number;
}

/** When another copy is due while so many slots are busy. */
export function nextLaunch(spec: DeadlineSpec, race: RacePicture, nowUs: number, busy: number): NextLaunch {
  const { learning, copies, targetUs } = race;
  const memory = race.memory as DeadlineMemory | undefined;
  const law = memory?.law;
  const first = copies[0];
  // What is worth nothing is worth no second copy, even where one would save work.
  if (first === undefined || valueGwei(spec, race.call) === 0) return NO_LAUNCH;
  if (memory === undefined || law === undefined || learning === undefined) {
    if (racing(race) > 1) return NO_LAUNCH;
    const atUs = Math.round(first.launchedUs + COLD_SHARE * (targetUs - first.launchedUs));
    // What it would cost the others is not known either: in a busy fleet such copies make a queue that lasts.
    if (2 * busy > race.room.slots) return { atUs: NEVER, lookUs: retryUs(spec, race, nowUs), thenUs: NEVER };
    return { atUs, lookUs: atUs, thenUs: NEVER };
  }
  const expectedUs = learning.expectedUs(race.call);
  const stairs = staircaseOf(spec, race, nowUs, expectedUs);
  if (shareLeft(stairs) === 0) return NO_LAUNCH;
  const worth = memory.worthOf(race, expectedUs);
  const late = LATE_SHARE * spanUs(spec, race);
  /** From then on the plans count; what is due in a moment is due now, or else each look would put it off a little. */
  const next = (frontier: Frontier, fromUs: number, place: number): NextLaunch => {
    const dueUs = (launch: number | undefined) => {
      if (launch === undefined) return NEVER;
      const atUs = Math.round(fromUs + launch * expectedUs);
      return atUs - nowUs <= late && fromUs === nowUs ? nowUs : atUs;
    };
    const { launches } = memory.planOf(frontier, busy, worth);
    const againUs =
      frontier.until === Number.POSITIVE_INFINITY ? NEVER : Math.round(fromUs + frontier.until * expectedUs);
    const [atUs, thenUs] = [dueUs(launches[place]), Math.min(againUs, dueUs(launches[place + 1]))];
    if (atUs <= nowUs || memory.crowdingAt(busy) === 0) return { atUs, lookUs: Math.min(againUs, atUs), thenUs };
    const calmer = memory.planOf(frontier, busy / 2, worth);
    const earliestUs = Math.min(againUs, dueUs(calmer.launches[place]));
    return { atUs, lookUs: earliestUs > nowUs ? earliestUs : Math.min(atUs, retryUs(spec, race, nowUs)), thenUs };
  };
  // As planned: the first copy runs, and those launched since were launched by the same plan.
  if (race.lost === 0 && race.missing === 1 && copies.length <= 2) {
    const frontier = memory.plansFor(race, learning);
    if (frontier === undefined) return NO_LAUNCH;
    const planned = next(frontier, first.launchedUs, copies.length - 1);
    // If no node was free, or too many were busy, what was right at that time need not be right any more.
    if (
      planned.atUs > nowUs
        ? planned.lookUs === planned.atUs || nowUs === first.launchedUs
        : nowUs - planned.atUs <= late
    )
      return planned;
  }
  return next(plansFromHere(race, law, memory, { nowUs, expectedUs, stairs, most: spec.maxCopies - 1 }), nowUs, 0);
}

const NO_LAUNCH: NextLaunch = { atUs: NEVER, lookUs: NEVER, thenUs: NEVER };

/** For a race in which something went otherwise than planned: from what is running now. */
function plansFromHere(
  race: RacePicture,
  law: FrozenLaw,
  memory: DeadlineMemory,
  given: { readonly nowUs: number; readonly expectedUs: number; readonly stairs: Staircase; readonly most: number },
): Frontier {
  const { nowUs, expectedUs, stairs, most } = given;
  const learning = race.learning as NonNullable<RacePicture["learning"]>;
  const prospect = (copy: CopyPicture): Prospect => ({
    pace: learning.paces.pace(copy.node.id),
    alive: learning.paces.alive(copy.node.id),
    age: copy.startedUs === NEVER ? 0 : (Math.min(nowUs, copy.answeredUs) - copy.startedUs) / expectedUs,
    wait: copy.startedUs === NEVER ? waitFrom(copy, nowUs, expectedUs) : 0,
  });
  const running = race.copies.filter(({ live }) => live).map(prospect);
  const left = Math.min(2, most + 1 - racing(race));
  return memory.plansFrom(law, running, stairs, left);
}

/** What is left of the wait that was to be expected at the launch; half a run once that is over. */
function waitFrom(copy: CopyPicture, nowUs: number, expectedUs: number): number {
  const left = turnsOf(copy) - (nowUs - copy.launchedUs) / expectedUs;
  return left > 0 ? left : 0.5;
}
