import type { PlainSection } from "../../scheduler/fields/fields.ts";
import { lognormalFromMeanAndP95 } from "../experiment/lognormal.ts";
import { parseExperiment } from "../experiment/parse.ts";
import { histogramOf, PER_REPLICATION } from "../experiment/result.ts";
import type { Experiment, ReplicationResult, ServiceSpec } from "../experiment/types.ts";
import { assert } from "../../scheduler/shared/assert.ts";
import { hedgeDuplicates, hedgeMean, hedgeOnTime, hedgeQuantile, hedgeWork, parallelWork } from "./hedging.ts";
import type { Law } from "./laws.ts";
import { deterministic, exponential, lognormal, pareto, weibull, withStragglers } from "./laws.ts";
import { batchingMean, mg1Mean, mm1, mmc, processorSharingMean } from "./queues.ts";
import { fullRedundancyMean, redundancyLimitSurvival, redundancyMean } from "./redundancy.ts";

/** An experiment with the numbers that theory expects of it. The unit of time is a second. */
export interface Case {
  readonly group: "queue" | "sharing" | "redundancy" | "hedge" | "deadline" | "published demonstration";
  readonly name: string;
  readonly experiment: Experiment;
  readonly quantities: readonly Quantity[];
}

export interface Quantity {
  readonly name: string;
  readonly expected: number;
  readonly read: (one: ReplicationResult) => number;
}

interface Setup extends Pick<Experiment, "jobs" | "service" | "arrivals" | "policy"> {
  readonly nodes: number;
  readonly slots: number | "unlimited";
  /** For nodes that batch. */
  readonly slowdownPerCopy?: number;
  readonly deadlineMs?: number;
}

/** Twenty replications: enough for Student's interval to hold for skewed means, few enough that each is long. */
const REPLICATIONS = 20;

/** Races alone. What a setup does not name is off, as in a file that leaves it out. */
function bare({ nodes, slots, slowdownPerCopy, ...rest }: Setup): Experiment {
  // Queues at these loads forget their empty start within a few thousand jobs.
  const warmup =
    slots === "unlimited" && slowdownPerCopy === undefined ? 100 : Math.max(5_000, Math.ceil(rest.jobs / 10));
  const batching = slowdownPerCopy === undefined ? {} : { queue: "batching", batching: { slowdownPerCopy } };
  const section = { ...rest, replications: REPLICATIONS, warmup, fleet: { nodes, slots, ...batching } };
  const parsed = parseExperiment(section as unknown as PlainSection, "");
  assert(parsed.ok, "a case of theory is an experiment");
  return parsed.value;
}

const poisson = (ratePerS: number) => ({ kind: "poisson", ratePerS }) as const;
const fixed = (copies: number) => ({ kind: "fixed", copies }) as const;
const hedge = (delayMs: number) => ({ kind: "hedge", delayMs, maxCopies: 2 }) as const;

const meanOf = (expected: number): Quantity => ({
  name: "mean response",
  expected,
  read: (one) => PER_REPLICATION.responseMs(one) / 1_000,
});
const workOf = (expected: number): Quantity => ({
  name: "work per job",
  expected,
  read: (one) => PER_REPLICATION.workMsPerJob(one) / 1_000,
});
const lateOf = (name: string, expected: number): Quantity => ({
  name,
  expected,
  read: (one) => 1 - PER_REPLICATION.onTime(one),
});
const onTimeOf = (expected: number): Quantity => ({ name: "on time", expected, read: PER_REPLICATION.onTime });
const duplicatesOf = (expected: number): Quantity => ({
  name: "duplicates per job",
  expected,
  read: (one) => one.speculative / one.jobs,
});
const percentileOf = (percentile: number, expected: number): Quantity => ({
  name: `p${percentile}`,
  expected,
  read: (one) => histogramOf(one).getValueAtPercentile(percentile) / 1_000_000,
});

function queueCases(): Case[] {
  const one = exponentialService;
  const single = mm1({ lambda: 0.8, mu: 1 });
  const cases: Case[] = [
    {
      group: "queue",
      name: "M/M/1, λ 0.8",
      experiment: bare({ jobs: 100_000, nodes: 1, slots: 1, arrivals: poisson(0.8), service: one, policy: fixed(1) }),
      quantities: [meanOf(single.mean), percentileOf(99, single.quantile(0.99))],
    },
  ];
  for (const [servers, lambda] of [
    [5, 4],
    [10, 8],
  ] as const) {
    const theory = mmc({ lambda, mu: 1, servers });
    cases.push({
      group: "queue",
      name: `M/M/${servers}, λ ${lambda}`,
      experiment: bare({
        jobs: 60_000,
        nodes: 1,
        slots: servers,
        arrivals: poisson(lambda),
        service: one,
        policy: fixed(1),
        deadlineMs: 5_000,
      }),
      quantities: [meanOf(theory.mean), lateOf("P(T > 5)", theory.survival(5))],
    });
  }
  const laws: readonly (readonly [string, ServiceSpec, Law])[] = [
    ["deterministic", { kind: "deterministic", ms: 1_000 }, deterministic(1)],
    ["exponential", one, exponential(1)],
    ["lognormal cv 2", { kind: "lognormal", meanMs: 1_000, cv: 2 }, lognormal(1, 2)],
  ];
  for (const [name, service, law] of laws) {
    cases.push({
      group: "queue",
      name: `M/G/1 ${name}, λ 0.7`,
      experiment: bare({ jobs: 60_000, nodes: 1, slots: 1, arrivals: poisson(0.7), service, policy: fixed(1) }),
      quantities: [meanOf(mg1Mean(0.7, law))],
    });
  }
  return cases;
}

