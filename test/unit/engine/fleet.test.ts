import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Bench, call, dispatched, kindsOf, said } from "./bench.ts";

function alarms(commands: readonly Command[]) {
  return said(commands, "alarm").map(({ alarm }) => alarm);
}

/** So long that waiting for a rest to end does not end it. */
const PATIENT = { ttlBlocks: 1_000 };
const ONE = { kind: "fixed", copies: 1 } as const;
const REST = { quarantineAfter: 2, quarantineUs: 1_000_000, maxQuarantineUs: 3_000_000, redundancyFloor: 1 };

/** Races whose copies all go to the one node that is there, and fail. */
function failures(bench: Bench, count: number): Command[] {
  const commands: Command[] = [];
  for (let n = 0; n < count; n++) {
    const [copy] = bench.race(PATIENT);
    if (copy !== undefined) commands.push(...bench.fail(copy));
    bench.tell({ kind: "withdrawn", hash: "alice/0" });
  }
  return commands;
}

describe("a node that errs", () => {
  it("rests after so many errors in a row, gets nothing meanwhile, and is asked again afterwards", () => {
    const bench = new Bench({ policy: ONE, races: REST, nodes: ["bad"] });
    const [first] = bench.race() as [CopyView];
    const [second] = dispatched(bench.fail(first)) as [CopyView];
    const commands = bench.fail(second);
    const untilUs = bench.nowUs + 1_000_000;
    expect(alarms(commands)).toContainEqual({ kind: "node-quarantined", node: "bad", untilUs, reason: "error" });
    expect(dispatched(commands)).toEqual([]);
    expect(dispatched(bench.wait(999))).toEqual([]);
    expect(dispatched(bench.wait(150)).map(({ node }) => node.id)).toEqual(["bad"]);
  });

  it("rests twice as long each time, up to a limit; one accepted answer makes it good again", () => {
    const bench = new Bench({ policy: ONE, races: REST, nodes: ["bad"] });
    const rests: number[] = [];
    const rest = (errors: number): void => {
      for (const alarm of alarms(failures(bench, errors)))
        if (alarm.kind === "node-quarantined") rests.push(alarm.untilUs - bench.nowUs);
      bench.wait(10_000);
    };
    rest(2);
    // After a rest one more error is enough.
    for (let n = 0; n < 3; n++) rest(1);
    const [copy] = bench.race(PATIENT) as [CopyView];
    bench.win(copy);
    bench.tell({ kind: "withdrawn", hash: "alice/0" });
    rest(1);
    expect(rests).toEqual([1_000_000, 2_000_000, 3_000_000, 3_000_000]);
    rest(1);
    expect(rests.at(-1)).toBe(1_000_000);
  });

  it("is not blamed for a proof that the verifier could not judge", () => {
    const bench = new Bench({ policy: ONE, races: { ...REST, quarantineAfter: 1 } });
    const [copy] = bench.race() as [CopyView];
    bench.answer(copy);
    expect(alarms(bench.judge(copy, false, "verifier-crashed"))).toEqual([]);
  });

  it("rests at once when it signed two answers to one assignment", () => {
    const bench = new Bench({ races: { redundancyFloor: 0 } });
    const [copy] = bench.race() as [CopyView];
    bench.answer(copy, "one");
    expect(alarms(bench.answer(copy, "other", "another output"))).toEqual([]);
    expect(alarms(bench.tell({ kind: "suspicion-judged", copy: copy.id, signed: true }))).toMatchObject([
      { kind: "node-quarantined", node: copy.node.id, reason: "equivocation" },
    ]);
  });
});

describe("a node's load", () => {
  it("is at least what it reports: one that is busy with others' work gets nothing until it says otherwise", () => {
    const bench = new Bench({ policy: ONE, nodes: ["a"] });
    bench.tell({ kind: "node-reported", node: "a", running: 8, queued: 0, warm: [] });
    expect(bench.race()).toEqual([]);
    const commands = bench.tell({ kind: "node-reported", node: "a", running: 1, queued: 0, warm: ["m"] });
    expect(dispatched(commands)).toHaveLength(1);
  });

  it("warm nodes come first", () => {
    const bench = new Bench({ policy: ONE, nodes: ["a", "b", "c", "d"] });
    bench.tell({ kind: "node-reported", node: "c", running: 0, queued: 0, warm: ["m"] });
    const used = [0, 1, 2].flatMap((nonce) => bench.race({ nonce }).map(({ node }) => node.id));
    expect(used).toEqual(["c", "c", "c"]);
  });
});

