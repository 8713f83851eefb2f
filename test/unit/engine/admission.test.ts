import { describe, expect, it } from "vitest";
import type { TransactionTerms } from "../../../scheduler/shared/vocabulary.ts";
import { Bench, call, dispatched, kindsOf, said } from "./bench.ts";

function rejection(bench: Bench, changes: Partial<TransactionTerms>) {
  const commands = bench.submit(changes);
  expect(kindsOf(commands)).toEqual(["rejected"]);
  return said(commands, "rejected")[0]?.rejection;
}

describe("admission", () => {
  it("takes escrow, writes the order and says so, then asks for pre-execution", () => {
    const bench = new Bench();
    const commands = bench.submit({ calls: [call("d")], ttlBlocks: 3 });
    expect(kindsOf(commands)).toEqual(["moved", "ordered", "accepted", "preExecute"]);
    expect(said(commands, "accepted")[0]?.transaction).toMatchObject({
      hash: "alice/0",
      seq: 0,
      admittedHeight: 1,
      expiryHeight: 3,
      escrowGwei: 10,
    });
    expect(bench.engine.account("alice")).toEqual({ nextNonce: 1, depositGwei: 99_990, pending: 1 });
  });

  it("has a transaction without calls ready at once", () => {
    const bench = new Bench();
    const commands = bench.submit();
    expect(kindsOf(commands).slice(-3)).toEqual(["ordered", "accepted", "notify"]);
    expect(said(commands, "preExecute")).toEqual([]);
    expect(bench.engine.status("alice/0")?.state).toBe("ready");
  });

  it("replaces: the old one leaves with its race, and its escrow is there for the new one", () => {
    const bench = new Bench();
    bench.tell({ kind: "deposited", account: "bob", amountGwei: 10 });
    const copies = bench.race({ sender: "bob" });
    const commands = bench.submit({ sender: "bob", hash: "new", gasPriceGwei: 200, calls: [call("d")] });
    expect(said(commands, "cancel").map(({ copy, reason }) => [copy.id, reason])).toEqual(
      copies.map(({ id }) => [id, "transaction-left"]),
    );
    expect(said(commands, "moved").map(({ movement }) => movement.kind)).toEqual(["refunded", "escrowed"]);
    expect(said(commands, "notify")[0]?.transaction).toMatchObject({ state: "replaced", refundReason: "replaced" });
    expect(said(commands, "accepted")[0]?.transaction.hash).toBe("new");
    expect(bench.engine.status("bob/0")).toBeUndefined();
  });
});

