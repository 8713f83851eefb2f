import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { EmbeddedNode, InProcessTransport } from "../../scheduler/live/in-process-transport.ts";
import { createInProcessTransport, defaultFleet } from "../../scheduler/live/in-process-transport.ts";
import type { Assignment, NodeMessage } from "../../scheduler/live/transport.ts";
import { embeddedNodeTerms } from "../../scheduler/node/embedded-node.ts";
import { createEmulatorRoot } from "../../scheduler/node/enclave-emulator.ts";
import { encodeTensor } from "../../scheduler/node/backends/onnx.ts";
import { THREAD_LIMITS, restartDelayMs } from "../../scheduler/node/node-thread.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { verifySignature } from "../../scheduler/proofs/keys.ts";
import { encodeStatement } from "../../scheduler/proofs/statement.ts";

const SEED_HEX = "5e".repeat(32);
const CHAT_INPUT = encodeTensor(Array.from({ length: 64 }, (_, i) => Math.sin(i)));
const RISK_INPUT = encodeTensor(Array.from({ length: 16 }, (_, i) => Math.cos(i)));

/** The root of all enclaves here. */
const emulator = createEmulatorRoot({ nowMs: Date.now() });

/** A transport with an ear: everything heard, and waiting for something to be heard. */
class Listener {
  readonly heard: NodeMessage[] = [];
  readonly crashes: string[] = [];
  readonly transport: InProcessTransport;
  #waiting: { matches: (message: NodeMessage) => boolean; resolve: (message: NodeMessage) => void }[] = [];

