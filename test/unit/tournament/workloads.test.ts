import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DEFAULTS } from "../../../policies/defaults.ts";
import { problemOf } from "../../../policies/policy.ts";
import { candidatesOf, KINDS, scaleOf } from "../../../sim/tune/candidates.ts";
import { clairvoyantBound, afterSlowdowns, durationsAlone } from "../../../sim/tune/clairvoyant.ts";
import { experimentAt, withBlocks } from "../../../sim/tournament/world.ts";
import { queues, type Workload, WORKLOADS } from "../../../sim/tournament/workloads.ts";
import { simulate } from "../../../sim/world/simulate.ts";

/** Beside a checkout; what needs them is skipped elsewhere. */
const TRACES = fileURLToPath(new URL("../../../../shared/traces/", import.meta.url));
const SIZE = { seed: 1, replications: 2, jobs: 1_000 };

function workload(name: string): Workload {
  const found = WORKLOADS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found;
}
const at = (name: string, load: number | undefined) =>
  experimentAt({ workload: workload(name), load, traces: TRACES }, SIZE);

describe("a standard workload", () => {
  const generated = WORKLOADS.filter(({ arrivals }) => arrivals.kind !== "trace");

  it("has a name of its own, and is an experiment at every load, with and without blocks", () => {
    expect(new Set(WORKLOADS.map(({ name }) => name)).size).toBe(WORKLOADS.length);
    for (const one of existsSync(TRACES) ? WORKLOADS : generated) {
      for (const load of queues(one) ? [0.3, 0.9] : [undefined]) {
        const experiment = experimentAt({ workload: one, load, traces: TRACES }, SIZE);
        expect(experiment).toMatchObject({
          deadlineMs: one.deadlineMs,
          placement: { kind: "least-loaded" },
          budget: "unlimited",
        });
        const { blocks } = withBlocks(experiment);
        expect(blocks).toMatchObject({ intervalMs: 500, ttlBlocks: one.deadlineMs / 500 });
      }
    }
  });

  it.each(generated.filter(queues).map(({ name }) => name))("%s keeps its fleet as busy as its load says", (name) => {
    const experiment = { ...at(name, 0.6), jobs: 3_000 };
    const { workUs, jobs, simulatedUs } = simulate(experiment, 0, { samples: 0 });
    const { capacity, slowdown } = workload(name);
    // Arrivals in the counted stretch; a minute's slowdown makes work longer without there being more of it.
    const busy = (workUs * (1 + experiment.warmup / jobs)) / (simulatedUs * experiment.fleet.nodes * capacity);
    const room = name === "hosted-70b" ? 0.4 : slowdown === undefined ? 0.12 : 0.3;
    expect(Math.abs(busy - 0.6)).toBeLessThan(room);
  });

  it.skipIf(!existsSync(TRACES))("says of its trace what is in it", () => {
    for (const { arrivals } of WORKLOADS) {
      if (arrivals.kind !== "trace") continue;
      const rows = readFileSync(`${TRACES}${arrivals.file}`, "utf8").trim().split("\n").slice(1);
      const tokens = rows.map((row) => Number(row.split(",")[2]));
      const times = rows.map(
        (row) => Date.parse(`${(row.split(",")[0] as string).replace(" ", "T").slice(0, 23)}Z`) / 1_000,
      );
      expect(tokens.reduce((sum, one) => sum + one, 0) / tokens.length).toBeCloseTo(arrivals.tokensOut, 2);
      expect((rows.length - 1) / ((times.at(-1) ?? 0) - (times[0] ?? 0))).toBeCloseTo(arrivals.rowsPerS, 3);
    }
  });
});

describe("the clairvoyant", () => {
  it("answers as many in time as the fastest of all nodes does, for its work", () => {
    const { onTime, workMs } = clairvoyantBound({ ...at("unqueued", undefined), jobs: 5_000 }, 0);
    expect(onTime).toBe(1);
    // The least of 40 lognormals of mean 7 s and p95 11 s: σ = 0.2966, and the mean of the least of 40 normals is −2.161.
    expect(workMs).toBeGreaterThan(3_300);
    expect(workMs).toBeLessThan(3_900);
  });

  it("gains nothing from more nodes where copies take equally long", () => {
    const experiment = { ...at("correlated-1", 0.3), jobs: 5_000 };
    const { onTime, workMs } = clairvoyantBound(experiment, 0);
    // Theory of the law alone: F(12 s) = 0.97334, mean 7 s.
    expect(onTime).toBeCloseTo(0.973, 2);
    expect(workMs / 7_000).toBeCloseTo(1, 1);
  });

  it("is slowed down with the whole fleet", () => {
    const slow = [{ atS: 10, forS: 10, factor: 5 }];
    expect(afterSlowdowns(0, 5e6, slow)).toBe(5e6);
    expect(afterSlowdowns(8e6, 3e6, slow)).toBe(15e6);
    expect(afterSlowdowns(8e6, 6e6, slow)).toBe(22e6);
    expect(afterSlowdowns(30e6, 1e6, slow)).toBe(31e6);
    expect(clairvoyantBound(at("slowdown", 0.6), 0).onTime).toBeLessThan(1);
  });

  it("bounds what any policy reaches", () => {
    for (const name of ["unqueued", "dead", "hosted-70b"]) {
      const experiment = at(name, name === "unqueued" ? undefined : 0.3);
      const bound = clairvoyantBound(experiment, 0).onTime;
      for (const copies of [1, 2]) {
        const { onTime, jobs } = simulate({ ...experiment, policy: { kind: "fixed", copies } }, 0, { samples: 0 });
        expect(onTime / jobs).toBeLessThanOrEqual(bound);
      }
    }
  });
});

describe("settings to be searched", () => {
  it("are policies, with the documented one first and each once", () => {
    const scale = scaleOf({ deadlineMs: 12_000, target: 0.99 }, durationsAlone(at("lognormal", 0.5), 2_000));
    for (const kind of KINDS) {
      for (const thoroughness of ["quick", "full"] as const) {
        const candidates = candidatesOf(kind, scale, thoroughness);
        expect(candidates[0]).toEqual(DEFAULTS[kind]);
        expect(new Set(candidates.map((one) => JSON.stringify(one))).size).toBe(candidates.length);
        for (const one of candidates) {
          expect(problemOf(one)).toBeUndefined();
          expect(one.kind).toBe(kind);
        }
      }
    }
  });
});
