import type { PlainSection } from "../../../scheduler/fields/fields.ts";
import type { ReplicationResult } from "../../../sim/experiment/types.ts";
import { expect } from "vitest";
import { simulate } from "../../../sim/world/simulate.ts";
import { experimentOf } from "../../support/experiments.ts";

/** One copy of 100 ms each on ten nodes without queues, five jobs a second. */
export const SMALL = {
  replications: 1,
  jobs: 20_000,
  warmup: 500,
  arrivals: { kind: "poisson", ratePerS: 5 },
  service: { kind: "deterministic", ms: 100 },
  policy: { kind: "fixed", copies: 1 },
} as const;
const FLEET = { nodes: 10, slots: "unlimited" } as const;

/** That world with other keys, and other keys of the fleet besides. */
export function play(keys: PlainSection, fleet: PlainSection = {}, samples = 0): ReplicationResult {
  return simulate(experimentOf({ ...SMALL, ...keys, fleet: { ...FLEET, ...fleet } }), 0, { samples });
}

export const meanMs = ({ responseSumUs, decided }: ReplicationResult): number => responseSumUs / decided / 1_000;

export function perJob(run: ReplicationResult) {
  const { jobs } = run;
  return {
    copies: run.copies / jobs,
    lost: run.lost / jobs,
    rejected: run.rejectedProofs / jobs,
    workMs: run.workUs / jobs / 1_000,
    reorged: run.reorged / jobs,
  };
}

/** Within so large a share of what theory says: some four standard errors of the fixed seed's run. */
export function near(found: number, expected: number, share: number): void {
  expect(Math.abs(found / expected - 1), `${found} against ${expected}`).toBeLessThan(share);
}
