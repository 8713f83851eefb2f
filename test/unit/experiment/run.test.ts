import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pairedDifferences } from "../../../sim/experiment/compare.ts";
import { type ExperimentFile, parseExperimentFile } from "../../../sim/experiment/parse.ts";
import { ReplicationFailed } from "../../../sim/experiment/pool.ts";
import type { MeasuredExperiment } from "../../../sim/experiment/result.ts";
import { runExperiment, runExperiments } from "../../../sim/experiment/run.ts";
import { POINTS_FILE, runSweep, SweepDirectory } from "../../../sim/experiment/sweep.ts";
import type { Experiment } from "../../../sim/experiment/types.ts";
import { simulate } from "../../../sim/world/simulate.ts";

const TEXT = `
jobs: 400
replications: 4
arrivals: { kind: poisson, ratePerS: 5 }
service: { kind: exponential, meanMs: 1000 }
fleet: { nodes: 10 }
deadlineMs: 3000
policy: { kind: fixed, copies: 1 }
variants:
  two: { policy.copies: 2 }
sweep: { grid: { policy.copies: [1, 2, 3] } }
`;

function fileOf(text: string): ExperimentFile {
  const parsed = parseExperimentFile(text, ".");
  if (!parsed.ok) throw new Error(parsed.troubles.join());
  return parsed.value;
}
const file = fileOf(TEXT);
const options = (workers = 2) => ({
  workers,
  signal: new AbortController().signal,
  samples: 3,
  onProgress: () => {},
});

async function run(experiment: Experiment, workers = 2): Promise<MeasuredExperiment> {
  const measured = await runExperiment(experiment, options(workers));
  if (measured === "interrupted") throw new Error("interrupted");
  return measured;
}

/** Speed is the machine's, all else the experiment's. */
const metrics = ({ result }: MeasuredExperiment): unknown => result.metrics;

