/**
 * Across machines: what a message costs to write, seal, open and read, beside the Ed25519 signature that it does without; what a
 * join costs; and how many jobs a second go out to three nodes and come back with a first answer, beside a bare client that fans
 * out the same bytes to three bare responders over the same broker.
 */
import { connect } from "@nats-io/transport-node";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Assignment, NodeMessage } from "../../scheduler/live/transport.ts";
import { createSession, createSessionReceiver } from "../../scheduler/nats/handshake.ts";
import { createNatsTransport } from "../../scheduler/nats/index.ts";
import { Session } from "../../scheduler/nats/session.ts";
import { type DownMessage, readDown, readUp, writeDown, writeFrame, writeUp } from "../../scheduler/nats/wire.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { signingKeyFromSeed, verifySignature } from "../../scheduler/proofs/keys.ts";
import { NatsServer } from "../support/nats-server.ts";
import type { Figure } from "./figure.ts";
import type { RespondersData } from "./nats-responders.ts";

const [CHAIN, SHARD] = ["bench-chain", "bench"];
const KEY = signingKeyFromSeed(new Uint8Array(32).fill(99));
const NODES = ["node-0", "node-1", "node-2"];
const INPUT_BYTES = 256;
const OUTPUT_BYTES = 64;
const UNDER_WAY = 64;
const WINDOW_MS = 1_500;
const WINDOWS = 3;
const TARGET_OF_BARE = 0.6;

export async function natsFigures(): Promise<Figure[]> {
  const signed = microseconds(300, () => verifySignature(KEY.publicKeyHex, SMALL, KEY.sign(SMALL)));
  const dispatched = dispatchUs(INPUT_BYTES);
  const { bare, raced } = await rates();
  return [
    { name: "nats: a dispatch written, sealed, opened and read, 256 B", value: dispatched, unit: "µs" },
    { name: "nats: of that sealed and opened", value: sealUs(INPUT_BYTES), unit: "µs" },
    { name: "nats: against an Ed25519 signature made and checked", value: dispatched / signed, unit: "×" },
    { name: "nats: a dispatch among 16 in one frame, 256 B", value: dispatchUs(INPUT_BYTES, 16), unit: "µs" },
    { name: "nats: a dispatch of 64 KiB, likewise", value: dispatchUs(64 * 1024), unit: "µs" },
    { name: "nats: an answer written, sealed, opened and read, 64 B", value: answerUs(), unit: "µs" },
    { name: "nats: keys of a session agreed on, both ends", value: await joinMs(), unit: "ms" },
    { name: "nats: bare fan-out to three, first answer", value: bare, unit: "/s" },
    { name: "nats: jobs to three nodes, first answer", value: raced, unit: "/s" },
    {
      name: "nats: jobs against the bare fan-out",
      value: raced / bare,
      unit: "×",
      target: `≥ ${TARGET_OF_BARE}`,
      met: raced >= TARGET_OF_BARE * bare,
    },
  ];
}

const SMALL = new Uint8Array(INPUT_BYTES);

function assignment(copy: number, node: string, input: Uint8Array, inputHash: string): Assignment {
  const about = { chainId: CHAIN, txHash: "ab".repeat(32), callIndex: 0, model: "echo", mode: "vanilla" } as const;
  return { ...about, copy, node, nonce: copy, inputHash, input, tokensIn: 1, tokensOut: 1, leaseMs: 10_000 };
}

/** Of one act, at the best of five turns. */
function microseconds(times: number, act: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 5; turn++) {
    const startedMs = performance.now();
    for (let i = 0; i < times; i++) act();
    best = Math.min(best, ((performance.now() - startedMs) * 1_000) / times);
  }
  return best;
}

function session(): readonly [Session, Session] {
  const keys = { id: "00".repeat(16), up: new Uint8Array(32).fill(1), down: new Uint8Array(32).fill(2) };
  return [new Session("node", keys, 2 ** 24), new Session("scheduler", keys, 2 ** 24)];
}

function across(from: Session, to: Session, subject: string, plain: Uint8Array): Uint8Array {
  const sealed = from.seal(subject, plain);
  const opened = typeof sealed === "string" ? sealed : to.open(subject, sealed);
  if (typeof opened === "string") throw new Error(opened);
  return opened;
}

const DOWN = "pipe.v1.bench.down.n.sealed";
const UP = "pipe.v1.bench.up.n.sealed";

function frameOf(item: Uint8Array | undefined, count = 1): Uint8Array {
  if (item === undefined) throw new Error("it has no form");
  return writeFrame(Array.from({ length: count }, () => item));
}

