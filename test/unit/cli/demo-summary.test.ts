import { describe, expect, it } from "vitest";
import type { DemoOptions } from "../../../scheduler/cli/demo-options.ts";
import { formatSummary, type SummedStatistics, summarise } from "../../../scheduler/cli/demo-summary.ts";
import { DemoTally } from "../../../scheduler/cli/demo-tally.ts";
import type { PipeEvent } from "../../../scheduler/index.ts";
import { createEmulatorRoot } from "../../../scheduler/node/enclave-emulator.ts";
import { embeddedRegistry } from "../../../scheduler/registry/default-registry.ts";

const options: DemoOptions = {
  blocks: 40,
  nodes: 8,
  seed: 1,
  policy: { kind: "hedge", delayMs: 1500, maxCopies: 3 },
  policyFile: undefined,
  latency: "modelled",
  faults: "some",
  ratePerS: 12,
  trace: undefined,
  out: undefined,
  json: false,
};

const statistics: SummedStatistics = {
  counters: { workUs: 4_000_000, speculativeWorkUs: 1_000_000, proofsRejected: 2 },
  sizes: { pending: 1 },
  policy: { name: "hedge:1500:3", version: "00", origin: undefined },
  ledger: {
    circulatingGwei: 0,
    depositedGwei: 24_000_000,
    escrowedGwei: 1_440_000,
    paidGwei: 821_000,
    refundedGwei: 618_000,
    heldGwei: 1_000,
    bondedGwei: 0,
    unbondedGwei: 0,
    forfeitedGwei: 0,
    compensatedGwei: 0,
    rewardedGwei: 0,
  },
};

const registry = embeddedRegistry([], createEmulatorRoot({ nowMs: 0 }));
const latency = () => ({ count: 9, p50Ms: 12.5, p99Ms: 2_345.9, maxMs: 2_345 });

/** Of the events' members those that the tally reads. */
function tallied(events: readonly object[]): DemoTally {
  const tally = new DemoTally();
  for (const event of events) tally.note(event as PipeEvent);
  return tally;
}

function summaryOf(events: readonly object[], changes: Partial<SummedStatistics> = {}) {
  const tally = tallied(events);
  for (const problem of [undefined, undefined, undefined]) tally.outcome(problem);
  tally.outcome({ kind: "rejected", rejection: { reason: "underfunded" } } as never);
  tally.outcome({ kind: "overloaded" } as never);
  return summarise({
    options,
    tally,
    statistics: { ...statistics, ...changes },
    latency,
    sealDelaysMs: [0.25, 3, 0.123_456, 1],
    registry,
  });
}

const job = { txHash: "t1", callIndex: 0 };
const launched = (copy: number, node: string, speculative: boolean) => ({
  kind: "launched",
  ...job,
  copy,
  node,
  speculative,
});
const lost = (copy: number, node: string, reason: string) => ({ kind: "lost", copy, node, reason });
const sealed = (height: number) => ({ kind: "sealed", height });
const transaction = (changes: object) => ({
  kind: "transaction",
  calls: 1,
  lane: "fast",
  admittedHeight: 1,
  ...changes,
});

const challengeEnded = (changes: object) => ({
  kind: "challengeEnded",
  outcome: { ...job, node: "a", dissenter: "", forfeitedGwei: 0, ...changes },
});

const RACE = [
  launched(1, "a", false),
  launched(2, "b", true),
  launched(3, "c", true),
  lost(1, "a", "bad-signature"),
  {
    kind: "decided",
    result: {
      ...job,
      ...{ node: "b", speculative: true, mode: "tee", openedUs: 1_000, decidedUs: 13_500 },
      ...{ supporters: [{ node: "e" }], rivals: [{ node: "f", end: "outvoted" }] },
    },
  },
  { kind: "cancelled", copy: 3, reason: "race-decided" },
  launched(4, "d", false),
  lost(4, "d", "lease-expired"),
  sealed(1),
  transaction({ state: "sealed" }),
  sealed(3),
  transaction({ state: "sealed", lane: "slow" }),
  transaction({ state: "sealed", calls: 0 }),
  transaction({ state: "expired", refundReason: "expired" }),
  { kind: "alarm", alarm: { kind: "node-quarantined" } },
  launched(5, "g", false),
  challengeEnded({ verdict: "overturned", node: "b", forfeitedGwei: 1_000 }),
  challengeEnded({ verdict: "upheld", dissenter: "c", forfeitedGwei: 500 }),
  challengeEnded({ verdict: "open" }),
] as const;

