import { describe, expect, it } from "vitest";
import { type ExperimentFile, parseExperimentFile } from "../../../sim/experiment/parse.ts";
import { lognormal } from "../../../sim/theory/laws.ts";

const EXAMPLE = `
seed: 1
replications: 10
jobs: 100000            # counted per replication, after
warmup: 10000           # jobs that are not counted
arrivals: { kind: poisson, ratePerS: 7.0 }
service: { kind: exponential, meanMs: 1000 }
correlation: 0
fleet: { nodes: 10, slots: 1, queue: fifo }
network: { oneWayMs: 0 }
verification: { ms: 0 }
blocks: none
deadlineMs: 12000
policy: { kind: fixed, copies: 2 }
placement: { kind: random }
`;

const SHORT = `
jobs: 1000
arrivals: { kind: poisson, ratePerS: 1 }
service: { kind: exponential, meanMs: 1000 }
fleet: { nodes: 4 }
policy: { kind: hedge, delayMs: 2500, maxCopies: 3 }
`;

/** What a file says that says nothing of it. */
const FAULTLESS = {
  slots: 1,
  queue: "fifo",
  batching: "none",
  speeds: [1],
  classes: "none",
  deadFraction: 0,
  stragglers: "none",
  outages: "none",
  churn: "none",
  slowdowns: [],
  dishonest: "none",
  errors: "none",
};

function read(text: string): ExperimentFile {
  const parsed = parseExperimentFile(text, import.meta.dirname);
  if (!parsed.ok) throw new Error(parsed.troubles.join("\n"));
  return parsed.value;
}

function troubles(text: string): readonly string[] {
  const parsed = parseExperimentFile(text, import.meta.dirname);
  return parsed.ok ? [] : parsed.troubles;
}

const changed = (from: string, to: string): string => {
  expect(SHORT).toContain(from);
  return SHORT.replace(from, to);
};
const service = (of: string): string => changed("{ kind: exponential, meanMs: 1000 }", of);

describe("an experiment file", () => {
  it("is read with every key of the example", () => {
    expect(read(EXAMPLE).experiment).toEqual({
      seed: 1,
      replications: 10,
      jobs: 100_000,
      warmup: 10_000,
      arrivals: { kind: "poisson", ratePerS: 7 },
      service: { kind: "exponential", meanMs: 1_000 },
      correlation: 0,
      fleet: { nodes: 10, operators: 10, ...FAULTLESS },
      network: { oneWayMs: 0, jitterMs: 0, loss: 0, duplication: 0, partition: [] },
      verification: { ms: 0, workers: "unlimited", proofMs: 0 },
      mode: "vanilla",
      blocks: "none",
      deadlineMs: 12_000,
      policy: { kind: "fixed", copies: 2 },
      placement: { kind: "random" },
      budget: "unlimited",
    });
  });

  it("may leave out what has a documented meaning when left out", () => {
    const { experiment } = read(SHORT);
    expect(experiment).toMatchObject({ seed: 1, replications: 10, warmup: 100, blocks: "none", correlation: 0 });
    expect(experiment.deadlineMs).toBeUndefined();
    expect(experiment.fleet).toEqual({ nodes: 4, operators: 4, ...FAULTLESS });
  });

  it("may be JSON", () => {
    expect(read(JSON.stringify({ ...read(SHORT).experiment, deadlineMs: 5 })).experiment.deadlineMs).toBe(5);
  });

  it.each([
    { of: "{ kind: lognormal, meanMs: 1000, cv: 2 }", mean: 1_000, cv: 2 },
    { of: "{ kind: lognormal, p50Ms: 100, p95Ms: 500 }", p50: 100, p95: 500 },
    { of: "{ kind: lognormal, meanMs: 7000, p95Ms: 11000 }", mean: 7_000, p95: 11_000 },
  ])("takes a lognormal law as $of", ({ of, mean, cv, p50, p95 }) => {
    const spec = read(service(of)).experiment.service;
    if (spec.kind !== "lognormal") throw new Error("another kind");
    const law = lognormal(spec.meanMs, spec.cv);
    const found = { mean: spec.meanMs, cv: spec.cv, p50: law.quantile(0.5), p95: law.quantile(0.95) };
    for (const [key, value] of Object.entries({ mean, cv, p50, p95 })) {
      if (value !== undefined) expect(found[key as keyof typeof found] / value).toBeCloseTo(1, 9);
    }
  });

  it("fits a short form within another service", () => {
    const { experiment } = read(
      service("{ kind: stragglers, probability: 0.1, factor: 9, of: { kind: lognormal, p50Ms: 1, p95Ms: 2 } }"),
    );
    expect(experiment.service).toMatchObject({
      kind: "stragglers",
      of: { kind: "lognormal", meanMs: expect.any(Number) },
    });
  });
});

