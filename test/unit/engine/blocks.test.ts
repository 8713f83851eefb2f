import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Bench, call, dispatched, kindsOf, said } from "./bench.ts";

function movements(commands: readonly Command[]) {
  return said(commands, "moved").map(({ movement }) => [movement.kind, movement.account, movement.amountGwei]);
}

function refusal(commands: readonly Command[]) {
  expect(kindsOf(commands)).toEqual(["sealRefused"]);
  return said(commands, "sealRefused")[0]?.refusal;
}

describe("sealing", () => {
  it("takes the ready ones in the order of admission, and what is not ready waits without holding up others (P7)", () => {
    const bench = new Bench();
    bench.race({ nonce: 0 });
    bench.submit({ sender: "bob" });
    bench.submit({ nonce: 1 });
    bench.ready({ sender: "alice", nonce: 2 });
    bench.submit({ sender: "carol", gasPriceGwei: 900 });
    expect(bench.sealed(1)).toEqual(["bob/0", "carol/0"]);
    expect(bench.engine.status("bob/0")?.state).toBe("sealed");
  });

  it("carries each call's result (P10)", () => {
    const bench = new Bench();
    bench.ready();
    const [block] = said(bench.seal(1), "sealed");
    expect(block?.block).toMatchObject({ height: 1, sealedUs: bench.nowUs });
    expect(block?.block.transactions[0]?.calls[0]?.result).toMatchObject({
      callIndex: 0,
      digest: "alice/0",
      feeGwei: 10,
    });
  });

  it("asked again gives the same block again, without effect", () => {
    const bench = new Bench();
    bench.submit();
    const once = bench.sealed(1);
    bench.submit({ nonce: 1 });
    const again = bench.seal(1);
    expect(kindsOf(again)).toEqual(["sealed"]);
    expect(said(again, "sealed")[0]?.block.transactions.map(({ hash }) => hash)).toEqual(once);
    expect(bench.engine.counters.sealed).toBe(1);
    expect(bench.engine.status("alice/1")?.state).toBe("ready");
  });

  it("takes no more than it is asked for; the rest comes next", () => {
    const bench = new Bench();
    for (const nonce of [0, 1, 2]) bench.submit({ nonce });
    expect(bench.sealed(1, { maxTransactions: 2 })).toEqual(["alice/0", "alice/1"]);
    bench.openBlock(2);
    expect(bench.sealed(2, { maxTransactions: 0 })).toEqual([]);
    bench.openBlock(3);
    expect(bench.sealed(3)).toEqual(["alice/2"]);
  });

  it("is refused for a block that is not open, for a bad limit, and beyond the depth of a reorg", () => {
    const bench = new Bench({ limits: { maxReorgDepth: 2, maxTransactionsPerBlock: 50 } });
    expect(refusal(bench.seal(2))).toEqual({ reason: "not-open", height: 2, openHeight: 1 });
    for (const maxTransactions of [-1, 51, 1.5, Number.NaN])
      expect(refusal(bench.seal(1, { maxTransactions }))).toEqual({ reason: "bad-limit", height: 1, maxTransactions });
    for (const height of [1, 2]) {
      bench.openBlock(height);
      expect(kindsOf(bench.seal(height, { maxTransactions: 50 }))).toEqual(["sealed"]);
    }
    expect(refusal(bench.seal(3, { maxTransactions: 50 }))).toMatchObject({ reason: "not-open", openHeight: 3 });
    bench.openBlock(3);
    const few = { maxTransactions: 50 };
    expect(refusal(bench.seal(3, few))).toEqual({ reason: "too-many-uncommitted", height: 3, limit: 2 });
    bench.commit(1);
    expect(kindsOf(bench.seal(3, few))).toEqual(["sealed"]);
  });

  it("does not open a block again that is sealed", () => {
    const bench = new Bench();
    bench.seal(1);
    bench.openBlock(1);
    expect(bench.engine.counters.lateEvents).toBe(1);
    expect(bench.engine.sizes.height).toBe(2);
  });

  it("by gas takes the highest price first, each sender's nonces in order, ties by arrival", () => {
    const bench = new Bench();
    bench.submit({ sender: "bob", nonce: 0, gasPriceGwei: 5 });
    bench.submit({ sender: "bob", nonce: 1, gasPriceGwei: 900 });
    bench.submit({ sender: "carol", gasPriceGwei: 50 });
    bench.submit({ sender: "dave", gasPriceGwei: 50 });
    bench.submit({ sender: "erin", gasPriceGwei: 70 });
    expect(bench.sealed(1, { order: "gas", maxTransactions: 3 })).toEqual(["erin/0", "carol/0", "dave/0"]);
    bench.openBlock(2);
    bench.submit({ sender: "frank", gasPriceGwei: 100 });
    expect(bench.sealed(2, { order: "gas", maxTransactions: 2 })).toEqual(["frank/0", "bob/0"]);
    bench.openBlock(3);
    expect(bench.sealed(3)).toEqual(["bob/1"]);
  });
});

