import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { verifyReceipts } from "../../../scheduler/cli/receipts.ts";
import { createPipe, type Mode, type Pipe, type PipeOptions } from "../../../scheduler/index.ts";
import type { Assignment } from "../../../scheduler/live/transport.ts";
import {
  createNatsTransport,
  type NatsTransport,
  type NatsTransportOptions,
  type NodeHosting,
} from "../../../scheduler/nats/index.ts";
import type { Latency } from "../../../scheduler/node/behaviour/latency-profile.ts";
import { createEmulatorRoot } from "../../../scheduler/node/enclave-emulator.ts";
import { embeddedRegistry } from "../../../scheduler/registry/default-registry.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { Severable } from "../../support/severable.ts";
import { hostingOf, SCHEDULER, SHARD, type StartedNode, startTestNode, testNode } from "../support/nats-fleet.ts";
import { CHAIN, untilState, User } from "../support/users.ts";

/** The whole service over a real broker: races, proofs, records, and what becomes of them when something dies. */

const root = createEmulatorRoot({ nowMs: Date.now() });
const registry = embeddedRegistry(
  [0, 1, 2].map((index) => ({ ...testNode(index).terms, bondGwei: 0 })),
  root,
);

let server: NatsServer;
const ends: (() => Promise<unknown>)[] = [];
const directories: string[] = [];
beforeAll(async () => {
  server = await NatsServer.start();
});
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});
afterAll(async () => {
  await server.end();
  await Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true })));
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-nats-fleet-"));
  directories.push(directory);
  return directory;
}

interface Hosted extends StartedNode {
  /** What it has been told to compute, the same more than once. */
  readonly assigned: Assignment[];
}

/** `servers`: where each of them finds the broker. */
async function startNodes(latency: Latency, servers: readonly string[] = []): Promise<Hosted[]> {
  const started: Hosted[] = [];
  for (const index of [0, 1, 2]) {
    const about = testNode(index);
    const assigned: Assignment[] = [];
    const hosting = await hostingOf(about, root, latency);
    const node = await startTestNode(about, watched(hosting, assigned), {
      servers: servers[index] ?? server.url,
      chainId: CHAIN,
    });
    ends.push(() => node.node.drain());
    started.push({ ...node, assigned });
  }
  return started;
}

function watched(hosting: NodeHosting, assigned: Assignment[]): NodeHosting {
  const create: NodeHosting["create"] = (say) => {
    const node = hosting.create(say);
    const assign = node.assign.bind(node);
    node.assign = (assignment) => {
      assigned.push(assignment);
      assign(assignment);
    };
    return node;
  };
  return { ...hosting, create };
}

const QUICK: Latency = { kind: "none" };

/** Each copy takes about so long. */
function taking(ms: number): Latency {
  const exactly = { perTokenMs: 0, noiseSigma: 0.01, stragglerProbability: 0, stragglerFactor: 1 };
  return { kind: "modelled", profiles: { "risk-small": { firstTokenMs: ms, ...exactly } } };
}

