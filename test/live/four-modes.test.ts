import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { verifyReceipts } from "../../scheduler/cli/receipts.ts";
import {
  createPipe,
  DEFAULT_CONFIG,
  type EmbeddedNodeOptions,
  type Mode,
  type Pipe,
  type PipeEvent,
  type PipeOptions,
} from "../../scheduler/index.ts";
import type { Fault } from "../../scheduler/node/behaviour/faults.ts";
import type { EvidenceEntry } from "../../scheduler/proofs/evidence.ts";
import type { Receipt } from "../../scheduler/proofs/receipt.ts";
import type { RegistryEntry } from "../../scheduler/proofs/registry-log.ts";
import { RegistryView } from "../../scheduler/proofs/registry-view.ts";
import { verifyBlock } from "../../scheduler/proofs/verify-block.ts";
import { CHAIN, untilState, User } from "./support/users.ts";

/** Nodes in threads that really prove in all four modes, challenges, restarts, and the audit of what is left. */

const pipes: Pipe[] = [];
const directories: string[] = [];
afterEach(async () => {
  await Promise.all(pipes.splice(0).map((pipe) => pipe.close()));
});
afterAll(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true }))));

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-modes-"));
  directories.push(directory);
  return directory;
}

function node(id: string, fault: Fault, modes: readonly Mode[], slots = 4): EmbeddedNodeOptions {
  const offers = modes.map((mode) => ({ model: mode === "zkml" ? "risk-tiny" : "risk-small", mode, priceGwei: 10 }));
  const site = {
    operator: `operator-${id}`,
    region: id,
    hardware: "none",
    speed: 1,
    latency: { kind: "none" },
  } as const;
  return { id, ...site, slots, queueLimit: 64, offers, fault, luckHex: "00".repeat(32), bondGwei: 1_000_000 };
}

const ALL: readonly Mode[] = ["vanilla", "optimistic", "tee", "zkml"];

async function open(directory: string, nodes: readonly EmbeddedNodeOptions[], more: Partial<PipeOptions> = {}) {
  const limits = { ...DEFAULT_CONFIG.limits, maxReorgDepth: 6 };
  const optimistic = { ...DEFAULT_CONFIG.optimistic, challengeBlocks: 2 };
  const races = { ...DEFAULT_CONFIG.races, redundancyFloor: 0 };
  const pipe = await createPipe({
    directory,
    chainId: CHAIN,
    fleet: { nodes },
    engine: { limits, optimistic, races },
    policy: { kind: "fixed", copies: 1 },
    proofs: { challenges: { perMillion: 1_000_000, epochBlocks: 2 } },
    logger: "silent",
    ...more,
  });
  pipes.push(pipe);
  return pipe;
}

async function funded(pipe: Pipe, seed: number): Promise<User> {
  const user = new User(seed);
  await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
  return user;
}

function call(mode: Mode, seed: number) {
  const bytes =
    mode === "zkml" ? Uint8Array.from({ length: 8 }, (_, i) => seed + i) : new Float32Array(16).fill(seed / 100);
  const input = Buffer.from(bytes.buffer).toString("base64");
  const model = mode === "zkml" ? "risk-tiny" : "risk-small";
  const conflict = { kind: "first-valid" } as const;
  return { model, mode, input, tokensIn: 1, tokensOut: 1, maxFeeGwei: 100, conflict, validityBlocks: 100 };
}

async function submitted(pipe: Pipe, signed: unknown): Promise<string> {
  const outcome = await pipe.submit(signed);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  return outcome.hash;
}

