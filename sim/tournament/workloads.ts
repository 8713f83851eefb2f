import type { PlainSection } from "../../scheduler/fields/fields.ts";

/** A standard workload, as data: an experiment's sections without load and size, and what is known of it. */
export interface Workload {
  readonly name: string;
  /** What it is, for whoever reads the table. */
  readonly about: string;
  readonly deadlineMs: number;
  readonly arrivals: WorkloadArrivals;
  readonly service: PlainSection;
  readonly fleet: PlainSection;
  readonly correlation: number;
  /** Share of the fleet's machine-time that is there to be used: less than 1 where nodes are dead, away or slow at times. */
  readonly capacity: number;
  /** The whole fleet is slow once, a quarter of the way into what is counted. */
  readonly slowdown?: { readonly factor: number; readonly forS: number };
}

export type WorkloadArrivals =
  | { readonly kind: "poisson" }
  /** Bursts and silences of these mean lengths. */
  | { readonly kind: "onoff"; readonly onMs: number; readonly offMs: number }
  /** Rows of a trace that is not part of this package, and what it says on average. */
  | { readonly kind: "trace"; readonly file: string; readonly rowsPerS: number; readonly tokensOut: number };

/** As fast as it can be served: there is no queue, and no load either. */
export const UNLOADED_RATE_PER_S = 5;

/** A small operator's fleet: enough nodes for the law of large numbers, few enough to queue. */
const NODES = 40;
/** The answer times that the issue of redundancy is told with: 7 s on average, one in twenty above 11 s. */
const LANGUAGE_MODEL = { kind: "lognormal", meanMs: 7_000, p95Ms: 11_000 } as const;

const BASIC: Workload = {
  name: "lognormal",
  about: "answers of 7 s on average, one in twenty above 11 s, independent of each other",
  deadlineMs: 12_000,
  arrivals: { kind: "poisson" },
  service: LANGUAGE_MODEL,
  fleet: { nodes: NODES },
  correlation: 0,
  capacity: 1,
};

/**
 * Llama-2-70B on eight A100, alone on its node (splitwise-sim: 96 ms to the first token, 44.9 ms for each). An idle healthy
 * node is nearly deterministic, so what there is to win is a copy in fifty that takes four times as long.
 */
const TOKENS = {
  kind: "stragglers",
  probability: 0.02,
  factor: 4,
  of: { kind: "tokens", firstTokenMs: 96, perTokenMs: 44.9, noiseSigma: 0.1, tokens: "trace" },
} as const;

/** 50th and 95th percentiles of hosted 70B models, end to end (llmperf, December 2023; one that refused nearly all is left out). */
const PROVIDERS = [
  ["groq", 810, 940],
  ["anyscale", 2_260, 3_130],
  ["together", 2_440, 3_000],
  ["fireworks", 3_770, 4_210],
  ["perplexity", 4_970, 5_740],
  ["bedrock", 6_990, 7_830],
  ["replicate", 12_400, 34_900],
] as const;
const NODES_PER_PROVIDER = 6;

/** Mean share of time that a node spends in the one state, with these mean lengths of both. */
function share(inS: number, elsewhereS: number): number {
  return inS / (inS + elsewhereS);
}

const CHURN = { leaveEveryS: 300, returnAfterS: 60 } as const;
const BROWNOUT = { everyS: 200, lastsS: 20, factor: 4 } as const;
const DEAD = 0.1;

export const WORKLOADS: readonly Workload[] = [
  {
    ...BASIC,
    name: "unqueued",
    about: `${BASIC.about}, on nodes that never let a copy wait: the case with a known optimum`,
    fleet: { nodes: NODES, slots: "unlimited" },
  },
  BASIC,
  {
    ...BASIC,
    name: "azure-chat",
    about:
      "an hour of chat requests to a public cloud, 70B on A100; both copies of a job have the same tokens to write, and one in fifty takes four times as long",
    deadlineMs: 30_000,
    arrivals: { kind: "trace", file: "AzureLLM2023_conv.csv", rowsPerS: 5.5304, tokensOut: 211.126 },
    service: TOKENS,
  },
  {
    ...BASIC,
    name: "azure-code",
    about:
      "an hour of coding requests to a public cloud, 70B on A100: short answers, very bursty; one copy in fifty takes four times as long",
    deadlineMs: 12_000,
    arrivals: { kind: "trace", file: "AzureLLM2023_code.csv", rowsPerS: 2.5667, tokensOut: 27.8825 },
    service: TOKENS,
  },
  {
    ...BASIC,
    name: "hosted-70b",
    about:
      "seven providers of 70B models, six nodes each, with their measured median and 95th percentile: fifteen times between the fastest and the slowest",
    service: { kind: "lognormal", p50Ms: 4_970, p95Ms: 5_740 },
    fleet: {
      classes: PROVIDERS.map(([name, p50Ms, p95Ms]) => ({
        name,
        count: NODES_PER_PROVIDER,
        operator: name,
        service: { kind: "lognormal", p50Ms, p95Ms },
      })),
    },
  },
  {
    ...BASIC,
    name: "bursty",
    about: "twice the load for 20 s on average, nothing for 20 s",
    arrivals: { kind: "onoff", onMs: 20_000, offMs: 20_000 },
  },
  ...[0.5, 0.75, 1].map((correlation) => ({
    ...BASIC,
    name: `correlated-${correlation}`,
    about:
      correlation === 1
        ? "copies of a job take equally long: a second copy helps nobody who does not wait in a queue"
        : `copies of a job share ${correlation} of the variance of their durations: a hard question is slow everywhere`,
    correlation,
  })),
  {
    ...BASIC,
    name: "dead",
    about: "one node in ten accepts copies and never answers",
    fleet: { nodes: NODES, deadFraction: DEAD },
    capacity: 1 - DEAD,
  },
  {
    ...BASIC,
    name: "slowdown",
    about: "for a minute everything takes five times as long on all nodes",
    slowdown: { factor: 5, forS: 60 },
  },
  {
    ...BASIC,
    name: "churn",
    about: "nodes give back what they have and leave every five minutes on average, and come again after one",
    fleet: { nodes: NODES, churn: CHURN },
    capacity: share(CHURN.leaveEveryS, CHURN.returnAfterS),
  },
  {
    ...BASIC,
    name: "brown-out",
    about: "one node after another takes four times as long, for 20 s of every 220",
    fleet: { nodes: NODES, stragglers: BROWNOUT },
    capacity: 1 - share(BROWNOUT.lastsS, BROWNOUT.everyS) * (1 - 1 / BROWNOUT.factor),
  },
];

/** Whether load makes a difference. */
export function queues({ fleet }: Workload): boolean {
  return fleet["slots"] !== "unlimited";
}