async function until(what: string, isSo: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > untilMs) throw new Error(`after ${limitMs} ms not yet: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function funded(pipe: Pipe, seed: number): Promise<User> {
  const user = new User(seed);
  await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
  return user;
}

/** Opens a block for all that follows. */
async function openBlock(pipe: Pipe): Promise<void> {
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 120_000 });
}

async function open(
  options: Partial<PipeOptions> = {},
  transportOptions: Partial<NatsTransportOptions> = {},
): Promise<Pipe & { readonly transport: NatsTransport }> {
  const transport = createNatsTransport({
    servers: server.url,
    chainId: CHAIN,
    shard: SHARD,
    epoch: 1,
    signingKey: SCHEDULER,
    ...transportOptions,
  });
  const pipe = await createPipe({
    directory: undefined,
    chainId: CHAIN,
    fleet: { transport },
    registry,
    policy: { kind: "fixed", copies: 2 },
    logger: "silent",
    ...options,
  });
  ends.unshift(() => pipe.close());
  return { ...pipe, transport };
}

/** How many nodes have left since. */
function watchLeaving(pipe: { readonly transport: NatsTransport } & Pipe): () => number {
  let least = pipe.transport.presentNodes;
  const all = least;
  const timer = setInterval(() => {
    least = Math.min(least, pipe.transport.presentNodes);
  }, 20);
  ends.push(async () => clearInterval(timer));
  return () => all - least;
}

function call(mode: Mode, seed: number) {
  const input = Buffer.from(new Float32Array(16).fill(seed / 100).buffer).toString("base64");
  const terms = { tokensIn: 16, tokensOut: 1, maxFeeGwei: 1_000, validityBlocks: 50 };
  return { model: "risk-small", mode, input, ...terms, conflict: { kind: "first-valid" } } as const;
}

async function submit(pipe: Pipe, user: User, calls: readonly ReturnType<typeof call>[]): Promise<string> {
  const submitted = await pipe.submit(user.sign({ calls }));
  if (!submitted.ok) throw new Error(JSON.stringify(submitted.problem));
  return submitted.hash;
}

test("three nodes elsewhere race, and what they answered stands in records that an outsider can check", async () => {
  const directory = await temporaryDirectory();
  await startNodes(QUICK);
  const pipe = await open({ directory });
  const user = await funded(pipe, 1);
  await openBlock(pipe);
  const hashes: string[] = [];
  for (let seed = 0; seed < 20; seed++)
    hashes.push(await submit(pipe, user, [call("vanilla", seed), call("tee", seed)]));
  for (const hash of hashes) await untilState(pipe, hash, "ready");
  const sealed = await pipe.seal({ height: 1, maxTransactions: 100, order: "arrival" });
  if (!sealed.ok) throw new Error(sealed.advice);
  expect(sealed.block.receipts).toHaveLength(40);
  expect(new Set(sealed.block.receipts.map(({ receipt }) => receipt.proof.kind))).toEqual(new Set(["vanilla", "tee"]));
  await pipe.committed(1);
  await pipe.close();
  const report = await verifyReceipts(directory, { key: pipe.schedulerKey });
  expect(report.findings).toEqual([]);
  expect(report.counts).toMatchObject({ payments: 40 });
});

test("a node that is cut off in mid-race costs only itself, and is back when its way is mended", async () => {
  const way = await Severable.to(server.port);
  ends.push(() => way.end());
  const [, , last] = await startNodes(taking(400), [server.url, server.url, way.url]);
  const pipe = await open({ policy: { kind: "fixed", copies: 3 } }, { limits: { maxSilenceMs: 1_000 } });
  const user = await funded(pipe, 2);
  await openBlock(pipe);
  const hashes = await Promise.all([1, 2, 3, 4].map((seed) => submit(pipe, user, [call("vanilla", seed)])));
  await until("the node has its copies", () => last?.assigned.length === 4);
  way.cut();
  for (const hash of hashes) await untilState(pipe, hash, "ready");
  await until("it has left", () => pipe.transport.presentNodes === 2);
  way.mend();
  await until("it is back", () => pipe.transport.presentNodes === 3);
  const again = await submit(pipe, user, [call("vanilla", 5)]);
  await untilState(pipe, again, "ready");
  await until("it works again", () => last?.assigned.length === 5);
});

test("a broker that stands still for a while makes nobody leave, and all goes on", async () => {
  await startNodes(taking(50));
  const limits = { maxSilenceMs: 1_500 };
  const pipe = await open({}, { limits });
  const left = watchLeaving(pipe);
  const user = await funded(pipe, 3);
  await openBlock(pipe);
  const before = await Promise.all([1, 2, 3].map((seed) => submit(pipe, user, [call("vanilla", seed)])));
  server.suspend();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const during = await submit(pipe, user, [call("vanilla", 4)]);
  server.resume();
  for (const hash of [...before, during]) await untilState(pipe, hash, "ready");
  expect(left()).toBe(0);
  expect(pipe.transport.presentNodes).toBe(3);
});

test("a broker killed with -9 and started again on its port: nodes and scheduler find each other again", async () => {
  await startNodes(taking(300));
  const pipe = await open({}, { limits: { maxSilenceMs: 1_500 } });
  const left = watchLeaving(pipe);
  const user = await funded(pipe, 4);
  await openBlock(pipe);
  const before = await Promise.all([1, 2, 3].map((seed) => submit(pipe, user, [call("tee", seed)])));
  await server.kill();
  const during = await submit(pipe, user, [call("vanilla", 4)]);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await server.restart();
  for (const hash of [...before, during]) await untilState(pipe, hash, "ready");
  expect(left()).toBe(0);
});

test("a scheduler that starts again on its directory finds its copies still running, and its nodes compute nothing twice", async () => {
  const directory = await temporaryDirectory();
  const nodes = await startNodes(taking(3_000));
  const first = await open({ directory });
  const user = await funded(first, 5);
  await openBlock(first);
  const hash = await submit(first, user, [call("vanilla", 1)]);
  const assignments = () => nodes.flatMap(({ assigned }) => assigned);
  await until("two nodes have a copy", () => assignments().length === 2);
  await first.close();
  const second = await open({ directory }, { epoch: 2 });
  await untilState(second, hash, "ready");
  const names = assignments().map(({ node, copy, nonce }) => `${node}/${copy}/${nonce}`);
  expect(names.length).toBeGreaterThan(2);
  expect(new Set(names).size).toBe(2);
});