/** A thread may load for longer than an epoch of this test lasts: then its first document is out of date. */
async function submittedLater(pipe: Pipe, signed: unknown): Promise<string> {
  for (const untilMs = performance.now() + 10_000; ; ) {
    const outcome = await pipe.submit(signed);
    if (outcome.ok) return outcome.hash;
    if (performance.now() > untilMs) throw new Error(JSON.stringify(outcome.problem));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Opens, seals and commits the next block. */
async function nextBlock(pipe: Pipe, height: number): Promise<readonly Receipt[]> {
  await pipe.openBlock({ height, sealAtMs: Date.now() + 500 });
  const sealed = await pipe.seal({ height, maxTransactions: 100, order: "arrival" });
  if (!sealed.ok) throw new Error(sealed.advice);
  await pipe.committed(height);
  return sealed.block.receipts.map(({ receipt }) => receipt);
}

async function entries<E>(directory: string, log: string): Promise<E[]> {
  const text = await readFile(join(directory, `${log}.jsonl`), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const { n: _n, prev: _prev, hash: _hash, ...entry } = JSON.parse(line);
      return entry as E;
    });
}

/** Bytes of the documents under which nodes were registered last. */
async function bytesOfDocuments(directory: string): Promise<number> {
  const documents = new Map<string, number>();
  const current = new Map<string, number>();
  for (const entry of await entries<RegistryEntry>(directory, "registry")) {
    if (entry.entry === "attestation") documents.set(entry.attestation, Buffer.from(entry.document, "base64").length);
    if (entry.entry === "node") current.set(entry.id, documents.get(entry.attestation?.hash ?? "") ?? 0);
  }
  return [...current.values()].reduce((sum, bytes) => sum + bytes, 0);
}

test("one transaction with a call in each mode: sealed, challenged, settled, and checked by a third party", async () => {
  const directory = await temporaryDirectory();
  const pipe = await open(
    directory,
    ["a", "b", "c"].map((id) => node(id, { kind: "none" }, ALL)),
  );
  const user = await funded(pipe, 1);
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 5_000 });
  const agree = { ...call("vanilla", 2), conflict: { kind: "agree", k: 2 } } as const;
  const median = { ...call("optimistic", 3), conflict: { kind: "median", k: 3, tolerance: 0.01 } } as const;
  const calls = [...ALL.map((mode) => call(mode, 1)), agree, median];
  const hash = await submitted(pipe, user.sign({ ttlBlocks: 100, calls }));
  await untilState(pipe, hash, "ready");
  const receipts = await nextBlock(pipe, 1);
  expect(receipts.map(({ proof }) => proof.kind)).toEqual([...ALL, "vanilla", "optimistic"]);
  expect(receipts.map(({ supporters }) => supporters.length)).toEqual([0, 0, 0, 0, 1, 2]);
  const block = await pipe.receipts(1);

  for (let height = 2; height <= 12; height++) {
    await nextBlock(pipe, height);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  const { heldGwei, paidGwei } = (await pipe.statistics()).ledger;
  expect([heldGwei, paidGwei]).toEqual([0, 90]);
  // All is final, so that of all bytes only what the nodes are registered with is kept.
  const { blobBytes } = await pipe.statistics();
  await pipes.pop()?.close();

  const report = await verifyReceipts(directory, { key: pipe.schedulerKey });
  expect(report.findings).toEqual([]);
  expect(report.counts).toMatchObject({ challenges: 2, "proofs of enclave emulators, which protect nothing": 1 });
  // Whoever shows what was proved shows where the key comes from.
  const setups = Object.keys(report.counts).filter((name) => name.includes("zero-knowledge"));
  expect(setups).toEqual([expect.stringMatching(/^zero-knowledge proofs under keys of this setup: test setup: /)]);
  expect(report.counts["attestation documents"]).toBeGreaterThanOrEqual(3);
  expect(blobBytes).toBe(await bytesOfDocuments(directory));
  const outcomes = (await entries<EvidenceEntry>(directory, "evidence")).flatMap((e) =>
    e.entry === "challenge" ? [e.verdict] : [],
  );
  expect(outcomes).toEqual(["upheld", "upheld"]);
  if (block === undefined) throw new Error("no block");
  const registry = RegistryView.of(await entries<RegistryEntry>(directory, "registry"));
  expect(verifyBlock({ block, receipts: block.receipts, registry, schedulerKey: pipe.schedulerKey })).toEqual([]);
});

