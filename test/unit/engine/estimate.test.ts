import { describe, expect, it } from "vitest";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import { Bench, call, dispatched } from "./bench.ts";

const SUBMITTED = {
  hash: "question",
  sender: "alice",
  nonce: 0,
  gasPriceGwei: 0,
  ttlBlocks: 12,
  escrowGwei: 10,
  calls: [call("d")],
};

/** Teaches the engine that answers take so long, one job after another. */
function learn(bench: Bench, durationsMs: readonly number[]): void {
  for (const ms of durationsMs) {
    const [copy] = bench.race({ hash: `lesson at ${bench.nowUs}`, ttlBlocks: 1_000 }) as [CopyView];
    bench.accept(copy);
    bench.wait(ms);
    bench.win(copy);
    bench.tell({ kind: "withdrawn", hash: copy.race.tx.hash });
  }
  const height = Math.floor((bench.nowUs - 1_000_000) / 500_000) + 1;
  bench.openBlock(height);
}

function alone(): Bench {
  return new Bench({ policy: { kind: "fixed", copies: 1 } });
}

const MIXED = Array.from({ length: 40 }, (_, index) => 300 + 75 * index);

function probabilities(bench: Bench, question: Parameters<Bench["engine"]["estimate"]>[0]): number[] {
  return bench.engine.estimate(question, bench.nowUs).map(({ probability }) => probability);
}

function expectRising(values: readonly number[]): void {
  for (const [index, value] of values.entries()) {
    expect(value).toBeGreaterThanOrEqual(values[index - 1] ?? 0);
    expect(value).toBeLessThanOrEqual(1);
  }
}

describe("the probability of sealing by a block (P14)", () => {
  it("has one entry for each block that may carry the transaction, the open one first", () => {
    const bench = alone();
    bench.race({ ttlBlocks: 3 });
    const estimates = bench.engine.estimate("alice/0", bench.nowUs);
    expect(estimates.map(({ height }) => height)).toEqual([1, 2, 3]);
    expect(estimates.map(({ sealAtUs }) => sealAtUs)).toEqual([1_500_000, 2_000_000, 2_500_000]);
    bench.openBlock(3);
    expect(bench.engine.estimate("alice/0", bench.nowUs).map(({ height }) => height)).toEqual([3]);
    expect(bench.engine.estimate("unknown", bench.nowUs)).toEqual([]);
  });

  it("is hopeful while nothing is known, and without calls certain", () => {
    const bench = alone();
    expect(probabilities(bench, SUBMITTED)).toEqual(new Array(12).fill(1));
    learn(bench, MIXED);
    bench.submit();
    expect(probabilities(bench, "alice/0")).toEqual(new Array(20).fill(1));
  });

  it("is a probability that does not fall from block to block: asked about, waiting, racing and verifying", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 }, nodes: [] });
    for (const id of ["a", "b"]) bench.join(id, { slots: 1 });
    learn(bench, MIXED);
    const seen: number[][] = [probabilities(bench, SUBMITTED)];
    const copies = [0, 1, 2, 3].flatMap((nonce) => bench.race({ nonce }));
    expect(copies).toHaveLength(2);
    for (const nonce of [0, 1, 2, 3]) seen.push(probabilities(bench, `alice/${nonce}`));
    bench.answer(copies[0] as CopyView);
    seen.push(probabilities(bench, "alice/0"));
    bench.wait(700);
    for (const nonce of [1, 2, 3]) seen.push(probabilities(bench, `alice/${nonce}`));
    for (const values of seen) expectRising(values);
    // Not by saying the same always: the first block is nearly out of reach, the last is not.
    expect(seen[0]?.[0]).toBeLessThan(0.2);
    expect(seen[0]?.at(-1)).toBe(1);
  });

  it("is lower for long jobs once they are known to be long", () => {
    const [quick, slow] = [alone(), alone()];
    learn(quick, new Array(40).fill(200));
    learn(slow, MIXED);
    const [ofQuick, ofSlow] = [probabilities(quick, SUBMITTED), probabilities(slow, SUBMITTED)];
    expect(ofQuick[0]).toBe(1);
    expect(ofSlow[0]).toBeLessThan(0.5);
    expect(ofSlow[2]).toBeLessThan(ofQuick[2] as number);
  });

  it("falls with each further call", () => {
    const bench = alone();
    learn(bench, MIXED);
    const one = probabilities(bench, SUBMITTED);
    const two = probabilities(bench, { ...SUBMITTED, calls: [call("d"), call("e")] });
    expect(two[3]).toBeCloseTo((one[3] as number) ** 2, 9);
  });

  it("of calls that race is the product of theirs", () => {
    const bench = alone();
    const calls = [call("d"), call("e")];
    bench.submit({ calls });
    const copies = dispatched(bench.discover("alice/0", calls));
    // Each answer is of a node of which nothing is known: one half.
    for (const [index, copy] of copies.entries()) {
      bench.answer(copy);
      expect(probabilities(bench, "alice/0")[0]).toBe(0.5 ** (index + 1));
    }
    expect(copies).toHaveLength(2);
  });

  it("is less for those who wait behind others", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 }, nodes: [] });
    for (const id of ["a", "b"]) bench.join(id, { slots: 1 });
    learn(bench, MIXED);
    const before = probabilities(bench, SUBMITTED);
    for (let nonce = 0; nonce < 6; nonce++) bench.race({ nonce });
    const after = probabilities(bench, SUBMITTED);
    expect(after[4]).toBeLessThan(before[4] as number);
  });

  it("counts what a node did so far: a liar's answer is worth less", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 }, nodes: ["a"], races: { redundancyFloor: 1 } });
    const [first] = bench.race() as [CopyView];
    bench.answer(first);
    expect(probabilities(bench, "alice/0")).toEqual(new Array(20).fill(1 / 2));
    bench.judge(first, false, "bad-signature");
    bench.tell({ kind: "withdrawn", hash: "alice/0" });
    const [second] = bench.race() as [CopyView];
    bench.answer(second);
    expect(probabilities(bench, "alice/0")[0]).toBeCloseTo(1 / 3, 9);
  });

  it("is 1 once sealed, and 0 where nobody could answer", () => {
    const bench = alone();
    learn(bench, MIXED);
    bench.ready({ nonce: 0 });
    bench.seal(bench.engine.sizes.height);
    expect(new Set(probabilities(bench, "alice/0"))).toEqual(new Set([1]));
    for (const id of ["a", "b", "c"]) bench.leave(id);
    expect(new Set(probabilities(bench, { ...SUBMITTED, nonce: 1 }))).toEqual(new Set([0]));
  });
});
