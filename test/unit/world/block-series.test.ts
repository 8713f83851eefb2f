import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simulate } from "../../../sim/world/simulate.ts";
import { BlockRecorder } from "../../../sim/world/block-series.ts";
import { REDUNDANCY_2, steadyBlocks } from "../../support/experiments.ts";

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe("what blocks carried over simulated time", () => {
  it("counts every transaction once, at its time, in at most 512 stretches, however long the run", () => {
    const times = fc.array(fc.nat(100_000_000), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), times, (intervalUs, atUs) => {
        const recorder = new BlockRecorder(intervalUs);
        const ordered = atUs.toSorted((a, b) => a - b);
        for (const [index, us] of ordered.entries()) recorder.sealed(us, index);
        const { stretchUs, sealed, blocksLate } = recorder.result();
        expect(sealed.length).toBeLessThanOrEqual(512);
        const expected = sealed.map(
          (_, stretch) => ordered.filter((us) => Math.floor(us / stretchUs) === stretch).length,
        );
        expect(sealed).toEqual(expected);
        expect(sum(sealed)).toBe(atUs.length);
        expect(sum(blocksLate)).toBe((atUs.length * (atUs.length - 1)) / 2);
      }),
    );
  });

  it("agrees with the run's own sums, and stands still without blocks", () => {
    const blocks = steadyBlocks(500, 4);
    const run = simulate({ ...REDUNDANCY_2, jobs: 2_000, warmup: 0, blocks }, 0, { samples: 0 });
    const series = run.blockSeries;
    expect(series).not.toBeNull();
    if (series === null) return;
    expect(sum(series.lateness)).toBe(run.sealed);
    expect(sum(series.lateness.map((count, late) => count * late))).toBe(run.blocksLate);
    expect(sum(series.sealed)).toBeGreaterThanOrEqual(run.sealed);
    expect(sum(series.refunded)).toBeGreaterThanOrEqual(run.refunded);
    expect(run.refunded).toBeGreaterThan(0);
    expect(sum(series.blocks)).toBe(Math.floor(run.simulatedUs / 500_000));
    expect(simulate({ ...REDUNDANCY_2, jobs: 100 }, 0, { samples: 0 }).blockSeries).toBeNull();
  });
});
