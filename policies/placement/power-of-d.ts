import { draw } from "./best.ts";
import { type Candidate, type Choose, crowding } from "./candidate.ts";

/**
 * The least loaded of `choices` nodes drawn at random (Vvedenskaya, Dobrushin and Karpelevich 1996; Mitzenmacher 1996): two
 * choices make the longest queue grow as the logarithm of the logarithm of the fleet's size, and a choice costs the same in any fleet.
 */
export function powerOfD(choices: number): Choose {
  const drawn: number[] = [];
  return (candidates, taken, { model }, random) => {
    draw(choices, drawn, { candidates, taken, random });
    let best = -1;
    let bestCrowding = Number.MAX_VALUE;
    let ties = 0;
    for (const index of drawn) {
      const crowded = crowding(candidates[index] as Candidate, model);
      if (crowded < bestCrowding) {
        best = index;
        bestCrowding = crowded;
        ties = 1;
      } else if (crowded === bestCrowding && random.below(++ties) === 0) best = index;
    }
    return best;
  };
}
