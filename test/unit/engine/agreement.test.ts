import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import type { ConflictRule } from "../../../scheduler/shared/vocabulary.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import { Bench, type BenchConfig, dispatched, said } from "./bench.ts";

const AGREE: ConflictRule = { kind: "agree", k: 2 };
const MEDIAN: ConflictRule = { kind: "median", k: 3, tolerance: 1 };

function bench(config: BenchConfig = {}): Bench {
  return new Bench({ policy: { kind: "fixed", copies: 1 }, nodes: ["a", "b", "c", "d"], ...config });
}

function says(on: Bench, { id: copy, node: { id } }: CopyView, outputHash: string, value?: number) {
  const answer = { copy, node: id, outputHash, answerHash: `answer of ${id}` };
  on.tell({ kind: "copy-answered", ...answer, ...(value === undefined ? {} : { value }) });
  return on.judge({ id: copy } as CopyView, true);
}

describe("a race that compares answers", () => {
  it("begins with as many copies as its rule asks for, and is decided when they agree", () => {
    const on = bench();
    const [first, second] = on.race({}, { conflict: AGREE, maxFeeGwei: 20 }) as [CopyView, CopyView];
    expect(first.node.id).not.toBe(second.node.id);
    expect(said(says(on, first, "x"), "decided")).toEqual([]);
    const commands = says(on, second, "x");
    expect(said(commands, "decided").map(({ result }) => result)).toMatchObject([
      {
        copy: first.id,
        outputHash: "x",
        feeGwei: 10,
        maxFeeGwei: 20,
        supporters: [{ copy: second.id, node: second.node.id, nonce: second.nonce, outputHash: "x", feeGwei: 10 }],
        rivals: [],
      },
    ]);
    expect([on.engine.sizes.races, on.engine.sizes.copies]).toEqual([0, 0]);
  });

  it("asks another operator when two disagree; who is outvoted is neither paid nor punished (P5)", () => {
    const on = bench();
    const [first, second] = on.race({}, { conflict: AGREE, maxFeeGwei: 20 }) as [CopyView, CopyView];
    says(on, first, "x");
    const [third] = dispatched(says(on, second, "y")) as [CopyView];
    expect(new Set([first, second, third].map((copy) => copy.node.id)).size).toBe(3);
    const [decided] = said(says(on, third, "y"), "decided");
    expect(decided?.result).toMatchObject({
      copy: second.id,
      supporters: [{ copy: third.id }],
      rivals: [{ node: first.node.id, end: "outvoted" }],
    });
    on.complete("alice/0");
    on.seal(1);
    const paid = said(on.commit(1), "moved").map(({ movement }) => [
      movement.kind,
      movement.account,
      movement.amountGwei,
    ]);
    expect(paid).toEqual([
      ["paid", second.node.id, 10],
      ["paid", third.node.id, 10],
    ]);
    expect(on.engine.ledger).toMatchObject({ paidGwei: 20, heldGwei: 0 });
    const undone = said(on.revert(1), "moved").map(({ movement }) => [movement.kind, movement.amountGwei]);
    expect(undone).toEqual([
      ["unpaid", 10],
      ["unpaid", 10],
    ]);
  });

  it("never asks one operator twice, nor nodes that need not agree", () => {
    const offer = { model: "m", mode: "vanilla" as const, priceGwei: 10 };
    const on = bench({ nodes: [] });
    on.join("a1", { operator: "a", offers: [{ ...offer, equivalence: "h100" }] });
    on.join("a2", { operator: "a", offers: [{ ...offer, equivalence: "h100" }] });
    on.join("b", { offers: [{ ...offer, equivalence: "a100" }] });
    on.join("c", { offers: [{ ...offer, equivalence: "h100" }] });
    on.join("d", { offers: [{ ...offer, equivalence: "a100" }] });
    on.join("e", { offers: [{ ...offer, equivalence: "h100" }] });
    const copies = on.race({}, { conflict: { kind: "agree", k: 3 }, maxFeeGwei: 30 });
    expect(copies.map(({ node: { id } }) => id[0]).sort()).toEqual(["a", "c", "e"]);
  });

  it("refuses what cannot be paid or answered by so many operators", () => {
    const on = bench();
    const refusal = (conflict: ConflictRule, maxFeeGwei: number) =>
      said(on.submit({ calls: [{ ...CALL, conflict, maxFeeGwei }] }), "rejected").map(({ rejection }) => rejection);
    expect(refusal(AGREE, 19)).toEqual([{ reason: "fee-too-low", callIndex: 0, minimumFeeGwei: 20 }]);
    expect(refusal({ kind: "agree", k: 5 }, 100)).toMatchObject([{ reason: "infeasible", probability: 0 }]);
    for (const k of [0, 6, 1.5, Number.NaN])
      expect(refusal({ kind: "agree", k }, 100)).toMatchObject([
        { reason: "out-of-range", field: "calls[0].conflict.k" },
      ]);
    expect(refusal({ ...MEDIAN, tolerance: -1 }, 100)).toMatchObject([{ field: "calls[0].conflict.tolerance" }]);
  });

  it("lets the median win, with the answers beside it as its supporters", () => {
    const on = bench();
    const copies = on.race({}, { conflict: MEDIAN, maxFeeGwei: 30 }) as [CopyView, CopyView, CopyView];
    says(on, copies[0], "x", 0.9);
    says(on, copies[1], "y", 0.2);
    const [decided] = said(says(on, copies[2], "z", 0.5), "decided");
    expect(decided?.result).toMatchObject({ copy: copies[2].id, outputHash: "z" });
    expect(decided?.result.supporters.map(({ copy }) => copy)).toEqual([copies[1].id, copies[0].id]);
  });

  it("replaces copies that a quorum still needs without touching the speculative budget (P6)", () => {
    const on = bench({ budget: { ratio: 0, burstMs: 0 } });
    const [first, second] = on.race({}, { conflict: AGREE, maxFeeGwei: 20 }) as [CopyView, CopyView];
    says(on, first, "x");
    const [third] = dispatched(says(on, second, "y")) as [CopyView];
    expect(third).toMatchObject({ speculative: false });
  });

  it("keeps accepted answers over a restart, and looks into another answer by the same node", () => {
    const on = bench();
    const [first, second] = on.race({}, { conflict: AGREE, maxFeeGwei: 20 }) as [CopyView, CopyView];
    says(on, first, "x");
    on.engine = Engine.restore(on.engine.config, JSON.parse(JSON.stringify(on.engine.snapshot())));
    on.tell({ kind: "restarted" });
    expect(said(on.answer(first, "another", "other output"), "suspect")).toHaveLength(1);
    expect(said(says(on, second, "x"), "decided")).toHaveLength(1);
  });

  it("leaves nothing behind when its transaction goes", () => {
    const on = bench();
    const [first] = on.race({}, { conflict: AGREE, maxFeeGwei: 20 }) as [CopyView];
    says(on, first, "x");
    on.tell({ kind: "withdrawn", hash: "alice/0" });
    expect([on.engine.sizes.races, on.engine.sizes.copies]).toEqual([0, 0]);
    expect(on.engine.ledger).toMatchObject({ heldGwei: 0 });
  });
});

const CALL = {
  model: "m",
  mode: "vanilla",
  digest: "d",
  inputHash: "i",
  tokensIn: 1,
  tokensOut: 1,
  validityBlocks: 8,
} as const;