describe("an experiment", () => {
  it("measures the same with one worker as with two, and as one replication after the other in this thread", async () => {
    const [one, two] = [await run(file.experiment, 1), await run(file.experiment, 2)];
    expect(metrics(two)).toEqual(metrics(one));
    const here = [0, 1, 2, 3].map((replication) => simulate(file.experiment, replication, { samples: 0 }));
    const means = here.map(({ responseSumUs, decided }) => responseSumUs / decided / 1_000);
    const mean = means.reduce((sum, value) => sum + value, 0) / 4;
    const deviation = Math.sqrt(means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3);
    const { responseMs } = one.result.metrics;
    expect(responseMs.mean).toBeCloseTo(mean, 9);
    // t(3; 0.975) = 3.18245.
    expect(responseMs.ci95?.[1]).toBeCloseTo(mean + (3.18245 * deviation) / 2, 1);
  });

  it("merges all replications' histograms", async () => {
    const { result } = await run(file.experiment);
    const { p50, p95, p99, p999, mean } = result.metrics.responseMs;
    expect([p50, p95, p99, p999]).toEqual([p50, p95, p99, p999].toSorted((a, b) => a - b));
    expect(p50).toBeLessThan(mean);
    expect(result.metrics.onTime?.mean).toBeGreaterThan(0.5);
    expect(result.metrics.sealedBlocksLate).toBeNull();
    expect(result.jobsPerS).toBeGreaterThan(0);
  });

  it("prints exactly the documented keys", async () => {
    const { result } = await run(file.experiment);
    const plain = JSON.parse(JSON.stringify(result)) as { metrics: Record<string, object> };
    expect(Object.keys(plain)).toEqual(["metrics", "jobsPerS", "eventsPerS"]);
    const names = ["responseMs", "onTime", "workMsPerJob", "copiesPerJob", "cancelledPerJob"];
    names.push("lostPerJob", "rejectedProofsPerJob", "feesGweiPerJob");
    names.push("sealedBlocksLate", "refunded", "refused", "reorgedPerJob");
    expect(Object.keys(plain.metrics)).toEqual(names);
    const keys = ["mean", "ci95", "p50", "p95", "p99", "p999"];
    expect(Object.keys(plain.metrics["responseMs"] ?? {})).toEqual(keys);
  });

  it("has no interval with one replication", async () => {
    const { result } = await run({ ...file.experiment, replications: 1 });
    expect(result.metrics.responseMs.ci95).toBeNull();
  });

  it("counts blocks when there are blocks", async () => {
    const { experiment } = fileOf(TEXT.replace("deadlineMs: 3000", "blocks: { intervalMs: 500, ttlBlocks: 40 }"));
    const { result } = await run({ ...experiment, replications: 2, jobs: 100 });
    expect(result.metrics.sealedBlocksLate?.mean).toBeGreaterThan(0.5);
    expect(result.metrics.onTime).toBeNull();
  });

  it("ends when interrupted", async () => {
    const controller = new AbortController();
    const long = { ...file.experiment, jobs: 200_000, replications: 50 };
    const running = runExperiment(long, {
      ...options(),
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(await running).toBe("interrupted");
  });

  it("says why a replication failed", async () => {
    const service = { kind: "empirical", file: "/nowhere/a.csv", column: "a", unitMs: 1 } as const;
    const running = runExperiment({ ...file.experiment, service }, options());
    await expect(running).rejects.toThrow(ReplicationFailed);
    await expect(running).rejects.toThrow(/no such file/);
  });
});

describe("a comparison", () => {
  it("pairs replications, so that its interval is narrower than those of A and B", async () => {
    const two = file.variants.get("two");
    if (two === undefined) throw new Error("no variant");
    const [short, long] = [two, { ...two, network: { ...two.network, oneWayMs: 10 } }];
    const measured = await runExperiments([short, long], options());
    if (measured === "interrupted") throw new Error("interrupted");
    const [a, b] = measured as [MeasuredExperiment, MeasuredExperiment];
    const [difference] = pairedDifferences(a, b);
    if (difference?.ci95 === undefined || difference.ci95 === null) throw new Error("no interval");
    const [low, high] = difference.ci95;
    expect(difference).toMatchObject({ metric: "responseMs", verdict: "higher" });
    expect(low).toBeLessThan(difference.difference);
    const [lowA = 0, highA = 0] = a.result.metrics.responseMs.ci95 ?? [];
    expect(high - low).toBeLessThan((highA - lowA) / 2);
  });

  it("sees no difference between a policy and itself", async () => {
    const measured = await run(file.experiment);
    for (const { difference, verdict } of pairedDifferences(measured, measured)) {
      expect({ difference, verdict }).toEqual({ difference: 0, verdict: "no difference seen" });
    }
  });
});

describe("a sweep's directory", () => {
  let place = "";
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), "sweep-"));
  });
  afterEach(() => rmSync(place, { recursive: true, force: true }));

  it("goes on after an interruption, also of a write", async () => {
    const controller = new AbortController();
    const interrupting = {
      ...options(1),
      signal: controller.signal,
      onProgress: (done: number) => void (done === 5 && controller.abort()),
    };
    expect(await runSweep(file.points, new SweepDirectory(place), interrupting)).toBe("interrupted");
    const path = join(place, POINTS_FILE);
    const first = readFileSync(path, "utf8");
    expect(first.split("\n")).toHaveLength(2);
    appendFileSync(path, first.slice(0, 100));

    const progress: string[] = [];
    const again = { ...options(), onProgress: (done: number, of: number) => void progress.push(`${done}/${of}`) };
    const directory = new SweepDirectory(place);
    expect(await runSweep(file.points, directory, again)).toBe("done");
    expect(progress.at(-1)).toBe("8/8");
    const text = readFileSync(path, "utf8");
    expect(text.startsWith(first)).toBe(true);
    expect(text.trimEnd().split("\n")).toHaveLength(3);
    const copies = file.points.map(({ experiment }) => directory.record(experiment)?.result.metrics.copiesPerJob.mean);
    expect(copies).toEqual([1, 2, 3]);
    expect(directory.record(file.experiment)?.samples).toHaveLength(3);
  });

  it("measures a point again when anything about it changed", () => {
    const directory = new SweepDirectory(place);
    expect(directory.record({ ...file.experiment, seed: 2 })).toBeUndefined();
  });
});
