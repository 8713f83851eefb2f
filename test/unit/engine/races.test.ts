import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Bench, dispatched, kindsOf, said } from "./bench.ts";

function cancelled(commands: readonly Command[]) {
  return said(commands, "cancel").map(({ copy, reason }) => [copy.node.id, reason]);
}

function lost(commands: readonly Command[]) {
  return said(commands, "lost").map(({ copy, reason }) => [copy.node.id, reason]);
}

function nodesOf(copies: readonly CopyView[]): string[] {
  return copies.map(({ node }) => node.id).sort();
}

type Copies = [CopyView, CopyView, CopyView];

describe("a race", () => {
  it("is won by the first accepted proof; stragglers are cancelled, who answered already is outrun", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 3 } });
    const [first, second, third] = bench.race() as Copies;
    expect(nodesOf([first, second, third])).toEqual(["a", "b", "c"]);
    bench.wait(100);
    expect(said(bench.answer(second), "verify").map(({ copy }) => copy.id)).toEqual([second.id]);
    bench.answer(third);
    const commands = bench.judge(second, true);
    expect(cancelled(commands)).toEqual([[first.node.id, "race-decided"]]);
    expect(said(commands, "decided").map(({ result }) => result)).toMatchObject([
      {
        txHash: "alice/0",
        copy: second.id,
        node: second.node.id,
        nonce: second.nonce,
        answerHash: `answer of ${second.node.id}`,
        feeGwei: 10,
        decidedHeight: 1,
        validUntilHeight: 9,
        rivals: [
          { node: first.node.id, end: "cancelled", speculative: false },
          { node: third.node.id, end: "outrun", speculative: false },
        ],
      },
    ]);
    expect(said(commands, "preExecute")).toHaveLength(1);
    expect([bench.engine.sizes.races, bench.engine.sizes.copies]).toEqual([0, 0]);
  });

  it("has one winner (P1): what comes after the decision is late", () => {
    const bench = new Bench();
    const [first, second] = bench.race() as Copies;
    bench.answer(first);
    bench.answer(second);
    bench.judge(first, true);
    for (const late of [bench.judge(second, true), bench.judge(first, true), bench.answer(first), bench.fail(second)])
      expect(late).toEqual([]);
    expect(bench.engine.counters).toMatchObject({ racesDecided: 1, lateEvents: 4 });
  });

  it("is not decided by an answer, nor by a verdict on none (P2)", () => {
    const bench = new Bench();
    const [first] = bench.race() as Copies;
    expect(bench.judge(first, true)).toEqual([]);
    expect(kindsOf(bench.answer(first))).toEqual(["verify"]);
    expect(bench.engine.status("alice/0")?.state).toBe("racing");
  });

  it("takes an answer only from the node to which the copy was given (P3)", () => {
    const bench = new Bench();
    const [first, second] = bench.race() as Copies;
    expect(bench.answer({ ...first, node: second.node })).toEqual([]);
    expect(bench.engine.counters.foreignEvents).toBe(1);
    expect(kindsOf(bench.answer(first))).toEqual(["verify"]);
  });

  it("goes on with another copy on another node after a rejected proof (P4)", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 } });
    const [first] = bench.race() as Copies;
    bench.answer(first);
    const commands = bench.judge(first, false, "bad-signature");
    expect(lost(commands)).toEqual([[first.node.id, "bad-signature"]]);
    const [second] = dispatched(commands) as Copies;
    expect(second.node.id).not.toBe(first.node.id);
    expect(second.speculative).toBe(false);
    expect(bench.engine.counters.proofsRejected).toBe(1);
    const decided = said(bench.win(second), "decided")[0]?.result;
    expect(decided?.rivals).toEqual([{ node: first.node.id, end: "rejected", speculative: false }]);
  });

  it("goes on after a failure, and comes back to a node only when all others were tried", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 } });
    let [copy] = bench.race() as Copies;
    const tried = [copy.node.id];
    for (let n = 0; n < 3; n++) {
      [copy] = dispatched(bench.fail(copy)) as Copies;
      tried.push(copy.node.id);
    }
    expect(new Set(tried.slice(0, 3))).toEqual(new Set(["a", "b", "c"]));
    expect(tried).toHaveLength(4);
  });
});