describe("committing", () => {
  it("pays each winner its price once and refunds the rest", () => {
    const bench = new Bench();
    bench.ready({}, { maxFeeGwei: 25 });
    bench.seal(1);
    const commands = bench.commit(1);
    const winner = said(commands, "notify")[0]?.transaction.calls[0]?.result?.node;
    expect(movements(commands)).toEqual([
      ["paid", winner, 10],
      ["refunded", "alice", 15],
    ]);
    expect(kindsOf(commands).at(-1)).toBe("committed");
    expect(bench.commit(1)).toEqual([]);
    expect(bench.commit(7)).toEqual([]);
    expect(bench.engine.ledger).toMatchObject({ paidGwei: 10, refundedGwei: 15, heldGwei: 0 });
    expect(bench.engine.counters.lateEvents).toBe(2);
  });
});

describe("a result past its validity", () => {
  it("is not stitched: its call races again, and its transaction is sealed later (P10)", () => {
    const bench = new Bench();
    bench.ready({}, { validityBlocks: 1 });
    bench.submit({ sender: "bob" });
    for (const height of [2, 3]) bench.openBlock(height);
    const commands = bench.seal(3);
    expect(said(commands, "sealed")[0]?.block.transactions.map(({ hash }) => hash)).toEqual(["bob/0"]);
    const [copy] = dispatched(commands) as [CopyView];
    expect(bench.engine.status("alice/0")?.state).toBe("racing");
    expect(bench.engine.counters.staleResults).toBe(1);
    bench.openBlock(4);
    bench.win(copy);
    bench.complete("alice/0");
    expect(bench.sealed(4)).toEqual(["alice/0"]);
  });

  it("is stitched in the last block that it is valid for", () => {
    const bench = new Bench();
    bench.ready({}, { validityBlocks: 1 });
    bench.openBlock(2);
    expect(bench.sealed(2)).toEqual(["alice/0"]);
  });
});

