import { assert } from "../../scheduler/shared/assert.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { PolicyMemory } from "../memory.ts";
import { type CopyPicture, type RacePicture, racing } from "../policy.ts";

/** What the peers read from the picture of a race: they know requests and attempts, and a race is made of copies. */

/** What is lost is replaced: no job waits without a copy. More than one where a quorum needs several. */
export function replacements(race: RacePicture): number {
  return Math.max(0, 1 - racing(race));
}

/** Copies that it takes at the least, those included whose answers were accepted and wait. */
export function needed({ missing, copies }: Pick<RacePicture, "missing" | "copies">): number {
  let count = missing;
  for (const { held } of copies) if (held) count++;
  return count;
}

/**
 * Copies that were launched while as many as the race needs were at it: duplicates, and not replacements of lost ones. A copy
 * that was launched in the moment in which another ended stands in its place.
 */
export function duplicates(race: Pick<RacePicture, "missing" | "copies">): number {
  const { copies } = race;
  const enough = needed(race);
  let count = 0;
  for (let later = enough; later < copies.length; later++) {
    const { launchedUs } = copies[later] as CopyPicture;
    let atIt = 0;
    for (let index = 0; index < later; index++) if ((copies[index] as CopyPicture).endedUs > launchedUs) atIt++;
    if (atIt >= enough) count++;
  }
  return count;
}

/** When the copy was launched that has been at it for the longest; now, where none is and one is about to be. */
export function waitingSinceUs({ copies }: Pick<RacePicture, "copies">, nowUs: number): number {
  for (const { live, launchedUs } of copies) if (live) return launchedUs;
  return nowUs;
}

/** When an answer is late. */
export function deadlineUsOf(race: RacePicture): number {
  return race.targetUs;
}

/**
 * Uniform in [0, 1), and the same whenever it is asked for: a policy is asked about a race many times and keeps nothing of its
 * own, so a lot that it drew anew each time would sooner or later come out well. Neither number is in anybody's hand: the
 * handle is dealt by the engine, and the microsecond of the opening by the load.
 */
export function lotOf({ id, openedUs }: Pick<RacePicture, "id" | "openedUs">): number {
  const high = (value: number): number => Math.floor(value / 2 ** 32) | 0;
  let bits = mixed(id | 0);
  bits = mixed(bits ^ high(id));
  bits = mixed(bits ^ (openedUs | 0));
  bits = mixed(bits ^ high(openedUs));
  return (bits >>> 0) / 2 ** 32;
}

/** The finaliser of MurmurHash3 (Appleby), after a step that moves zero; each bit in changes half of the bits out. */
function mixed(value: number): number {
  let bits = (value + 0x9e3779b9) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** The memory that a policy made itself. */
export function memoryOf<M extends PolicyMemory>(race: RacePicture, kind: new (...parts: never) => M): M {
  const { memory } = race;
  assert(memory instanceof kind, "a race is shown without the memory of its policy");
  return memory;
}

/** Sooner of two looks, never before now. */
export function lookAt(dueUs: number, nowUs: number): number {
  return dueUs === NEVER ? NEVER : Math.max(Math.ceil(dueUs), nowUs + 1);
}
