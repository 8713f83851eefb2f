import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BudgetSpec, WorkBudget } from "../../../policies/index.ts";

describe("work budget", () => {
  it("allows a burst before any primary work was done, and not a microsecond more", () => {
    const budget = new WorkBudget({ ratio: 0.5, burstMs: 10 });
    expect(budget.availableUs).toBe(10_000);
    expect(budget.reserve(10_001)).toBe(false);
    expect(budget.reserve(6_000)).toBe(true);
    expect(budget.reserve(4_001)).toBe(false);
    expect(budget.reserve(4_000)).toBe(true);
    expect(budget.availableUs).toBe(0);
  });

  it("gets back what a copy reserved and did not use", () => {
    const budget = new WorkBudget({ ratio: 0, burstMs: 10 });
    budget.reserve(8_000);
    budget.settle(8_000, 3_000);
    expect(budget.availableUs).toBe(7_000);
  });

  it("earns its ratio of primary work, rounded down", () => {
    const budget = new WorkBudget({ ratio: 0.25, burstMs: 0 });
    expect(budget.reserve(1)).toBe(false);
    budget.earn(10_003);
    expect(budget.availableUs).toBe(2_500);
  });

  it("without a limit has no books to keep", () => {
    const budget = new WorkBudget("unlimited");
    expect([budget.unlimited, budget.reserve(Number.MAX_SAFE_INTEGER)]).toEqual([true, true]);
    budget.settle(1, 2);
    budget.earn(5);
    expect(budget.reserve(Number.MAX_SAFE_INTEGER)).toBe(true);
  });

  it("goes on from a snapshot", () => {
    const spec = { ratio: 0.5, burstMs: 10 };
    const budget = new WorkBudget(spec);
    budget.reserve(9_000);
    budget.settle(4_000, 1_000);
    budget.earn(500);
    const restored = new WorkBudget(spec);
    restored.restore(JSON.parse(JSON.stringify(budget.snapshot())));
    expect(restored.availableUs).toBe(10_000 + 250 - 1_000 - 5_000);
    expect(restored.snapshot()).toEqual(budget.snapshot());
  });

  it("stops on a copy that used more than it reserved, and on a negative budget", () => {
    const budget = new WorkBudget({ ratio: 0, burstMs: 10 });
    budget.reserve(1_000);
    expect(() => budget.settle(1_000, 1_001)).toThrow("outlived");
    expect(() => new WorkBudget({ ratio: -1, burstMs: 0 })).toThrow("not negative");
  });

  it("P6: used + reserved ≤ burst + ratio × primary at every step, and no less is granted than that allows", () => {
    const specs = fc.record({ ratio: fc.constantFrom(0, 0.1, 0.5, 1, 3), burstMs: fc.nat(20) });
    const step = fc.oneof(
      fc.record({ do: fc.constant("reserve" as const), us: fc.nat(15_000) }),
      fc.record({
        do: fc.constant("settle" as const),
        pick: fc.nat(99),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.record({ do: fc.constant("earn" as const), us: fc.nat(20_000) }),
    );
    fc.assert(
      fc.property(
        specs,
        fc.array(step, { maxLength: 80, size: "large" }),
        (spec: Exclude<BudgetSpec, string>, steps) => {
          const budget = new WorkBudget(spec);
          const running: number[] = [];
          let [primary, used] = [0, 0];
          const left = (): number =>
            1_000 * spec.burstMs + spec.ratio * primary - used - running.reduce((sum, us) => sum + us, 0);
          for (const one of steps) {
            if (one.do === "earn") {
              budget.earn(one.us);
              primary += one.us;
            } else if (one.do === "reserve") {
              const granted = budget.reserve(one.us);
              expect(granted).toBe(one.us <= Math.floor(left()));
              if (granted) running.push(one.us);
            } else if (running.length > 0) {
              const [reserved] = running.splice(one.pick % running.length, 1) as [number];
              const usedNow = Math.floor(reserved * one.part);
              budget.settle(reserved, usedNow);
              used += usedNow;
            }
            expect(left()).toBeGreaterThanOrEqual(0);
            expect(budget.availableUs).toBe(Math.floor(left()));
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
