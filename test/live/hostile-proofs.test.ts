import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createPipe,
  DEFAULT_CONFIG,
  type Mode,
  type Pipe,
  type PipeEvent,
  transactionHash,
} from "../../scheduler/index.ts";
import type { Assignment, NodeMessage, Proof, RegistrationEpoch } from "../../scheduler/live/transport.ts";
import { EMBEDDED_IMAGE } from "../../scheduler/node/embedded-image.ts";
import { createEmulatorRoot, EnclaveEmulator, type EmulatorRoot } from "../../scheduler/node/enclave-emulator.ts";
import { createEnclaveKey } from "../../scheduler/node/enclave-emulator-key.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { enclaveUserData, registrationNonce } from "../../scheduler/proofs/nitro/attestation.ts";
import { encodeStatement } from "../../scheduler/proofs/statement.ts";
import { embeddedRegistry } from "../../scheduler/registry/default-registry.ts";
import { Registry } from "../../scheduler/registry/registry.ts";
import type { Offer } from "../../scheduler/shared/vocabulary.ts";
import { outputFor, ProvingNode } from "./support/proving-nodes.ts";
import { type Script, ScriptedNodes } from "./support/scripted-nodes.ts";
import { CHAIN, User } from "./support/users.ts";

/**
 * Proofs that must count for nothing, sent by nodes with real keys, enclaves and provers to the whole scheduler. Each case has
 * its own reason, so that none is rejected for another's.
 */

const MODES_OF = { vanilla: "risk-small", optimistic: "risk-small", tee: "risk-small", zkml: "risk-tiny" } as const;
const OFFERS: readonly Offer[] = (Object.keys(MODES_OF) as Mode[]).map((mode) => {
  return { model: MODES_OF[mode], mode, priceGwei: 10 };
});

/** What the node under test does with the assignment of one transaction. */
type Case = (assignment: Assignment, node: ProvingNode) => Promise<readonly NodeMessage[]>;

const cases = new Map<string, Case>();
const script: Script = (assignment, node, say) => {
  const act = cases.get(assignment.txHash) ?? honest;
  // Only the first try is hostile; what else the race does has no say in the case.
  cases.set(assignment.txHash, silent);
  if (!(node instanceof ProvingNode)) return;
  say({ kind: "accepted", node: node.terms.id, copy: assignment.copy });
  void act(assignment, node).then((messages) => {
    for (const message of messages) say(message);
  });
};
const silent: Case = () => Promise.resolve([]);
const honest: Case = async (assignment, node) => {
  const output = outputFor(assignment);
  return [answered(assignment, output, await node.proof(assignment, output))];
};

function answered(
  { node, copy }: Assignment,
  output: Uint8Array,
  proof: Proof,
): Extract<NodeMessage, { kind: "answered" }> {
  return { kind: "answered", node, copy, output, proof };
}

let root: EmulatorRoot;
let pipe: Pipe;
let nodes: ScriptedNodes;
const warnings: Record<string, unknown>[] = [];
/** Another node, whose proofs are its own. */
let stranger: ProvingNode;
let users = 1;
/** Ends of copies, by transaction. */
const ends = new Map<string, PromiseWithResolvers<string>>();

beforeAll(async () => {
  root = createEmulatorRoot({ nowMs: Date.now() });
  const subject = new ProvingNode(0, OFFERS, root, script);
  stranger = new ProvingNode(1, OFFERS, root, silentScript);
  nodes = new ScriptedNodes([subject]);
  pipe = await openPipe(nodes);
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 3_600_000 });
  void follow(pipe.events());
});
afterAll(() => pipe.close());

const silentScript: Script = () => undefined;

/** A scheduler that forgives: what a case costs the node must not keep it from getting the next. */
async function openPipe(transport: ScriptedNodes, registry: Registry = openTo(root)): Promise<Pipe> {
  const races = { ...DEFAULT_CONFIG.races, redundancyFloor: 0, quarantineAfter: 1_000_000 };
  const log = { level: "trace", child: () => log, isLevelEnabled: () => true } as Record<string, unknown>;
  for (const level of ["trace", "debug", "info", "warn", "error", "fatal"])
    log[level] = (fields: Record<string, unknown>) => level === "warn" && warnings.push(fields);
  const opened = await createPipe({
    directory: undefined,
    chainId: CHAIN,
    fleet: { transport },
    registry,
    engine: { races },
    logger: log as never,
  });
  await opened.bond({ node: "prover-0", amountGwei: 1_000_000 });
  return opened;
}

