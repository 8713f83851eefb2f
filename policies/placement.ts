import type { Random } from "../scheduler/shared/random.ts";
import { unreachable } from "../scheduler/shared/assert.ts";
import { exploring } from "./placement/best.ts";
import { c3 } from "./placement/c3.ts";
import type { Asked, Candidate, Choose } from "./placement/candidate.ts";
import { leastLoaded } from "./placement/least-loaded.ts";
import { powerOfD } from "./placement/power-of-d.ts";
import { prequal } from "./placement/prequal.ts";
import { priceAware } from "./placement/price-aware.ts";
import { uniformly } from "./placement/random.ts";

export type { Asked, Candidate } from "./placement/candidate.ts";

/** Which node gets the next copy, as data. What is left out is as in `PLACEMENT_DEFAULTS`; docs/PLACEMENT.md explains each. */
export type PlacementSpec =
  /** The least loaded one, warm before cold; ties by the engine's generator. */
  | { readonly kind: "least-loaded" }
  /** Any node that the race does not use yet and that has room, uniformly, whatever its failure domain: for studies. */
  | { readonly kind: "random" }
  /** The least loaded of so many drawn at random. */
  | { readonly kind: "power-of-d"; readonly choices?: number }
  /** By response time, service time and the cube of the queue. `schedulers`: how many send to the same nodes. */
  | { readonly kind: "c3"; readonly schedulers?: number; readonly explore?: number }
  /** Of a pool drawn at random the fastest of those that are not among the busiest. */
  | { readonly kind: "prequal"; readonly pool?: number; readonly hotQuantile?: number; readonly explore?: number }
  /** By price, and by expected time at so many cheapest prices for a usual one. */
  | { readonly kind: "price-aware"; readonly weight?: number; readonly explore?: number };

export const PLACEMENT_DEFAULTS = {
  choices: 2,
  schedulers: 1,
  /** As in the paper's experiments: a pool of 16 probes, and the quantile 2^−0.25. */
  pool: 16,
  hotQuantile: 0.84,
  weight: 1,
  /** Share of copies that goes to nodes which were not asked for long. */
  explore: 0.02,
} as const;

/** Bounds of the same, both included. A choice looks at no more than so many drawn nodes. */
export const PLACEMENT_BOUNDS = {
  choices: [1, 64],
  schedulers: [1, 1_024],
  pool: [1, 64],
  hotQuantile: [0, 1],
  weight: [0, 1_000_000],
  explore: [0, 1],
} as const satisfies { readonly [K in keyof typeof PLACEMENT_DEFAULTS]: readonly [number, number] };

const WHOLE: readonly string[] = ["choices", "schedulers", "pool"];

/**
 * Chooses among candidates those in failure domains that the race does not use yet: another operator if possible, and among
 * those another region if possible. Then the specification decides. Returns an index, or −1 when nobody has room.
 */
export interface Placement {
  readonly spec: PlacementSpec;
  choose(candidates: readonly Candidate[], taken: readonly Candidate[], asked: Asked, random: Random): number;
}

export function placementOf(spec: PlacementSpec): Placement {
  return { spec, choose: chooserOf(spec) };
}

function chooserOf(spec: PlacementSpec): Choose {
  switch (spec.kind) {
    case "least-loaded":
      return leastLoaded;
    case "random":
      return uniformly;
    case "power-of-d":
      return powerOfD({ ...PLACEMENT_DEFAULTS, ...spec }.choices);
    case "c3": {
      const { schedulers, explore } = { ...PLACEMENT_DEFAULTS, ...spec };
      return exploring(explore, c3(schedulers));
    }
    case "prequal": {
      const { pool, hotQuantile, explore } = { ...PLACEMENT_DEFAULTS, ...spec };
      return exploring(explore, prequal({ pool, hotQuantile }));
    }
    case "price-aware": {
      const { weight, explore } = { ...PLACEMENT_DEFAULTS, ...spec };
      return exploring(explore, priceAware(weight));
    }
    default:
      return unreachable(spec);
  }
}

const PARAMETERS: { readonly [K in PlacementSpec["kind"]]: readonly (keyof typeof PLACEMENT_DEFAULTS)[] } = {
  "least-loaded": [],
  random: [],
  "power-of-d": ["choices"],
  c3: ["schedulers", "explore"],
  prequal: ["pool", "hotQuantile", "explore"],
  "price-aware": ["weight", "explore"],
};

/** Throws a RangeError for what is no placement. */
export function requirePlacement(spec: PlacementSpec): void {
  const problem = problemOfPlacement(spec);
  if (problem !== undefined) throw new RangeError(`${JSON.stringify(spec)} is no placement: ${problem}`);
}

/** What is wrong with it, for a person to read; `undefined` when nothing is. */
export function problemOfPlacement(spec: PlacementSpec): string | undefined {
  if (!Object.hasOwn(PARAMETERS, spec.kind)) {
    return `there is no such placement; there are ${Object.keys(PARAMETERS).join(", ")}`;
  }
  const known = PARAMETERS[spec.kind];
  for (const [name, value] of Object.entries(spec)) {
    if (name === "kind") continue;
    const parameter = known.find((one) => one === name);
    if (parameter === undefined) return `${spec.kind} has no ${name}`;
    const [least, most] = PLACEMENT_BOUNDS[parameter];
    const whole = WHOLE.includes(parameter);
    const fits = typeof value === "number" && value >= least && value <= most && (!whole || Number.isInteger(value));
    if (!fits) return `${name} must be ${whole ? "a whole number" : "a number"} from ${least} to ${most}`;
  }
  return undefined;
}
