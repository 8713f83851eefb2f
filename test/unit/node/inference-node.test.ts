import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { NodeMessage } from "../../../scheduler/live/transport.ts";
import type { Fault } from "../../../scheduler/node/behaviour/faults.ts";
import type { Latency } from "../../../scheduler/node/behaviour/latency-profile.ts";
import { loadModelRunner } from "../../../scheduler/node/backends/onnx.ts";
import type { ModelRunner } from "../../../scheduler/node/model-runner.ts";
import { readWasmBinary } from "../../../scheduler/node/wasm-binary.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { verifySignature } from "../../../scheduler/proofs/keys.ts";
import { encodeStatement } from "../../../scheduler/proofs/statement.ts";
import { INPUT, KEY, assignment, exactly, makeNode, unhurried } from "./node-under-test.ts";
import type { NodeUnderTest } from "./node-under-test.ts";

const HONEST: Fault = { kind: "none" };
/** Long enough that nothing ends by itself while a test looks. */
const LONG = exactly(4_000);

let runner: ModelRunner;
const made: NodeUnderTest[] = [];

beforeAll(async () => {
  runner = await loadModelRunner(["risk-small"], readWasmBinary());
});

afterEach(() => {
  for (const { node } of made.splice(0)) node.drain();
});

function nodeWith(slots: number, queueLimit: number, latency: Latency, fault: Fault): NodeUnderTest {
  const under = makeNode({ runner, slots, queueLimit, latency, fault });
  made.push(under);
  return under;
}

/** Whether the answer's signature holds for this assignment. */
function holds(message: NodeMessage, copy: number, callIndex: number): boolean {
  if (message.kind !== "answered") return false;
  const { chainId, txHash, model, mode, inputHash, nonce } = assignment(copy, {});
  const outputHash = sha256Hex(message.output);
  const statement = { chainId, txHash, callIndex, model, mode, inputHash, nonce, node: "node-a", outputHash };
  return verifySignature(KEY.publicKeyHex, encodeStatement(statement), message.proof.signature);
}

describe("a node that answers", () => {
  it("executes the model and signs the statement of this assignment (P3)", async () => {
    const { node, ended, about } = nodeWith(1, 0, { kind: "none" }, HONEST);
    node.assign(assignment(1, {}));
    const answer = await ended(1, 1);
    expect(about(1)).toEqual(["accepted", "answered"]);
    expect(await runner.run("risk-small", INPUT, unhurried())).toEqual({
      ok: true,
      output: answer.kind === "answered" && answer.output,
    });
    expect(holds(answer, 1, 0)).toBe(true);
    expect(holds(answer, 1, 1)).toBe(false);
  });

  it("takes the modelled time, and says at a bounded rate how far it is", async () => {
    const { node, ended, heard } = nodeWith(1, 0, exactly(10), HONEST);
    const startedMs = performance.now();
    node.assign(assignment(1, { tokensOut: 60 }));
    await ended(1, 1);
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThanOrEqual(598);
    const progress = heard.flatMap((message) => (message.kind === "progressed" ? [message.tokens] : []));
    expect(progress.length).toBeGreaterThanOrEqual(1);
    expect(progress.length).toBeLessThanOrEqual(Math.ceil(tookMs / 250));
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(Math.max(...progress)).toBeLessThan(60);
  });

  it("says when it joins, and reports its load when that changes and while it does not", async () => {
    const { node, heard } = nodeWith(1, 4, LONG, HONEST);
    node.join(undefined);
    expect(heard.map(({ kind }) => kind)).toEqual(["joined", "reported"]);
    for (const copy of [1, 2, 3]) node.assign(assignment(copy, {}));
    const loads = () => heard.flatMap((m) => (m.kind === "reported" ? [{ running: m.running, queued: m.queued }] : []));
    await vi.waitFor(() => expect(loads().length).toBeGreaterThan(1), { interval: 5 });
    // Three changes within a moment are one report.
    expect(loads().slice(0, 2)).toEqual([
      { running: 0, queued: 0 },
      { running: 1, queued: 2 },
    ]);
    const reports = loads().length;
    await sleep(300);
    expect(loads().length).toBeGreaterThan(reports);
    expect(heard.at(-1)).toEqual({ kind: "reported", node: "node-a", running: 1, queued: 2, warm: ["risk-small"] });
  });
});

