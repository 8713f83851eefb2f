import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { failedRun } from "../../../scheduler/node/model-runner.ts";
import type { NodeTerms } from "../../../scheduler/shared/vocabulary.ts";
import { assignment, makeNode, type NodeUnderTest } from "./node-under-test.ts";
import { DONE, scriptedRunner } from "./scripted-runner.ts";

const made: NodeUnderTest[] = [];
afterEach(() => {
  for (const { node } of made.splice(0)) node.drain();
});

function scriptedNode(options: {
  readonly slots: number;
  readonly queueLimit: number;
  readonly offers?: NodeTerms["offers"];
  readonly concurrency?: ReadonlyMap<string, number>;
}) {
  const { runner, runs } = scriptedRunner();
  const under = makeNode({ ...options, runner, latency: { kind: "none" }, fault: { kind: "none" } });
  made.push(under);
  const progress = (copy: number) =>
    under.heard.flatMap((m) => (m.kind === "progressed" && m.copy === copy ? [m.tokens] : []));
  return { ...under, runs, progress };
}

const TWO_MODELS: NodeTerms["offers"] = [
  { model: "risk-small", mode: "vanilla", priceGwei: 1 },
  { model: "chat", mode: "vanilla", priceGwei: 1 },
];

describe("a run of a model", () => {
  it("is told the tokens that are asked for and what is left of the lease", async () => {
    const { node, runs } = scriptedNode({ slots: 1, queueLimit: 1 });
    node.assign(assignment(1, { tokensOut: 9, leaseMs: 5_000 }));
    node.assign(assignment(2, { tokensOut: 9, leaseMs: 5_000 }));
    expect(runs[0]?.options).toMatchObject({ tokensOut: 9 });
    await sleep(60);
    node.cancel(1);
    expect(runs[1]?.options.withinMs).toBeLessThanOrEqual(4_950);
    expect(runs[1]?.options.withinMs).toBeGreaterThan(3_000);
  });

  it("is aborted at once when the copy is cancelled, and its slot is free (P9)", () => {
    const { node, runs, about } = scriptedNode({ slots: 1, queueLimit: 1 });
    node.assign(assignment(1, {}));
    node.assign(assignment(2, {}));
    expect(runs).toHaveLength(1);
    node.cancel(1);
    expect(runs[0]?.options.signal.aborted).toBe(true);
    expect(runs).toHaveLength(2);
    expect(runs[1]?.options.signal.aborted).toBe(false);
    expect(about(1)).toEqual(["accepted", "failed cancelled"]);
  });

  it("is aborted when the lease ends", async () => {
    const { node, runs, ended } = scriptedNode({ slots: 1, queueLimit: 0 });
    node.assign(assignment(1, { leaseMs: 30 }));
    await ended(1, 1);
    expect(runs[0]?.options.signal.aborted).toBe(true);
  });

  it.each([
    ["error", failedRun("error", "it broke")],
    ["overloaded", failedRun("overloaded", "too busy")],
  ] as const)("that ends as %s fails that copy alone (P4)", async (reason, run) => {
    const { node, runs, ended } = scriptedNode({ slots: 2, queueLimit: 0 });
    node.assign(assignment(1, {}));
    node.assign(assignment(2, {}));
    runs[0]?.end(run);
    expect(await ended(1, 1)).toMatchObject({ kind: "failed", reason });
    runs[1]?.end(DONE);
    expect(await ended(2, 1)).toMatchObject({ kind: "answered", output: new Uint8Array([1, 2, 3]) });
  });
});

describe("progress", () => {
  it("is said at the first token at once, then at a bounded rate, and never backwards or beyond what was asked", async () => {
    const { node, runs, progress } = scriptedNode({ slots: 1, queueLimit: 0 });
    node.assign(assignment(1, { tokensOut: 50 }));
    const tell = runs[0]?.options.onProgress ?? (() => undefined);
    tell(0);
    expect(progress(1)).toEqual([]);
    for (let tokens = 1; tokens <= 20; tokens++) tell(tokens);
    expect(progress(1)).toEqual([1]);
    await sleep(260);
    tell(5);
    tell(30);
    tell(31);
    expect(progress(1)).toEqual([1, 5]);
    await sleep(260);
    tell(3);
    tell(1_000);
    expect(progress(1)).toEqual([1, 5, 50]);
  });

  it("is not said of a copy that is over", () => {
    const { node, runs, progress } = scriptedNode({ slots: 1, queueLimit: 0 });
    node.assign(assignment(1, { tokensOut: 50 }));
    node.cancel(1);
    runs[0]?.options.onProgress(7);
    expect(progress(1)).toEqual([]);
  });
});

describe("a model's own limit", () => {
  it("lets its copies wait while those of others pass", () => {
    const concurrency = new Map([["chat", 1]]);
    const { node, runs } = scriptedNode({ slots: 3, queueLimit: 2, offers: TWO_MODELS, concurrency });
    for (const [copy, model] of ["chat", "chat", "risk-small", "chat"].entries()) {
      node.assign(assignment(copy, { model }));
    }
    expect(runs.map(({ model }) => model)).toEqual(["chat", "risk-small"]);
    node.cancel(0);
    expect(runs.map(({ model }) => model)).toEqual(["chat", "risk-small", "chat"]);
  });

  it("fails as overloaded beyond the queue, though slots are free, which others still get", () => {
    const concurrency = new Map([["chat", 1]]);
    const { node, about } = scriptedNode({ slots: 3, queueLimit: 1, offers: TWO_MODELS, concurrency });
    for (const copy of [1, 2, 3]) node.assign(assignment(copy, { model: "chat" }));
    node.assign(assignment(4, {}));
    expect(about(2)).toEqual(["accepted"]);
    expect(about(3)).toEqual(["failed overloaded"]);
    expect(about(4)).toEqual(["accepted"]);
  });
});

describe("a node that retires", () => {
  it("lets what runs come to its end, and takes nothing more", async () => {
    const { node, runs, about } = scriptedNode({ slots: 1, queueLimit: 1 });
    node.assign(assignment(1, {}));
    node.assign(assignment(2, {}));
    const retired = node.retire(5_000);
    node.assign(assignment(3, {}));
    expect(about(2)).toEqual(["accepted", "failed drained"]);
    expect(about(3)).toEqual(["failed drained"]);
    runs[0]?.end(DONE);
    await retired;
    expect(about(1)).toEqual(["accepted", "answered"]);
    expect(runs).toHaveLength(1);
  });

  it("fails what has not ended in time as drained", async () => {
    const { node, runs, about } = scriptedNode({ slots: 1, queueLimit: 0 });
    node.assign(assignment(1, {}));
    await node.retire(30);
    expect(about(1)).toEqual(["accepted", "failed drained"]);
    expect(runs[0]?.options.signal.aborted).toBe(true);
  });

  it("is silent at once when it had nothing to do", async () => {
    const { node } = scriptedNode({ slots: 1, queueLimit: 0 });
    await node.retire(60_000);
  });
});
