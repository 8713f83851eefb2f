import { BUDGET, PLACEMENTS, POLICIES } from "../../policies/format.ts";
import { MODES } from "../../scheduler/shared/vocabulary.ts";
import type { Fields, Kind } from "../../scheduler/fields/fields.ts";
import { durationMs, integer, number, ratePerS, value, variation } from "../../scheduler/fields/field-makers.ts";
import { SERVICE } from "./format-service.ts";
import { BLOCKS, FLEET, NETWORK, VERIFICATION } from "./format-world.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";
import type { ArrivalSpec } from "./types.ts";

const { ms: MAX_MS } = EXPERIMENT_LIMITS;

const ARRIVALS: { readonly [K in ArrivalSpec["kind"]]: Kind } = {
  poisson: {
    means: "independent users",
    fields: { ratePerS: ratePerS("jobs per second of the whole fleet") },
  },
  gamma: {
    means: "a renewal process with gamma distributed times between arrivals",
    fields: { ratePerS: ratePerS("jobs per second"), cv: variation("coefficient of variation of those times") },
  },
  onoff: {
    means: "bursts: Poisson for an exponential time, then silence for an exponential time",
    fields: {
      ratePerS: ratePerS("jobs per second during a burst"),
      onMs: durationMs("mean length of a burst"),
      offMs: durationMs("mean length of the silence"),
    },
  },
  trace: {
    means: "a CSV with the columns TIMESTAMP, ContextTokens, GeneratedTokens, in a circle",
    fields: {
      file: { type: "file", means: "the CSV" },
      speedup: number("2 lets the trace run twice as fast", { above: 0, atMost: 1_000_000, absent: value(1) }),
    },
  },
};

/** Every key of an experiment file except `variants` and `sweep`, in the order of the docs. */
export const EXPERIMENT_FIELDS: Fields = {
  seed: integer("of all random streams", { atLeast: 0, atMost: 2 ** 31 - 1, absent: value(1) }),
  replications: integer("independent repetitions; the intervals come from them", {
    atLeast: 1,
    atMost: EXPERIMENT_LIMITS.replications,
    absent: value(10),
  }),
  jobs: integer("jobs counted per replication", { atLeast: 1, atMost: EXPERIMENT_LIMITS.jobs }),
  warmup: integer("jobs before them that are not counted", {
    atLeast: 0,
    atMost: EXPERIMENT_LIMITS.jobs,
    absent: { derived: "a tenth of `jobs`" },
  }),
  arrivals: { type: "kinds", kinds: ARRIVALS, means: "when jobs come" },
  service: SERVICE,
  correlation: number("φ, share of a duration's (Gaussian) variance that comes from the job", {
    atLeast: 0,
    atMost: 1,
    absent: value(0),
  }),
  fleet: FLEET,
  network: NETWORK,
  verification: VERIFICATION,
  mode: {
    type: "word",
    words: MODES,
    means: "of verification that calls ask for and nodes offer; its costs stand in `verification`",
    absent: value("vanilla"),
  },
  blocks: BLOCKS,
  deadlineMs: number("counts jobs answered by then; `none` counts none", {
    above: 0,
    atMost: MAX_MS,
    word: "none",
    absent: value("none"),
  }),
  policy: { type: "kinds", kinds: POLICIES, means: "when another copy is launched" },
  placement: {
    type: "kinds",
    kinds: PLACEMENTS,
    means: "on which node",
    absent: { derived: "`random`" },
  },
  budget: { ...BUDGET, absent: value("unlimited") },
};
