import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Bench, kindsOf, said } from "./bench.ts";

/** A race of one copy that has answered, and waits for its verdict. */
function answered(): { readonly bench: Bench; readonly copy: CopyView } {
  const bench = new Bench({ policy: { kind: "fixed", copies: 1 }, races: { redundancyFloor: 0 } });
  const [copy] = bench.race() as [CopyView];
  bench.answer(copy, "first");
  return { bench, copy };
}

function judge(bench: Bench, { id: copy }: CopyView, signed: boolean): Command[] {
  return bench.tell({ kind: "suspicion-judged", copy, signed });
}

function again(bench: Bench): Bench {
  bench.engine = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify(bench.engine.snapshot())));
  return bench;
}

describe("a second answer to one assignment", () => {
  it("is a duplicate when its output is the same, however often it is proved anew: proofs are made with chance", () => {
    const { bench, copy } = answered();
    for (const proof of ["first", "second", "third"]) expect(bench.answer(copy, proof)).toEqual([]);
    expect(bench.engine.counters.duplicateEvents).toBe(3);
    expect(said(bench.judge(copy, true), "decided")[0]?.result).toMatchObject({ answerHash: "first" });
  });

  it("is looked into when its output is another, and nobody is blamed before both are known to be signed (P3)", () => {
    const { bench, copy } = answered();
    const suspicion = { copy: copy.id, node: copy.node.id, firstAnswerHash: "first", secondAnswerHash: "second" };
    expect(bench.answer(copy, "second", "other")).toEqual([{ kind: "suspect", suspicion }]);
    const commands = judge(bench, copy, true);
    expect(said(commands, "evidence")).toEqual([{ kind: "evidence", evidence: suspicion }]);
    expect(said(commands, "alarm")).toMatchObject([{ alarm: { node: copy.node.id, reason: "equivocation" } }]);
  });

  it("that its node did not sign costs it nothing", () => {
    const { bench, copy } = answered();
    bench.answer(copy, "second", "other");
    expect(judge(bench, copy, false)).toEqual([]);
    expect(bench.engine.counters).toMatchObject({ suspicionsDismissed: 1 });
    expect(kindsOf(bench.judge(copy, true))).toContain("decided");
  });

  it("is evidence also when the race was decided meanwhile", () => {
    const { bench, copy } = answered();
    bench.answer(copy, "second", "other");
    bench.judge(copy, true);
    expect(kindsOf(judge(bench, copy, true))).toEqual(["evidence", "alarm"]);
  });

  it("is told once: who can sign two answers can sign a million", () => {
    const { bench, copy } = answered();
    bench.answer(copy, "second", "other");
    expect(bench.answer(copy, "third", "yet another")).toEqual([]);
    judge(bench, copy, true);
    expect(again(bench).answer(copy, "fourth", "one more")).toEqual([]);
    expect(judge(bench, copy, true)).toEqual([]);
    expect(bench.engine.counters).toMatchObject({ lateEvents: 1, duplicateEvents: 2 });
  });

  it("of which none is signed is looked into a few times only, also after a restart (P11)", () => {
    const { bench, copy } = answered();
    for (let n = 0; n < 9; n++) {
      const looked = kindsOf(again(bench).answer(copy, `proof ${n}`, `output ${n}`));
      expect(looked).toEqual(n < 3 ? ["suspect"] : []);
      judge(bench, copy, false);
    }
  });

  it("is looked into again after a crash, since what was being found out may be lost", () => {
    const { bench, copy } = answered();
    const [asked] = bench.answer(copy, "second", "other");
    expect(again(bench).tell({ kind: "restarted" })).toContainEqual(asked);
    expect(kindsOf(judge(bench, copy, true))).toEqual(["evidence", "alarm"]);
  });
});
