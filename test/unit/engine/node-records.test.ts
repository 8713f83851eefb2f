import { describe, expect, it } from "vitest";
import { NodeRecord } from "../../../policies/index.ts";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import { Bench } from "./bench.ts";

const OFFER = { model: "m", mode: "vanilla" } as const;

interface Known {
  readonly id: string;
  readonly record: Omit<NodeRecord, "answered" | "outlasted" | "succeeded" | "failed" | "tries">;
}

function recordOf(bench: Bench, id: string): Known["record"] {
  const { nodes } = bench.engine.snapshot().fleet;
  const known = nodes.find((node) => node.id === id);
  if (known === undefined) throw new Error(`${id} is not known`);
  return known.record;
}

/** Both copies of a race of alice's, and then what happens to them. */
function race(bench: Bench, nonce: number): [CopyView, CopyView] {
  return bench.race({ nonce, ttlBlocks: 100 }) as [CopyView, CopyView];
}

describe("what the engine writes into a node's record", () => {
  it("is its answers relative to the usual, and for who was cut off that it took longer", () => {
    const bench = new Bench({ nodes: ["a", "b"] });
    const [first, second] = race(bench, 0);
    bench.wait(400);
    bench.win(first);
    expect(recordOf(bench, first.node.id)).toMatchObject({ response: 1, service: 1, failures: 0, seen: 1 });
    expect(recordOf(bench, second.node.id)).toMatchObject({ seen: 0 });
    const [third, fourth] = race(bench, 1);
    bench.wait(1_600);
    bench.win(third);
    // The mean of 400 and 1,600 ms is usual by then; the straggler ran as long as the winner.
    for (const { node } of [third, fourth]) expect(recordOf(bench, node.id).response).toBeGreaterThan(1);
  });

  it("is no duration for who failed, and a failure instead; refusing counts, a broken verifier does not", () => {
    const bench = new Bench({ nodes: ["a", "b"], policy: { kind: "fixed", copies: 1 } });
    const [won] = race(bench, 0);
    bench.wait(400);
    bench.win(won);
    const { seen } = recordOf(bench, won.node.id);
    const [failing] = race(bench, 1);
    const before = recordOf(bench, failing.node.id).failures;
    bench.fail(failing);
    expect(recordOf(bench, failing.node.id).failures).toBeGreaterThan(before);
    expect(recordOf(bench, won.node.id).seen).toBe(seen);
    const [refusing] = race(bench, 2);
    bench.tell({ kind: "copy-failed", copy: refusing.id, node: refusing.node.id, reason: "overloaded" });
    expect(recordOf(bench, refusing.node.id).failures).toBeGreaterThan(0);
    const [unjudged] = race(bench, 3);
    const { failures } = recordOf(bench, unjudged.node.id);
    bench.answer(unjudged);
    bench.judge(unjudged, false, "verifier-crashed");
    expect(recordOf(bench, unjudged.node.id).failures).toBe(failures);
  });

  it("comes back with a snapshot", () => {
    const bench = new Bench({ placement: { kind: "c3" } });
    for (let nonce = 0; nonce < 5; nonce++) {
      const [first] = race(bench, nonce);
      bench.wait(100);
      bench.win(first);
    }
    const snapshot = bench.engine.snapshot();
    const restored = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify(snapshot)));
    expect(JSON.stringify(restored.snapshot().fleet)).toBe(JSON.stringify(snapshot.fleet));
  });
});

describe("a node's record", () => {
  it("counts the first observations alike, and takes the queue out of the service", () => {
    const record = new NodeRecord();
    record.answered(6, 3);
    expect([record.response, record.service]).toEqual([6, 2]);
    record.answered(2, 0.5);
    expect([record.response, record.service]).toEqual([4, 2]);
  });

  it("learns from who was cut off only that it is slower than was expected", () => {
    const record = new NodeRecord();
    record.outlasted(0.5, 1);
    expect([record.response, record.seen]).toEqual([1, 0]);
    record.outlasted(3, 1);
    expect(record.response).toBe(3);
  });

  it("expects twenty tries at the most of who never answers, and one of who always does", () => {
    const record = new NodeRecord();
    expect(record.tries).toBe(1);
    for (let copy = 0; copy < 100; copy++) record.failed();
    expect(record.tries).toBeCloseTo(20);
    for (let copy = 0; copy < 100; copy++) record.succeeded();
    expect(record.tries).toBeCloseTo(1);
  });
});

describe("the price-aware placement in the engine", () => {
  it("never goes above the call's cap, and prefers the cheaper of equals", () => {
    const placement = { kind: "price-aware", explore: 0.5 } as const;
    const bench = new Bench({ nodes: [], placement, policy: { kind: "fixed", copies: 1 } });
    const prices = { dear: 11, fair: 10, cheap: 5 };
    for (const [id, priceGwei] of Object.entries(prices)) bench.join(id, { offers: [{ ...OFFER, priceGwei }] });
    const given: string[] = [];
    for (let nonce = 0; nonce < 60; nonce++) {
      const [copy] = race(bench, nonce);
      given.push(copy.node.id);
      bench.win(copy);
    }
    expect(new Set(given)).toEqual(new Set(["cheap", "fair"]));
    const count = (id: string): number => given.filter((one) => one === id).length;
    expect(count("cheap")).toBeGreaterThan(count("fair"));
  });
});