function dispatchOf(bytes: number): DownMessage {
  return { kind: "dispatch", assignment: assignment(1, "n", new Uint8Array(bytes), "00".repeat(32)) };
}

function sealUs(bytes: number): number {
  const [node, scheduler] = session();
  const plain = frameOf(writeDown(dispatchOf(bytes)));
  return microseconds(2_000, () => across(scheduler, node, DOWN, plain));
}

/** Of one message among `together` in a frame. */
function dispatchUs(bytes: number, together = 1): number {
  const [node, scheduler] = session();
  const message = dispatchOf(bytes);
  const frame = () => {
    const items = Array.from({ length: together }, () => writeDown(message) ?? new Uint8Array(0));
    return readDown(across(scheduler, node, DOWN, writeFrame(items)));
  };
  return microseconds(1_000, frame) / together;
}

function answerUs(): number {
  const [node, scheduler] = session();
  const proof = { kind: "vanilla", signature: "ab".repeat(64) } as const;
  const said: NodeMessage = { kind: "answered", node: "n", copy: 1, output: new Uint8Array(OUTPUT_BYTES), proof };
  return microseconds(2_000, () => readUp("n", across(node, scheduler, UP, frameOf(writeUp(said)))));
}

async function joinMs(): Promise<number> {
  const receiver = await createSessionReceiver();
  const about = { announcement: "ab".repeat(32), node: "n" };
  const times = 50;
  let startedMs = 0;
  for (let i = -10; i < times; i++) {
    if (i === 0) startedMs = performance.now();
    const { encapsulated } = await createSession(about, receiver.publicKey);
    await receiver.receive(about, encapsulated);
  }
  return (performance.now() - startedMs) / times;
}

/** In turns, so that neighbours take as much from the one as from the other; the best window of each. */
async function rates(): Promise<{ readonly bare: number; readonly raced: number }> {
  const server = await NatsServer.start();
  const threads = [await responders(server.url, "bare"), await responders(server.url, "nodes")];
  const [bare, raced] = [await bareFanOut(server.url), await transportFanOut(server.url)];
  const best = { bare: 0, raced: 0 };
  for (let window = 0; window < WINDOWS; window++) {
    best.bare = Math.max(best.bare, await perSecond(bare.job));
    best.raced = Math.max(best.raced, await perSecond(raced.job));
  }
  await Promise.all([bare.end(), raced.end(), ...threads.map((thread) => thread.terminate())]);
  await server.end();
  return best;
}

async function responders(servers: string, kind: RespondersData["kind"]): Promise<Worker> {
  const about = { chainId: CHAIN, shard: SHARD, scheduler: KEY.publicKeyHex, outputBytes: OUTPUT_BYTES };
  const workerData: RespondersData = { servers, kind, ...about };
  const thread = new Worker(new URL("./nats-responders.ts", import.meta.url), { workerData });
  await once(thread, "message");
  return thread;
}

interface FanOut {
  /** One job: asks all three, resolves with the first answer. */
  job(): Promise<void>;
  end(): Promise<void>;
}

async function bareFanOut(servers: string): Promise<FanOut> {
  const connection = await connect({ servers });
  const waiting = new Map<string, () => void>();
  let next = 0;
  connection.subscribe("answers.*", {
    callback: (_, { subject }) => {
      waiting.get(subject)?.();
      waiting.delete(subject);
    },
  });
  return {
    job() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const reply = `answers.${next++}`;
      waiting.set(reply, resolve);
      for (let node = 0; node < NODES.length; node++) connection.publish(`bare.${node}`, SMALL, { reply });
      return promise;
    },
    end: () => connection.close(),
  };
}

async function transportFanOut(servers: string): Promise<FanOut> {
  const transport = createNatsTransport({ servers, chainId: CHAIN, shard: SHARD, epoch: 1, signingKey: KEY });
  const waiting = new Map<number, () => void>();
  const inputHash = sha256Hex(SMALL);
  let next = 0;
  transport.onMessage((message) => {
    if (message.kind !== "answered") return;
    const job = Math.floor(message.copy / NODES.length);
    waiting.get(job)?.();
    waiting.delete(job);
  });
  await transport.start();
  if (transport.presentNodes !== NODES.length) throw new Error("the nodes have not joined");
  return {
    job() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const job = next++;
      waiting.set(job, resolve);
      for (const [index, node] of NODES.entries())
        transport.dispatch(assignment(job * NODES.length + index, node, SMALL, inputHash));
      return promise;
    },
    end: () => transport.close(),
  };
}

async function perSecond(job: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  let count = 0;
  const goOn = async () => {
    for (; performance.now() < startedMs + WINDOW_MS; count++) await job();
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, goOn));
  return (count * 1_000) / (performance.now() - startedMs);
}
