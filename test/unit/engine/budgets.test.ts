import { describe, expect, it } from "vitest";
import type { Alarm } from "../../../scheduler/engine/commands.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import { type Command, Recorder } from "../../../scheduler/engine/recorder.ts";
import { Strain } from "../../../scheduler/engine/strain.ts";
import { Bench, type BenchConfig, dispatched, said } from "./bench.ts";

const HEDGE = { kind: "hedge", delayMs: 200, maxCopies: 2 } as const;
const RICH = { ratio: 1, burstMs: 600_000 };

function alarms(commands: readonly Command[]): Alarm[] {
  return said(commands, "alarm").map(({ alarm }) => alarm);
}

/** A race of one slow copy per sender, up to the moment of its hedge: what was dispatched and said then. */
function lingering(bench: Bench, sender: string, model = "m"): Command[] {
  bench.tell({ kind: "deposited", account: sender, amountGwei: 1_000 });
  const [copy] = bench.race({ sender, ttlBlocks: 1_000 }, { model });
  if (copy !== undefined) bench.accept(copy);
  return bench.wait(200);
}

function benchWith(budget: NonNullable<BenchConfig["budget"]>): Bench {
  const bench = new Bench({ policy: HEDGE, budget, races: { leaseUs: 10_000_000 } });
  const offers = ["m", "n"].map((model) => ({ model, mode: "vanilla", priceGwei: 10 }) as const);
  for (const id of ["a", "b", "c"]) bench.join(id, { offers });
  return bench;
}

describe("the budget of a sender, and of a model and mode", () => {
  it("is denied by itself, openly; others go on", () => {
    const bench = benchWith({ ...RICH, perSender: { ratio: 0, burstMs: 10_000 } });
    bench.tell({ kind: "deposited", account: "alice", amountGwei: 1_000 });
    bench.race({ nonce: 0 }, {});
    const second = bench.race({ nonce: 1 }, {});
    for (const copy of second) bench.accept(copy);
    const commands = bench.wait(200);
    expect(dispatched(commands)).toHaveLength(1);
    expect(alarms(commands)).toEqual([
      { kind: "budget-exhausted", model: "m", mode: "vanilla", bucket: "sender", denials: 1 },
    ]);
    expect(dispatched(lingering(bench, "bob"))).toHaveLength(1);
    expect(bench.engine.counters.budgetDenialsSender).toBe(bench.engine.counters.budgetDenials);
  });

  it("of one class leaves the others theirs", () => {
    const bench = benchWith({ ...RICH, perClass: { ratio: 0, burstMs: 10_000 } });
    expect(dispatched(lingering(bench, "alice"))).toHaveLength(1);
    const denied = lingering(bench, "bob");
    expect([dispatched(denied), alarms(denied)[0]]).toMatchObject([[], { bucket: "class" }]);
    expect(dispatched(lingering(bench, "carol", "n"))).toHaveLength(1);
  });

  it("is dealt out in shorter leases when little is left, each as long as most copies take", () => {
    const bench = benchWith({ ratio: 0, burstMs: 10_000 });
    bench.tell({ kind: "deposited", account: "teacher", amountGwei: 100_000 });
    for (let nonce = 0; nonce < 60; nonce++) {
      const [copy] = bench.race({ sender: "teacher", nonce, ttlBlocks: 1_000 });
      if (copy === undefined) throw new Error("no copy was sent");
      bench.nowUs += 1_000_000;
      bench.win(copy);
    }
    // Three times the p99 would be over three seconds; of ten seconds that makes three copies, and a quarter each four at the least.
    const leases = ["alice", "bob", "carol", "dave", "erin", "frank"].flatMap((sender) =>
      dispatched(lingering(bench, sender)).flatMap(({ speculative, leaseUs, launchedUs }) =>
        speculative ? [leaseUs - launchedUs] : [],
      ),
    );
    expect(leases[0]).toBe(2_500_000);
    expect(leases.length).toBeGreaterThan(4);
    for (const lease of leases) expect(lease).toBeGreaterThan(1_000_000);
  });

  it("goes with a policy that brings one, and comes back with the next that brings none", () => {
    const bench = benchWith({ ratio: 0, burstMs: 0 });
    const rules = [{ name: "any", when: {}, policy: HEDGE }];
    expect(dispatched(lingering(bench, "alice"))).toEqual([]);
    bench.tell({ kind: "policy-changed", policy: { kind: "rules", name: "generous", rules, budget: "unlimited" } });
    expect(dispatched(lingering(bench, "bob"))).toHaveLength(2);
    const { config } = bench.engine;
    bench.engine = Engine.restore(config, JSON.parse(JSON.stringify(bench.engine.snapshot())));
    expect(dispatched(lingering(bench, "carol"))).toHaveLength(1);
    bench.tell({ kind: "policy-changed", policy: HEDGE });
    expect(dispatched(lingering(bench, "dave"))).toEqual([]);
  });
});

describe("what is said of denials", () => {
  const CLASS = { model: "m", mode: "vanilla" } as const;

  it("comes once in ten seconds, with the number of those that were not told", () => {
    const strain = new Strain();
    const out = new Recorder();
    for (let ms = 0; ms < 25_000; ms += 100) strain.denied(CLASS, "global", 1_000 * ms, out);
    expect(alarms(out.take())).toMatchObject([{ denials: 1 }, { denials: 100 }, { denials: 100 }]);
    // The last ones are told with the next answer after the pause, and after that there is silence.
    strain.answered(CLASS, 1_000, 40_000_000, out);
    strain.answered(CLASS, 1_000, 60_000_000, out);
    strain.answered(CLASS, 1_000, 80_000_000, out);
    expect(alarms(out.take())).toMatchObject([{ denials: 49 }]);
  });

  it("adds a brown-out when answers have become twice as slow as usual, and its end when they are not any more", () => {
    const strain = new Strain();
    const out = new Recorder();
    let nowUs = 0;
    const answers = (count: number, durationMs: number): Alarm[] => {
      for (let answer = 0; answer < count; answer++) {
        nowUs += 100_000;
        strain.answered(CLASS, 1_000 * durationMs, nowUs, out);
        strain.denied(CLASS, "class", nowUs, out);
      }
      return alarms(out.take()).filter(({ kind }) => kind === "brown-out");
    };
    expect(answers(600, 700)).toEqual([]);
    expect(answers(300, 3_500)).toMatchObject([{ state: "begun", model: "m", mode: "vanilla" }]);
    const restored = new Strain();
    restored.restore(JSON.parse(JSON.stringify(strain.snapshot())));
    expect(restored.snapshot()).toEqual(strain.snapshot());
    expect(answers(600, 700)).toMatchObject([{ state: "over" }]);
  });

  it("says nothing of slowness while speculation is granted, or before anything is usual", () => {
    const strain = new Strain();
    const out = new Recorder();
    for (let answer = 0; answer < 600; answer++) {
      strain.answered(CLASS, answer < 300 ? 700_000 : 3_500_000, 100_000 * answer, out);
    }
    const fresh = new Strain();
    for (const us of [100, 100_000, 900_000]) fresh.answered(CLASS, us, us, out);
    fresh.denied(CLASS, "global", 1_000_000, out);
    expect(alarms(out.take()).map(({ kind }) => kind)).toEqual(["budget-exhausted"]);
  });
});
