import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { ODOMETER_GWEI } from "../../../mempool/ledger.ts";
import { Bench, call, dispatched, said } from "./bench.ts";

/** Prices, bonds and amounts that nobody honest would name: none may reach an assertion, and no gwei may be lost (P5). */

const OPTIMISTIC = { challengeBlocks: 3, bondPerFee: 100, rewardPerFee: 2 };
const FREE = { model: "m", mode: "optimistic", priceGwei: 0 } as const;
const ONE = { kind: "fixed", copies: 1 } as const;

function says(bench: Bench, copy: CopyView, outputHash: string): Command[] {
  return [...bench.answer(copy, `${copy.node.id} says ${outputHash}`, outputHash), ...bench.judge(copy, true)];
}

function challenge(bench: Bench): CopyView[] {
  return dispatched(bench.tell({ kind: "challenged", txHash: "alice/0", callIndex: 0 }));
}

function amounts(commands: readonly Command[]) {
  return said(commands, "moved").map(({ movement: { kind, amountGwei } }) => [kind, amountGwei]);
}

/** Nodes that answer for nothing, with this bond each. */
function freeOfCharge(bondGwei: number, bondPerFee: number, nodes = ["a", "b", "c"]): Bench {
  const bench = new Bench({ policy: ONE, nodes: [], optimistic: { ...OPTIMISTIC, bondPerFee } });
  for (const id of nodes) {
    bench.join(id, { offers: [FREE] });
    bench.tell({ kind: "bond-changed", node: id, bondGwei });
  }
  return bench;
}

describe("an answer for nothing, in mode optimistic", () => {
  it("takes a bond all the same: without one nobody is asked", () => {
    const bench = freeOfCharge(99, 100);
    expect(bench.race({}, { mode: "optimistic" })).toEqual([]);
    const [copy] = dispatched(bench.tell({ kind: "bond-changed", node: "a", bondGwei: 100 }));
    expect(copy?.node.id).toBe("a");
    bench.tell({ kind: "withdrawn", hash: "alice/0" });
    expect(bench.engine.bond("a")).toEqual({ bondGwei: 100, freeGwei: 100 });
  });

  it.each([0, 100])("lives through challenge, forfeit, commit and reorg with a bond of %i a fee", (bondPerFee) => {
    const bench = freeOfCharge(bondPerFee, bondPerFee);
    const [liar] = bench.race({}, { mode: "optimistic" }) as [CopyView];
    says(bench, liar, "lie");
    bench.complete("alice/0");
    bench.seal(1);
    const [first] = challenge(bench) as [CopyView];
    const [second] = dispatched(says(bench, first, "truth")) as [CopyView];
    const forfeited = amounts(says(bench, second, "truth"));
    expect(forfeited).toContainEqual(["forfeited", bondPerFee]);
    expect(forfeited).toContainEqual(["compensated", bondPerFee]);
    bench.commit(1);
    bench.revert(1);
    expect(bench.engine.ledger).toMatchObject({ forfeitedGwei: bondPerFee, compensatedGwei: bondPerFee, paidGwei: 0 });
    expect(bench.engine.bond(liar.node.id)).toEqual({ bondGwei: 0, freeGwei: 0 });
  });

  it("goes on when the bond is taken away, the node leaves and comes back, or its block does", () => {
    const bench = freeOfCharge(100, 100);
    const [copy] = bench.race({}, { mode: "optimistic" }) as [CopyView];
    bench.tell({ kind: "bond-changed", node: copy.node.id, bondGwei: 0 });
    bench.leave(copy.node.id);
    const [other] = dispatched(bench.wait(2_000)) as [CopyView];
    bench.tell({ kind: "bond-changed", node: other.node.id, bondGwei: 50 });
    says(bench, other, "truth");
    bench.join(copy.node.id, { offers: [FREE] });
    bench.complete("alice/0");
    bench.seal(1);
    bench.commit(1);
    for (const height of [2, 3, 4, 5]) bench.openBlock(height);
    bench.tell({ kind: "bond-changed", node: other.node.id, bondGwei: 0 });
    bench.revert(1);
    bench.tell({ kind: "withdrawn", hash: "alice/0" });
    expect(bench.engine.ledger).toMatchObject({ heldGwei: 0, paidGwei: 0 });
    expect(bench.engine.snapshot().bonds.filter(({ lockedGwei }) => lockedGwei > 0)).toEqual([]);
  });
});