/** The package's models, under this emulator's root, for any node. */
function openTo(trusted: EmulatorRoot, models = embeddedRegistry([], trusted).models): Registry {
  const { roots, offersPerNode } = embeddedRegistry([], trusted);
  return new Registry({ admission: "open", offersPerNode, models: [...models.values()], roots, nodes: [] });
}

async function follow(events: AsyncIterable<PipeEvent>): Promise<void> {
  for await (const event of events) {
    if (event.kind === "lost")
      endOf(nodes.dispatched.find(({ copy }) => copy === event.copy)?.txHash ?? "").resolve(event.reason);
    if (event.kind === "decided") endOf(event.result.txHash).resolve("won");
  }
}

function endOf(txHash: string): PromiseWithResolvers<string> {
  const known = ends.get(txHash) ?? Promise.withResolvers<string>();
  ends.set(txHash, known);
  return known;
}

function inputFor(mode: Mode): string {
  const bytes = mode === "zkml" ? Uint8Array.from({ length: 8 }, (_, i) => 100 + i) : new Float32Array(16).fill(0.5);
  return Buffer.from(bytes.buffer).toString("base64");
}

/** What becomes of the first copy of a call in this mode when the node does this with it: `won`, or why it was lost. */
async function fate(mode: Mode, act: Case): Promise<string> {
  // A sender's nonces go on only when its transactions are sealed.
  const sender = new User(users++);
  await pipe.deposit({ account: sender.id, amountGwei: 1_000_000 });
  const terms = { tokensIn: 1, tokensOut: 1, maxFeeGwei: 1_000, conflict: { kind: "first-valid" } } as const;
  const call = { ...terms, model: MODES_OF[mode], mode, input: inputFor(mode), validityBlocks: 500 };
  const signed = sender.sign({ ttlBlocks: 1_000, calls: [call] });
  const hash = transactionHash(signed);
  cases.set(hash, act);
  const outcome = await pipe.submit(signed);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  const ended = await endOf(hash).promise;
  await pipe.withdraw(hash);
  return ended;
}

const MODES = ["vanilla", "optimistic", "tee", "zkml"] as const;

test.each(MODES)("an honest answer in mode %s wins", async (mode) => {
  expect(await fate(mode, honest)).toBe("won");
});

// ── answers to other questions (P3) ──────────────────────────────────────────────────────────────────────────────────

/** An honest answer, of which the proof is made for another statement. */
const provedFor = (changes: Partial<Assignment>): Case => {
  return async (assignment, node) => {
    const output = outputFor(assignment);
    return [answered(assignment, output, await node.proof(assignment, output, changes))];
  };
};

test.each<[string, Partial<Assignment>]>([
  ["another job", { callIndex: 1 }],
  ["an assignment of before", { nonce: 1 }],
  ["another transaction", { txHash: "ab".repeat(32) }],
  ["another chain", { chainId: "elsewhere" }],
  ["another node", { node: "prover-1" }],
])("P3: a proof for %s is worth nothing in any mode", async (_, changes) => {
  for (const mode of MODES) expect(await fate(mode, provedFor(changes)), mode).toBe("bad-signature");
});

test.each(["vanilla", "optimistic", "zkml"] as const)(
  "P3: another node's answer under one's own name, %s",
  async (mode) => {
    const copied: Case = async (assignment) => {
      const output = outputFor(assignment);
      return [answered(assignment, output, await stranger.proof(assignment, output))];
    };
    expect(await fate(mode, copied)).toBe("bad-signature");
  },
);

test("P3: a zero-knowledge proof of another assignment, under a good signature", async () => {
  const act: Case = async (assignment, node) => {
    const output = outputFor(assignment);
    const [own, other] = [await node.proof(assignment, output), await node.proof(assignment, output, { nonce: 1 })];
    if (own.kind !== "zkml" || other.kind !== "zkml") throw new Error("no zero-knowledge proofs");
    return [answered(assignment, output, { ...own, proof: other.proof })];
  };
  expect(await fate("zkml", act)).toBe("zk-not-proved");
});

test("a wrong output: signed it passes, proved it does not", async () => {
  const act: Case = async (assignment, node) => {
    const output = outputFor(assignment).slice();
    output[0] = (output[0] ?? 0) ^ 1;
    return [answered(assignment, output, await node.proof(assignment, output))];
  };
  expect(await fate("zkml", act)).toBe("zk-not-proved");
  expect(await fate("vanilla", act)).toBe("won");
});

test("an output whose length the circuit does not have", async () => {
  const act: Case = async (assignment, node) => {
    const output = new Uint8Array(2);
    return [answered(assignment, output, await node.proof(assignment, output))];
  };
  expect(await fate("zkml", act)).toBe("zk-bad-output-encoding");
});

// ── forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a proof of another kind than the one that was asked for", async () => {
  for (const [asked, given] of [
    ["tee", "vanilla"],
    ["zkml", "vanilla"],
    ["vanilla", "optimistic"],
    ["optimistic", "vanilla"],
  ] as const) {
    const act: Case = async (assignment, node) => {
      const output = outputFor(assignment);
      return [answered(assignment, output, await node.proof(assignment, output, { mode: given }))];
    };
    expect(await fate(asked, act)).toBe("wrong-proof-kind");
  }
});

/** An honest answer, with a proof that is changed before it is sent. */
const tampered = (change: (proof: Proof) => unknown): Case => {
  return async (assignment, node) => {
    const output = outputFor(assignment);
    const proof = await node.proof(assignment, output);
    return [{ ...answered(assignment, output, proof), proof: change(proof) as Proof }];
  };
};
const huge = "ab".repeat(1 << 20);

test.each<[string, Mode, (proof: Proof) => unknown]>([
  ["a megabyte of signature", "vanilla", (proof) => ({ ...proof, signature: huge })],
  ["a megabyte of proof", "zkml", (proof) => ({ ...proof, proof: huge })],
  ["an attestation that is no hash", "tee", (proof) => ({ ...proof, attestation: "ab" })],
  ["nothing", "vanilla", () => null],
  ["a member too many", "optimistic", (proof) => ({ ...proof, more: true })],
  ["upper case", "vanilla", (proof) => ({ ...proof, signature: proof.signature.toUpperCase() })],
])("%s is no proof: the copy has failed", async (_, mode, change) => {
  expect(await fate(mode, tampered(change))).toBe("error");
});

test.each<[string, string, (proof: string) => string]>([
  ["truncated", "zk-bad-proof-length", (proof) => proof.slice(0, -2)],
  ["padded", "zk-bad-proof-length", (proof) => `${proof}00`],
  ["at infinity", "zk-point-at-infinity", (proof) => "00".repeat(64) + proof.slice(128)],
  ["off the curve", "zk-point-off-curve", (proof) => `${proof.slice(0, 127)}${flipped(proof[127])}${proof.slice(128)}`],
  ["beyond the field", "zk-non-canonical-coordinate", (proof) => "ff".repeat(32) + proof.slice(64)],
])("a zero-knowledge proof that is %s", async (_, reason, change) => {
  const act = tampered((proof) => (proof.kind === "zkml" ? { ...proof, proof: change(proof.proof) } : proof));
  expect(await fate("zkml", act)).toBe(reason);
});

function flipped(digit: string | undefined): string {
  return (Number.parseInt(digit ?? "0", 16) ^ 1).toString(16);
}

test("no flipped bit of a proof passes, in any mode, and each is the node's fault", async () => {
  const flips: [Mode, "signature" | "attestation" | "proof", number][] = [];
  for (const at of [0, 31, 64, 100, 127]) {
    for (const mode of MODES) flips.push([mode, "signature", at]);
  }
  for (const at of [0, 63]) flips.push(["tee", "attestation", at]);
  for (const at of [1, 127, 200, 383, 511]) flips.push(["zkml", "proof", at]);
  for (const [mode, member, at] of flips) {
    const act = tampered((proof) => {
      const text = (proof as unknown as Record<string, string>)[member] as string;
      return { ...proof, [member]: text.slice(0, at) + flipped(text[at]) + text.slice(at + 1) };
    });
    const reason = await fate(mode, act);
    const expected = member === "signature" ? /^bad-signature$/ : member === "proof" ? /^zk-/ : /^other-attestation$/;
    expect(reason, `${mode} ${member} ${at}`).toMatch(expected);
  }
});

// ── enclaves ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("the attestation of another node", async () => {
  const other = stranger.joined(nodes.epoch as RegistrationEpoch);
  const act = tampered((proof) => ({ ...proof, attestation: other.terms.attestation?.hash }));
  expect(await fate("tee", act)).toBe("other-attestation");
});

test("an answer signed with the node's own key instead of its enclave's", async () => {
  const act: Case = async (assignment, node) => {
    const output = outputFor(assignment);
    const proof = await node.proof(assignment, output);
    const statement = { ...assignment, outputHash: sha256Hex(output) };
    return [answered(assignment, output, { ...proof, signature: node.key.sign(encodeStatement(statement)) })];
  };
  expect(await fate("tee", act)).toBe("bad-signature");
});