  constructor(nodes: readonly EmbeddedNode[]) {
    this.transport = createInProcessTransport({ nodes, emulator, onCrash: (node) => this.crashes.push(node) });
    this.transport.onMessage((message) => {
      this.heard.push(message);
      for (const waiting of this.#waiting) if (waiting.matches(message)) waiting.resolve(message);
      this.#waiting = this.#waiting.filter((waiting) => !waiting.matches(message));
    });
  }

  /** The first message from now on that matches. */
  next(matches: (message: NodeMessage) => boolean): Promise<NodeMessage> {
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  /** The copy's last word, whether said before or to come. */
  ended(copy: number): Promise<NodeMessage> {
    const matches = (message: NodeMessage) =>
      (message.kind === "answered" || message.kind === "failed") && message.copy === copy;
    const said = this.heard.find(matches);
    return said === undefined ? this.next(matches) : Promise.resolve(said);
  }

  about(copy: number): readonly string[] {
    return this.heard.flatMap((m) => ("copy" in m && m.copy === copy && m.kind !== "progressed" ? [m.kind] : []));
  }
}

function assignmentFor(node: EmbeddedNode, copy: number, changes: Partial<Assignment>): Assignment {
  const input = changes.model === "chat-mini" ? CHAT_INPUT : RISK_INPUT;
  return {
    copy,
    node: node.id,
    nonce: 77_000 + copy,
    chainId: "pipe-test",
    txHash: "cd".repeat(32),
    callIndex: 2,
    model: "risk-small",
    mode: "vanilla",
    inputHash: sha256Hex(input),
    input,
    tokensIn: 16,
    tokensOut: 1,
    leaseMs: 20_000,
    ...changes,
  };
}

/** Whether this answer to this assignment is signed by this node's registered key. */
function isSigned(node: EmbeddedNode, assignment: Assignment, answer: NodeMessage): boolean {
  if (answer.kind !== "answered") return false;
  const statement = { ...assignment, node: node.id, outputHash: sha256Hex(answer.output) };
  return verifySignature(embeddedNodeTerms(node).key, encodeStatement(statement), answer.proof.signature);
}

function find(nodes: readonly EmbeddedNode[], kind: string): EmbeddedNode {
  const found = nodes.find(({ fault }) => fault.kind === kind);
  if (found === undefined) throw new Error(`the fleet has no node with fault ${kind}`);
  return found;
}

describe("the default fleet in worker threads", () => {
  const nodes = defaultFleet({ count: 8, seedHex: SEED_HEX, latency: "modelled", faults: "some" });
  const honest = nodes.filter(({ fault }) => fault.kind === "none");
  const fleet = new Listener(nodes);
  const { transport } = fleet;

  beforeAll(async () => {
    await transport.start();
  });
  afterAll(async () => {
    await transport.close();
  });

  it("joins under its terms, each node in a failure domain and with prices of its own", () => {
    const joined = fleet.heard.flatMap((message) => (message.kind === "joined" ? [message.terms] : []));
    expect(joined.toSorted((a, b) => a.id.localeCompare(b.id))).toEqual(
      nodes.map(embeddedNodeTerms).toSorted((a, b) => a.id.localeCompare(b.id)),
    );
    for (const distinct of [
      (node: EmbeddedNode) => node.operator,
      (node: EmbeddedNode) => node.region,
      (node: EmbeddedNode) => node.seedHex,
      (node: EmbeddedNode) => node.offers.map(({ priceGwei }) => priceGwei).join(),
    ]) {
      expect(new Set(nodes.map(distinct)).size).toBe(8);
    }
    expect(honest.length).toBe(3);
  });

  it.each([
    ["risk-small", 1],
    ["chat-mini", 3],
  ])("answers %s with the same bytes on every honest node, each signed by its own key", async (model, tokensOut) => {
    const copies = honest.map((node, i) => assignmentFor(node, 100 + 10 * tokensOut + i, { model, tokensOut }));
    for (const copy of copies) transport.dispatch(copy);
    const answers = await Promise.all(copies.map(({ copy }) => fleet.ended(copy)));
    const outputs = answers.map((answer) =>
      answer.kind === "answered" ? Buffer.from(answer.output).toString("hex") : "",
    );
    expect(new Set(outputs).size).toBe(1);
    expect(outputs[0]?.length).toBe(model === "chat-mini" ? 32 * 8 : 8);
    for (const [i, node] of honest.entries()) {
      const [copy, answer] = [copies[i], answers[i]];
      if (copy === undefined || answer === undefined) throw new Error("one copy and one answer for each honest node");
      expect(isSigned(node, copy, answer)).toBe(true);
      for (const other of honest) if (other !== node) expect(isSigned(other, copy, answer)).toBe(false);
    }
  });

  it("takes a chat model's time, with progress on the way; Cancel ends it promptly and frees its place", async () => {
    const node = honest[0] as EmbeddedNode;
    for (let i = 0; i < node.slots + 1; i++) {
      transport.dispatch(assignmentFor(node, 200 + i, { model: "chat-mini", tokensOut: 300 }));
    }
    await fleet.next((message) => message.kind === "progressed" && message.copy === 200 && message.tokens > 0);
    const before = await fleet.next((message) => message.kind === "reported" && message.node === node.id);
    expect(before).toMatchObject({ running: node.slots, queued: 1 });
    const cancelledMs = performance.now();
    transport.cancel(node.id, 200);
    await fleet.ended(200);
    const after = await fleet.next((message) => message.kind === "reported" && message.node === node.id);
    expect(performance.now() - cancelledMs).toBeLessThan(1_000);
    expect(after).toMatchObject({ running: node.slots, queued: 0 });
    for (let i = 1; i <= node.slots; i++) transport.cancel(node.id, 200 + i);
    await fleet.ended(200 + node.slots);
    expect(fleet.about(200)).toEqual(["accepted", "failed"]);
  });

  it("stops by itself when the lease ends", async () => {
    const node = honest[1] as EmbeddedNode;
    transport.dispatch(assignmentFor(node, 300, { model: "chat-mini", tokensOut: 300, leaseMs: 100 }));
    expect(await fleet.ended(300)).toMatchObject({ kind: "failed", reason: "cancelled" });
  });

  it("has one that signs wrongly", async () => {
    const node = find(nodes, "wrong-signature");
    const copy = assignmentFor(node, 400, {});
    transport.dispatch(copy);
    const answer = await fleet.ended(400);
    expect(answer.kind).toBe("answered");
    expect(isSigned(node, copy, answer)).toBe(false);
  });

  it("has one that fails copies", async () => {
    const node = find(nodes, "erroring");
    const kinds: string[] = [];
    for (let i = 0; i < 20; i++) {
      transport.dispatch(assignmentFor(node, 500 + i, {}));
      kinds.push((await fleet.ended(500 + i)).kind);
    }
    expect(new Set(kinds)).toEqual(new Set(["failed", "answered"]));
  });

  it("has one that does not hear Cancel, and answers late", async () => {
    const node = find(nodes, "never-cancels");
    const copy = assignmentFor(node, 600, { model: "chat-mini", tokensOut: 10, leaseMs: 50 });
    transport.dispatch(copy);
    await fleet.next((message) => message.kind === "accepted" && message.copy === 600);
    transport.cancel(node.id, 600);
    expect(isSigned(node, copy, await fleet.ended(600))).toBe(true);
  });

  it("has one that is dead, and one that is slow", async () => {
    const [dead, slow] = [find(nodes, "dead"), find(nodes, "slow")];
    const startedMs = performance.now();
    transport.dispatch(assignmentFor(dead, 700, {}));
    transport.dispatch(assignmentFor(slow, 701, { model: "chat-mini", tokensOut: 4 }));
    await fleet.ended(701);
    // Three times (57 + 4 × 29.7) ms, less at most four sigma of noise.
    expect(performance.now() - startedMs).toBeGreaterThan(3 * 175 * Math.exp(-4 * 0.08));
    expect(fleet.heard.filter((m) => "node" in m && m.node === dead.id && m.kind !== "reported")).toEqual([]);
  });
});

describe("the in-process transport", () => {
  const nodes = defaultFleet({ count: 2, seedHex: SEED_HEX, latency: "none", faults: "none" });
  const [first, second] = nodes as readonly [EmbeddedNode, EmbeddedNode];

  it("survives a node's crash: the node leaves, the other goes on, and it joins again", async () => {
    const fleet = new Listener(nodes);
    await fleet.transport.start();
    const joinedAgain = fleet.next((message) => message.kind === "joined" && message.terms.id === first.id);
    await fleet.transport.crash(first.id);
    expect(fleet.heard.at(-1)).toEqual({ kind: "left", node: first.id });
    fleet.transport.dispatch(assignmentFor(first, 1, {}));
    fleet.transport.dispatch(assignmentFor(second, 2, {}));
    expect((await fleet.ended(2)).kind).toBe("answered");
    await joinedAgain;
    fleet.transport.dispatch(assignmentFor(first, 3, {}));
    expect((await fleet.ended(3)).kind).toBe("answered");
    expect(fleet.about(1)).toEqual([]);
    expect(fleet.crashes).toEqual([first.id]);
    await fleet.transport.close();
  });

  it("loses what exceeds its limit while a node says nothing, and goes on after that (P11)", async () => {
    const fleet = new Listener([first]);
    await fleet.transport.start();
    for (let copy = 0; copy < THREAD_LIMITS.maxUnheard + 500; copy++) {
      fleet.transport.dispatch(assignmentFor(first, copy, {}));
    }
    const last = THREAD_LIMITS.maxUnheard - 1;
    await fleet.ended(last);
    fleet.transport.dispatch(assignmentFor(first, 10_000, {}));
    await fleet.ended(10_000);
    expect(fleet.about(last).length).toBeGreaterThan(0);
    expect(fleet.about(last + 1)).toEqual([]);
    expect(fleet.about(last + 500)).toEqual([]);
    await fleet.transport.close();
  });

  it("drains on close: copies fail as drained, nodes leave, and then nothing is heard", async () => {
    const modelled = defaultFleet({ count: 1, seedHex: SEED_HEX, latency: "modelled", faults: "none" });
    const fleet = new Listener(modelled);
    await fleet.transport.start();
    fleet.transport.dispatch(assignmentFor(first, 1, { model: "chat-mini", tokensOut: 300 }));
    await fleet.next((message) => message.kind === "accepted");
    await fleet.transport.close();
    expect(await fleet.ended(1)).toMatchObject({ kind: "failed", reason: "drained" });
    expect(fleet.heard.at(-1)).toEqual({ kind: "left", node: first.id });
    const said = fleet.heard.length;
    fleet.transport.dispatch(assignmentFor(first, 2, {}));
    await sleep(300);
    expect(fleet.heard.length).toBe(said);
    expect(fleet.crashes).toEqual([]);
  });

  it("starts without a node whose thread fails, and goes on trying", async () => {
    const broken: EmbeddedNode = { ...second, offers: [{ model: "chat-large", mode: "vanilla", priceGwei: 1 }] };
    const fleet = new Listener([first, broken]);
    await fleet.transport.start();
    expect(fleet.heard.flatMap((m) => (m.kind === "joined" ? [m.terms.id] : []))).toEqual([first.id]);
    // Once and again; how often until the other node is up depends on the machine.
    await vi.waitFor(() => expect(fleet.crashes.length).toBeGreaterThanOrEqual(2), { timeout: 20_000 });
    expect(new Set(fleet.crashes)).toEqual(new Set([broken.id]));
    fleet.transport.dispatch(assignmentFor(first, 1, {}));
    expect((await fleet.ended(1)).kind).toBe("answered");
    await fleet.transport.close();
  });

  it("restarts ever more slowly, up to a limit", () => {
    expect([1, 2, 3, 4].map(restartDelayMs)).toEqual([200, 400, 800, 1_600]);
    expect(restartDelayMs(50)).toBe(THREAD_LIMITS.maxRestartMs);
  });

  it("refuses a description that cannot be", () => {
    const refused = (changes: Partial<EmbeddedNode>) => () =>
      createInProcessTransport({ nodes: [{ ...first, ...changes }] });
    expect(refused({ seedHex: "short" })).toThrow("seedHex");
    expect(refused({ luckHex: "short" })).toThrow("luckHex");
    expect(refused({ slots: 0 })).toThrow("slots");
    expect(refused({ queueLimit: 1e9 })).toThrow("queueLimit");
    expect(refused({ speed: 0 })).toThrow("speed");
    expect(refused({ offers: [{ model: "risk-small", mode: "tee", priceGwei: 1 }] })).toThrow("tee");
    expect(refused({ fault: { kind: "erroring", fraction: 2 } })).toThrow("fraction");
    expect(() => createInProcessTransport({ nodes: [first, first] })).toThrow("distinct");
    expect(() => defaultFleet({ count: 1, seedHex: "secret", latency: "none", faults: "none" })).toThrow("seedHex");
  });
});