describe("totals", () => {
  /** An engine that has moved so much that its totals are about to go round. */
  function nearTheEnd(): Bench {
    const bench = new Bench({ policy: ONE });
    const snapshot = bench.engine.snapshot();
    const nearlyAll = ODOMETER_GWEI - 5;
    const ledger = { ...snapshot.ledger, escrowedGwei: nearlyAll, refundedGwei: nearlyAll - 3, paidGwei: 3 };
    bench.engine = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify({ ...snapshot, ledger })));
    return bench;
  }

  it("go round like an odometer, since the same money can be escrowed any number of times", () => {
    const bench = nearTheEnd();
    for (let nonce = 0; nonce < 3; nonce++) {
      bench.submit({ calls: [call(`t${nonce}`, { maxFeeGwei: 1_000 })], hash: `t${nonce}` });
      bench.tell({ kind: "withdrawn", hash: `t${nonce}` });
    }
    expect(bench.engine.account("alice")?.depositGwei).toBe(100_000);
    expect(bench.engine.ledger).toMatchObject({ escrowedGwei: 2_995, refundedGwei: 2_992, paidGwei: 3, heldGwei: 0 });
  });

  it("turn back when a reorg takes back a payment that took them round", () => {
    const bench = nearTheEnd();
    bench.ready();
    bench.seal(1);
    bench.commit(1);
    expect(bench.engine.ledger).toMatchObject({ escrowedGwei: 5, paidGwei: 13 });
    bench.revert(1);
    expect(bench.engine.ledger).toMatchObject({ escrowedGwei: 5, paidGwei: 3, heldGwei: 10 });
  });

  it("do not grow by a bond that is put up and taken back: there is always room for it again", () => {
    const bench = new Bench();
    for (let round = 0; round < 20; round++) {
      expect(amounts(bench.tell({ kind: "bond-changed", node: "a", bondGwei: 2 ** 51 }))).toEqual([
        ["bonded", 2 ** 51],
      ]);
      expect(amounts(bench.tell({ kind: "bond-changed", node: "a", bondGwei: 0 }))).toEqual([["unbonded", 2 ** 51]]);
    }
    expect(bench.engine.counters.bondsRefused).toBe(0);
  });

  it("refuse what would make the money of the moment inexact, and take the rest to the last gwei", () => {
    const bench = new Bench();
    const room = ODOMETER_GWEI - 1 - 100_000;
    expect(bench.tell({ kind: "deposited", account: "bob", amountGwei: room + 1 })).toEqual([]);
    expect(amounts(bench.tell({ kind: "bond-changed", node: "a", bondGwei: room - 10 }))).toEqual([
      ["bonded", room - 10],
    ]);
    expect(bench.tell({ kind: "deposited", account: "bob", amountGwei: 11 })).toEqual([]);
    expect(amounts(bench.tell({ kind: "deposited", account: "bob", amountGwei: 10 }))).toEqual([["deposited", 10]]);
    expect(bench.tell({ kind: "bond-changed", node: "b", bondGwei: 1 })).toEqual([]);
    expect(bench.engine.counters).toMatchObject({ depositsRefused: 2, bondsRefused: 1 });
  });

  it("are safe from configurations whose bonds nobody could put up", () => {
    expect(() => new Bench({ optimistic: { ...OPTIMISTIC, bondPerFee: 2 ** 40 } })).toThrow(
      "the bond for the largest fee",
    );
    expect(() => new Bench({ optimistic: { ...OPTIMISTIC, bondPerFee: 0.5 } })).toThrow("whole multiple");
  });
});

describe("calls that a contract asks for", () => {
  it("are two when it asks the same thing twice, each raced and paid", () => {
    const bench = new Bench({ policy: ONE });
    bench.submit({ calls: undefined as never, escrowGwei: 40 });
    const twice = [call("same"), call("same")];
    const copies = dispatched(bench.discover("alice/0", twice));
    expect(copies.map(({ race }) => race.callIndex)).toEqual([0, 1]);
    for (const copy of copies) bench.win(copy);
    const [third] = dispatched(bench.discover("alice/0", [...twice, call("other")])) as [CopyView];
    expect(third.race.callIndex).toBe(2);
    bench.win(third);
    bench.complete("alice/0");
    bench.seal(1);
    expect(amounts(bench.commit(1))).toEqual([
      ["paid", 10],
      ["paid", 10],
      ["paid", 10],
      ["refunded", 10],
    ]);
  });

  it.each([
    { maxFeeGwei: Number.MAX_SAFE_INTEGER },
    { maxFeeGwei: -1 },
    { conflict: { kind: "agree", k: 1_000 } },
    { conflict: { kind: "median", k: 2, tolerance: Number.NaN } },
  ] as const)("that nobody could race or pay end it: %o", (changes) => {
    const bench = new Bench();
    bench.submit({ calls: undefined as never, escrowGwei: 40 });
    const commands = bench.discover("alice/0", [call("c", changes)]);
    expect(said(commands, "notify").map(({ transaction }) => transaction.refundReason)).toEqual([
      "pre-execution-failed",
    ]);
    expect(bench.engine.account("alice")?.depositGwei).toBe(100_000);
  });
});