describe("the summary", () => {
  it("says of zero-knowledge proofs that their keys are of a test setup", () => {
    const result = { ...job, node: "b", mode: "zkml", openedUs: 0, decidedUs: 1, supporters: [], rivals: [] };
    expect(formatSummary(summaryOf([{ kind: "decided", result }]))).toContain("test setup: one party");
  });

  it("counts what a block producer asks for", () => {
    expect(summaryOf(RACE)).toMatchObject({
      blocks: 2,
      policy: "hedge:1500:3",
      workload: "made up, 12 transactions per second",
      transactions: {
        submitted: 5,
        accepted: 3,
        refused: { underfunded: 1, overloaded: 1 },
        sealed: 3,
        sealedWithInference: 2,
        slowLane: 1,
        refunded: 1,
        refundedBecause: { expired: 1 },
        pending: 1,
      },
      blocksAdded: { p50: 0, p99: 2 },
      sealDelayMs: { p50: 0.25, p99: 3, max: 3 },
      copies: { launched: 5, speculative: 2, speculativeWins: 1, stragglersCancelled: 1, lost: { "lease-expired": 1 } },
      proofs: { accepted: 1, rejected: 2, rejectedBecause: { "bad-signature": 1 } },
      modes: { tee: { wins: 1, p50Ms: 12.5, p99Ms: 12.5, caveat: "emulated enclaves, which protect nothing" } },
      agreement: { calls: 1, outvoted: 1 },
      challenges: {
        ended: 3,
        byVerdict: { overturned: 1, upheld: 1, open: 1 },
        forfeitedGwei: 1_500,
        caught: { b: 1, c: 1 },
      },
      work: { primaryS: 3, speculativeS: 1, extraPercent: 33.333 },
      ledgerBalanced: true,
      quarantines: 1,
      missedEvents: 0,
      out: null,
    });
  });

  it("never gives a percentile above the greatest value", () => {
    expect(summaryOf(RACE).latencyMs.job).toEqual({ count: 9, p50Ms: 12.5, p99Ms: 2_345, maxMs: 2_345 });
  });

  it("has every number with its unit, in 80 columns", () => {
    const text = formatSummary(summaryOf(RACE));
    expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect(text).toBe(
      `
  transactions submitted      5
    accepted                  3
    refused                   2: 1 underfunded, 1 overloaded
    sealed                    3 (2 with inference)
    of these in the slow lane 1
    refunded                  1: 1 expired
  blocks sealed               2, after the cut-off by p50 0.3 ms, p99 3.0 ms
  blocks added by inference   p50 0, p99 2
  job latency                 p50 12.5 ms, p99 2,345 ms, max 2,345 ms
    tee                       1 won, p50 12.5 ms, p99 12.5 ms
                              emulated enclaves, which protect nothing
  admission to seal           p50 12.5 ms, p99 2,345 ms
  verification                p50 12.5 ms, p99 2,345 ms
  copies launched             5, of these 2 speculative
  wins by speculative copies  1
  stragglers cancelled        1
  copies lost                 1: 1 lease-expired
  proofs rejected             2: 1 bad-signature
  answers of several          1 calls backed by others, 1 answers outvoted
  challenges                  3: 1 overturned, 1 upheld, 1 open
    bonds forfeited           1,500 gwei: b lied 1×, c lied 1×
  quarantines of nodes        1
  extra work                  33.3 % (1.0 s speculative on 3.0 s)
  fees escrowed               1,440,000 gwei
    paid to nodes             821,000 gwei
    refunded to users         618,000 gwei
    still held                1,000 gwei
  ledger                      balanced: paid + refunded + held = escrowed`.slice(1),
    );
  });

  it("says when a gwei is missing", () => {
    const summary = summaryOf(RACE, { ledger: { ...statistics.ledger, paidGwei: 820_999 } });
    expect(summary.ledgerBalanced).toBe(false);
    expect(formatSummary(summary)).toMatch(/ledger +DOES NOT ADD UP$/);
  });

  it("says when events were missed, so that its counts are too low", () => {
    const summary = summaryOf([...RACE, { kind: "lagged", missed: 12 }]);
    expect(formatSummary(summary)).toMatch(/not counted +12 events, which came too fast$/);
  });

  it("is all zeros for a run in which nothing happened", () => {
    const none = { workUs: 0, speculativeWorkUs: 0, proofsRejected: 0 };
    const summary = summaryOf([], { counters: none });
    expect(summary.work.extraPercent).toBe(0);
    expect(summary.blocksAdded).toEqual({ p50: 0, p99: 0 });
    expect(formatSummary(summary)).toContain("copies lost                 0\n");
  });
});

describe("the tally", () => {
  it("knows which copies still run", () => {
    expect([...tallied(RACE.slice(0, 4)).running.keys()]).toEqual([2, 3]);
    // A challenger's copy ends with its challenge.
    expect([...tallied(RACE.slice(0, -3)).running.keys()]).toEqual([5]);
    expect(tallied(RACE).running.size).toBe(0);
    expect(Object.fromEntries(tallied(RACE).wonBy)).toEqual({ b: 1 });
    expect(Object.fromEntries(tallied(RACE).lostBy)).toEqual({ a: 1, d: 1 });
  });
});
