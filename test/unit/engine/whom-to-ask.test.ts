import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Bench, dispatched, said } from "./bench.ts";

/** Who may be given a copy, and what waits when nobody may. */

const ONE = { kind: "fixed", copies: 1 } as const;
const OPTIMISTIC = { challengeBlocks: 4, bondPerFee: 100, rewardPerFee: 2 };
const offer = (priceGwei: number, equivalence?: string) =>
  ({ model: "m", mode: "optimistic", priceGwei, ...(equivalence === undefined ? {} : { equivalence }) }) as const;

function says(bench: Bench, copy: CopyView, outputHash: string): Command[] {
  return [...bench.answer(copy, `${copy.node.id} says ${outputHash}`, outputHash), ...bench.judge(copy, true)];
}

describe("a job for which no node may be asked", () => {
  it("does not hold up those behind it, and says so once, however long it waits (P8, P12)", () => {
    const bench = new Bench({ policy: ONE, nodes: [], optimistic: OPTIMISTIC });
    // The cheap one has room and no bond, the dear one has both.
    bench.join("cheap", { offers: [offer(10)] });
    bench.join("dear", { offers: [offer(50)] });
    bench.tell({ kind: "bond-changed", node: "dear", bondGwei: 100_000 });
    expect(bench.race({ nonce: 0 }, { mode: "optimistic", maxFeeGwei: 10 })).toEqual([]);
    const [copy] = bench.race({ nonce: 1 }, { mode: "optimistic", maxFeeGwei: 50 });
    expect(copy?.node.id).toBe("dear");
    expect(said(bench.wait(5_000), "ordered")).toEqual([]);
    bench.tell({ kind: "bond-changed", node: "cheap", bondGwei: 1_000 });
    expect(
      dispatched(bench.wait(1_500))
        .slice(0, 1)
        .map(({ node, race }) => [node.id, race.tx.hash]),
    ).toEqual([["cheap", "alice/0"]]);
  });

  it("waits in its place when those behind it could not be given to anybody either", () => {
    const bench = new Bench({ policy: ONE, nodes: [], optimistic: OPTIMISTIC });
    bench.join("a", { offers: [offer(10)] });
    for (const nonce of [0, 1]) bench.race({ nonce }, { mode: "optimistic" });
    expect(bench.engine.sizes.waiting).toBe(2);
    const copies = dispatched(bench.tell({ kind: "bond-changed", node: "a", bondGwei: 2_000 }));
    expect(copies.map(({ race }) => race.tx.hash)).toEqual(["alice/0", "alice/1"]);
  });
});

describe("a race that compares answers", () => {
  const AGREE = { kind: "agree", k: 2 } as const;
  const labelled = (equivalence: string) => ({ model: "m", mode: "vanilla", priceGwei: 10, equivalence }) as const;

  it("begins where enough operators can agree, also when only one of them has room now", () => {
    const bench = new Bench({ policy: ONE, nodes: [] });
    for (const id of ["alone-1", "alone-2"])
      bench.join(id, { operator: "alone", slots: 9, offers: [labelled("a single operator's")] });
    bench.join("b", { offers: [labelled("two operators'")] });
    bench.join("c", { slots: 1, offers: [labelled("two operators'")] });
    bench.tell({ kind: "node-reported", node: "c", running: 1, queued: 0, warm: [] });
    const [first] = bench.race({ ttlBlocks: 100 }, { conflict: AGREE, maxFeeGwei: 20 });
    expect(first?.node.id).toBe("b");
    bench.accept(first as CopyView);
    bench.tell({ kind: "node-reported", node: "c", running: 0, queued: 0, warm: [] });
    expect(dispatched(bench.wait(1_000)).map(({ node }) => node.id)).toEqual(["c"]);
  });

  it("ends by its time to live when no answer of any number fits another", () => {
    const nodes = Array.from({ length: 48 }, (_, n) => `n${n}`);
    const bench = new Bench({ nodes, policy: { kind: "fixed", copies: 2 }, races: { slowRetryUs: 1_000 } });
    let copies: readonly CopyView[] = bench.race({ ttlBlocks: 1_000 }, { conflict: AGREE, maxFeeGwei: 20 });
    let answers = 0;
    for (let round = 0; round < 100; round++) {
      const next: CopyView[] = [];
      for (const copy of copies) next.push(...dispatched(says(bench, copy, `answer ${answers++}`)));
      next.push(...dispatched(bench.wait(10)));
      copies = next;
    }
    expect(answers).toBeGreaterThan(24);
    bench.openBlock(1_002);
    expect(bench.engine.status("alice/0")).toBeUndefined();
    expect(bench.engine.sizes).toMatchObject({ races: 0, copies: 0 });
    expect(bench.engine.account("alice")?.depositGwei).toBe(100_000);
  });
});

