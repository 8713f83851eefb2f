import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Bench, dispatched, said } from "./bench.ts";

const OFFER = { model: "m", mode: "optimistic", priceGwei: 10 } as const;
const OPTIMISTIC = { challengeBlocks: 3, bondPerFee: 100, rewardPerFee: 2 };
const BOND_GWEI = 1_500;

/** A bench whose nodes offer mode `optimistic` and have put up a bond for one answer at a time. */
function bonded(nodes = ["a", "b", "c", "d"]): Bench {
  const bench = new Bench({ policy: { kind: "fixed", copies: 1 }, nodes: [], optimistic: OPTIMISTIC });
  for (const id of nodes) {
    bench.join(id, { offers: [OFFER] });
    bench.tell({ kind: "bond-changed", node: id, bondGwei: BOND_GWEI });
  }
  return bench;
}

/** One call, answered by a node with this output, and sealed in block 1. */
function sealed(bench: Bench, outputHash = "truth"): CopyView {
  const [copy] = bench.race({}, { mode: "optimistic" }) as [CopyView];
  says(bench, copy, outputHash);
  bench.complete("alice/0");
  bench.seal(1);
  return copy;
}

function says(bench: Bench, { id: copy, node: { id } }: CopyView, outputHash: string): Command[] {
  bench.tell({ kind: "copy-answered", copy, node: id, outputHash, answerHash: `${id} says ${outputHash}` });
  return bench.tell({ kind: "verdict", copy, accepted: true, reason: "valid" });
}

function challenge(bench: Bench): CopyView[] {
  return dispatched(bench.tell({ kind: "challenged", txHash: "alice/0", callIndex: 0 }));
}

function moved(commands: readonly Command[]) {
  return said(commands, "moved").map(({ movement: { kind, account, amountGwei } }) => [kind, account, amountGwei]);
}

function outcomes(commands: readonly Command[]) {
  return said(commands, "challengeEnded").map(({ outcome }) => outcome);
}

const open = (bench: Bench, height: number): Command[] => bench.openBlock(height);

