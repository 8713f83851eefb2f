import { type Choose, hasRoom } from "./candidate.ts";
import { bestBy } from "./best.ts";
import { expectedTime } from "./prequal.ts";

/**
 * The cheapest answer, where time costs too: price ÷ cheapest price + `weight` × expected time ÷ usual time. With weight 1 an answer
 * may cost twice as much as the cheapest if it comes one usual time earlier; with 0 price alone counts, and load decides
 * nothing until a node is full. What is above the call's cap is no candidate in the first place.
 */
export function priceAware(weight: number): Choose {
  let cheapestGwei = 0;
  const choose = bestBy((candidate, { model, mode }) => {
    const price = candidate.priceGwei(model, mode) / cheapestGwei;
    return price + weight * expectedTime(candidate, model);
  });
  return (candidates, taken, asked, random) => {
    const { model, mode } = asked;
    cheapestGwei = Number.MAX_VALUE;
    for (const candidate of candidates) {
      if (hasRoom(candidate)) cheapestGwei = Math.min(cheapestGwei, candidate.priceGwei(model, mode));
    }
    // Where somebody works for nothing, every price is a multiple of one gwei.
    cheapestGwei = Math.max(1, cheapestGwei);
    return choose(candidates, taken, asked, random);
  };
}
