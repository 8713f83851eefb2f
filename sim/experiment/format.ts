import type { PlacementSpec } from "../../policies/placement.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import type { Absent, Fields, Kind, KindsField, NumberField, Plain, SectionField } from "./fields.ts";
import type { ArrivalSpec, ServiceSpec } from "./types.ts";

/** Limits of an experiment file, with their reasons. */
export const EXPERIMENT_LIMITS = {
  // A sweep over hundreds of points fits many times over; what is longer is not an experiment file.
  textBytes: 1_000_000,
  // Counted and warm-up jobs of a replication: ten minutes of a fast machine.
  jobs: 100_000_000,
  replications: 1_000,
  // Placement looks at every node, so that more of them only take longer.
  nodes: 4_096,
  slots: 65_536,
  // The engine launches no more copies of one race.
  copies: 16,
  // Simulated times are integer microseconds and must stay exact over a whole run: a day for any one of them.
  ms: 86_400_000,
  ratePerS: 1_000_000,
  listItems: 1_001,
  // A service time within a service time within a service time.
  depth: 3,
  variants: 64,
  points: 10_000,
} as const;

const { ms: MAX_MS, copies: MAX_COPIES } = EXPERIMENT_LIMITS;
/** Of shapes and coefficients of variation: beyond it a law is as good as a constant, or has no numbers worth drawing. */
const MAX_SHAPE = 100;

type NumberOptions = Omit<NumberField, "type" | "whole" | "means">;
const number = (means: string, options: NumberOptions): NumberField => ({
  type: "number",
  whole: false,
  means,
  ...options,
});
const integer = (means: string, options: NumberOptions): NumberField => ({
  type: "number",
  whole: true,
  means,
  ...options,
});
const value = (plain: Plain): Absent => ({ value: plain });
const durationMs = (means: string): NumberField => number(means, { above: 0, atMost: MAX_MS });
const shape = (means: string): NumberField => number(means, { above: 0, atMost: MAX_SHAPE });
const ratePerS = (means: string): NumberField => number(means, { above: 0, atMost: EXPERIMENT_LIMITS.ratePerS });

const ARRIVALS: { readonly [K in ArrivalSpec["kind"]]: Kind } = {
  poisson: {
    means: "independent users",
    fields: { ratePerS: ratePerS("jobs per second of the whole fleet") },
  },
  gamma: {
    means: "a renewal process with gamma distributed times between arrivals",
    fields: { ratePerS: ratePerS("jobs per second"), cv: shape("coefficient of variation of those times") },
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

const SERVICES: { readonly [K in ServiceSpec["kind"]]: Kind } = {
  deterministic: { means: "always the same", fields: { ms: durationMs("how long") } },
  exponential: { means: "memoryless", fields: { meanMs: durationMs("mean") } },
  lognormal: {
    means: "by mean and coefficient of variation, by median and 95th percentile, or by mean and 95th percentile",
    fields: {
      meanMs: durationMs("mean"),
      cv: shape("coefficient of variation"),
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
      factor: number("how many times as long a straggler takes", { above: 0, atMost: 1_000_000 }),
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

const SERVICE: KindsField = { type: "kinds", kinds: SERVICES, means: "how long one copy takes on a node of speed 1" };

const POLICIES: { readonly [K in PolicySpec["kind"]]: Kind } = {
  fixed: {
    means: "that many copies at once",
    fields: { copies: integer("copies", { atLeast: 1, atMost: MAX_COPIES }) },
  },
  hedge: {
    means: "one copy, then another after each delay while the job lingers",
    fields: {
      delayMs: durationMs("delay before another copy"),
      maxCopies: integer("copies at the most", { atLeast: 1, atMost: MAX_COPIES }),
    },
  },
};

const PLACEMENTS: { readonly [K in PlacementSpec["kind"]]: Kind } = {
  random: { means: "distinct nodes, uniformly", fields: {} },
  "least-loaded": { means: "the least loaded node, ties at random", fields: {} },
};

const FLEET: SectionField = {
  type: "section",
  means: "the nodes",
  fields: {
    nodes: integer("how many", { atLeast: 1, atMost: EXPERIMENT_LIMITS.nodes }),
    slots: integer("copies that a node runs at once; `unlimited` for no queueing", {
      atLeast: 1,
      atMost: EXPERIMENT_LIMITS.slots,
      word: "unlimited",
      absent: value(1),
    }),
    queue: { type: "word", words: ["fifo"], means: "order of waiting copies", absent: value("fifo") },
    speeds: {
      type: "list",
      of: number("speed", { above: 0, atMost: 1_000 }),
      minItems: 1,
      maxItems: EXPERIMENT_LIMITS.listItems,
      means: "relative speeds, dealt out in a circle",
      absent: value([1]),
    },
    operators: integer("failure domains, dealt out in a circle; copies of a job avoid sharing one", {
      atLeast: 1,
      atMost: EXPERIMENT_LIMITS.nodes,
      absent: { derived: "one per node" },
    }),
    deadFraction: number("share of nodes that accept copies and never answer", {
      atLeast: 0,
      atMost: 0.99,
      absent: value(0),
    }),
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
  network: {
    type: "section",
    means: "between scheduler and nodes",
    absent: { derived: "no delay" },
    fields: { oneWayMs: number("delay in one direction", { atLeast: 0, atMost: MAX_MS, absent: value(0) }) },
  },
  verification: {
    type: "section",
    means: "checking an answer's proof",
    absent: { derived: "takes no time" },
    fields: { ms: number("how long", { atLeast: 0, atMost: MAX_MS, absent: value(0) }) },
  },
  blocks: {
    type: "section",
    word: "none",
    means: "`none`: races alone, without mempool, fees and blocks",
    absent: value("none"),
    fields: {
      intervalMs: durationMs("time between blocks"),
      ttlBlocks: integer("blocks in which a transaction may be sealed", { atLeast: 1, atMost: 10_000 }),
    },
  },
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
  budget: {
    type: "section",
    word: "unlimited",
    means: "of speculative work: burstMs + ratio × primary work",
    absent: value("unlimited"),
    fields: {
      ratio: number("speculative per primary machine-time", { atLeast: 0, atMost: 1_000 }),
      burstMs: number("machine-time granted at the start", { atLeast: 0, atMost: MAX_MS }),
    },
  },
};
