import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { verifyReceipts } from "../../scheduler/cli/receipts.ts";
import { createPipe, type Pipe } from "../../scheduler/index.ts";
import type { NodeMessage } from "../../scheduler/live/transport.ts";
import { ECHO_REGISTRY } from "./support/registries.ts";
import { answerTo, honest, type Script, ScriptedNodes, scriptedNode } from "./support/scripted-nodes.ts";
import { CHAIN, untilState, User } from "./support/users.ts";

/** What nodes may say that no honest one would; the scheduler has to go on and to stay restartable. */

const pipes: Pipe[] = [];

afterEach(async () => {
  await Promise.all(pipes.splice(0).map((pipe) => pipe.close()));
});

async function open(script: Script, directory?: string): Promise<{ pipe: Pipe; nodes: ScriptedNodes; user: User }> {
  const nodes = new ScriptedNodes([0, 1, 2].map((index) => scriptedNode(index, script)));
  const pipe = await createPipe({
    directory,
    chainId: CHAIN,
    fleet: { transport: nodes },
    registry: ECHO_REGISTRY,
    logger: "silent",
  });
  pipes.push(pipe);
  const user = new User(1);
  await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 1_000 });
  return { pipe, nodes, user };
}

async function submitted(pipe: Pipe, user: User): Promise<string> {
  const outcome = await pipe.submit(user.sign());
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  return outcome.hash;
}

test("a node that answers and then says that it failed cannot take the winning answer away", async () => {
  const { pipe, user } = await open((assignment, node, say) => {
    const { copy } = assignment;
    say({ kind: "accepted", node: node.terms.id, copy });
    say(answerTo(node, assignment));
    // Until the verdict is there: one of these falls between the answer's check and its acceptance.
    let left = 200;
    const failAgain = (): void => {
      say({ kind: "failed", node: node.terms.id, copy, reason: "error" });
      if (--left > 0) setImmediate(failAgain);
    };
    failAgain();
  });
  const hash = await submitted(pipe, user);
  await untilState(pipe, hash, "ready");
  const sealed = await pipe.seal({ height: 1, maxTransactions: 10, order: "arrival" });
  expect(sealed.ok && sealed.block.receipts).toHaveLength(1);
});

const TERMS = scriptedNode(9, honest).terms;
const NO_MESSAGES: readonly unknown[] = [
  undefined,
  null,
  7,
  "joined",
  {},
  { kind: "joined" },
  { kind: "joined", terms: null },
  { kind: "joined", terms: { ...TERMS, offers: [null] } },
  { kind: "joined", terms: { ...TERMS, offers: [{ model: "echo", mode: "vanilla", priceGwei: -0 }] } },
  { kind: "joined", terms: { ...TERMS, slots: Number.NaN } },
  { kind: "joined", terms: { ...TERMS, slots: 1e308 } },
  { kind: "joined", terms: { ...TERMS, slots: -0 } },
  { kind: "joined", terms: { ...TERMS, queueLimit: -1 } },
  { kind: "joined", terms: { ...TERMS, key: "k".repeat(1_000) } },
  { kind: "joined", terms: { ...TERMS, id: "__proto__ " } },
  { kind: "joined", terms: { ...TERMS, offers: new Array(10_000).fill(TERMS.offers[0]) } },
  { kind: "left" },
  { kind: "reported", node: "node-0" },
  { kind: "reported", node: "node-0", running: Number.NaN, queued: 0, warm: [] },
  { kind: "answered", node: "node-0", copy: 0 },
  { kind: "answered", node: "node-0", copy: 0, output: new Uint8Array(1) },
  { kind: "answered", node: "node-0", copy: 0, output: new Uint8Array(1), proof: null },
  { kind: "answered", node: "node-0", copy: 0, output: "text", proof: { kind: "vanilla", signature: "" } },
  { kind: "failed", node: "node-0", copy: 0, reason: "__proto__" },
  { kind: "failed", node: "node-0", copy: 10n, reason: "error" },
  {
    get kind(): string {
      throw new Error("a message that throws when it is looked at");
    },
  },
];

test("what is no message is not listened to, whatever it is, and nothing comes of it", async () => {
  const { pipe, nodes, user } = await open(honest);
  const before = await pipe.statistics();
  for (const said of NO_MESSAGES) expect(() => nodes.say(said as NodeMessage)).not.toThrow();
  await untilState(pipe, await submitted(pipe, user), "ready");
  expect((await pipe.statistics()).sizes.nodes).toBe(before.sizes.nodes);
});

test("of a registration only what a registration has goes on, so that the journal can hold it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pipe-hostile-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { pipe, nodes, user } = await open(honest, directory);
  const offer = { ...TERMS.offers[0], secret: 10n };
  nodes.say({ kind: "joined", terms: { ...TERMS, more: 10n, offers: [offer] } } as unknown as NodeMessage);
  await untilState(pipe, await submitted(pipe, user), "ready");
  expect((await pipe.statistics()).sizes.nodes).toBe(4);
});

test("P3: a receipt names the key that its answer was checked with, however often the node joins under others", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pipe-hostile-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { pipe, nodes, user } = await open((assignment, node, say) => {
    say(answerTo(node, assignment));
  }, directory);
  const hash = await submitted(pipe, user);
  await untilState(pipe, hash, "ready");
  for (let other = 1; other <= 20; other++) {
    for (const { id } of [0, 1, 2].map((index) => scriptedNode(index, honest).terms)) {
      nodes.say({ kind: "joined", terms: { ...TERMS, id, key: scriptedNode(20 + other, honest).terms.key } });
    }
    // Each in a batch of its own, or only the last would be taken.
    await pipe.stateChanged([]);
  }
  const sealed = await pipe.seal({ height: 1, maxTransactions: 10, order: "arrival" });
  expect(sealed.ok && sealed.block.receipts).toHaveLength(1);
  await Promise.all(pipes.splice(0).map((one) => one.close()));
  expect((await verifyReceipts(directory, { key: undefined })).findings).toEqual([]);
});