describe("a challenge", () => {
  /** One answer, sealed, and its nodes' bonds. */
  function sealed(nodes: readonly string[]): Bench {
    const bench = new Bench({ policy: ONE, nodes: [], optimistic: OPTIMISTIC });
    for (const id of nodes) {
      bench.join(id, { offers: [offer(10)] });
      bench.tell({ kind: "bond-changed", node: id, bondGwei: 1_000 });
    }
    const [copy] = bench.race({}, { mode: "optimistic" }) as [CopyView];
    says(bench, copy, "lie");
    bench.complete("alice/0");
    bench.seal(1);
    return bench;
  }

  function challenge(bench: Bench): CopyView[] {
    return dispatched(bench.tell({ kind: "challenged", txHash: "alice/0", callIndex: 0 }));
  }

  it("is not held up by a challenger that keeps silent: another is asked beside it", () => {
    const bench = sealed(["a", "b", "c", "d"]);
    bench.commit(1);
    const [silent] = challenge(bench) as [CopyView];
    bench.accept(silent);
    const [second] = dispatched(bench.wait(1_000)) as [CopyView];
    expect(second.speculative).toBe(false);
    const commands = says(bench, second, "truth");
    // Who was silent is let go, and can be asked as the arbiter.
    expect(said(commands, "cancel").map(({ copy }) => copy.id)).toEqual([silent.id]);
    expect(dispatched(commands)).toHaveLength(1);
  });

  it("holds fees and bonds for two windows at the most, and leaves nothing behind", () => {
    const bench = sealed(["a", "b", "c", "d"]);
    bench.commit(1);
    for (const copy of challenge(bench)) bench.accept(copy);
    for (let height = 2; height <= 10; height++) {
      for (const copy of dispatched(bench.wait(500))) bench.accept(copy);
      bench.openBlock(height);
    }
    expect(bench.engine.sizes).toMatchObject({ races: 0, copies: 0 });
    expect(bench.engine.ledger).toMatchObject({ heldGwei: 0, paidGwei: 10 });
    for (const id of ["a", "b", "c", "d"]) expect(bench.engine.bond(id)).toEqual({ bondGwei: 1_000, freeGwei: 1_000 });
  });

  it("asks nobody any more when the chain stands still", () => {
    const bench = sealed(["a", "b", "c", "d"]);
    const asked = challenge(bench);
    for (let second = 0; second < 60; second++) {
      for (const copy of asked.splice(0)) asked.push(...dispatched(bench.fail(copy)));
      asked.push(...dispatched(bench.wait(1_000)));
    }
    expect(asked).toEqual([]);
    expect(bench.engine.nextWakeUs()).toBe(Number.MAX_SAFE_INTEGER);
    // When it goes on, so does what the challenge held up.
    bench.commit(1);
    for (let height = 2; height <= 10; height++) bench.openBlock(height);
    expect(bench.engine.ledger).toMatchObject({ heldGwei: 0, paidGwei: 10 });
  });
});
