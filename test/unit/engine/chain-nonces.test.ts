import { describe, expect, it } from "vitest";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { TransactionTerms } from "../../../scheduler/shared/vocabulary.ts";
import { Bench, call, dispatched, said } from "./bench.ts";

/** A transaction of a chain that keeps the nonces itself, ready at once. */
function ready(bench: Bench, nonce: number, changes: Partial<TransactionTerms> = {}): void {
  bench.submit({ nonce, chainNonce: 0, ...changes });
}

function sealGiven(bench: Bench, height: number, hashes: readonly string[]): string[] {
  const commands = bench.seal(height, { order: hashes });
  return said(commands, "sealed").flatMap(({ block }) => block.transactions.map(({ hash }) => hash));
}

const readyHashes = (bench: Bench) => bench.engine.ready(100).map(({ hash }) => hash);

describe("a sender whose nonces the chain keeps", () => {
  it("is not held up by nonces that other transactions use", () => {
    const bench = new Bench();
    for (const nonce of [3, 5, 9]) ready(bench, nonce);
    expect(readyHashes(bench)).toEqual(["alice/3", "alice/5", "alice/9"]);
    expect(sealGiven(bench, 1, ["alice/3", "alice/5"])).toEqual(["alice/3", "alice/5"]);
    expect(readyHashes(bench)).toEqual(["alice/9"]);
  });

  it("still cannot pass one of its own that is not ready", () => {
    const bench = new Bench();
    bench.submit({ nonce: 3, chainNonce: 0, calls: undefined, escrowGwei: 10 });
    ready(bench, 5);
    expect(readyHashes(bench)).toEqual([]);
    expect(sealGiven(bench, 1, ["alice/5"])).toEqual([]);
    bench.complete("alice/3");
    expect(readyHashes(bench)).toEqual(["alice/3", "alice/5"]);
  });

  it("goes on when the one before leaves", () => {
    const bench = new Bench();
    bench.submit({ nonce: 3, chainNonce: 0, calls: undefined, escrowGwei: 10 });
    ready(bench, 5);
    bench.tell({ kind: "withdrawn", hash: "alice/3" });
    expect(readyHashes(bench)).toEqual(["alice/5"]);
  });

  it("loses what waited with nonces that the chain has used since, and gets the escrow back", () => {
    const bench = new Bench();
    bench.submit({ nonce: 3, chainNonce: 0, calls: undefined, escrowGwei: 10 });
    const commands = bench.submit({ nonce: 7, chainNonce: 6 });
    expect(said(commands, "notify").map(({ transaction }) => [transaction.hash, transaction.state])).toContainEqual([
      "alice/3",
      "replaced",
    ]);
    expect(said(commands, "moved").filter(({ movement }) => movement.kind === "refunded")).toHaveLength(1);
    expect(readyHashes(bench)).toEqual(["alice/7"]);
    expect(said(bench.submit({ nonce: 5, chainNonce: 6, hash: "late" }), "rejected")[0]?.rejection).toMatchObject({
      reason: "nonce-used",
    });
  });

  it("may wait with nonces as far ahead as it may have transactions, and no further", () => {
    const bench = new Bench({ limits: { maxPendingPerSender: 8 } });
    ready(bench, 0);
    ready(bench, 7);
    expect(said(bench.submit({ nonce: 8, chainNonce: 0, hash: "far" }), "rejected")[0]?.rejection).toMatchObject({
      reason: "nonce-gap",
    });
  });

  it("gets its transactions back from a reorg, with the nonces between free again", () => {
    const bench = new Bench();
    for (const nonce of [3, 5]) ready(bench, nonce);
    sealGiven(bench, 1, ["alice/3", "alice/5"]);
    bench.openBlock(2);
    ready(bench, 8, { chainNonce: 8 });
    bench.revert(1);
    for (const nonce of [3, 5]) bench.complete(`alice/${nonce}`);
    expect(readyHashes(bench)).toEqual(["alice/3", "alice/5", "alice/8"]);
    ready(bench, 4, { chainNonce: 3 });
    expect(bench.engine.status("alice/4")?.state).toBe("ready");
    bench.openBlock(1);
    const all = ["alice/3", "alice/4", "alice/5", "alice/8"];
    expect(sealGiven(bench, 1, all)).toEqual(all);
  });

  it("is believed no chain nonce below what a sealed block holds", () => {
    const bench = new Bench();
    ready(bench, 3);
    sealGiven(bench, 1, ["alice/3"]);
    expect(said(bench.submit({ nonce: 2, chainNonce: 1, hash: "late" }), "rejected")[0]?.rejection).toMatchObject({
      reason: "nonce-used",
    });
    bench.openBlock(2);
    expect(said(bench.revert(1), "reverted")).toHaveLength(1);
  });

  it("comes back from a snapshot as it was", () => {
    const bench = new Bench();
    for (const nonce of [3, 5, 9]) ready(bench, nonce);
    bench.engine = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify(bench.engine.snapshot())));
    expect(readyHashes(bench)).toEqual(["alice/3", "alice/5", "alice/9"]);
    expect(sealGiven(bench, 1, ["alice/3", "alice/5", "alice/9"])).toHaveLength(3);
  });
});

