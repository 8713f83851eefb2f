import { NodeRecord, type PlacementSpec, placementOf } from "../../policies/index.ts";
import type { Candidate } from "../../policies/placement.ts";
import { Random } from "../../scheduler/shared/random.ts";
import type { Figure } from "./figure.ts";

const KINDS: readonly PlacementSpec[] = [
  { kind: "least-loaded" },
  { kind: "random" },
  { kind: "power-of-d" },
  { kind: "c3" },
  { kind: "prequal" },
  { kind: "price-aware" },
];
const FLEETS = [10, 100, 1_000];
const ROUNDS = 9;
/** Nodes looked at per round at the most, so that large fleets take no longer. */
const LOOKS = 2_000_000;

/** Choosing a second node, apart from the first copy's: microseconds per choice, the best of several rounds. */
export function placementFigures(): Figure[] {
  return FLEETS.flatMap((size) => {
    const fleet = Array.from({ length: size }, (_, index) => new BenchNode(index));
    const costs = KINDS.map((spec) => costUs(spec, fleet));
    const [usual = Number.NaN] = costs;
    return KINDS.flatMap(({ kind }, index): Figure[] => {
      const value = costs[index] as number;
      const name = `placement ${kind}, one of ${size} nodes`;
      const figure = { name, value, unit: "µs" };
      return index === 0
        ? [figure]
        : [figure, { name: `${name}, against least-loaded`, value: value / usual, unit: "×" }];
    });
  });
}

function costUs(spec: PlacementSpec, fleet: readonly BenchNode[]): number {
  const placement = placementOf(spec);
  const random = new Random(1);
  const taken = fleet.slice(0, 1);
  const asked = { model: "m", mode: "vanilla" } as const;
  const choices = Math.ceil(LOOKS / fleet.length / ROUNDS);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.hrtime.bigint();
    // What is chosen gets the load, so that no two choices are the same.
    for (let choice = 0; choice < choices; choice++) {
      const chosen = fleet[placement.choose(fleet, taken, asked, random)];
      if (chosen !== undefined) chosen.load = (chosen.load + 1) % 8;
    }
    best = Math.min(best, Number(process.hrtime.bigint() - before) / 1e3 / choices);
  }
  return best;
}

/** As the engine's, of eight slots, with a record. */
class BenchNode implements Candidate {
  readonly operator: string;
  readonly region: string;
  readonly slots = 8;
  readonly queueLimit = 8;
  readonly record = new NodeRecord();
  readonly #warm = new Set(["m"]);
  readonly #price: number;
  load: number;

  constructor(index: number) {
    this.operator = `operator-${index}`;
    this.region = `region-${index % 3}`;
    this.load = index % 8;
    this.#price = 10 + (index % 5);
    this.record.answered(0.5 + (index % 10) / 10, 1);
  }

  get outstanding(): number {
    return this.load;
  }
  isWarm(model: string): boolean {
    return this.#warm.has(model);
  }
  priceGwei(): number {
    return this.#price;
  }
}
