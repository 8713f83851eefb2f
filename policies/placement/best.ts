import type { Random } from "../../scheduler/shared/random.ts";
import { type Asked, type Candidate, type Choose, hasRoom, sharing } from "./candidate.ts";

/** Smaller is better. Compared among nodes that share equally much with the race's other copies. */
export type Score = (candidate: Candidate, asked: Asked) => number;

/** Of those in the freest failure domain the one with the smallest score; ties by the engine's generator. */
export function bestBy(score: Score): Choose {
  return (candidates, taken, asked, random) => {
    let best = -1;
    let bestShared = Number.MAX_SAFE_INTEGER;
    let bestScore = Number.MAX_VALUE;
    let ties = 0;
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index] as Candidate;
      if (!hasRoom(candidate)) continue;
      const shared = taken.length === 0 ? 0 : sharing(candidate, taken);
      if (shared < 0 || shared > bestShared) continue;
      const scored = score(candidate, asked);
      if (shared < bestShared || scored < bestScore) {
        best = index;
        bestShared = shared;
        bestScore = scored;
        ties = 1;
      } else if (scored === bestScore && random.below(++ties) === 0) best = index;
    }
    return best;
  };
}

/** Guesses for each one that is wanted, before a scan. */
const GUESSES = 4;

/**
 * Draws up to `wanted` different nodes, uniformly among those with room in the freest failure domain, into `drawn` as indices.
 * Guesses first, so that a large fleet is not looked at as a whole.
 */
export function draw(
  wanted: number,
  drawn: number[],
  from: { readonly candidates: readonly Candidate[]; readonly taken: readonly Candidate[]; readonly random: Random },
): void {
  const { candidates, taken, random } = from;
  while (drawn.length > 0) drawn.pop();
  if (candidates.length > GUESSES * wanted) {
    for (let guess = 0; guess < GUESSES * wanted && drawn.length < wanted; guess++) {
      const index = random.below(candidates.length);
      const candidate = candidates[index] as Candidate;
      if (hasRoom(candidate) && sharing(candidate, taken) === 0 && !drawn.includes(index)) drawn.push(index);
    }
    if (drawn.length === wanted) return;
    while (drawn.length > 0) drawn.pop();
  }
  let leastShared = Number.MAX_SAFE_INTEGER;
  let eligible = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index] as Candidate;
    if (!hasRoom(candidate)) continue;
    const shared = sharing(candidate, taken);
    if (shared < 0 || shared > leastShared) continue;
    if (shared < leastShared) {
      leastShared = shared;
      eligible = 0;
      while (drawn.length > 0) drawn.pop();
    }
    eligible++;
    // Reservoir sampling: each of those seen so far is in it with the same probability.
    if (drawn.length < wanted) drawn.push(index);
    else {
      const place = random.below(eligible);
      if (place < wanted) drawn[place] = index;
    }
  }
}

/** A share of copies goes to whoever was asked least recently: newcomers first, and then those who were found slow or faulty. */
export function exploring(share: number, choose: Choose): Choose {
  if (share === 0) return choose;
  const longestUnasked = bestBy(({ record }) => record.askedUs);
  return (candidates, taken, asked, random) =>
    (random.unit() < share ? longestUnasked : choose)(candidates, taken, asked, random);
}