describe("a faulty file is refused with its line, what is wrong and what is right", () => {
  it.each([
    [changed("jobs:", "job:"), 'line 2, job: is not known ("job"); did you mean jobs?'],
    [changed("jobs: 1000", "seed: 1"), "jobs: is missing; it is a whole number from 1 to 100000000"],
    [
      changed("ratePerS: 1", "ratePerS: 0"),
      "line 3, arrivals.ratePerS: must be a number above 0, up to 1000000; it is 0",
    ],
    [
      changed("ratePerS: 1", "ratePerS: fast"),
      'line 3, arrivals.ratePerS: must be a number above 0, up to 1000000; it is "fast"',
    ],
    [changed("poisson", "poison"), 'line 3, arrivals.kind: is not known ("poison"); did you mean poisson?'],
    [changed("kind: poisson, ", ""), "line 3, arrivals.kind: is missing; it is one of poisson, gamma, onoff, trace"],
    [changed("nodes: 4", "nodes: 4.5"), "line 5, fleet.nodes: must be a whole number from 1 to 4096; it is 4.5"],
    [changed("nodes: 4", "nodes: 2"), "line 6, policy.maxCopies: is 3, but copies of one job go to different nodes"],
    [changed("maxCopies: 3", "maxCopies:"), "line 6, policy.maxCopies: is empty"],
    [
      service("{ kind: lognormal, meanMs: 5 }"),
      "line 4, service: of kind lognormal takes {meanMs, cv} or {p50Ms, p95Ms} or {meanMs, p95Ms}; it has {meanMs}",
    ],
    [service("{ kind: lognormal, meanMs: 5, p95Ms: 50 }"), "service.p95Ms: must be at most 19.34"],
    [service("{ kind: lognormal, p50Ms: 5, p95Ms: 4 }"), "service.p95Ms: must be above p50Ms"],
    [service("{ kind: hyperexponential, weights: [0.5, 0.4], meansMs: [1, 2] }"), "service.weights: must sum to 1"],
    [
      service("{ kind: quantiles, probabilities: [0, 0.5], ms: [1, 2] }"),
      "service.probabilities: must rise from 0 to 1",
    ],
    [service("{ kind: empirical, file: nowhere.csv, column: a }"), "service.file: names a file that does not exist"],
    [
      service("{ kind: tokens, firstTokenMs: 1, perTokenMs: 1, tokens: trace }"),
      "service.tokens: is trace, which needs",
    ],
    [`${SHORT}seed: 2\nseed: 3\n`, "Map keys must be unique"],
    ["jobs: [", "at line 1"],
    ["just words", "an experiment file is a section of keys"],
    [`${SHORT}sweep: { gird: {} }`, "sweep.gird: is not known; did you mean grid?"],
    [
      `${SHORT}sweep: { grid: { arrivals.ratePerS: [1, -2] } }`,
      "sweep.grid: with its changes, arrivals.ratePerS must be a number above 0",
    ],
    [`${SHORT}sweep: { grid: { blocks.intervalMs: [1] }, list: [] }`, "either `grid` or `list`"],
    [`${SHORT}sweep: { grid: { jobs.low: [1] } }`, "jobs.low cannot be set, since jobs is 1000"],
    [`${SHORT}variants: { a: 5 }`, "variants.a: must be a section of keys to change"],
    ["a: 1\n".repeat(300_000), "longer than 1000000 bytes"],
  ])("%#", (text, expected) => {
    expect(troubles(text).join("\n")).toContain(expected);
  });

  it("never throws, whatever the text", () => {
    for (const text of [
      "",
      "- 1",
      "null",
      "&a [*a]",
      "%YAML 9",
      "\u0000",
      "a: !!binary x",
      "? {a: 1}\n: 2",
      "*x",
      "jobs: &x { a: *x }",
    ]) {
      expect(parseExperimentFile(text, ".").ok).toBe(false);
    }
  });
});

describe("a sweep", () => {
  it("takes every combination of a grid, the last key fastest", () => {
    const { points } = read(`${SHORT}sweep: { grid: { policy.delayMs: [1, 2], fleet.nodes: [4, 5] } }`);
    expect(
      points.map(({ experiment: { policy, fleet } }) => [policy.kind === "hedge" && policy.delayMs, fleet.nodes]),
    ).toEqual([
      [1, 4],
      [1, 5],
      [2, 4],
      [2, 5],
    ]);
  });

  it("takes a list, whole sections too", () => {
    const { points } = read(
      `${SHORT}sweep: { list: [{ policy: { kind: fixed, copies: 2 } }, { deadlineMs: 5, seed: 9 }] }`,
    );
    expect(points[0]?.experiment.policy).toEqual({ kind: "fixed", copies: 2 });
    expect(points[1]?.experiment).toMatchObject({ deadlineMs: 5, seed: 9, policy: { kind: "hedge" } });
  });

  it("refuses more points than it would run", () => {
    const many = `[${Array.from({ length: 101 }, (_, index) => index + 1)}]`;
    const text = `${SHORT}sweep: { grid: { policy.delayMs: ${many}, seed: ${many} } }`;
    expect(troubles(text).join()).toContain("more than 10000 combinations");
  });

  it("reads variants by their names", () => {
    const file = read(
      `${SHORT}variants: { eager: { policy.delayMs: 100 }, plain: { policy: { kind: fixed, copies: 1 } } }`,
    );
    expect(file.variants.get("eager")?.policy).toEqual({ kind: "hedge", delayMs: 100, maxCopies: 3 });
    expect(file.variants.get("plain")?.policy).toEqual({ kind: "fixed", copies: 1 });
  });
});
