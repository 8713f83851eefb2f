import { afterAll, beforeAll, expect, test } from "vitest";
import { createPipe, DEFAULT_CONFIG, type Mode, type Pipe, type PipeEvent } from "../../scheduler/index.ts";
import type { Assignment, NodeMessage } from "../../scheduler/live/transport.ts";
import { createEmulatorRoot, type EmulatorRoot } from "../../scheduler/node/enclave-emulator.ts";
import { embeddedRegistry } from "../../scheduler/registry/default-registry.ts";
import { Registry } from "../../scheduler/registry/registry.ts";
import type { Offer } from "../../scheduler/shared/vocabulary.ts";
import { outputFor, ProvingNode } from "./support/proving-nodes.ts";
import { ScriptedNodes } from "./support/scripted-nodes.ts";
import { CHAIN, User } from "./support/users.ts";

/**
 * Two answers to one assignment, with real keys, enclaves and provers. Proofs made with chance are no contradiction; two signed
 * outputs are; and what a node did not sign must not be held against it, whoever sends it in its name.
 */

const MODELS = { vanilla: "risk-small", optimistic: "risk-small", tee: "risk-small", zkml: "risk-tiny" } as const;
const MODES = Object.keys(MODELS) as Mode[];
const OFFERS: readonly Offer[] = MODES.map((mode) => ({ model: MODELS[mode], mode, priceGwei: 10 }));

/** What the node says after its honest answer. */
type Second = (assignment: Assignment, node: ProvingNode) => Promise<NodeMessage>;
let second: Second;

let root: EmulatorRoot;
let pipe: Pipe;
const heard: PipeEvent[] = [];
let nonce = 0;
const user = new User(1);

beforeAll(async () => {
  root = createEmulatorRoot({ nowMs: Date.now() });
  const subject = new ProvingNode(0, OFFERS, root, (assignment, node, say) => {
    if (!(node instanceof ProvingNode)) return;
    const output = outputFor(assignment);
    const both = [node.proof(assignment, output), second(assignment, node)] as const;
    void Promise.all(both).then(([proof, other]) => {
      say({ kind: "answered", node: assignment.node, copy: assignment.copy, output, proof });
      say(other);
    });
  });
  const { models, roots, offersPerNode } = embeddedRegistry([], root);
  pipe = await createPipe({
    directory: undefined,
    chainId: CHAIN,
    fleet: { transport: new ScriptedNodes([subject]) },
    registry: new Registry({ admission: "open", offersPerNode, models: [...models.values()], roots, nodes: [] }),
    engine: { races: { ...DEFAULT_CONFIG.races, redundancyFloor: 0 } },
    logger: "silent",
  });
  await pipe.bond({ node: "prover-0", amountGwei: 1_000_000 });
  await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 3_600_000 });
  void (async () => {
    for await (const event of pipe.events()) heard.push(event);
  })();
});
afterAll(() => pipe.close());

async function until<A>(look: () => A | undefined | Promise<A | undefined>): Promise<A> {
  for (const untilMs = performance.now() + 10_000; performance.now() < untilMs; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("it did not happen");
}

/** Has one call in this mode answered, honestly and then with `then`. */
async function ask(mode: Mode, then: Second): Promise<string> {
  second = then;
  const bytes = mode === "zkml" ? Uint8Array.from({ length: 8 }, (_, i) => 100 + i) : new Float32Array(16).fill(0.5);
  const input = Buffer.from(bytes.buffer).toString("base64");
  const terms = { tokensIn: 1, tokensOut: 1, maxFeeGwei: 100, conflict: { kind: "first-valid" } } as const;
  const call = { ...terms, model: MODELS[mode], mode, input, validityBlocks: 500 };
  const outcome = await pipe.submit(user.sign({ nonce: nonce++, ttlBlocks: 1_000, calls: [call] }));
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  await until(() => heard.find((event) => event.kind === "decided" && event.result.txHash === outcome.hash));
  return outcome.hash;
}

const counter = async (name: "duplicateEvents" | "suspicionsDismissed") => (await pipe.statistics()).counters[name];

function lied(assignment: Assignment): Uint8Array {
  const output = outputFor(assignment).slice();
  output[0] = (output[0] ?? 0) ^ 1;
  return output;
}

test.each(MODES)("the same output proved once more, in mode %s, is the same answer", async (mode) => {
  const before = await counter("duplicateEvents");
  await ask(mode, async (assignment, node) => {
    const output = outputFor(assignment);
    const proof = await node.proof(assignment, output);
    return { kind: "answered", node: assignment.node, copy: assignment.copy, output, proof };
  });
  expect(await counter("duplicateEvents")).toBe(before + 1);
  expect(heard.filter(({ kind }) => kind === "evidence" || kind === "alarm")).toEqual([]);
});

test.each(MODES)("another output that the node did not sign, in mode %s, costs it nothing", async (mode) => {
  const before = await counter("suspicionsDismissed");
  await ask(mode, async (assignment, node) => {
    // Signed for another assignment: a real proof, and none of this.
    const output = lied(assignment);
    const proof = await node.proof(assignment, output, { nonce: 1 });
    return { kind: "answered", node: assignment.node, copy: assignment.copy, output, proof };
  });
  await until(async () => ((await counter("suspicionsDismissed")) > before ? true : undefined));
  expect(heard.filter(({ kind }) => kind === "evidence" || kind === "alarm")).toEqual([]);
});

// Last, since the node rests after the first.
test("another output under a good signature is evidence, though its zero-knowledge proof proves nothing", async () => {
  await ask("zkml", async (assignment, node) => {
    const output = lied(assignment);
    const proof = await node.proof(assignment, output);
    return { kind: "answered", node: assignment.node, copy: assignment.copy, output, proof };
  });
  await until(() => heard.find((event) => event.kind === "evidence" && event.evidence.node === "prover-0"));
  await until(() => heard.find(({ kind }) => kind === "alarm"));
});