describe("a lingering job", () => {
  const hedge = { kind: "hedge", delayMs: 200, maxCopies: 3 } as const;

  it("gets a speculative copy after each delay, on another operator", () => {
    const bench = new Bench({ policy: hedge });
    const [first] = bench.race() as Copies;
    bench.accept(first);
    expect(bench.wait(199)).toEqual([]);
    const [second] = dispatched(bench.wait(1)) as Copies;
    bench.accept(second);
    const [third] = dispatched(bench.wait(200)) as Copies;
    bench.accept(third);
    expect(nodesOf([first, second, third])).toEqual(["a", "b", "c"]);
    expect([first.speculative, second.speculative, third.speculative]).toEqual([false, true, true]);
    expect(dispatched(bench.wait(1_000))).toEqual([]);
    const decided = bench.win(second);
    expect(cancelled(decided)).toHaveLength(2);
    expect(bench.engine.counters).toMatchObject({ speculativeCopies: 2, speculativeWins: 1 });
  });

  it("gets none when the answer came first", () => {
    const bench = new Bench({ policy: hedge });
    bench.wait(50);
    const [first] = bench.race() as Copies;
    bench.wait(150);
    bench.win(first);
    expect(bench.wait(5_000)).toEqual([]);
    expect(bench.engine.counters.copiesLaunched).toBe(1);
  });

  it("gets the next copy at once when one is lost, as a primary one", () => {
    const bench = new Bench({ policy: hedge });
    const [first] = bench.race() as Copies;
    bench.wait(20);
    expect(dispatched(bench.fail(first)).map(({ speculative }) => speculative)).toEqual([false]);
  });

  it("gets no speculative copy beyond the budget, and that is said (P6)", () => {
    const bench = new Bench({ policy: hedge, budget: { ratio: 0, burstMs: 0 } });
    const [first] = bench.race() as Copies;
    bench.accept(first);
    const commands = bench.wait(250);
    expect(dispatched(commands)).toEqual([]);
    expect(said(commands, "alarm")[0]?.alarm).toEqual({
      kind: "budget-exhausted",
      model: "m",
      mode: "vanilla",
      bucket: "global",
      denials: 1,
    });
    const { budgetDenials, budgetDenialsGlobal } = bench.engine.counters;
    expect(budgetDenials).toBeGreaterThan(0);
    expect(budgetDenialsGlobal).toBe(budgetDenials);
  });
});

describe("silence", () => {
  const one = { kind: "fixed", copies: 1 } as const;

  it("of a node that does not accept ends the copy after the accept timeout", () => {
    const bench = new Bench({ policy: one, races: { acceptTimeoutUs: 300_000 } });
    const [first] = bench.race() as Copies;
    expect(bench.wait(299)).toEqual([]);
    const commands = bench.wait(1);
    expect(cancelled(commands)).toEqual([[first.node.id, "lease-expired"]]);
    expect(lost(commands)).toEqual([[first.node.id, "not-accepted"]]);
    expect(dispatched(commands)).toHaveLength(1);
    expect(bench.answer(first)).toEqual([]);
  });

  it("of a node that accepted ends the copy with its lease; progress counts as acceptance", () => {
    const bench = new Bench({ policy: one, races: { leaseUs: 5_000_000 } });
    const [first] = bench.race({ ttlBlocks: 100 }) as Copies;
    expect(first.leaseUs).toBe(bench.nowUs + 5_000_000);
    bench.tell({ kind: "copy-progressed", copy: first.id, node: first.node.id, tokens: 1 });
    expect(bench.wait(4_999)).toEqual([]);
    const commands = bench.wait(1);
    expect([cancelled(commands), lost(commands)]).toEqual([
      [[first.node.id, "lease-expired"]],
      [[first.node.id, "lease-expired"]],
    ]);
    expect(dispatched(commands)).toHaveLength(1);
  });

  it("of the verifier counts as a rejection, without blame for the node", () => {
    const bench = new Bench({ policy: one, races: { verdictTimeoutUs: 700_000, quarantineAfter: 1 } });
    const [first] = bench.race() as Copies;
    bench.answer(first);
    const commands = bench.wait(700);
    expect(lost(commands)).toEqual([[first.node.id, "verifier-silent"]]);
    expect(said(commands, "alarm")).toEqual([]);
    expect(dispatched(commands)).toHaveLength(1);
    expect(bench.judge(first, true)).toEqual([]);
  });

  it("of a speculative copy costs its reservation and no more (P6)", () => {
    const policy = { kind: "hedge", delayMs: 200, maxCopies: 2 } as const;
    const budget = { ratio: 0, burstMs: 3_000 };
    const bench = new Bench({ policy, budget, races: { leaseUs: 3_000_000 } });
    const [first] = bench.race({ ttlBlocks: 100 }) as Copies;
    bench.accept(first);
    const [second] = dispatched(bench.wait(200)) as Copies;
    bench.accept(second);
    expect(bench.engine.sizes.budgetUs).toBe(0);
    const commands = bench.wait(3_000);
    expect(cancelled(commands)).toContainEqual([second.node.id, "budget"]);
    expect(bench.engine.counters.speculativeWorkUs).toBe(3_000_000);
  });
});