describe("mode optimistic", () => {
  it("gives copies only to nodes with enough free bond, and locks it", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 }, nodes: [], optimistic: OPTIMISTIC });
    bench.join("poor", { offers: [OFFER] });
    bench.tell({ kind: "bond-changed", node: "poor", bondGwei: 999 });
    expect(bench.race({}, { mode: "optimistic" })).toEqual([]);
    const [copy] = dispatched(bench.tell({ kind: "bond-changed", node: "poor", bondGwei: 1_000 }));
    expect(copy?.node.id).toBe("poor");
    expect(bench.engine.bond("poor")).toEqual({ bondGwei: 1_000, freeGwei: 0 });
    bench.fail(copy as CopyView);
    expect(bench.engine.bond("poor").freeGwei).toBe(1_000);
  });

  it("pays when the window has closed, not before, and says when that is (P5)", () => {
    const bench = bonded();
    const { node } = sealed(bench);
    expect(bench.engine.status("alice/0")).toMatchObject({ state: "sealed", finalHeight: 4 });
    expect(moved(bench.commit(1))).toEqual([]);
    for (const height of [2, 3, 4]) expect(moved(open(bench, height))).toEqual([]);
    expect(bench.engine.bond(node.id).freeGwei).toBe(500);
    expect(moved(open(bench, 5))).toEqual([["paid", node.id, 10]]);
    expect(bench.engine.bond(node.id).freeGwei).toBe(BOND_GWEI);
    expect(bench.engine.ledger).toMatchObject({ heldGwei: 0, paidGwei: 10 });
  });

  it("upholds a result that another operator gives too", () => {
    const bench = bonded();
    const winner = sealed(bench);
    bench.commit(1);
    const [copy] = challenge(bench) as [CopyView];
    expect(copy.node.id).not.toBe(winner.node.id);
    expect(copy.race).toMatchObject({ tx: { hash: "alice/0" }, callIndex: 0 });
    const commands = says(bench, copy, "truth");
    expect(outcomes(commands)).toMatchObject([
      { verdict: "upheld", node: winner.node.id, dissenter: "", forfeitedGwei: 0, answers: [{ copy: copy.id }] },
    ]);
    expect(said(commands, "decided")).toEqual([]);
    // Who was upheld is not asked about again.
    expect(challenge(bench)).toEqual([]);
    for (const height of [2, 3, 4, 5]) open(bench, height);
    expect(bench.engine.ledger).toMatchObject({ paidGwei: 10, forfeitedGwei: 0 });
  });

  it("does not give the sample away in the ordering log (P12)", () => {
    const bench = bonded();
    sealed(bench);
    const commands = bench.tell({ kind: "challenged", txHash: "alice/0", callIndex: 0 });
    expect(dispatched(commands)).toHaveLength(1);
    expect(said(commands, "ordered")).toEqual([]);
  });

  for (const when of ["before", "after"] as const) {
    it(`overturns a lie by two others ${when} the commit: fee refunded, bond forfeited, shared out (P5)`, () => {
      const bench = bonded();
      const liar = sealed(bench, "lie");
      if (when === "after") bench.commit(1);
      const [first] = challenge(bench) as [CopyView];
      const [second] = dispatched(says(bench, first, "truth")) as [CopyView];
      expect(new Set([liar, first, second].map(({ node }) => node.id)).size).toBe(3);
      const commands = says(bench, second, "truth");
      expect(outcomes(commands)).toMatchObject([
        { verdict: "overturned", node: liar.node.id, outputHash: "lie", forfeitedGwei: 1_000 },
      ]);
      expect(moved(commands)).toEqual([
        ["forfeited", liar.node.id, 1_000],
        ["rewarded", first.node.id, 20],
        ["rewarded", second.node.id, 20],
        ["compensated", "alice", 960],
        ["refunded", "alice", 10],
      ]);
      expect(said(commands, "alarm").map(({ alarm }) => alarm)).toMatchObject([
        { kind: "node-quarantined", node: liar.node.id },
      ]);
      if (when === "before") bench.commit(1);
      for (const height of [2, 3, 4, 5]) open(bench, height);
      expect(bench.engine.ledger).toMatchObject({ heldGwei: 0, paidGwei: 0, refundedGwei: 10, compensatedGwei: 960 });
      for (const id of ["a", "b", "c", "d"]) {
        const bondGwei = id === liar.node.id ? 500 : BOND_GWEI;
        expect(bench.engine.bond(id)).toEqual({ bondGwei, freeGwei: bondGwei });
      }
    });
  }

  it("lets a challenger that stands alone forfeit, and pays the winner", () => {
    const bench = bonded();
    const winner = sealed(bench);
    bench.commit(1);
    const [first] = challenge(bench) as [CopyView];
    const [second] = dispatched(says(bench, first, "lie")) as [CopyView];
    const commands = says(bench, second, "truth");
    expect(outcomes(commands)).toMatchObject([{ verdict: "upheld", dissenter: first.node.id, forfeitedGwei: 1_000 }]);
    expect(moved(commands)).toEqual([
      ["forfeited", first.node.id, 1_000],
      ["rewarded", second.node.id, 20],
      ["compensated", "alice", 980],
    ]);
    for (const height of [2, 3, 4, 5]) open(bench, height);
    expect(bench.engine.ledger.paidGwei).toBe(10);
    expect(bench.engine.bond(winner.node.id).freeGwei).toBe(BOND_GWEI);
  });

  it("refunds without a forfeit when all three differ", () => {
    const bench = bonded();
    const winner = sealed(bench, "one");
    bench.commit(1);
    const [first] = challenge(bench) as [CopyView];
    const [second] = dispatched(says(bench, first, "two")) as [CopyView];
    const commands = says(bench, second, "three");
    expect(outcomes(commands)).toMatchObject([{ verdict: "open", forfeitedGwei: 0 }]);
    expect(moved(commands)).toEqual([["refunded", "alice", 10]]);
    expect(bench.engine.bond(winner.node.id).freeGwei).toBe(BOND_GWEI);
  });

  it("pays after twice the window when nobody answered the challenge", () => {
    const bench = bonded(["a"]);
    sealed(bench);
    bench.commit(1);
    expect(challenge(bench)).toEqual([]);
    for (const height of [2, 3, 4, 5]) open(bench, height);
    expect(bench.engine.status("alice/0")).toMatchObject({ finalHeight: 7 });
    bench.wait(10_000);
    for (const height of [6, 7]) expect(moved(open(bench, height))).toEqual([]);
    const commands = open(bench, 8);
    expect(outcomes(commands)).toMatchObject([{ verdict: "open", answers: [] }]);
    expect(moved(commands)).toEqual([["paid", "a", 10]]);
    expect(bench.engine.sizes.races).toBe(0);
    expect(bench.engine.nextWakeUs()).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("tries again when a challenger fails, on another node if there is one", () => {
    const bench = bonded();
    sealed(bench);
    const [first] = challenge(bench) as [CopyView];
    bench.fail(first);
    const [second] = dispatched(bench.wait(2_000)) as [CopyView];
    expect(second.node.id).not.toBe(first.node.id);
    expect(bench.engine.bond(first.node.id).freeGwei).toBe(BOND_GWEI);
  });

  it("ends a challenge with its block, takes back what was paid, and never stitches an overturned result again", () => {
    const bench = bonded();
    const liar = sealed(bench, "lie");
    bench.commit(1);
    const [first] = challenge(bench) as [CopyView];
    const commands = bench.revert(1);
    expect(outcomes(commands)).toMatchObject([{ verdict: "open" }]);
    expect(said(commands, "cancel").map(({ copy }) => copy.id)).toEqual([first.id]);
    bench.complete("alice/0");
    bench.openBlock(1);
    bench.seal(1);
    const [again] = challenge(bench) as [CopyView];
    const [arbiter] = dispatched(says(bench, again, "truth")) as [CopyView];
    says(bench, arbiter, "truth");
    bench.commit(1);
    const returned = bench.revert(1);
    expect(said(returned, "preExecute").map(({ transaction }) => transaction.calls[0]?.result)).toEqual([undefined]);
    expect(bench.engine.bond(liar.node.id)).toEqual({ bondGwei: 500, freeGwei: 500 });
  });

  it("locks the bond again when a reorg takes back a payment", () => {
    const bench = bonded();
    const { node } = sealed(bench);
    bench.commit(1);
    for (const height of [2, 3, 4, 5]) open(bench, height);
    expect(moved(bench.revert(1))).toEqual([["unpaid", node.id, 10]]);
    expect(bench.engine.bond(node.id).freeGwei).toBe(500);
  });

  it("goes on after a restart in the middle of a challenge", () => {
    const bench = bonded();
    const liar = sealed(bench, "lie");
    bench.commit(1);
    const [first] = challenge(bench) as [CopyView];
    const [second] = dispatched(says(bench, first, "truth")) as [CopyView];
    bench.engine = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify(bench.engine.snapshot())));
    bench.tell({ kind: "restarted" });
    expect(outcomes(says(bench, second, "truth"))).toMatchObject([{ verdict: "overturned", node: liar.node.id }]);
  });

  it("takes nothing for a challenge that is none", () => {
    const bench = bonded();
    sealed(bench);
    for (const [txHash, callIndex] of [
      ["bob/0", 0],
      ["alice/0", 1],
    ] as const) {
      expect(bench.tell({ kind: "challenged", txHash, callIndex })).toEqual([]);
    }
    expect(challenge(bench)).toHaveLength(1);
    expect(challenge(bench)).toEqual([]);
    expect(bench.engine.counters).toMatchObject({ challenges: 1, lateEvents: 3 });
  });

  it("refuses bonds that are no amount", () => {
    const bench = bonded();
    for (const bondGwei of [-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER])
      expect(bench.tell({ kind: "bond-changed", node: "a", bondGwei })).toEqual([]);
    expect(bench.engine.counters.bondsRefused).toBe(4);
    expect(moved(bench.tell({ kind: "bond-changed", node: "a", bondGwei: 0 }))).toEqual([["unbonded", "a", BOND_GWEI]]);
  });
});
