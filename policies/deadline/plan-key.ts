import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { Learning } from "../learning/learning.ts";
import type { CopyPicture, RacePicture } from "../policy.ts";
import type { DeadlineSpec } from "./spec.ts";
import type { Staircase } from "./staircase.ts";
import type { Prospect } from "./survival.ts";
import { staircaseOf } from "./value.ts";

/** Jobs whose horizons differ by less share a plan. */
const HORIZON_STEP = 0.005;
const PACE_STEP = 0.05;
const WAIT_STEP = 0.025;
/** Of waits and ages, so that each has a number of its own. */
export const MOST_STEPS = 511;
/** Of a staircase, passed ones as well: more than a transaction lives. */
export const MOST_BLOCKS = 16_384;
const ALIVE_STEPS = 400;
/** A job whose deadline is further off than this many expected durations is not planned any closer. */
const FAR = 24;
const NEAR = 0.01;

/**
 * A job with one copy, in steps: the time to the next cut-off, the copy's pace, P(alive), wait and age; and the rest of the
 * staircase, whose interval is 0 where there is one step.
 */
export interface Key {
  readonly first: number;
  readonly pace: number;
  readonly alive: number;
  readonly wait: number;
  readonly age: number;
  readonly interval: number;
  readonly blocks: number;
  readonly passed: number;
}

/** `undefined` for a race without a deadline, or past it. */
export function keyOf(spec: DeadlineSpec, race: RacePicture, learning: Learning, nowUs: number): Key | undefined {
  const { copies, call, targetUs } = race;
  const [first] = copies;
  if (first === undefined || targetUs === NEVER || !(targetUs > nowUs)) return undefined;
  const expectedUs = learning.expectedUs(call);
  const { node } = first;
  const waitUs =
    first.startedUs === NEVER ? turnsOf(first) * expectedUs : Math.max(0, first.startedUs - first.launchedUs);
  const [pace, alive] = [learning.paces.pace(node.id), learning.paces.alive(node.id)];
  return stepsOf({ pace, alive, wait: waitUs / expectedUs, age: 0 }, staircaseOf(spec, race, nowUs, expectedUs));
}

/** Runs of others that it had to wait for at its launch, one that was under way counting half. */
export function turnsOf({ ahead, node: { slots } }: CopyPicture): number {
  return ahead < slots ? 0 : (ahead - slots + 0.5) / Math.max(1, slots);
}

export function stepsOf({ pace, alive, wait, age }: Prospect, { first, interval, blocks, passed }: Staircase): Key {
  return {
    first: Math.round(Math.log(Math.min(FAR, Math.max(NEAR, first))) / HORIZON_STEP) + 1_024,
    pace: Math.max(-127, Math.min(127, Math.round(Math.log(pace) / PACE_STEP))),
    alive: Math.round(ALIVE_STEPS * alive),
    wait: Math.min(MOST_STEPS, Math.round(wait / WAIT_STEP)),
    age: Math.min(MOST_STEPS, Math.round(age / WAIT_STEP)),
    interval: interval === 0 ? 0 : Math.max(1, Math.round(Math.log(interval) / HORIZON_STEP) + 4_096),
    blocks: Math.min(MOST_BLOCKS - 1, blocks),
    passed: Math.min(MOST_BLOCKS - 1, passed),
  };
}

function coarse(steps: number, by: number): number {
  return by * Math.round(steps / by);
}

/** The same for who asks again and again, and whom near enough is good enough. */
export function coarser(key: Key): Key {
  return { ...key, first: coarse(key.first, 8), wait: coarseStep(key.wait), age: coarseStep(key.age) };
}

/** Rounded up beyond the last step it would be another key's number. */
function coarseStep(steps: number): number {
  return Math.min(MOST_STEPS, coarse(steps, 4));
}

export function prospectOf({ pace, alive, wait, age }: Key): Prospect {
  return {
    pace: Math.exp(pace * PACE_STEP),
    alive: alive / ALIVE_STEPS,
    age: age * WAIT_STEP,
    wait: wait * WAIT_STEP,
  };
}

export function stairsOf({ first, interval, blocks, passed }: Key, lossPerBlock: number): Staircase {
  const [next, between] = [first - 1_024, interval - 4_096].map((steps) => Math.exp(steps * HORIZON_STEP));
  return { first: next as number, interval: interval === 0 ? 0 : (between as number), blocks, passed, lossPerBlock };
}