test("a node that makes up its answers is found out by a challenge, and pays", async () => {
  const directory = await temporaryDirectory();
  const honest = ["a", "b"].map((id) => node(id, { kind: "none" }, ["optimistic"], 1));
  const pipe = await open(directory, [...honest, node("liar", { kind: "wrong-output" }, ["optimistic"], 16)]);
  const user = await funded(pipe, 1);
  // As a winner it is overturned; as a challenger of an honest one it stands alone against two.
  const caught = firstOf(
    pipe,
    ({ kind, ...event }) => kind === "challengeEnded" && "outcome" in event && event.outcome.forfeitedGwei > 0,
  );
  let height = 0;
  while (!caught.found && height < 60) {
    height++;
    await pipe.openBlock({ height, sealAtMs: Date.now() + 500 });
    const hash = await submitted(pipe, user.sign({ ttlBlocks: 100, calls: [call("optimistic", height)] }));
    await untilState(pipe, hash, "ready");
    await nextBlock(pipe, height);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  const event = await caught.promise;
  if (event.kind !== "challengeEnded") throw new Error("not a challenge");
  const { verdict, node: winner, dissenter } = event.outcome;
  expect(verdict === "overturned" ? winner : dissenter).toBe("liar");
  for (let more = 0; more < 14; more++) await nextBlock(pipe, ++height);
  await pipes.pop()?.close();
  expect((await verifyReceipts(directory, { key: pipe.schedulerKey })).findings).toEqual([]);
});

function firstOf(pipe: Pipe, matches: (event: PipeEvent) => boolean) {
  const { promise, resolve } = Promise.withResolvers<PipeEvent>();
  const state = { found: false, promise };
  void (async () => {
    for await (const event of pipe.events()) {
      if (!matches(event)) continue;
      state.found = true;
      return resolve(event);
    }
  })();
  return state;
}

test("a node that answers twice leaves evidence that anybody can check", async () => {
  const directory = await temporaryDirectory();
  const pipe = await open(
    directory,
    [node("two-faced", { kind: "equivocating" }, ["vanilla", "tee"]), node("b", { kind: "none" }, ["vanilla", "tee"])],
    {
      // Two must agree, so that the first answer does not end the race before the second comes.
      policy: { kind: "fixed", copies: 2 },
    },
  );
  const user = await funded(pipe, 1);
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 5_000 });
  const evidence = firstOf(pipe, (event) => event.kind === "evidence");
  for (const mode of ["vanilla", "tee"] as const) {
    await submitted(
      pipe,
      user.sign({ ttlBlocks: 100, calls: [{ ...call(mode, 1), conflict: { kind: "agree", k: 2 } }] }),
    );
  }
  await evidence.promise;
  await new Promise((resolve) => setTimeout(resolve, 500));
  await nextBlock(pipe, 1);
  await pipes.pop()?.close();
  const told = (await entries<EvidenceEntry>(directory, "evidence")).filter((entry) => entry.entry === "equivocation");
  expect(told.length).toBeGreaterThan(0);
  expect(told.every(({ node: id }) => id === "two-faced")).toBe(true);
  expect((await verifyReceipts(directory, { key: pipe.schedulerKey })).findings).toEqual([]);
});

test("attestations are renewed while nodes work, and a restart goes on with new ones", async () => {
  const directory = await temporaryDirectory();
  const nodes = ["a", "b"].map((id) => node(id, { kind: "none" }, ["tee"]));
  const proofs = { challenges: { perMillion: 1_000_000, epochBlocks: 2 }, registrationEpochMs: 2_000 };
  let height = 0;
  for (const life of [1, 2]) {
    const pipe = await open(directory, nodes, { proofs });
    const user = await funded(pipe, life);
    for (let round = 0; round < 6; round++) {
      await pipe.openBlock({ height: height + 1, sealAtMs: Date.now() + 500 });
      const hash = await submittedLater(pipe, user.sign({ ttlBlocks: 100, calls: [call("tee", 10 * life + round)] }));
      await untilState(pipe, hash, "ready");
      expect(await nextBlock(pipe, ++height)).toHaveLength(1);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await pipes.pop()?.close();
  }
  const registry = await entries<RegistryEntry>(directory, "registry");
  expect(registry.filter(({ entry }) => entry === "attestation").length).toBeGreaterThan(6);
  expect(registry.filter(({ entry }) => entry === "epoch").length).toBeGreaterThan(2);
  const report = await verifyReceipts(directory, { key: undefined });
  expect(report.findings).toEqual([]);
  expect(report.counts["proofs of enclave emulators, which protect nothing"]).toBe(12);
});
