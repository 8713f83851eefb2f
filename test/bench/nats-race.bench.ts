/**
 * The complete race over NATS, with its journal in JetStream, beside what the broker alone can do: the same sizes fanned out to
 * three responders, of which the first reply is taken, and beside the signatures that one core checks. All of it on one machine, on
 * which broker, nodes, verifiers and scheduler share the cores.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { connect, createInbox, type NatsConnection } from "@nats-io/transport-node";
import { createPipe, type Pipe } from "../../scheduler/index.ts";
import { schedulerKey } from "../../scheduler/live/secret.ts";
import { createNatsTransport, openShard } from "../../scheduler/nats/index.ts";
import { ECHO_REGISTRY } from "../live/support/registries.ts";
import { CHAIN, User } from "../live/support/users.ts";
import { findTool, TOOLS } from "../setup/tools.mjs";
import { NatsServer } from "../support/nats-server.ts";
import type { Figure } from "./figure.ts";
import { Load, Races, throughput } from "./nats-races.ts";
import { bareVerification, perSecond } from "./verification.bench.ts";

const SHARD = "bench";
const SECRET = new Uint8Array(32).fill(9);
const WINDOW_MS = 2_000;
const WINDOWS = 3;
const USERS = 64;
const SIGNED_BEFORE = 24_000;
/** About what a dispatch and an answer of the benchmark's jobs take, sealed. */
const DISPATCH_BYTES = 600;
const ANSWER_BYTES = 400;
const TARGET_SHARE = 0.6;
const MAX_ADDED_P50_MS = 1.5;
const MAX_P99_RATIO = 3;

export async function natsRaceFigures(): Promise<Figure[]> {
  if (findTool(TOOLS.natsServer, process.env) === undefined) return [];
  const directory = mkdtempSync(join(tmpdir(), "pipe-bench-nats-"));
  const server = await NatsServer.start(`jetstream { store_dir: ${JSON.stringify(join(directory, "broker"))} }`);
  try {
    return await measure(server, directory);
  } finally {
    await server.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(server: NatsServer, directory: string): Promise<Figure[]> {
  const key = schedulerKey(SECRET);
  const users = Array.from({ length: USERS }, (_, index) => new User(1 + index));
  const load = new Load(users, SIGNED_BEFORE);
  writeFileSync(join(directory, "secret.key"), SECRET, { mode: 0o600 });
  const about = { servers: server.url, chainId: CHAIN, shard: SHARD };
  const workerData = { ...about, scheduler: key.publicKeyHex, answerBytes: ANSWER_BYTES };
  const nodes = new Worker(new URL("./nats-nodes-thread.ts", import.meta.url), { workerData });
  await once(nodes, "message");
  const shard = await openShard({ servers: server.url, shard: SHARD, name: "bench", replicas: 1 });
  const transport = createNatsTransport({ ...about, epoch: shard.epoch, signingKey: key });
  const pipe = await createPipe({
    directory,
    chainId: CHAIN,
    fleet: { transport },
    registry: ECHO_REGISTRY,
    policy: { kind: "fixed", copies: 3 },
    journal: shard.openJournal,
    limits: { maxWaitingNotices: 65_536 },
    logger: "error",
  });
  const client = await connect({ servers: server.url });
  try {
    return await figuresOf(pipe, client, load);
  } finally {
    await client.close();
    await pipe.close();
    await shard.close();
    await nodes.terminate();
  }
}

async function figuresOf(pipe: Pipe, client: NatsConnection, load: Load): Promise<Figure[]> {
  const races = await Races.begin(pipe, load);
  const bareFan = new FanOut(client);
  const signature = await bareVerification();
  const best = { fan: 0, race: 0, signatures: 0 };
  for (let window = 0; window < WINDOWS; window += 1) {
    best.signatures = Math.max(best.signatures, perSecond(signature));
    best.fan = Math.max(best.fan, await throughput(() => bareFan.once(), WINDOW_MS));
    best.race = Math.max(best.race, await throughput(() => races.once(), WINDOW_MS));
  }
  const rate = best.race / 2;
  const [bare, race] = [await latencies(rate, () => bareFan.once()), await latencies(rate, () => races.once())];
  const smaller = Math.min(best.fan, best.signatures);
  const addedMs = quantile(race, 0.5) - quantile(bare, 0.5);
  const ratio = quantile(race, 0.99) / quantile(bare, 0.99);
  return [
    { name: "races over nats: bare fan-out to three, first reply", value: best.fan, unit: "/s" },
    { name: "races over nats: Ed25519, node:crypto alone on one core", value: best.signatures, unit: "/s" },
    { name: "races over nats: complete races, journal in JetStream", value: best.race, unit: "/s" },
    {
      name: "races over nats: against the smaller of the two",
      value: best.race / smaller,
      unit: "×",
      target: `≥ ${TARGET_SHARE}`,
      met: best.race >= TARGET_SHARE * smaller,
    },
    { name: "races over nats: bare fan-out at that half load, p50", value: quantile(bare, 0.5), unit: "ms" },
    {
      name: "races over nats: what a race adds at half load, p50",
      value: addedMs,
      unit: "ms",
      target: `≤ ${MAX_ADDED_P50_MS}`,
      met: addedMs <= MAX_ADDED_P50_MS,
    },
    {
      name: "races over nats: a race against bare at half load, p99",
      value: ratio,
      unit: "×",
      target: `≤ ${MAX_P99_RATIO}`,
      met: ratio <= MAX_P99_RATIO,
    },
  ];
}

/** Three messages out, the first reply in. */
class FanOut {
  readonly #client: NatsConnection;
  readonly #inbox = createInbox();
  readonly #waiting = new Map<string, () => void>();
  readonly #payload = new Uint8Array(DISPATCH_BYTES);
  #next = 0;

  constructor(client: NatsConnection) {
    this.#client = client;
    client.subscribe(`${this.#inbox}.*`, {
      callback: (_, { subject }) => {
        this.#waiting.get(subject)?.();
        this.#waiting.delete(subject);
      },
    });
  }

  once(): Promise<void> {
    const reply = `${this.#inbox}.${this.#next++}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(reply, resolve);
    for (const index of [0, 1, 2]) this.#client.publish(`bare.${index}`, this.#payload, { reply });
    return promise;
  }
}

/** Begun at random times, whether or not the ones before are done. */
async function latencies(rate: number, act: () => Promise<void>): Promise<number[]> {
  const took: number[] = [];
  const underWay: Promise<void>[] = [];
  const startedMs = performance.now();
  for (let dueMs = startedMs; dueMs < startedMs + 2 * WINDOW_MS; ) {
    if (performance.now() < dueMs) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    const begunMs = performance.now();
    underWay.push(act().then(() => void took.push(performance.now() - begunMs)));
    dueMs -= (Math.log(1 - Math.random()) * 1_000) / rate;
  }
  await Promise.all(underWay);
  return took.sort((a, b) => a - b);
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.floor(sorted.length * q)] ?? Number.NaN;
}