/** Copies that run together on a node and slow each other down. */
function sharingCases(): Case[] {
  const laws: readonly (readonly [string, ServiceSpec, Law])[] = [
    ["exponential", exponentialService, exponential(1)],
    ["lognormal cv 2", { kind: "lognormal", meanMs: 1_000, cv: 2 }, lognormal(1, 2)],
    ["deterministic", { kind: "deterministic", ms: 1_000 }, deterministic(1)],
  ];
  const alike = { nodes: 1, arrivals: poisson(0.7), policy: fixed(1), jobs: 60_000 } as const;
  const shared = laws.map(
    ([name, service, law]): Case => ({
      group: "sharing",
      name: `M/G/1 processor sharing, ${name}, λ 0.7`,
      experiment: bare({ ...alike, slots: "unlimited", slowdownPerCopy: 1, service }),
      quantities: [meanOf(processorSharingMean(0.7, law))],
    }),
  );
  // At eight copies the node does 4.7 times what it does with one.
  const batch = { slots: 8, slowdown: 0.1 };
  const batched: Case = {
    group: "sharing",
    name: "batches of up to 8, x 0.1, λ 4",
    experiment: bare({
      ...alike,
      arrivals: poisson(4),
      slots: batch.slots,
      slowdownPerCopy: batch.slowdown,
      service: exponentialService,
    }),
    quantities: [meanOf(batchingMean({ lambda: 4, mu: 1, ...batch }))],
  };
  return [...shared, batched];
}

const exponentialService: ServiceSpec = { kind: "exponential", meanMs: 1_000 };
/** Servers that stand for infinitely many: the mean is 0.06 % above the limit's, within what is measured. */
const MANY = 1_000;

function redundancyCases(): Case[] {
  const [lambda, mu] = [0.7, 1];
  const cases: Case[] = [];
  for (const [servers, copies] of [
    [3, 2],
    [4, 2],
    [10, 2],
    [10, 3],
    [10, 10],
  ] as const) {
    cases.push({
      group: "redundancy",
      name: `Redundancy-${copies} of ${servers}`,
      experiment: bare({
        jobs: 40_000,
        nodes: servers,
        slots: 1,
        arrivals: poisson(lambda * servers),
        service: exponentialService,
        policy: fixed(copies),
      }),
      quantities: [meanOf(redundancyMean({ servers, copies, lambda, mu }))],
    });
  }
  cases.push({
    group: "redundancy",
    name: `Redundancy-2 of ${MANY}`,
    experiment: bare({
      jobs: 15_000,
      nodes: MANY,
      slots: 1,
      arrivals: poisson(lambda * MANY),
      service: exponentialService,
      policy: fixed(2),
      deadlineMs: 1_000,
    }),
    quantities: [
      meanOf(redundancyMean({ servers: MANY, copies: 2, lambda, mu })),
      lateOf("P(T > 1), limit", redundancyLimitSurvival(1, { copies: 2, lambda, mu })),
    ],
  });
  for (const servers of [1, 2, 3]) {
    cases.push({
      group: "redundancy",
      name: `all ${servers}, Weibull 0.5, λ 0.7 each`,
      experiment: bare({
        jobs: 60_000,
        nodes: servers,
        slots: 1,
        arrivals: poisson(lambda * servers),
        service: { kind: "weibull", shape: 0.5, meanMs: 1_000 },
        policy: fixed(servers),
      }),
      quantities: [meanOf(fullRedundancyMean(lambda, servers, weibull(0.5, 1)))],
    });
  }
  return cases;
}

/** No queueing: jobs do not meet, so that the rate of arrivals makes no difference. */
const free = (setup: Pick<Setup, "jobs" | "service" | "policy" | "deadlineMs">): Experiment =>
  bare({ ...setup, nodes: 4, slots: "unlimited", arrivals: poisson(1) });

