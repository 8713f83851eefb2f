import { describe, expect, it } from "vitest";
import { estimate, studentQuantile } from "../../../sim/experiment/statistics.ts";
import { streamFor } from "../../../sim/kernel/streams.ts";

describe("Student's interval", () => {
  it.each([
    [0.975, 1, 12.7062],
    [0.975, 9, 2.26216],
    [0.995, 9, 3.24984],
    [0.995, 19, 2.86093],
    [0.975, 999, 1.96234],
  ])("the printed table: t(%f; %i) = %f", (p, degrees, expected) => {
    expect(studentQuantile(p, degrees)).toBeCloseTo(expected, 4);
  });

  it("covers the mean as often as it says", () => {
    const stream = streamFor(1, 0, "coverage");
    const trials = 4_000;
    let covered = 0;
    for (let trial = 0; trial < trials; trial++) {
      const { interval } = estimate(
        Array.from({ length: 5 }, () => 3 + 2 * stream.normal()),
        0.95,
      );
      if (interval !== undefined && interval[0] <= 3 && 3 <= interval[1]) covered++;
    }
    // Four standard deviations of a binomial share.
    expect(Math.abs(covered / trials - 0.95)).toBeLessThan(4 * Math.sqrt((0.95 * 0.05) / trials));
  });

  it("one value has no interval", () => {
    expect(estimate([7], 0.95)).toEqual({ mean: 7, interval: undefined });
  });
});
