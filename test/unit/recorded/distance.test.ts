import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ascending, ksDistance, quantile } from "../../../sim/recorded/distance.ts";

/** Few different values, so that samples have many in common. */
const samples = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 40 });

function share(values: readonly number[], upTo: number): number {
  return values.filter((value) => value <= upTo).length / values.length;
}

describe("the distance of Kolmogorov and Smirnov", () => {
  it("is the largest difference of the distribution functions", () => {
    fc.assert(
      fc.property(samples, samples, (a, b) => {
        const differences = [...a, ...b].map((x) => Math.abs(share(a, x) - share(b, x)));
        expect(ksDistance(a, b)).toBeCloseTo(Math.max(...differences), 12);
      }),
    );
  });

  it("is 0 of equal samples, 1 of disjoint ones, and none of nothing", () => {
    expect(ksDistance([1, 2, 2], [2, 1, 2])).toBe(0);
    expect(ksDistance([1, 2], [3, 4, 5])).toBe(1);
    expect(ksDistance([], [1])).toBeNaN();
  });
});

describe("a quantile", () => {
  it("is the smallest value that the share does not exceed", () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0.001, max: 1, noNaN: true }), (values, p) => {
        const found = quantile(ascending(values), p);
        expect(share(values, found)).toBeGreaterThanOrEqual(p - 1e-12);
        expect(share(values, found - 1)).toBeLessThan(p);
      }),
    );
    expect(quantile([], 0.5)).toBeNaN();
  });
});