describe("rejections, one command and nothing else", () => {
  it("duplicate", () => {
    const bench = new Bench();
    bench.submit();
    expect(rejection(bench, {})).toEqual({ reason: "duplicate" });
  });

  it("nonce-used", () => {
    const bench = new Bench();
    bench.submit();
    bench.seal(1);
    expect(rejection(bench, { hash: "late" })).toEqual({ reason: "nonce-used", expectedNonce: 1 });
  });

  it("nonce-gap", () => {
    expect(rejection(new Bench(), { nonce: 1 })).toEqual({ reason: "nonce-gap", expectedNonce: 0 });
  });

  it("underpriced-replacement", () => {
    const bench = new Bench();
    bench.submit();
    expect(rejection(bench, { hash: "new", gasPriceGwei: 109 })).toEqual({
      reason: "underpriced-replacement",
      minimumGasPriceGwei: 110,
    });
  });

  it("underfunded", () => {
    const changes = { sender: "bob", calls: [call("d")] };
    expect(rejection(new Bench(), changes)).toEqual({ reason: "underfunded", availableGwei: 0, neededGwei: 10 });
  });

  it("fee-too-low, for the call that no node would answer", () => {
    const calls = [call("d"), call("e", { maxFeeGwei: 9 })];
    expect(rejection(new Bench(), { calls })).toEqual({ reason: "fee-too-low", callIndex: 1, minimumFeeGwei: 10 });
  });

  it("sender-limit", () => {
    const bench = new Bench({ limits: { maxPendingPerSender: 1 } });
    bench.submit();
    expect(rejection(bench, { nonce: 1 })).toEqual({ reason: "sender-limit", limit: 1 });
  });

  it("pool-full", () => {
    const bench = new Bench({ limits: { maxPending: 1, maxPendingPerSender: 1 } });
    bench.submit();
    expect(rejection(bench, { sender: "bob" })).toEqual({ reason: "pool-full", limit: 1 });
  });

  it("too-many-accounts", () => {
    const bench = new Bench({ limits: { maxAccounts: 1 } });
    expect(rejection(bench, { sender: "bob" })).toEqual({ reason: "too-many-accounts", limit: 1 });
  });

  it("unknown-model, also for a mode that nobody offers", () => {
    const bench = new Bench();
    const unknown = (changes: Parameters<typeof call>[1]) => rejection(bench, { calls: [call("d", changes)] });
    expect(unknown({ model: "n" })).toEqual({ reason: "unknown-model", callIndex: 0, model: "n", mode: "vanilla" });
    expect(unknown({ mode: "tee" })).toEqual({ reason: "unknown-model", callIndex: 0, model: "m", mode: "tee" });
  });

  it("infeasible, once it is known that answers take longer than the time to live", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 } });
    const [copy] = bench.race();
    bench.wait(800);
    if (copy !== undefined) bench.win(copy);
    bench.complete("alice/0");
    bench.openBlock(2);
    const short = { nonce: 1, calls: [call("d")], ttlBlocks: 1 };
    expect(rejection(bench, short)).toEqual({ reason: "infeasible", callIndex: 0, probability: 0, ttlBlocks: 1 });
    expect(kindsOf(bench.submit({ ...short, ttlBlocks: 4 }))).toContain("accepted");
  });

  it("out-of-range, of the transaction and of its calls", () => {
    const bench = new Bench({ limits: { maxFeeGwei: 50, maxTtlBlocks: 30 } });
    expect(rejection(bench, { ttlBlocks: 31 })).toEqual({ reason: "out-of-range", field: "ttlBlocks", limit: 30 });
    for (const maxFeeGwei of [51, -1, 1.5]) {
      const calls = [call("d"), call("e", { maxFeeGwei })];
      const field = "calls[1].maxFeeGwei";
      expect(rejection(bench, { calls, escrowGwei: 20 })).toEqual({ reason: "out-of-range", field, limit: 50 });
    }
  });

  it("leaves no trace but a count", () => {
    const bench = new Bench();
    const before = bench.engine.snapshot();
    rejection(bench, { nonce: 4 });
    const { counters, ...after } = bench.engine.snapshot();
    expect(counters).toEqual({ ...before.counters, submitted: 1, rejected: 1 });
    expect({ ...after, counters: before.counters }).toEqual(before);
  });
});

describe("leaving", () => {
  it("by withdrawal gives back the escrow and stops the race; twice is late", () => {
    const bench = new Bench();
    const copies = bench.race();
    const commands = bench.tell({ kind: "withdrawn", hash: "alice/0" });
    expect(said(commands, "cancel")).toHaveLength(copies.length);
    expect(said(commands, "notify")[0]?.transaction.state).toBe("withdrawn");
    expect(bench.engine.ledger).toMatchObject({ heldGwei: 0, refundedGwei: 10 });
    expect(bench.tell({ kind: "withdrawn", hash: "alice/0" })).toEqual([]);
    expect(bench.engine.counters.lateEvents).toBe(1);
  });

  it("opens the nonce to a new transaction, for which those behind it wait", () => {
    const bench = new Bench();
    bench.race({ nonce: 0 });
    bench.submit({ nonce: 1 });
    bench.tell({ kind: "withdrawn", hash: "alice/0" });
    expect(bench.sealed(1)).toEqual([]);
    expect(bench.engine.account("alice")?.nextNonce).toBe(0);
    bench.openBlock(2);
    bench.submit({ nonce: 0, hash: "filler" });
    expect(bench.sealed(2)).toEqual(["filler", "alice/1"]);
  });

  it("by the end of its time", () => {
    const bench = new Bench();
    bench.race({ ttlBlocks: 1 });
    const commands = bench.openBlock(2);
    expect(said(commands, "notify")[0]?.transaction).toMatchObject({ state: "refunded", refundReason: "expired" });
    expect([bench.engine.ledger.refundedGwei, bench.engine.sizes.races, dispatched(commands).length]).toEqual([
      10, 0, 0,
    ]);
  });
});
