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

  it("describes a fleet by classes of nodes, and says what they sum up to", () => {
    const { experiment } = read(
      changed("nodes: 4", "classes: [{ name: H100, count: 2, speed: 2, operator: a }, { name: A100, count: 3 }]"),
    );
    expect(experiment.fleet).toMatchObject({
      nodes: 5,
      operators: 4,
      classes: [
        { name: "H100", count: 2, speed: 2, operator: "a", priceGwei: 10 },
        { name: "A100", count: 3, speed: 1, priceGwei: 10 },
      ],
    });
    // What was read can be read again.
    expect(read(JSON.stringify(experiment)).experiment).toEqual(experiment);
  });

  it("switches faults off and on in a sweep", () => {
    const faults = "[none, { everyS: 10, lastsS: 1, factor: 3 }]";
    const { points } = read(`${SHORT}sweep: { grid: { fleet.stragglers: ${faults} } }`);
    expect(points.map(({ experiment }) => experiment.fleet.stragglers)).toEqual([
      "none",
      { everyS: 10, lastsS: 1, factor: 3 },
    ]);
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
    [changed("nodes: 4", "slots: 1"), "fleet.nodes: is missing, and there are no classes either"],
    [changed("nodes: 4", "nodes: 4, queue: batch"), "line 5, fleet.queue: must be `fifo` or `batching`"],
    [changed("nodes: 4", "nodes: 4, queue: batching"), "fleet.batching: is missing; `queue: batching` takes"],
    [
      changed("nodes: 4", "nodes: 4, batching: { slowdownPerCopy: 1 }"),
      "fleet.batching: is given, but the queue is fifo",
    ],
    [changed("nodes: 4", "nodes: 4, stragglers: { everyS: 1, lastsS: 1 }"), "fleet.stragglers.factor: is missing"],
    [
      changed("nodes: 4", "nodes: 4, stragglers: { everyS: 0, lastsS: 1, factor: 2 }"),
      "line 5, fleet.stragglers.everyS: must be a number from 0.001 to 31536000; it is 0",
    ],
    [changed("nodes: 4", "nodes: 4, stragglers: often"), "fleet.stragglers: must be a section, or `none`"],
    [
      changed("nodes: 4", "nodes: 4, outages: { everyS: 1, lastsS: 1, kind: fire }"),
      "fleet.outages.kind: must be `crash` or `hang`",
    ],
    [changed("nodes: 4", "nodes: 4, churn: { leaveEveryS: 1 }"), "fleet.churn.returnAfterS: is missing"],
    [changed("nodes: 4", "nodes: 4, slowdowns: { atS: 1 }"), "fleet.slowdowns: must be a list of up to 64 sections"],
    [changed("nodes: 4", "nodes: 4, slowdowns: [5]"), "fleet.slowdowns.0: must be a section of keys"],
    [
      changed("nodes: 4", "nodes: 4, slowdowns: [{ atS: 1, forS: 2, factor: 2 }, { atS: 1, for: 2, factor: 2 }]"),
      'fleet.slowdowns.1.for: is not known ("for"); did you mean forS?',
    ],
    [
      changed("nodes: 4", "nodes: 4, deadFraction: 0.99"),
      "fleet.deadFraction: leaves none of 4 nodes alive, so that without blocks",
    ],
    [
      changed("nodes: 4", "nodes: 4, dishonest: { fraction: 1, probability: 1, speedFactor: 2 }"),
      "fleet.dishonest: leaves no node that ever gives a valid answer",
    ],
    [
      changed("nodes: 4", "nodes: 4, dishonest: { fraction: 1, probability: 0.5, speedFactor: 0.5 }"),
      "from 1 to 1000000",
    ],
    [
      changed("nodes: 4", "nodes: 4, errors: { fraction: 1, probability: 1 }"),
      "fleet.errors: leaves no node that ever gives a valid answer",
    ],
    [
      changed("nodes: 4", "nodes: 4, errors: { fraction: 2, probability: 1 }"),
      "fleet.errors.fraction: must be a number",
    ],
    [`${SHORT}network: { loss: 1 }`, "network.loss: must be a number from 0 to 0.9; it is 1"],
    [`${SHORT}network: { duplication: 2 }`, "network.duplication: must be a number from 0 to 1"],
    [
      `${SHORT}network: { oneWayMs: 500, loss: 0.1 }`,
      "network.oneWayMs: must be below 500 where copies can be lost: a node that has not accepted a copy after 1000 ms",
    ],
    [
      `${SHORT}network: { partition: [{ atS: 0, forS: 1, operators: 5 }] }`,
      "network.partition.0.operators: is more than the fleet's 4",
    ],
    [
      `${SHORT}verification: { workers: 0 }`,
      "verification.workers: must be a whole number from 1 to 65536, or `unlimited`",
    ],
    [
      `${SHORT}verification: { ms: 5000 }\nblocks: { intervalMs: 500, ttlBlocks: 9 }`,
      "verification.ms: must be below 5000 with blocks: a proof without a verdict after 5000 ms counts as rejected",
    ],
    [`${SHORT}mode: zkm`, "mode: must be `vanilla` or `optimistic` or `tee` or `zkml`"],
    [`${SHORT}blocks: { intervalMs: 500, ttlBlocks: 2000 }`, "blocks.ttlBlocks: must be a whole number from 1 to 1024"],
    [
      `${SHORT}blocks: { intervalMs: 500, ttlBlocks: 9, jitterMs: 251 }`,
      "blocks.jitterMs: must be at most half of intervalMs, 250",
    ],
    [
      `${SHORT}blocks: { intervalMs: 500, ttlBlocks: 9, reorgs: { everyBlocks: 3, depth: 3 } }`,
      "blocks.reorgs.everyBlocks: must be more than depth, 3",
    ],
    [changed("nodes: 4", "classes: []"), "fleet.classes: must name one class at least"],
    [
      changed("nodes: 4", "nodes: 3, classes: [{ name: a, count: 4 }]"),
      "fleet.nodes: is 3, but classes make it 4; leave it",
    ],
    [
      changed("nodes: 4", "classes: [{ name: a, count: 4 }], speeds: [2]"),
      "fleet.speeds: has no meaning beside classes",
    ],
    [
      changed("nodes: 4", "classes: [{ name: a, count: 2 }, { name: a, count: 2 }]"),
      "fleet.classes.1.name: stands twice: a",
    ],
    [
      changed("nodes: 4", "classes: [{ name: a, count: 4096 }, { name: b, count: 1 }]"),
      "fleet.classes: make 4097 nodes; there may be 4096",
    ],
    [
      changed("nodes: 4", "classes: [{ name: a, count: 4, service: { kind: lognormal, p50Ms: 5, p95Ms: 4 } }]"),
      "fleet.classes.0.service.p95Ms: must be above p50Ms",
    ],
    [
      changed(
        "nodes: 4",
        "classes: [{ name: a, count: 4, service: { kind: quantiles, probabilities: [0, 1], ms: [2, 1] } }]",
      ),
      "fleet.classes.0.service.ms: must not fall",
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
