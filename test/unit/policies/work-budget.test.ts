import { describe, expect, it } from "vitest";
import { type BudgetSpec, WorkBudget } from "../../../policies/index.ts";
import { MAX_BUCKETS } from "../../../policies/token-buckets.ts";
import { DENIED } from "../../../policies/work-budget.ts";

const [M, N] = ["m/vanilla", "n/vanilla"] as const;

/** A budget with the copies that it granted, so that a test can end them. */
class Desk {
  readonly budget: WorkBudget;

  constructor(spec: BudgetSpec) {
    this.budget = new WorkBudget(spec);
  }

  /** Gives the copy's end, to be called with what it used; `undefined` when it was denied. */
  launch(reservedUs: number, served: string = M, sender = "alice"): ((usedUs: number) => void) | undefined {
    const grant = this.budget.reserve(reservedUs, served, sender);
    if (grant === DENIED) return undefined;
    return (usedUs) => this.budget.settle(grant, { reservedUs, usedUs, served, sender });
  }

  left(served: string = M, sender = "alice"): number {
    return this.budget.availableUs(served, sender);
  }
}

describe("a work budget", () => {
  it("allows a burst before any primary work was done, and not a microsecond more", () => {
    const desk = new Desk({ ratio: 0.5, burstMs: 10 });
    expect(desk.left()).toBe(10_000);
    expect(desk.launch(10_001)).toBeUndefined();
    expect(desk.launch(6_000)).toBeDefined();
    expect(desk.launch(4_001)).toBeUndefined();
    expect(desk.launch(4_000)).toBeDefined();
    expect(desk.left()).toBe(0);
  });

  it("gets back what a copy reserved and did not use", () => {
    const desk = new Desk({ ratio: 0, burstMs: 10 });
    desk.launch(8_000)?.(3_000);
    expect(desk.left()).toBe(7_000);
  });

  it("earns its ratio of primary work, rounded down", () => {
    const desk = new Desk({ ratio: 0.25, burstMs: 1 });
    desk.launch(1_000)?.(1_000);
    desk.budget.earn(2_003, M, "alice");
    expect(desk.left()).toBe(500);
  });

  it("never holds more than its burst: what was not spent in a quiet hour is no licence for the next minute", () => {
    const desk = new Desk({ ratio: 0.5, burstMs: 10 });
    for (let job = 0; job < 1_000; job++) desk.budget.earn(7_000_000, M, "alice");
    expect(desk.left()).toBe(10_000);
    // Not even by what is reserved while it earns, and comes back.
    const end = desk.launch(6_000);
    desk.budget.earn(7_000_000, M, "alice");
    expect(desk.left()).toBe(4_000);
    end?.(0);
    expect(desk.left()).toBe(10_000);
  });

  it("without a limit has no books to keep", () => {
    const desk = new Desk("unlimited");
    const end = desk.launch(Number.MAX_SAFE_INTEGER);
    end?.(5);
    desk.budget.earn(5, M, "alice");
    expect([desk.budget.unlimited, desk.left()]).toEqual([true, Number.MAX_SAFE_INTEGER]);
  });

  it("goes on from a snapshot, also with what is reserved in buckets that are not in force", () => {
    const whole = { ratio: 0.5, burstMs: 10, perClass: { ratio: 1, burstMs: 8 }, perSender: { ratio: 0, burstMs: 7 } };
    const desk = new Desk(whole);
    desk.launch(2_000, M, "alice");
    desk.launch(1_000, N, "bob")?.(400);
    desk.budget.change({ ratio: 0.5, burstMs: 10 });
    const restored = new WorkBudget("unlimited");
    restored.restore(JSON.parse(JSON.stringify(desk.budget.snapshot())));
    for (const budget of [desk.budget, restored]) {
      budget.settle(7, { reservedUs: 2_000, usedUs: 500, served: M, sender: "alice" });
      budget.change(whole);
    }
    expect(restored.snapshot()).toEqual(desk.budget.snapshot());
    expect(restored.availableUs(M, "alice")).toBe(6_500);
    expect(restored.availableUs(N, "bob")).toBe(6_600);
  });

  it("stops on a copy that used more than it reserved, and says what is no budget", () => {
    const desk = new Desk({ ratio: 0, burstMs: 10 });
    expect(() => desk.launch(1_000)?.(1_001)).toThrow("outlived");
    expect(() => new WorkBudget({ ratio: -1, burstMs: 0 })).toThrow("ratio must be a number from 0 to 1000");
    expect(() => new WorkBudget({ ratio: 0, burstMs: Number.NaN })).toThrow("burstMs must be");
    const perSender = { ratio: 0, burstMs: -1 };
    expect(() => new WorkBudget({ ratio: 0, burstMs: 0, perSender })).toThrow("perSender: burstMs");
  });
});