describe("redundancy", () => {
  const racing = () => {
    const bench = new Bench({ nodes: ["a", "b"] });
    const copies = bench.race({ ttlBlocks: 20 });
    const [onA, onB] = [...copies].sort((x, y) => (x.node.id < y.node.id ? -1 : 1)) as [CopyView, CopyView];
    return { bench, onA, onB };
  };

  it("collapses openly: an alarm, the slow lane with its reason, and a Cancel for the lost copy (P14)", () => {
    const { bench, onB } = racing();
    const commands = bench.leave("b");
    expect(alarms(commands)).toEqual([
      { kind: "redundancy", model: "m", mode: "vanilla", state: "collapsed", domains: 1 },
    ]);
    expect(said(commands, "notify").map(({ transaction }) => transaction)).toMatchObject([
      { hash: "alice/0", lane: "slow", slowReason: "redundancy-collapsed" },
    ]);
    expect(said(commands, "cancel").map(({ copy, reason }) => [copy.id, reason])).toEqual([[onB.id, "node-left"]]);
    expect(dispatched(commands)).toEqual([]);
  });

  it("is counted in operators: a second node of the same one is none", () => {
    const bench = new Bench({ nodes: ["a"] });
    expect(alarms(bench.join("a2", { operator: "a" }))).toEqual([]);
    expect(alarms(bench.join("b"))).toMatchObject([{ kind: "redundancy", state: "healthy", domains: 2 }]);
    expect(alarms(bench.join("b"))).toEqual([]);
  });

  it("gone altogether ends in a refund when the time is over, and in nothing before (P8)", () => {
    const { bench } = racing();
    bench.leave("b");
    bench.leave("a");
    expect(dispatched(bench.wait(9_000))).toEqual([]);
    expect(kindsOf(bench.openBlock(20))).toEqual([]);
    const commands = bench.openBlock(21);
    expect(said(commands, "notify")[0]?.transaction).toMatchObject({ state: "refunded", lane: "slow" });
    expect(bench.engine.ledger).toMatchObject({ heldGwei: 0, refundedGwei: 10 });
    expect(bench.engine.account("alice")?.depositGwei).toBe(100_000);
  });

  it("recovers openly: later transactions are fast; who was slowed stays so, and is sealed as such", () => {
    const { bench, onA } = racing();
    bench.leave("b");
    const commands = bench.join("d");
    expect(alarms(commands)).toMatchObject([{ kind: "redundancy", state: "healthy", domains: 2 }]);
    expect(bench.race({ nonce: 1 })).toHaveLength(2);
    expect(bench.engine.status("alice/1")?.lane).toBe("fast");
    bench.win(onA);
    bench.complete("alice/0");
    const sealed = said(bench.seal(1), "sealed")[0]?.block.transactions;
    expect(sealed).toMatchObject([{ hash: "alice/0", lane: "slow", slowReason: "redundancy-collapsed" }]);
    expect(bench.engine.counters.sealedSlow).toBe(1);
  });

  it("that is too low at admission means the slow lane from the beginning, one copy at a time", () => {
    const bench = new Bench({ nodes: ["a"] });
    expect(bench.race()).toHaveLength(1);
    expect(bench.engine.status("alice/0")).toMatchObject({ lane: "slow", slowReason: "redundancy-collapsed" });
  });

  it("admits for a class without nodes, whose jobs start when one comes", () => {
    const bench = new Bench({ nodes: ["a"], races: { redundancyFloor: 1 } });
    bench.leave("a");
    const calls = [call("d")];
    expect(kindsOf(bench.submit({ calls }))).toContain("accepted");
    expect(dispatched(bench.discover("alice/0", calls))).toEqual([]);
    expect(bench.engine.status("alice/0")?.lane).toBe("slow");
    expect(dispatched(bench.join("z")).map(({ node }) => node.id)).toEqual(["z"]);
  });
});
