import { describe, expect, it } from "vitest";
import type { CopyView, TransactionView } from "../../../scheduler/engine/commands.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { CallTerms } from "../../../scheduler/shared/vocabulary.ts";
import { Bench, call, dispatched, kindsOf, said } from "./bench.ts";

const UNDECLARED = { calls: undefined, escrowGwei: 30 } as const;

/** One copy per call: enough to win each. */
function byCall(copies: readonly CopyView[]): CopyView[] {
  return [...new Map(copies.map((copy) => [copy.race.call.digest, copy])).values()];
}

describe("calls that depend on answers", () => {
  it("are found round by round, until one asks for nothing more", () => {
    const bench = new Bench();
    const [first, second, third] = [call("first"), call("second"), call("third")] as [CallTerms, CallTerms, CallTerms];
    const asked: TransactionView[] = [];
    const askedBy = (commands: Parameters<typeof said>[0]): void => {
      for (const { transaction } of said(commands, "preExecute")) asked.push(transaction);
    };
    askedBy(bench.submit(UNDECLARED));
    for (const copy of byCall(dispatched(bench.discover("alice/0", [first])))) askedBy(bench.win(copy));
    const raced = byCall(dispatched(bench.discover("alice/0", [first, second, third])));
    expect(raced.map(({ race }) => race.call.digest)).toEqual(["second", "third"]);
    for (const copy of raced) askedBy(bench.win(copy));
    expect(asked.map(({ round, calls }) => [round, calls.map(({ result }) => result?.digest)])).toEqual([
      [1, []],
      [2, ["first"]],
      [3, ["first", "second", "third"]],
    ]);
    bench.complete("alice/0");
    expect(bench.sealed(1)).toEqual(["alice/0"]);
    expect(bench.engine.counters.racesDecided).toBe(3);
  });

  it("wait for the last answer of their round", () => {
    const bench = new Bench();
    bench.submit(UNDECLARED);
    const [one, two] = byCall(dispatched(bench.discover("alice/0", [call("one"), call("two")]))) as [
      CopyView,
      CopyView,
    ];
    expect(said(bench.win(two), "preExecute")).toEqual([]);
    expect(said(bench.win(one), "preExecute")).toHaveLength(1);
  });

  it("that ask again for what is answered come to no end: the transaction leaves", () => {
    const bench = new Bench();
    bench.submit(UNDECLARED);
    for (const copy of byCall(dispatched(bench.discover("alice/0", [call("one")])))) bench.win(copy);
    const commands = bench.discover("alice/0", [call("one")]);
    expect(said(commands, "notify")[0]?.transaction).toMatchObject({
      state: "refunded",
      refundReason: "pre-execution-failed",
    });
    expect(bench.engine.ledger.heldGwei).toBe(0);
  });

  it("have a limit of rounds", () => {
    const bench = new Bench({ limits: { maxRounds: 3 } });
    bench.submit({ calls: undefined, escrowGwei: 100 });
    const calls: CallTerms[] = [];
    for (let round = 1; round <= 3; round++) {
      calls.push(call(`call ${round}`));
      expect(bench.engine.status("alice/0")?.round).toBe(round);
      for (const copy of byCall(dispatched(bench.discover("alice/0", calls)))) bench.win(copy);
    }
    expect(bench.engine.status("alice/0")).toBeUndefined();
    expect(bench.engine.account("alice")?.depositGwei).toBe(100_000);
  });

  it.each([
    ["more than the sender's cap", [call("d", { maxFeeGwei: 31 })]],
    ["a model that nobody ever offered", [call("d", { model: "n" })]],
    ["too many", Array.from({ length: 17 }, (_, index) => call(`d${index}`, { maxFeeGwei: 1 }))],
  ])("cost the transaction when they are %s", (_, calls) => {
    const bench = new Bench();
    bench.submit(UNDECLARED);
    bench.discover("alice/0", calls);
    expect(bench.engine.status("alice/0")).toBeUndefined();
    expect(bench.engine.sizes).toMatchObject({ races: 0, copies: 0, waiting: 0 });
    expect(bench.engine.account("alice")?.depositGwei).toBe(100_000);
  });
});

