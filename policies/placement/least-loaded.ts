import { type Candidate, type Choose, COLD, hasRoom } from "./candidate.ts";

/** Sharing an operator is worse than sharing a region with every other copy, and both are worse than any load. */
const SHARED_OPERATOR = 2 ** 30;
const SHARED_REGION = 2 ** 20;

/** By load per slot, warm before cold. One pass with everything in one sum: it is the default, and asked most often. */
export const leastLoaded: Choose = (candidates, taken, { model }, random) => {
  let best = -1;
  let bestScore = Number.MAX_VALUE;
  let ties = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index] as Candidate;
    if (!hasRoom(candidate)) continue;
    let score = candidate.load / candidate.slots + (candidate.isWarm(model) ? 0 : COLD);
    let used = false;
    for (const other of taken) {
      if (other === candidate) used = true;
      else if (other.operator === candidate.operator) score += SHARED_OPERATOR;
      else if (other.region === candidate.region) score += SHARED_REGION;
    }
    if (used) continue;
    if (score < bestScore) {
      best = index;
      bestScore = score;
      ties = 1;
    } else if (score === bestScore && random.below(++ties) === 0) {
      // Reservoir sampling: each of the equally good ones is kept with the same probability.
      best = index;
    }
  }
  return best;
};
