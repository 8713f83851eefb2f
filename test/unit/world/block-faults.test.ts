import { describe, expect, it } from "vitest";
import { near, perJob, play } from "./small-world.ts";

const BLOCKS = { intervalMs: 500, ttlBlocks: 100 };

describe("blocks that keep no time", () => {
  it("come as often as those that do, earlier and later than announced", () => {
    const steady = play({ jobs: 5_000, blocks: BLOCKS });
    const jittery = play({ jobs: 5_000, blocks: { ...BLOCKS, jitterMs: 250 } });
    expect(jittery.sealed).toBe(5_000);
    expect(Math.abs(jittery.simulatedUs - steady.simulatedUs)).toBeLessThan(1e6);
    expect(jittery.simulatedUs % 500_000).not.toBe(0);
    expect(steady.simulatedUs % 500_000).toBe(0);
  });
});

describe("a chain that takes blocks back", () => {
  /** With q = 1 − 1/everyBlocks, what is sealed is taken back q^−depth − 1 times before it is final. */
  it.each([
    { everyBlocks: 10, depth: 3 },
    { everyBlocks: 4, depth: 1 },
  ])("takes each transaction back as often as theory says ($everyBlocks, $depth)", (reorgs) => {
    const run = play({ blocks: { ...BLOCKS, reorgs } });
    expect(run.sealed).toBe(run.jobs);
    // Each job was answered once: its result is used again.
    expect(run.copies).toBe(run.jobs);
    near(perJob(run).reorged, (1 - 1 / reorgs.everyBlocks) ** -reorgs.depth - 1, 0.06);
    const { blockSeries } = run;
    expect(blockSeries?.lateness.reduce((sum, count) => sum + count, 0)).toBe(run.sealed);
    expect(run.blocksLate).toBeGreaterThan(run.reorged);
  });

  it("refunds who does not come through within its blocks", () => {
    const blocks = { intervalMs: 500, ttlBlocks: 1, reorgs: { everyBlocks: 2, depth: 1 } };
    const run = play({ blocks, jobs: 5_000, service: { kind: "exponential", meanMs: 300 } });
    expect(run.sealed + run.refunded + run.refused).toBe(5_000);
    expect(run.refunded).toBeGreaterThan(1_000);
  });
});

describe("admission", () => {
  it("never wants for money: senders pay in again, however dear the answers", () => {
    const classes = [{ name: "dear", count: 10, priceGwei: 1_000 }];
    const run = play({ jobs: 10_000, blocks: BLOCKS }, { nodes: 10, classes });
    expect(run.sealed).toBe(10_000);
    expect(run.feesGwei).toBe(10_000 * 1_000);
  });

  it("refuses jobs that have no chance to be answered in time, and counts them", () => {
    // The last block of a job is the open one: who comes later than 50 ms into its 500 ms is too late.
    const service = { kind: "deterministic", ms: 450 };
    const run = play({ blocks: { intervalMs: 500, ttlBlocks: 1 }, service });
    expect(run.sealed + run.refunded + run.refused).toBe(run.jobs);
    // The engine's estimate takes durations for up to a twentieth longer than they are.
    expect(run.refused / run.jobs).toBeGreaterThan(0.9);
    expect(run.refused / run.jobs).toBeLessThan(0.955);
    expect(run.sealed).toBe(run.jobs - run.refused);
  });
});