function hedgeCases(): Case[] {
  const laws: readonly (readonly [string, ServiceSpec, Law])[] = [
    ["exponential", exponentialService, exponential(1)],
    ["Weibull 0.5", { kind: "weibull", shape: 0.5, meanMs: 1_000 }, weibull(0.5, 1)],
    ["Weibull 2", { kind: "weibull", shape: 2, meanMs: 1_000 }, weibull(2, 1)],
    ["lognormal cv 1", { kind: "lognormal", meanMs: 1_000, cv: 1 }, lognormal(1, 1)],
    ["Pareto(2, 0.5)", { kind: "pareto", shape: 2, scaleMs: 500 }, pareto(2, 0.5)],
  ];
  return laws.flatMap(([name, service, law]): Case[] => {
    const given = { law, delay: law.quantile(0.95) };
    return [
      {
        group: "hedge",
        name: `${name}, alone`,
        experiment: free({ jobs: 40_000, service, policy: fixed(1) }),
        quantities: [percentileOf(99, law.quantile(0.99)), percentileOf(99.9, law.quantile(0.999))],
      },
      {
        group: "hedge",
        name: `${name}, hedged at p95`,
        experiment: free({ jobs: 40_000, service, policy: hedge(given.delay * 1_000) }),
        quantities: [
          meanOf(hedgeMean(given)),
          workOf(hedgeWork(given)),
          percentileOf(99, hedgeQuantile(0.99, given)),
          percentileOf(99.9, hedgeQuantile(0.999, given)),
        ],
      },
    ];
  });
}

function deadlineCases(): Case[] {
  const fitted = lognormalFromMeanAndP95({ meanMs: 7_000, p95Ms: 11_000 });
  assert(typeof fitted !== "string", "a lognormal law with mean 7 and 95th percentile 11 exists");
  const long = lognormal(7, fitted.cv);
  const longService: ServiceSpec = { kind: "lognormal", ...fitted };
  const short = { law: lognormal(1, 1), delay: 1 };
  const hedged = { law: long, delay: 4.6 };
  const common = { jobs: 40_000, service: longService, deadlineMs: 12_000 };
  return [
    {
      group: "deadline",
      name: "lognormal cv 1, D 4, hedged at 1",
      experiment: free({
        jobs: 40_000,
        service: { kind: "lognormal", meanMs: 1_000, cv: 1 },
        policy: hedge(1_000),
        deadlineMs: 4_000,
      }),
      quantities: [onTimeOf(hedgeOnTime(short, 4)), duplicatesOf(hedgeDuplicates(short)), workOf(hedgeWork(short))],
    },
    {
      group: "deadline",
      name: "lognormal mean 7 p95 11, D 12, alone",
      experiment: free({ ...common, policy: fixed(1) }),
      quantities: [onTimeOf(1 - long.survival(12)), workOf(7)],
    },
    {
      group: "deadline",
      name: "same, hedged at 4.6",
      experiment: free({ ...common, policy: hedge(4_600) }),
      quantities: [onTimeOf(hedgeOnTime(hedged, 12)), workOf(hedgeWork(hedged))],
    },
    {
      group: "deadline",
      name: "same, two at once",
      experiment: free({ ...common, policy: fixed(2) }),
      quantities: [onTimeOf(1 - long.survival(12) ** 2), workOf(parallelWork(2, long))],
    },
  ];
}

/** A hedging demonstration of the field: lognormal of mean 5 ms and deviation 2 ms, of which 5 % take ten times as long. */
function demonstrationCases(): Case[] {
  const law = withStragglers(lognormal(0.005, 0.4), { probability: 0.05, factor: 10 });
  const service: ServiceSpec = {
    kind: "stragglers",
    of: { kind: "lognormal", meanMs: 5, cv: 0.4 },
    probability: 0.05,
    factor: 10,
  };
  const cases: Case[] = [
    {
      group: "published demonstration",
      name: "alone (published: p99 64.3 ms)",
      experiment: free({ jobs: 40_000, service, policy: fixed(1) }),
      quantities: [percentileOf(99, law.quantile(0.99))],
    },
  ];
  const published = [
    [10, "p99 17.4 ms, +7.4 %"],
    [50, "p99 54.7 ms, +2.1 %"],
  ] as const;
  for (const [delayMs, said] of published) {
    const given = { law, delay: delayMs / 1_000 };
    cases.push({
      group: "published demonstration",
      name: `hedged at ${delayMs} ms (published: ${said})`,
      experiment: free({ jobs: 40_000, service, policy: hedge(delayMs) }),
      quantities: [percentileOf(99, hedgeQuantile(0.99, given)), duplicatesOf(hedgeDuplicates(given))],
    });
  }
  return cases;
}

/** Every case that runs through the production engine. Each has a seed of its own, so that their errors are independent. */
export function theoryCases(seed: number): readonly Case[] {
  const groups = [
    queueCases(),
    redundancyCases(),
    hedgeCases(),
    deadlineCases(),
    demonstrationCases(),
    // Last, so that the others keep their seeds.
    sharingCases(),
  ];
  return groups.flat().map((one, index) => ({
    ...one,
    experiment: { ...one.experiment, seed: seed * 1_000 + index },
  }));
}