describe("a race that uses up its copies", () => {
  it("goes on in the slow lane, openly, one copy at a time with pauses", () => {
    const bench = new Bench({ races: { maxCopies: 3, slowRetryUs: 1_000_000, quarantineAfter: 99 } });
    let live: readonly CopyView[] = bench.race({ ttlBlocks: 100 });
    const copies = [...live];
    const slowed: Command[] = [];
    while (live.length > 0) {
      const [copy, ...rest] = live as Copies;
      const commands = bench.fail(copy);
      slowed.push(...said(commands, "notify"));
      copies.push(...dispatched(commands));
      live = [...rest, ...dispatched(commands)];
    }
    expect(copies).toHaveLength(3);
    expect(slowed).toMatchObject([{ transaction: { lane: "slow", slowReason: "race-exhausted" } }]);
    expect(dispatched(bench.wait(999))).toEqual([]);
    const [retry] = dispatched(bench.wait(1)) as Copies;
    expect(dispatched(bench.fail(retry))).toEqual([]);
    const [last] = dispatched(bench.wait(1_000)) as Copies;
    expect(said(bench.win(last), "decided")[0]?.result.lane).toBe("slow");
  });
});

describe("jobs that find no room", () => {
  it("wait, and start in the order of admission as room comes", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 }, nodes: [] });
    for (const id of ["a", "b"]) bench.join(id, { slots: 1 });
    const running = [bench.race({ nonce: 0 }), bench.race({ nonce: 1, gasPriceGwei: 1 })].flat() as Copies;
    expect(bench.race({ nonce: 2, gasPriceGwei: 1 })).toEqual([]);
    expect(bench.race({ nonce: 3, gasPriceGwei: 900 })).toEqual([]);
    expect(bench.engine.sizes.waiting).toBe(2);
    const next = dispatched(bench.answer(running[1]));
    expect(next.map(({ race, node }) => [race.tx.hash, node.id])).toEqual([["alice/2", running[1].node.id]]);
    expect(dispatched(bench.join("c", { slots: 1 })).map(({ race }) => race.tx.hash)).toEqual(["alice/3"]);
    expect(bench.engine.sizes.waiting).toBe(0);
  });
});

describe("a change of policy", () => {
  it("is for later races; those under way keep theirs", () => {
    const bench = new Bench({ policy: { kind: "hedge", delayMs: 300, maxCopies: 2 } });
    expect(bench.race({ nonce: 0 })).toHaveLength(1);
    expect(bench.tell({ kind: "policy-changed", policy: { kind: "fixed", copies: 3 } })).toEqual([]);
    expect(bench.race({ nonce: 1 })).toHaveLength(3);
    expect(dispatched(bench.wait(300)).map(({ race }) => race.tx.hash)).toEqual(["alice/0"]);
  });
});