describe("a node's limits (P11)", () => {
  it("are its slots and its queue; beyond them a copy fails as overloaded, and admitted ones go on", async () => {
    const { node, ended, about } = nodeWith(1, 1, exactly(50), HONEST);
    for (const copy of [1, 2, 3]) node.assign(assignment(copy, {}));
    expect(about(3)).toEqual(["failed overloaded"]);
    await ended(2, 1);
    expect(about(1)).toEqual(["accepted", "answered"]);
    expect(about(2)).toEqual(["accepted", "answered"]);
  });

  it.each([
    ["another model", { model: "chat-mini" }, "unknown-model"],
    ["a mode that it does not offer", { mode: "tee" }, "unknown-model"],
    ["another node", { node: "node-b" }, "error"],
    ["an input that is not the one hashed", { inputHash: "00".repeat(32) }, "error"],
    ["a transaction hash that is none", { txHash: "transaction" }, "error"],
    ["a nonce that is no count", { nonce: -1 }, "error"],
    ["no lease", { leaseMs: 0 }, "error"],
    ["more tokens than any context", { tokensOut: 2_000_000 }, "error"],
    ["an input larger than any call's", { input: new Uint8Array(64 * 1024 + 1) }, "error"],
    ["a payload of the wrong length", { input: new Uint8Array(60) }, "error"],
  ] as const)("refuse an assignment for %s", async (_what, changes, reason) => {
    const { node, ended } = nodeWith(1, 0, { kind: "none" }, HONEST);
    node.assign(assignment(1, changes));
    expect(await ended(1, 1)).toEqual({ kind: "failed", node: "node-a", copy: 1, reason });
  });
});

describe("stopping (P9)", () => {
  it("frees the slot at once for the copy that waits, and never answers", async () => {
    const { node, ended, about } = nodeWith(1, 1, exactly(50), HONEST);
    node.assign(assignment(1, { tokensOut: 90 }));
    node.assign(assignment(2, {}));
    await sleep(50);
    const startedMs = performance.now();
    node.cancel(1);
    await ended(2, 1);
    // Behind copy 1, which needs 4.5 s, it would have waited for seconds.
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(about(1)).toEqual(["accepted", "failed cancelled"]);
    expect(about(2)).toEqual(["accepted", "answered"]);
  });

  it("is final: the work that was planned does not go on", async () => {
    const { node, about } = nodeWith(2, 0, exactly(60), HONEST);
    node.assign(assignment(1, {}));
    await sleep(20);
    node.cancel(1);
    await sleep(100);
    // Cancelled before its model was computed.
    node.assign(assignment(2, {}));
    node.cancel(2);
    await sleep(100);
    expect(about(1)).toEqual(["accepted", "failed cancelled"]);
    expect(about(2)).toEqual(["accepted", "failed cancelled"]);
  });

  it("does not come after the answer: the lease is over with its copy", async () => {
    const { node, ended, about } = nodeWith(1, 0, { kind: "none" }, HONEST);
    node.assign(assignment(1, { leaseMs: 100 }));
    await ended(1, 1);
    await sleep(150);
    expect(about(1)).toEqual(["accepted", "answered"]);
  });

  it("takes a waiting copy out of the queue", async () => {
    const { node, ended, about } = nodeWith(1, 1, exactly(60), HONEST);
    node.assign(assignment(1, {}));
    node.assign(assignment(2, {}));
    node.cancel(2);
    node.assign(assignment(3, {}));
    await ended(3, 1);
    expect(about(2)).toEqual(["accepted", "failed cancelled"]);
    expect(about(3)).toEqual(["accepted", "answered"]);
  });

  it("holds for a Cancel that overtook its assignment", () => {
    const { node, about } = nodeWith(1, 0, LONG, HONEST);
    node.cancel(1);
    node.assign(assignment(1, {}));
    expect(about(1)).toEqual(["failed cancelled"]);
  });

  it("happens by itself when the lease ends, in a slot and in the queue", async () => {
    const { node, ended, about } = nodeWith(1, 2, LONG, HONEST);
    node.assign(assignment(1, { leaseMs: 60 }));
    node.assign(assignment(2, { leaseMs: 30 }));
    node.assign(assignment(3, {}));
    await ended(1, 1);
    expect(about(1)).toEqual(["accepted", "failed cancelled"]);
    expect(about(2)).toEqual(["accepted", "failed cancelled"]);
    expect(about(3)).toEqual(["accepted"]);
  });

  it("drains: every copy fails as drained, later ones too, and then it is silent", async () => {
    const { node, about, heard } = nodeWith(1, 2, LONG, HONEST);
    node.join(undefined);
    node.assign(assignment(1, {}));
    node.assign(assignment(2, {}));
    node.drain();
    node.assign(assignment(3, {}));
    expect([1, 2, 3].map((copy) => about(copy).at(-1))).toEqual(["failed drained", "failed drained", "failed drained"]);
    const said = heard.length;
    await sleep(300);
    expect(heard.length).toBe(said);
  });
});