describe("a block whose transactions the producer names", () => {
  it("has these in this order, each once, and leaves the others ready", () => {
    const bench = new Bench();
    for (const sender of ["a", "b", "c"]) bench.submit({ sender, nonce: 0 });
    expect(sealGiven(bench, 1, ["c/0", "unknown", "a/0", "c/0"])).toEqual(["c/0", "a/0"]);
    expect(readyHashes(bench)).toEqual(["b/0"]);
    bench.openBlock(2);
    expect(bench.sealed(2)).toEqual(["b/0"]);
  });
});

describe("a result that is past its validity", () => {
  it("is not offered to a producer, and is raced again once a block went by", () => {
    const bench = new Bench();
    const [copy] = bench.race({ calls: undefined, escrowGwei: 30 }, { validityBlocks: 0 });
    if (copy !== undefined) bench.win(copy);
    bench.complete("alice/0");
    expect(readyHashes(bench)).toEqual(["alice/0"]);
    expect(sealGiven(bench, 1, [])).toEqual([]);
    bench.openBlock(2);
    expect(readyHashes(bench)).toEqual([]);
    expect(dispatched(bench.seal(2, { order: [] })).length).toBeGreaterThan(0);
    expect(bench.engine.status("alice/0")?.state).toBe("racing");
  });
});

describe("a pre-execution that needed fewer calls in the end", () => {
  it("leaves those out that it did not ask for", () => {
    const bench = new Bench();
    const calls = [call("q0"), call("q1")];
    bench.submit({ calls: undefined, escrowGwei: 30 });
    const copies = dispatched(bench.discover("alice/0", calls));
    for (const copy of new Map(copies.map((one) => [one.race.callIndex, one])).values()) bench.win(copy);
    const { id: tx, round } = bench.engine.status("alice/0") ?? { id: -1, round: -1 };
    bench.tell({ kind: "pre-executed", tx, round, readSet: [], calls: calls.slice(0, 1) });
    const [sealed] = said(bench.seal(1), "sealed");
    expect(sealed?.block.transactions[0]?.calls.map(({ terms }) => terms.digest)).toEqual(["q0"]);
  });

  it("cannot have completed on a call that has no answer", () => {
    const bench = new Bench();
    bench.submit({ calls: undefined, escrowGwei: 30 });
    const { id: tx, round } = bench.engine.status("alice/0") ?? { id: -1, round: -1 };
    const commands = bench.tell({ kind: "pre-executed", tx, round, readSet: [], calls: [call("q0")] });
    expect(said(commands, "notify")[0]?.transaction.state).toBe("refunded");
  });
});