describe("a pre-executor's answer", () => {
  it("to an older round is late", () => {
    const bench = new Bench();
    bench.submit(UNDECLARED);
    const { id: tx } = bench.engine.status("alice/0") as TransactionView;
    for (const copy of byCall(dispatched(bench.discover("alice/0", [call("one")])))) bench.win(copy);
    expect(bench.tell({ kind: "pre-executed", tx, round: 1, readSet: [] })).toEqual([]);
    expect(bench.tell({ kind: "calls-discovered", tx, round: 1, calls: [call("two")] })).toEqual([]);
    expect(bench.tell({ kind: "pre-execution-failed", tx, round: 1, reason: "reverted" })).toEqual([]);
    expect(bench.tell({ kind: "pre-execution-failed", tx: 99, round: 1, reason: "reverted" })).toEqual([]);
    expect(bench.engine.counters.lateEvents).toBe(4);
  });

  it("that it failed refunds the transaction", () => {
    const bench = new Bench();
    bench.submit(UNDECLARED);
    const { id: tx, round } = bench.engine.status("alice/0") as TransactionView;
    const commands = bench.tell({ kind: "pre-execution-failed", tx, round, reason: "reverted" });
    expect(kindsOf(commands)).toEqual(["moved", "ordered", "notify"]);
    expect(said(commands, "notify")[0]?.transaction.refundReason).toBe("pre-execution-failed");
  });

  it("with more keys than may be read costs the transaction", () => {
    const bench = new Bench({ limits: { maxReadSet: 2 } });
    bench.submit(UNDECLARED);
    bench.complete("alice/0", ["x", "y", "z"]);
    expect(bench.engine.status("alice/0")).toBeUndefined();
  });
});

describe("a restart", () => {
  /** One transaction in pre-execution, one with a copy that runs and one whose proof is being verified, one ready. */
  function busy(): { bench: Bench; running: CopyView; verifying: CopyView } {
    const bench = new Bench();
    const [running, verifying] = bench.race({ nonce: 0 }) as [CopyView, CopyView];
    bench.accept(running);
    bench.answer(verifying);
    bench.submit({ nonce: 1, ...UNDECLARED });
    bench.submit({ nonce: 2 });
    return { bench, running, verifying };
  }

  it("gives every command again whose effect may be lost, with the same ids", () => {
    const { bench, running, verifying } = busy();
    const commands = bench.tell({ kind: "restarted" });
    expect(kindsOf(commands).sort()).toEqual(["dispatch", "preExecute", "verify"]);
    expect(said(commands, "preExecute")[0]?.transaction).toMatchObject({ hash: "alice/1", round: 1 });
    expect(dispatched(commands)[0]).toMatchObject({ id: running.id, nonce: running.nonce, node: running.node });
    expect(said(commands, "verify")[0]?.copy).toMatchObject({ id: verifying.id, nonce: verifying.nonce });
    expect(kindsOf(bench.tell({ kind: "restarted" })).sort()).toEqual(["dispatch", "preExecute", "verify"]);
    expect(bench.engine.counters.copiesLaunched).toBe(2);
  });

  it("expects that a copy given again is accepted again", () => {
    const { bench, running } = busy();
    bench.tell({ kind: "restarted" });
    bench.accept(running);
    expect(bench.wait(2_000)).toEqual([]);
    bench.tell({ kind: "restarted" });
    const silent = said(bench.wait(1_000), "lost").map(({ copy, reason }) => [copy.id, reason]);
    expect(silent).toEqual([[running.id, "not-accepted"]]);
  });

  it("ends copies whose lease ran out meanwhile, and replaces them", () => {
    const { bench, running } = busy();
    bench.nowUs = running.leaseUs;
    const commands = bench.tell({ kind: "restarted" });
    expect(said(commands, "cancel").map(({ copy, reason }) => [copy.id, reason])).toEqual([
      [running.id, "lease-expired"],
    ]);
    expect(dispatched(commands).map(({ id }) => id)).not.toContain(running.id);
    expect(dispatched(commands)).toHaveLength(1);
  });

  it("from a snapshot goes on as if nothing had been", () => {
    const { bench, verifying } = busy();
    const other = new Bench();
    other.nowUs = bench.nowUs;
    other.engine = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify(bench.engine.snapshot())));
    expect(other.engine.snapshot()).toEqual(bench.engine.snapshot());
    const story = (each: Bench) => [
      ...each.wait(50),
      ...each.judge(verifying, false, "bad-signature"),
      ...each.wait(2_000),
      ...each.complete("alice/1"),
      ...each.seal(1),
      ...each.openBlock(40),
    ];
    expect(story(other)).toEqual(story(bench));
    expect(other.engine.snapshot()).toEqual(bench.engine.snapshot());
  });

  it("keeps the policy that was changed", () => {
    const bench = new Bench();
    bench.tell({ kind: "policy-changed", policy: { kind: "fixed", copies: 3 } });
    bench.engine = Engine.restore(bench.engine.config, bench.engine.snapshot());
    expect(bench.race()).toHaveLength(3);
  });
});

describe("a wake-up", () => {
  it("that finds nothing due has no effect, and a clock that goes back stands still", () => {
    const bench = new Bench();
    bench.race();
    const before = bench.engine.snapshot();
    expect(bench.tell({ kind: "woken" })).toEqual([]);
    bench.nowUs -= 500_000;
    expect(bench.tell({ kind: "woken" })).toEqual([]);
    expect(bench.engine.snapshot()).toEqual(before);
  });
});
