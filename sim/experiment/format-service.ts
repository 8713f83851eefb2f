import type { Kind, KindsField } from "../../scheduler/fields/fields.ts";
import { durationMs, factor, number, shape, value, variation } from "../../scheduler/fields/field-makers.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";
import type { ServiceSpec } from "./types.ts";

const { ms: MAX_MS } = EXPERIMENT_LIMITS;

const SERVICES: { readonly [K in ServiceSpec["kind"]]: Kind } = {
  deterministic: { means: "always the same", fields: { ms: durationMs("how long") } },
  exponential: { means: "memoryless", fields: { meanMs: durationMs("mean") } },
  lognormal: {
    means: "by mean and coefficient of variation, by median and 95th percentile, or by mean and 95th percentile",
    fields: {
      meanMs: durationMs("mean"),
      cv: variation("coefficient of variation"),
      p50Ms: durationMs("median"),
      p95Ms: durationMs("95th percentile"),
    },
    oneOf: [
      ["meanMs", "cv"],
      ["p50Ms", "p95Ms"],
      ["meanMs", "p95Ms"],
    ],
  },
  weibull: {
    means: "P(S > t) = exp(−(t/λ)^shape)",
    fields: { shape: shape("below 1: longer than memoryless tails"), meanMs: durationMs("mean") },
  },
  pareto: {
    means: "P(S > t) = (scaleMs/t)^shape",
    fields: { shape: shape("no mean up to 1, no variance up to 2"), scaleMs: durationMs("the shortest time") },
  },
  gamma: {
    means: "a sum of exponential stages",
    fields: { shape: shape("number of stages, fractions allowed"), meanMs: durationMs("mean") },
  },
  hyperexponential: {
    means: "a mixture of exponentials",
    fields: {
      weights: {
        type: "list",
        of: number("weight", { atLeast: 0, atMost: 1 }),
        minItems: 1,
        maxItems: 64,
        means: "sum to 1",
      },
      meansMs: { type: "list", of: durationMs("mean"), minItems: 1, maxItems: 64, means: "as many as weights" },
    },
  },
  quantiles: {
    means: "linear interpolation between quantiles",
    fields: {
      probabilities: {
        type: "list",
        of: number("probability", { atLeast: 0, atMost: 1 }),
        minItems: 2,
        maxItems: EXPERIMENT_LIMITS.listItems,
        means: "rise from 0 to 1",
      },
      ms: {
        type: "list",
        of: number("duration", { atLeast: 0, atMost: MAX_MS }),
        minItems: 2,
        maxItems: EXPERIMENT_LIMITS.listItems,
        means: "as many, never falling",
      },
    },
  },
  empirical: {
    means: "values of a CSV's column, each as probable as any other",
    fields: {
      file: { type: "file", means: "the CSV" },
      column: { type: "name", maxLength: 200, means: "the column's name in the first line" },
      unitMs: number("milliseconds per unit of that column", { above: 0, atMost: 1_000_000, absent: value(1) }),
    },
  },
  stragglers: {
    means: "now and then a copy takes longer",
    fields: {
      of: { type: "again", name: "service", field: () => SERVICE, means: "without stragglers" },
      probability: number("of a straggler", { atLeast: 0, atMost: 1 }),
      factor: factor("how many times as long a straggler takes"),
    },
  },
  tokens: {
    means: "(firstTokenMs + perTokenMs × tokens) × lognormal noise of median 1",
    fields: {
      firstTokenMs: number("time to the first token", { atLeast: 0, atMost: MAX_MS }),
      perTokenMs: number("time per token", { atLeast: 0, atMost: MAX_MS }),
      noiseSigma: number("standard deviation of the noise's logarithm", { atLeast: 0, atMost: 10, absent: value(0) }),
      tokens: {
        type: "again",
        name: "service",
        field: () => SERVICE,
        word: "trace",
        means: "tokens of an answer; `trace`: those of the arrivals' trace; milliseconds stand for tokens",
      },
    },
  },
};

/** How long one copy takes; services may contain services. */
export const SERVICE: KindsField = {
  type: "kinds",
  kinds: SERVICES,
  means: "how long one copy takes on a node of speed 1",
};
