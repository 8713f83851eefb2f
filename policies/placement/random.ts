import { type Candidate, type Choose, hasRoom } from "./candidate.ts";

/** Guesses before a scan: enough for any fleet that is not nearly used up. */
const GUESSES = 16;

/** Any node that the race does not use and that has room, whatever its failure domain: what queueing theory assumes. */
export const uniformly: Choose = (candidates, taken, _asked, random) => {
  if (candidates.length === 0) return -1;
  // Guessing until one is eligible is uniform over the eligible ones, and does not look at the whole fleet.
  for (let guess = 0; guess < GUESSES; guess++) {
    const index = random.below(candidates.length);
    const candidate = candidates[index] as Candidate;
    if (hasRoom(candidate) && !taken.includes(candidate)) return index;
  }
  let chosen = -1;
  let eligible = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index] as Candidate;
    if (hasRoom(candidate) && !taken.includes(candidate) && random.below(++eligible) === 0) chosen = index;
  }
  return chosen;
};