describe("a budget by class and by sender", () => {
  const spec: BudgetSpec = {
    ratio: 0.5,
    burstMs: 10,
    perClass: { ratio: 0.5, burstMs: 6 },
    perSender: { ratio: 0.5, burstMs: 4 },
  };

  it("grants out of all buckets or out of none, and says which one had too little", () => {
    const desk = new Desk(spec);
    expect(desk.launch(4_001)).toBeUndefined();
    expect(desk.left()).toBe(4_000);
    expect(desk.launch(4_000)).toBeDefined();
    expect([desk.left(), desk.budget.tightest(M, "alice")]).toEqual([0, "sender"]);
    expect([desk.left(M, "bob"), desk.budget.tightest(M, "bob")]).toEqual([2_000, "class"]);
    expect(desk.launch(4_000, N, "bob")).toBeDefined();
    expect([desk.left(N, "carol"), desk.budget.tightest(N, "carol")]).toEqual([2_000, "global"]);
    expect(desk.launch(2_001, N, "carol")).toBeUndefined();
    expect(desk.budget.globalUs).toBe(2_000);
  });

  it("gives back to the buckets that a copy was granted by, whatever is asked of others meanwhile", () => {
    const desk = new Desk({ ratio: 0, burstMs: 10 });
    const early = desk.launch(5_000);
    desk.budget.change(spec);
    const late = desk.launch(1_000);
    early?.(2_000);
    expect([desk.budget.globalUs, desk.left()]).toEqual([7_000, 3_000]);
    late?.(0);
    expect([desk.budget.globalUs, desk.left()]).toEqual([8_000, 4_000]);
  });

  it("earns for the class and the sender of the primary copy, and for nobody else", () => {
    const desk = new Desk(spec);
    desk.launch(4_000, M, "alice")?.(4_000);
    desk.budget.earn(2_000, N, "bob");
    expect([desk.left(M, "alice"), desk.budget.globalUs]).toEqual([0, 7_000]);
    desk.budget.earn(2_000, M, "alice");
    expect(desk.left(M, "alice")).toBe(1_000);
  });

  it("forgets who owes nothing, and denies openly when too many owe something", () => {
    const desk = new Desk({ ratio: 1, burstMs: 86_400_000, perSender: { ratio: 1, burstMs: 1 } });
    for (let index = 0; index < MAX_BUCKETS; index++) desk.launch(1, M, `s${index}`)?.(1);
    expect([desk.left(M, "one more"), desk.budget.tightest(M, "one more")]).toEqual([0, "crowded"]);
    expect(desk.launch(1, M, "one more")).toBeUndefined();
    expect(desk.left(M, "s7")).toBe(999);
    desk.budget.earn(1, M, "s7");
    expect(desk.left(M, "one more")).toBe(1_000);
  });
});

describe("a change of the budget", () => {
  it("keeps levels: a larger bucket fills by work, and what no longer fits into a smaller one is gone", () => {
    const desk = new Desk({ ratio: 1, burstMs: 10 });
    desk.launch(4_000)?.(4_000);
    desk.budget.change({ ratio: 1, burstMs: 20 });
    expect(desk.left()).toBe(6_000);
    desk.budget.earn(99_000, M, "alice");
    expect(desk.left()).toBe(20_000);
    desk.budget.change({ ratio: 1, burstMs: 5 });
    expect(desk.left()).toBe(5_000);
  });

  it("leaves copies what they hold, and grants nothing until that fits into the new one", () => {
    const desk = new Desk({ ratio: 0, burstMs: 10 });
    const [first, second] = [desk.launch(5_000), desk.launch(5_000)];
    desk.budget.change({ ratio: 0, burstMs: 6 });
    first?.(0);
    expect(desk.left()).toBe(1_000);
    second?.(5_000);
    expect(desk.left()).toBe(1_000);
  });

  it("to no limit and back finds the books as they were", () => {
    const spec: BudgetSpec = { ratio: 1, burstMs: 10 };
    const desk = new Desk(spec);
    const early = desk.launch(7_000);
    desk.budget.change("unlimited");
    const free = desk.launch(50_000);
    early?.(6_000);
    desk.budget.change(spec);
    free?.(50_000);
    expect(desk.left()).toBe(4_000);
  });
});