describe("an assignment that is delivered again", () => {
  it("starts nothing while its copy is under way", async () => {
    const { node, ended, about } = nodeWith(2, 0, exactly(50), HONEST);
    node.assign(assignment(1, {}));
    node.assign(assignment(1, {}));
    // The second slot is still free.
    node.assign(assignment(2, {}));
    await ended(1, 1);
    await sleep(80);
    expect(about(1)).toEqual(["accepted", "accepted", "answered"]);
    expect(about(2)).toEqual(["accepted", "answered"]);
  });

  it("brings the same answer again, byte by byte", async () => {
    const { node, ended, about } = nodeWith(1, 0, { kind: "none" }, HONEST);
    node.assign(assignment(1, {}));
    const first = await ended(1, 1);
    node.assign(assignment(1, {}));
    expect(await ended(1, 2)).toEqual(first);
    // Repeated, not computed again.
    expect(about(1)).toEqual(["accepted", "answered", "answered"]);
  });

  it("is a new one under another nonce", async () => {
    const { node, ended, about } = nodeWith(1, 0, { kind: "none" }, HONEST);
    node.assign(assignment(1, {}));
    await ended(1, 1);
    node.assign(assignment(1, { nonce: 5 }));
    const second = await ended(1, 2);
    expect(about(1)).toEqual(["accepted", "answered", "accepted", "answered"]);
    expect(holds(second, 1, 0)).toBe(false);
  });
});

describe("faults", () => {
  it("slow takes its factor", async () => {
    const { node, ended } = nodeWith(1, 0, exactly(50), { kind: "slow", factor: 4 });
    const startedMs = performance.now();
    node.assign(assignment(1, {}));
    await ended(1, 1);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(198);
  });

  it("dead says nothing after it joined and reported once", async () => {
    const { node, heard } = nodeWith(1, 0, { kind: "none" }, { kind: "dead" });
    node.join(undefined);
    node.assign(assignment(1, {}));
    node.cancel(1);
    await sleep(300);
    expect(heard.map(({ kind }) => kind)).toEqual(["joined", "reported"]);
  });

  it("erroring fails its fraction of the copies", async () => {
    const { node, ended, heard } = nodeWith(1, 0, { kind: "none" }, { kind: "erroring", fraction: 0.3 });
    for (let copy = 0; copy < 200; copy++) {
      node.assign(assignment(copy, {}));
      await ended(copy, 1);
    }
    const failed = heard.filter((message) => message.kind === "failed" && message.reason === "error").length;
    expect(Math.abs(failed - 60)).toBeLessThan(4 * Math.sqrt(200 * 0.3 * 0.7));
  });

  it("wrong-signature sends one that is well formed and does not hold", async () => {
    const { node, ended } = nodeWith(1, 0, { kind: "none" }, { kind: "wrong-signature" });
    node.assign(assignment(1, {}));
    const answer = await ended(1, 1);
    expect(answer.kind === "answered" && answer.proof.signature).toMatch(/^[0-9a-f]{128}$/);
    expect(holds(answer, 1, 0)).toBe(false);
  });

  it("wrong-job sends a good signature over another call's statement", async () => {
    const { node, ended } = nodeWith(1, 0, { kind: "none" }, { kind: "wrong-job" });
    node.assign(assignment(1, {}));
    const answer = await ended(1, 1);
    expect(holds(answer, 1, 0)).toBe(false);
    expect(holds(answer, 1, 1)).toBe(true);
  });

  it("never-cancels goes on to its end, past Cancel and lease, and answers late", async () => {
    const { node, ended, about } = nodeWith(1, 0, exactly(120), { kind: "never-cancels" });
    node.assign(assignment(1, { leaseMs: 30 }));
    node.cancel(1);
    const answer = await ended(1, 1);
    expect(about(1)).toEqual(["accepted", "answered"]);
    expect(holds(answer, 1, 0)).toBe(true);
  });

  it("wrong-output answers with a good signature over what no model gave", async () => {
    const honest = nodeWith(1, 0, { kind: "none" }, { kind: "none" });
    const lying = nodeWith(1, 0, { kind: "none" }, { kind: "wrong-output" });
    for (const { node } of [honest, lying]) node.assign(assignment(1, {}));
    const [truth, lie] = [await honest.ended(1, 1), await lying.ended(1, 1)];
    if (truth.kind !== "answered" || lie.kind !== "answered") throw new Error("no answers");
    expect(Buffer.from(lie.output).equals(truth.output)).toBe(false);
    expect(lie.output).toHaveLength(truth.output.length);
    expect(holds(lie, 1, 0)).toBe(true);
  });

  it("equivocating answers twice, each time with a good signature", async () => {
    const { node, ended, about } = nodeWith(1, 0, { kind: "none" }, { kind: "equivocating" });
    node.assign(assignment(1, {}));
    const [first, second] = [await ended(1, 1), await ended(1, 2)];
    expect(about(1)).toEqual(["accepted", "answered", "answered"]);
    expect([holds(first, 1, 0), holds(second, 1, 0)]).toEqual([true, true]);
    expect(first.kind === "answered" && first.output).not.toEqual(second.kind === "answered" && second.output);
  });

  it("replayed-proof sends its first proof for everything", async () => {
    const { node, ended } = nodeWith(1, 0, { kind: "none" }, { kind: "replayed-proof" });
    node.assign(assignment(1, {}));
    const first = await ended(1, 1);
    node.assign(assignment(2, {}));
    const second = await ended(2, 1);
    expect(holds(first, 1, 0)).toBe(true);
    expect(second.kind === "answered" && second.proof).toEqual(first.kind === "answered" && first.proof);
    expect(holds(second, 2, 0)).toBe(false);
  });
});