describe("a reorg", () => {
  it("of a block that is not committed brings its transactions back with their results, and moves no money", () => {
    const bench = new Bench();
    bench.ready();
    bench.submit({ nonce: 1 });
    bench.seal(1);
    const commands = bench.revert(1);
    expect(said(commands, "reverted").map(({ height }) => height)).toEqual([1]);
    expect(movements(commands)).toEqual([]);
    expect(said(commands, "preExecute").map(({ transaction }) => transaction.hash)).toEqual(["alice/0", "alice/1"]);
    expect(said(commands, "preExecute")[0]?.transaction.calls[0]?.result).toBeDefined();
    for (const hash of ["alice/1", "alice/0"]) bench.complete(hash);
    bench.openBlock(1);
    expect(bench.sealed(1)).toEqual(["alice/0", "alice/1"]);
    expect(bench.engine.counters).toMatchObject({ reverted: 2, copiesLaunched: 2 });
  });

  it("of a committed block takes payments back before they are paid again, once (P5)", () => {
    const bench = new Bench();
    bench.ready({}, { maxFeeGwei: 25 });
    bench.seal(1);
    const paid = movements(bench.commit(1))[0];
    const winner = paid?.[1];
    expect(movements(bench.revert(1))).toEqual([["unpaid", winner, 10]]);
    expect(bench.engine.ledger).toMatchObject({ paidGwei: 0, heldGwei: 10, refundedGwei: 15 });
    bench.complete("alice/0");
    bench.openBlock(1);
    expect(bench.sealed(1)).toEqual(["alice/0"]);
    expect(movements(bench.commit(1))).toEqual([["paid", winner, 10]]);
    expect(bench.engine.ledger).toMatchObject({ paidGwei: 10, heldGwei: 0 });
  });

  it("leaves of a call's cap the fee once paid, since the rest was refunded: no dearer node may race it again", () => {
    const bench = new Bench({ races: { redundancyFloor: 1 } });
    bench.ready({}, { maxFeeGwei: 25, validityBlocks: 1 });
    bench.seal(1);
    bench.commit(1);
    bench.join("dear", { offers: [{ model: "m", mode: "vanilla", priceGwei: 20 }] });
    for (const id of ["a", "b", "c"]) bench.leave(id);
    bench.revert(1);
    bench.complete("alice/0");
    bench.openBlock(3);
    const commands = bench.seal(3);
    expect(bench.engine.status("alice/0")?.state).toBe("racing");
    expect(dispatched([...commands, ...bench.wait(300)])).toEqual([]);
    bench.join("a");
    expect(new Set(dispatched(bench.wait(300)).map(({ node }) => node.id))).toEqual(new Set(["a"]));
  });

  it("takes back every later block, too, latest first", () => {
    const bench = new Bench();
    for (const height of [1, 2, 3]) {
      bench.openBlock(height);
      bench.submit({ nonce: height - 1 });
      bench.seal(height);
    }
    const commands = bench.revert(2);
    expect(said(commands, "reverted").map(({ height }) => height)).toEqual([3, 2]);
    expect(said(commands, "preExecute").map(({ transaction }) => transaction.hash)).toEqual(["alice/1", "alice/2"]);
    expect(bench.engine.sizes.height).toBe(2);
    expect(bench.revert(2)).toEqual([]);
    expect(bench.engine.account("alice")).toMatchObject({ nextNonce: 3, pending: 2 });
  });

  it("refunds what is brought back after its time, with the fee that was paid", () => {
    const bench = new Bench();
    bench.ready({ ttlBlocks: 1 });
    bench.seal(1);
    bench.commit(1);
    bench.revert(1);
    const commands = bench.openBlock(2);
    expect(said(commands, "notify")[0]?.transaction.state).toBe("refunded");
    expect(bench.engine.account("alice")?.depositGwei).toBe(100_000);
  });

  it("does not reach final blocks", () => {
    const bench = new Bench({ limits: { maxReorgDepth: 1 } });
    bench.submit();
    for (const height of [1, 2]) {
      bench.openBlock(height);
      bench.seal(height);
      bench.commit(height);
    }
    expect(bench.engine.status("alice/0")).toBeUndefined();
    expect(said(bench.revert(1), "reverted").map(({ height }) => height)).toEqual([2]);
    expect(bench.revert(1)).toEqual([]);
  });
});

describe("a change of the chain's state", () => {
  it("runs those again that read what changed, and only those (P10)", () => {
    const bench = new Bench();
    for (const [nonce, key] of ["x", "y", "x"].entries()) {
      const hash = `alice/${nonce}`;
      bench.submit({ nonce, calls: undefined, escrowGwei: 10 });
      bench.complete(hash, [key]);
    }
    const commands = bench.tell({ kind: "state-changed", keys: ["x", "z"] });
    expect(said(commands, "preExecute").map(({ transaction }) => transaction.hash)).toEqual(["alice/0", "alice/2"]);
    expect(bench.sealed(1)).toEqual([]);
    bench.complete("alice/0", ["z"]);
    expect(bench.tell({ kind: "state-changed", keys: ["x"] })).toEqual([]);
    bench.openBlock(2);
    expect(bench.sealed(2)).toEqual(["alice/0", "alice/1"]);
    expect(bench.tell({ kind: "state-changed", keys: ["y", "z"] })).toEqual([]);
  });

  it("while the pre-execution that reads it is under way makes it run again", () => {
    const bench = new Bench();
    bench.submit({ calls: undefined, escrowGwei: 10 });
    bench.tell({ kind: "state-changed", keys: ["x"] });
    expect(said(bench.complete("alice/0", ["x"]), "preExecute")).toHaveLength(1);
    expect(kindsOf(bench.complete("alice/0", ["x"]))).toEqual(["notify"]);
    expect(bench.engine.status("alice/0")?.state).toBe("ready");
  });

  it("keeps results whose question is still the same, and races only the new question", () => {
    const bench = new Bench();
    const calls = [call("q0"), call("q1")];
    bench.submit({ calls, escrowGwei: 30 });
    for (const copy of new Map(dispatched(bench.discover("alice/0", calls)).map((c) => [c.race.callIndex, c])).values())
      bench.win(copy);
    bench.complete("alice/0", ["x"]);
    bench.tell({ kind: "state-changed", keys: ["x"] });
    const raced = dispatched(bench.discover("alice/0", [call("q0"), call("q1 as x now stands")]));
    expect(new Set(raced.map(({ race }) => race.call.digest))).toEqual(new Set(["q1 as x now stands"]));
  });
});
