import { describe, expect, it } from "vitest";
import { DEFAULTS, type LeafSpec } from "../../../policies/index.ts";
import type { Experiment } from "../../../sim/experiment/types.ts";
import { simulate } from "../../../sim/world/simulate.ts";
import { REDUNDANCY_2, steadyBlocks } from "../../support/experiments.ts";

const JOBS = 3_000;
const REPLICATIONS = 2;

interface Worth {
  readonly blockMs: number;
  readonly blocks: number;
  readonly sealGwei: number;
  readonly lossPerBlock: number;
}

/** Mean value of sealed jobs less the price of work, at a gwei a machine-second: by replication. */
function net(policy: LeafSpec, { blockMs, blocks, sealGwei, lossPerBlock }: Worth): number[] {
  const experiment: Experiment = {
    ...REDUNDANCY_2,
    jobs: JOBS,
    warmup: 1_500,
    arrivals: { kind: "poisson", ratePerS: 1 },
    service: { kind: "lognormal", meanMs: 7_000, cv: 0.30969 },
    fleet: { ...REDUNDANCY_2.fleet, nodes: 20, operators: 20, slots: "unlimited" },
    blocks: steadyBlocks(blockMs, blocks),
    placement: { kind: "least-loaded" },
    policy,
  };
  return Array.from({ length: REPLICATIONS }, (_, replication) => {
    const { blockSeries, workUs } = simulate(experiment, replication, { samples: 0 });
    const shares = (blockSeries?.lateness ?? []).map((jobs, late) => jobs * Math.max(0, 1 - late * lossPerBlock));
    return (sealGwei * shares.reduce((sum, share) => sum + share, 0) - workUs / 1e6) / JOBS;
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const PEERS: readonly LeafSpec[] = [
  ...[1, 2].map((copies) => ({ kind: "fixed", copies }) as const),
  ...[1_000, 4_000, 7_000].flatMap((delayMs) =>
    [2, 3].map((maxCopies) => ({ kind: "hedge", delayMs, maxCopies }) as const),
  ),
];

/** THEORY.md's lognormal of mean 7 s and 95th percentile 11 s. */
describe("value less the price of work, under deadline", () => {
  const long = { blockMs: 12_000, blocks: 3, lossPerBlock: 0.5 };
  // By which share it is better than each of them, at the least.
  it.each<[string, Worth, number]>([
    ["blocks of 12 s, where what helps hangs on when in its block a call comes", { ...long, sealGwei: 80 }, 0.01],
    ["the same, worth more", { ...long, sealGwei: 160 }, 0.01],
    [
      "half-second blocks, each worth a little less",
      { blockMs: 500, blocks: 24, lossPerBlock: 0.005, sealGwei: 700 },
      -0.001,
    ],
  ])("is not beaten by one copy, by two, or by the best of a grid of hedges: %s", (_name, worth, margin) => {
    const { sealGwei, lossPerBlock } = worth;
    const ours = net({ ...DEFAULTS.deadline, sealGwei, lossPerBlock, workGweiPerS: 1 }, worth);
    for (const peer of PEERS) {
      // The same random numbers for both, replication by replication.
      const theirs = net(peer, worth);
      expect(mean(ours), JSON.stringify(peer)).toBeGreaterThan((1 + margin) * mean(theirs));
    }
  });

  it("is that of one copy where nothing is worth a second one", () => {
    const worth = { ...long, sealGwei: 20 };
    const ours = net({ ...DEFAULTS.deadline, sealGwei: 20, lossPerBlock: 0.5, workGweiPerS: 1 }, worth);
    expect(mean(ours) / mean(net({ kind: "fixed", copies: 1 }, worth))).toBeCloseTo(1, 2);
  });
});
