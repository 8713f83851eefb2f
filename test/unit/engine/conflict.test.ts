import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Accepted, judge } from "../../../scheduler/engine/conflict.ts";

function outputs(...hashes: string[]): Accepted[] {
  return hashes.map((outputHash) => ({ outputHash, value: Number.NaN }));
}

function numbers(...values: number[]): Accepted[] {
  return values.map((value, index) => ({ outputHash: `o${index}`, value }));
}

describe("agree", () => {
  const rule = { kind: "agree", k: 3 } as const;

  it("says how many answers are missing at the least", () => {
    expect(judge(rule, [])).toEqual({ missing: 3 });
    expect(judge(rule, outputs("a"))).toEqual({ missing: 2 });
    expect(judge(rule, outputs("a", "b", "c"))).toEqual({ missing: 2 });
    expect(judge(rule, outputs("a", "b", "b"))).toEqual({ missing: 1 });
  });

  it("lets the first of those win that agree", () => {
    expect(judge(rule, outputs("a", "b", "a", "c", "a"))).toEqual({ winner: 0, supporters: [2, 4] });
    expect(judge(rule, outputs("b", "a", "a", "a"))).toEqual({ winner: 1, supporters: [2, 3] });
  });
});

describe("median", () => {
  const rule = { kind: "median", k: 3, tolerance: 1 } as const;

  it("lets the middle one of three close values win", () => {
    expect(judge(rule, numbers(5.5, 4.5, 5))).toEqual({ winner: 2, supporters: [1, 0] });
  });

  it("takes the lower one of the two in the middle", () => {
    expect(judge({ ...rule, k: 2 }, numbers(2, 1))).toEqual({ winner: 1, supporters: [0] });
  });

  it("leaves out what is far off, and what is no number", () => {
    expect(judge(rule, numbers(5, 100, 5.25))).toEqual({ missing: 1 });
    expect(judge(rule, numbers(5, 100, 5.25, Number.NaN, 4.75))).toEqual({ winner: 0, supporters: [4, 2] });
    expect(judge(rule, numbers(Number.NaN, Number.POSITIVE_INFINITY))).toEqual({ missing: 3 });
  });

  it("measures the tolerance from the median, not from end to end", () => {
    expect(judge(rule, numbers(4, 5, 6))).toEqual({ winner: 1, supporters: [0, 2] });
    expect(judge(rule, numbers(4, 4, 6))).toEqual({ missing: 1 });
  });

  it("decides as soon as any k of the values fit, however they came in", () => {
    const values = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 7 });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 3 }), (given, k, tolerance) => {
        const judgement = judge({ kind: "median", k, tolerance }, numbers(...given));
        const sets = subsets(given, k).filter((set) => fits(set, tolerance));
        expect("winner" in judgement).toBe(sets.length > 0);
        if (!("winner" in judgement)) return;
        const counted = [judgement.winner, ...judgement.supporters].map((place) => given[place] as number);
        expect(counted).toHaveLength(k);
        expect(fits(counted, tolerance)).toBe(true);
        expect(given[judgement.winner]).toBe(counted.sort((a, b) => a - b)[(k - 1) >> 1]);
      }),
    );
  });
});

/** All sets of k of the values. */
function subsets(values: readonly number[], k: number): number[][] {
  if (k === 0) return [[]];
  return values.flatMap((value, index) => subsets(values.slice(index + 1), k - 1).map((rest) => [value, ...rest]));
}

function fits(values: readonly number[], tolerance: number): boolean {
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[(sorted.length - 1) >> 1] as number;
  return sorted.every((value) => Math.abs(value - median) <= tolerance);
}
