import type { Field, Fields, Kind, SectionField } from "../scheduler/fields/fields.ts";
import { integer, number, optional, value } from "../scheduler/fields/field-makers.ts";
import { DEFAULTS } from "./defaults.ts";
import { type Parameter, POLICY_KINDS } from "./parameters.ts";
import { PLACEMENT_BOUNDS, PLACEMENT_DEFAULTS, type PlacementSpec } from "./placement.ts";
import type { LeafSpec } from "./policy.ts";
import { MAX_BURST_MS, MAX_RATIO } from "./token-buckets.ts";

/** A policy is named with the parameters that are not to be as documented; the simplest ones are written out. */
const WRITTEN_OUT: ReadonlySet<string> = new Set<LeafSpec["kind"]>(["fixed", "hedge"]);

/** What each kind of policy can be told, in experiment files and policy files alike. */
export const POLICIES: Readonly<Record<string, Kind>> = Object.fromEntries(
  Object.entries(POLICY_KINDS).map(([kind, { means, parameters, oneOf, either }]) => {
    const usual: object = oneOf !== undefined || WRITTEN_OUT.has(kind) ? {} : DEFAULTS[kind as LeafSpec["kind"]];
    const fields = Object.entries(parameters).map(([key, parameter]) => [key, fieldOf(parameter, usual, key)] as const);
    return [
      kind,
      {
        means,
        fields: Object.fromEntries(fields),
        ...(oneOf === undefined ? {} : { oneOf }),
        ...(either === undefined ? {} : { either }),
      },
    ];
  }),
);

function fieldOf(parameter: Parameter, usual: object, key: string): Field {
  const plain = (usual as Readonly<Record<string, number | string | undefined>>)[key];
  const absent = plain === undefined ? {} : { absent: value(plain) };
  if (parameter.type === "number") {
    const { absent: derived, ...rest } = parameter;
    return { ...rest, ...absent, ...(derived === undefined ? {} : { absent: { derived } }) };
  }
  const { means, maxLength } = parameter;
  return { type: "name", means, maxLength, ...absent };
}

const EXPLORE = "share of copies that goes to nodes which were not asked for long";

function parameter(name: keyof typeof PLACEMENT_DEFAULTS) {
  const [atLeast, atMost] = PLACEMENT_BOUNDS[name];
  return { atLeast, atMost, absent: value(PLACEMENT_DEFAULTS[name]) };
}

export const PLACEMENTS: { readonly [K in PlacementSpec["kind"]]: Kind } = {
  random: { means: "distinct nodes, uniformly", fields: {} },
  "least-loaded": { means: "the least loaded node, ties at random", fields: {} },
  "power-of-d": {
    means: "the least loaded of a few nodes drawn at random",
    fields: { choices: integer("nodes drawn", parameter("choices")) },
  },
  c3: {
    means: "C3's score: response time − service time + service time × queue³",
    fields: {
      schedulers: integer("that send to the same nodes", parameter("schedulers")),
      explore: number(EXPLORE, parameter("explore")),
    },
  },
  prequal: {
    means: "Prequal's hot-cold rule: the fastest of a pool's nodes that are not among the busiest",
    fields: {
      pool: integer("nodes drawn at random", parameter("pool")),
      hotQuantile: number("of the pool's requests in flight; who has more is hot", parameter("hotQuantile")),
      explore: number(EXPLORE, parameter("explore")),
    },
  },
  "price-aware": {
    means: "the lowest sum of price and expected time",
    fields: {
      weight: number("of a usual answer's time, in cheapest prices", parameter("weight")),
      explore: number(EXPLORE, parameter("explore")),
    },
  },
};

const BUCKET: Fields = {
  ratio: number("speculative per primary machine-time", { atLeast: 0, atMost: MAX_RATIO }),
  burstMs: number("machine-time that is granted at once, and saved up at the most", {
    atLeast: 0,
    atMost: MAX_BURST_MS,
  }),
};

export const BUDGET: SectionField = {
  type: "section",
  word: "unlimited",
  means: "of speculative work, in any interval: burstMs + ratio × primary work",
  fields: {
    ...BUCKET,
    perClass: optional("besides, of each model and mode", BUCKET),
    perSender: optional("besides, of each sender", BUCKET),
  },
};