/** How a node of this name registers with a document of such an enclave. */
interface Forgery {
  readonly root?: EmulatorRoot;
  readonly image?: string;
  readonly debug?: boolean;
  readonly boundTo?: string;
  readonly epochSeed?: string;
  readonly epochsAgo?: number;
  readonly nowMs?: number;
  readonly change?: (document: Uint8Array) => Uint8Array;
  /** What the terms say of the document instead of its hash. */
  readonly hash?: string;
}

function registration(index: number, forgery: Forgery): Extract<NodeMessage, { kind: "joined" }> {
  const node = new ProvingNode(index, OFFERS, root, silentScript);
  const { id, key } = node.terms;
  const { chainId, epoch, seed } = nodes.epoch as RegistrationEpoch;
  const { boundTo = id, epochSeed = seed, image = EMBEDDED_IMAGE, debug = false, nowMs = Date.now() } = forgery;
  const emulator = new EnclaveEmulator({ root: forgery.root ?? root, image, name: id, debug });
  const attested = emulator.attest({
    publicKey: createEnclaveKey("ed25519").spki,
    userData: enclaveUserData({ chainId, node: boundTo, nodeKey: key }),
    nonce: Buffer.from(registrationNonce({ chainId, node: id, epochSeed }), "hex"),
    nowMs,
  });
  const document = forgery.change?.(attested) ?? attested;
  const ref = { hash: forgery.hash ?? sha256Hex(document), epoch: epoch - (forgery.epochsAgo ?? 0) };
  return { kind: "joined", terms: { ...node.terms, attestation: ref }, attestation: document };
}

let index = 10;

/** Why a registration's offers in mode `tee` were not taken; the others are, in any case. */
async function joining(forgery: Forgery): Promise<string | undefined> {
  const said = registration(index++, forgery);
  const { id } = said.terms;
  const before = (await pipe.statistics()).sizes.nodes;
  nodes.say(said);
  for (const untilMs = performance.now() + 5_000; ; ) {
    if ((await pipe.statistics()).sizes.nodes > before) break;
    if (performance.now() > untilMs) throw new Error(`${id} did not join`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return warnings.find(({ node, reason }) => node === id && reason !== undefined)?.["reason"] as string | undefined;
}

test("an honest registration is taken as it is", async () => {
  expect(await joining({})).toBeUndefined();
});

test.each<[string, Forgery, string]>([
  ["a root of its own", { root: createEmulatorRoot({ nowMs: Date.now() }) }, "attestation-unknown-root"],
  ["another image", { image: "something else" }, "attestation-wrong-measurements"],
  ["a debug enclave", { debug: true }, "attestation-debug-enclave"],
  ["a document bound to another node", { boundTo: "prover-0" }, "attestation-wrong-user-data"],
  ["a nonce that was not asked for", { epochSeed: "00".repeat(32) }, "attestation-wrong-nonce"],
  ["an epoch long over", { epochsAgo: 2 }, "attestation-wrong-epoch"],
  ["an epoch to come", { epochsAgo: -1 }, "attestation-wrong-epoch"],
  ["the previous epoch, with this one's nonce", { epochsAgo: 1 }, "attestation-wrong-nonce"],
  ["a document dated ahead", { nowMs: Date.now() + 7_200_000 }, "attestation-not-yet-valid"],
  ["a document past its end", { nowMs: Date.now() - 4 * 3_600_000 }, "attestation-expired"],
  ["a truncated document", { change: (document) => document.slice(0, -1) }, "attestation-not-cbor"],
  ["a padded document", { change: (document) => Buffer.concat([document, Buffer.alloc(1)]) }, "attestation-not-cbor"],
  ["another document than the one named", { hash: "ab".repeat(32) }, "attestation-other-document"],
  ["no CBOR at all", { change: () => Buffer.from("attested, honestly") }, "attestation-not-cbor"],
])("%s: the node joins, but not in mode tee", async (_, forgery, reason) => {
  expect(await joining(forgery)).toBe(reason);
});

// ── rules of the registry ────────────────────────────────────────────────────────────────────────────────────────────

test("a model of another digest: what was proved of the one is no proof of the other", async () => {
  const { models } = embeddedRegistry([], root);
  const model = models.get("risk-tiny");
  if (model === undefined) throw new Error("no risk-tiny");
  const changed = new Map([...models, ["risk-tiny", { ...model, rules: { ...model.rules, digest: "ab".repeat(32) } }]]);
  const before = [pipe, nodes] as const;
  nodes = new ScriptedNodes([new ProvingNode(0, OFFERS, root, script)]);
  pipe = await openPipe(nodes, openTo(root, changed));
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 3_600_000 });
  void follow(pipe.events());
  try {
    expect(await fate("zkml", honest)).toBe("zk-not-proved");
  } finally {
    await pipe.close();
    [pipe, nodes] = before;
  }
});
