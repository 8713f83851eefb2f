import { describe, expect, it } from "vitest";
import { findings, lede } from "../../../sim/report/findings.ts";
import { sweepOf } from "../../../sim/report/points.ts";
import { groupsOf, targetOf } from "../../../sim/report/target.ts";
import type { PointRecord } from "../../../sim/experiment/sweep.ts";
import type { PolicySpec } from "../../../policies/policy.ts";

const ONE: PolicySpec = { kind: "fixed", copies: 1 };
const TWO: PolicySpec = { kind: "fixed", copies: 2 };

interface Given {
  readonly policy: PolicySpec;
  readonly rate: number;
  readonly onTime: number | null;
  /** Half of the interval's width; none of one replication. */
  readonly half?: number;
  readonly workMs: number;
  readonly responseMs?: number;
}

/** A point with just what sentences are made of. */
function pointOf({ policy, rate, onTime, half, workMs, responseMs = 1_500 }: Given): PointRecord {
  const metric = (mean: number) => ({ mean, ci95: half === undefined ? null : [mean - half, mean + half] });
  const experiment = {
    jobs: 10,
    replications: 5,
    policy,
    arrivals: { kind: "poisson", ratePerS: rate },
    deadlineMs: onTime === null ? undefined : 6_000,
  };
  const metrics = {
    responseMs: metric(responseMs),
    onTime: onTime === null ? null : metric(onTime),
    workMsPerJob: metric(workMs),
  };
  return JSON.parse(
    JSON.stringify({ key: `${rate} ${JSON.stringify(policy)}`, experiment, result: { metrics } }),
  ) as PointRecord;
}

/** The sentences without their markup. */
function said(...given: readonly Given[]): { readonly lede: string; readonly findings: string } {
  const sweep = sweepOf(given.map(pointOf));
  const target = targetOf(sweep);
  const groups = groupsOf(sweep, target);
  const plain = (text: string): string => text.replaceAll(/<[^>]+>/g, "").trim();
  return { lede: plain(lede(sweep, groups, target).text), findings: plain(findings(sweep, groups, target).text) };
}

describe("what a report says", () => {
  const cheap = { policy: ONE, workMs: 2_000 };
  const dear = { policy: TWO, workMs: 4_000 };

  it("names the best at every load, where that is one and the same", () => {
    const { lede: text, findings: list } = said(
      { ...cheap, rate: 1, onTime: 0.9, half: 0.01 },
      { ...dear, rate: 1, onTime: 0.97, half: 0.01 },
      { ...cheap, rate: 2, onTime: 0.8, half: 0.01 },
      { ...dear, rate: 2, onTime: 0.95, half: 0.01 },
    );
    expect(text).toBe("At all 2 loads, 2 copies at once answers most jobs in time: between 95 % and 97 % of them.");
    expect(list).toContain(
      "2 jobs/s 2 copies at once answers 95.0 % [94.0, 96.0] of jobs within 6 s, for 4 s of machine-time per job.",
    );
    expect(list).not.toContain("1 copy");
  });

  it("says which is best where, and which cheaper one is as close as the intervals tell", () => {
    const { lede: text, findings: list } = said(
      { ...cheap, rate: 1, onTime: 0.96, half: 0.02 },
      { ...dear, rate: 1, onTime: 0.97, half: 0.01 },
      { ...cheap, rate: 2.5, onTime: 0.8, half: 0.01 },
      { ...dear, rate: 2.5, onTime: 0.5, half: 0.01 },
    );
    expect(text).toBe(
      "Which policy answers most jobs in time depends on the load (jobs/s): 2 copies at once at 1, 1 copy at 2.5.",
    );
    expect(list).toContain(
      "1 copy is as close as these intervals can tell, 96.0 % [94.0, 98.0], for 2 s of machine-time per job.",
    );
  });

  it("without deadlines goes by the mean response, and owns up to a single replication", () => {
    const { lede: text } = said(
      { ...cheap, rate: 1, onTime: null, responseMs: 900 },
      { ...dear, rate: 1, onTime: null, responseMs: 700 },
    );
    expect(text).toBe(
      "2 copies at once answers after 700 ms [one replication, no interval] on average, for 4 s of machine-time per job.",
    );
  });

  it("of one policy tells the range over loads", () => {
    const { lede: text } = said(
      { ...cheap, rate: 1, onTime: 0.9, half: 0.01 },
      { ...cheap, rate: 2, onTime: 0.7, half: 0.01 },
    );
    expect(text).toBe("Over 2 loads, 1 copy answers jobs in time: between 70 % and 90 % of them.");
  });
});
