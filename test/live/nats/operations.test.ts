import { connect, nkeys } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { NodeMessage } from "../../../scheduler/live/transport.ts";
import {
  createNatsTransport,
  type NatsStatus,
  NatsUnreachable,
  rollCall,
  startNatsNode,
} from "../../../scheduler/nats/index.ts";
import { createEmulatorRoot } from "../../../scheduler/node/enclave-emulator.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { hostingOf, SCHEDULER, SHARD, startTestNode, testNode } from "../support/nats-fleet.ts";
import { CHAIN } from "../support/users.ts";

/** What an operator sees and sets: micro-services, permissions, statuses. */

/** As docs/PROTOCOL.md has them: a node says and hears what is its own, and answers whoever looks for services. */
const PERMISSIONS = `
  authorization {
    users = [
      { user: scheduler, password: s, permissions: {
        publish: ["pipe.v1.shard-0.announce", "pipe.v1.shard-0.down.>"]
        subscribe: ["pipe.v1.shard-0.up.>", "pipe.v1.shard-0.hello"] } }
      { user: node0, password: n, permissions: {
        publish: ["pipe.v1.shard-0.up.node:0.>", "pipe.v1.shard-0.hello", "_INBOX.>"]
        subscribe: ["pipe.v1.shard-0.announce", "pipe.v1.shard-0.down.node:0.>", "$SRV.>"] } }
      { user: looker, password: l, permissions: { publish: ["$SRV.>"], subscribe: ["_INBOX.>"] } }
    ]
  }
`;

const root = createEmulatorRoot({ nowMs: Date.now() });
let server: NatsServer;
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await NatsServer.start(PERMISSIONS);
});
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});
afterAll(() => server.end());

const asScheduler = { kind: "password", user: "scheduler", password: "s" } as const;
const asNode = { kind: "password", user: "node0", password: "n" } as const;

async function lead() {
  const heard: NodeMessage[] = [];
  const transport = createNatsTransport({
    servers: server.url,
    authentication: asScheduler,
    chainId: CHAIN,
    shard: SHARD,
    epoch: 1,
    signingKey: SCHEDULER,
    limits: { settleMs: 1 },
  });
  ends.push(() => transport.close());
  transport.onMessage((message) => void heard.push(message));
  await transport.start();
  return { transport, heard };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const untilMs = performance.now() + 10_000;
  while (!isSo()) {
    if (performance.now() > untilMs) throw new Error(`not after ten seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What NATS's own tools would be answered. */
async function asked(subject: string): Promise<unknown[]> {
  const connection = await connect({ servers: server.url, user: "looker", pass: "l" });
  const answers: unknown[] = [];
  const strategy = "timer" as const;
  for await (const answer of await connection.requestMany(subject, "", { strategy, maxWait: 300 })) {
    if (answer.data.length > 0) answers.push(answer.json());
  }
  await connection.close();
  return answers;
}

test("under a broker's permissions for its own subjects alone a node joins, works, and is seen as a micro-service", async () => {
  const { transport, heard } = await lead();
  const about = testNode(0);
  const statuses: string[] = [];
  const { node } = await startTestNode(about, await hostingOf(about, root), {
    servers: server.url,
    authentication: asNode,
    chainId: CHAIN,
    onStatus: ({ kind }) => void statuses.push(kind),
  });
  ends.push(() => node.drain());
  await until("the node has joined", () => heard.some(({ kind }) => kind === "joined"));
  const input = new Uint8Array(new Float32Array(16).buffer);
  const call = { model: "risk-small", mode: "vanilla", inputHash: sha256Hex(input), input } as const;
  const assignment = { copy: 1, nonce: 1, node: about.terms.id, chainId: CHAIN, txHash: "00".repeat(32), ...call };
  transport.dispatch({ ...assignment, callIndex: 0, tokensIn: 1, tokensOut: 1, leaseMs: 5_000 });
  transport.dispatch({
    ...assignment,
    copy: 2,
    model: "other",
    callIndex: 0,
    tokensIn: 1,
    tokensOut: 1,
    leaseMs: 5_000,
  });
  await until(
    "both have ended",
    () => heard.filter(({ kind }) => kind === "answered" || kind === "failed").length === 2,
  );
  expect(statuses).not.toContain("error");

  const metadata = { node: "node.0", operator: "operator-0", region: "region-0", hardware: "none", slots: "16" };
  const offered = { models: "risk-small", modes: "tee,vanilla" };
  const identity = { name: "pipe-node", id: "node:0", version: "1.0.0", metadata: { ...metadata, ...offered } };
  for (const subject of ["$SRV.PING", "$SRV.PING.pipe-node", "$SRV.PING.pipe-node.node:0"]) {
    expect(await asked(subject)).toEqual([{ type: "io.nats.micro.v1.ping_response", ...identity }]);
  }
  const endpoint = { name: "dispatch", subject: "pipe.v1.shard-0.down.node:0.sealed", queue_group: "" };
  expect(await asked("$SRV.INFO.pipe-node")).toEqual([
    {
      type: "io.nats.micro.v1.info_response",
      ...identity,
      description: expect.any(String),
      endpoints: [{ ...endpoint, metadata: {} }],
    },
  ]);
  const [statistics] = (await asked("$SRV.STATS.pipe-node.node:0")) as [Record<string, unknown>];
  expect(statistics).toMatchObject({
    type: "io.nats.micro.v1.stats_response",
    ...identity,
    endpoints: [
      {
        ...endpoint,
        num_requests: 2,
        num_errors: 1,
        last_error: "unknown-model",
        processing_time: expect.any(Number),
        average_processing_time: expect.any(Number),
        data: { accepted: 1, answered: 1, failed: 1 },
      },
    ],
  });
  expect(new Date(String(statistics["started"])).getTime()).toBeLessThanOrEqual(Date.now());
  // The same for people, by `pipe node list`.
  const authentication = { kind: "password", user: "looker", password: "l" } as const;
  expect(await rollCall({ servers: server.url, authentication, waitMs: 500 })).toEqual([
    {
      ...{ id: "node.0", operator: "operator-0", region: "region-0", hardware: "none", slots: "16", ...offered },
      ...{ accepted: 1, answered: 1, failed: 1, averageMs: expect.any(Number), startedAt: statistics["started"] },
    },
  ]);
});

test("a node that is not permitted to use another's subjects is told so, and hears nothing", async () => {
  const { heard } = await lead();
  const about = testNode(1);
  const errors: string[] = [];
  const { node } = await startTestNode(about, await hostingOf(about, root), {
    servers: server.url,
    authentication: asNode,
    chainId: CHAIN,
    onStatus: (status) => void (status.kind === "error" && errors.push(status.error.message)),
  });
  ends.push(() => node.drain());
  await until("both are refused", () => errors.length >= 2);
  expect(errors.join("\n")).toMatch(/subscription to "pipe\.v1\.shard-0\.down\.node:1/i);
  expect(errors.join("\n")).toMatch(/publish to "pipe\.v1\.shard-0\.up\.node:1\.join/i);
  expect(heard).toEqual([]);
});

test("nodes and schedulers are let in by nkeys and by tokens, too", async () => {
  const user = nkeys.createUser();
  const seed = new TextDecoder().decode(user.getSeed());
  const ways = [
    [`authorization { users = [ { nkey: ${user.getPublicKey()} } ] }`, { kind: "nkey", seed }],
    [`authorization { token: "let-me-in" }`, { kind: "token", token: "let-me-in" }],
  ] as const;
  const about = testNode(0);
  const hosting = await hostingOf(about, root);
  for (const [config, authentication] of ways) {
    const guarded = await NatsServer.start(config);
    ends.push(() => guarded.end());
    const options = { servers: guarded.url, chainId: CHAIN, shard: SHARD, schedulers: [SCHEDULER.publicKeyHex] };
    const node = await startNatsNode({ ...options, authentication, key: about.key, node: hosting });
    await node.drain();
    await expect(startNatsNode({ ...options, key: about.key, node: hosting })).rejects.toThrow(NatsUnreachable);
  }
});

test("what a broker that stands still does not take waits within limits, and the rest is lost and counted", async () => {
  const statuses: NatsStatus["kind"][] = [];
  const heard: NodeMessage[] = [];
  const transport = createNatsTransport({
    servers: server.url,
    authentication: asScheduler,
    chainId: CHAIN,
    shard: SHARD,
    epoch: 1,
    signingKey: SCHEDULER,
    limits: { settleMs: 1, maxUnconfirmedBytes: 512 * 1024, maxWaitingMessages: 50, pingMs: 60_000 },
    onStatus: ({ kind }) => void statuses.push(kind),
  });
  ends.push(() => transport.close());
  transport.onMessage((message) => void heard.push(message));
  await transport.start();
  const about = testNode(0);
  const options = { servers: server.url, authentication: asNode, chainId: CHAIN };
  const { node } = await startTestNode(about, await hostingOf(about, root), options);
  ends.push(() => node.drain());
  await until("the node has joined", () => heard.some(({ kind }) => kind === "joined"));
  const input = new Uint8Array(64 * 1024);
  const call = { callIndex: 0, model: "other", mode: "vanilla", inputHash: sha256Hex(input), input } as const;
  const size = { tokensIn: 1, tokensOut: 1, leaseMs: 60_000 };
  const dispatch = (copy: number) =>
    transport.dispatch({
      copy,
      nonce: 1,
      node: about.terms.id,
      chainId: CHAIN,
      txHash: "00".repeat(32),
      ...call,
      ...size,
    });
  server.suspend();
  for (let copy = 1; copy <= 100; copy++) {
    dispatch(copy);
    // Frames leave between one turn and the next.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(statuses).toContain("slow");
  expect(transport.mishaps["too-many-waiting"]).toBeGreaterThan(0);
  server.resume();
  // Each of the others was sent: the node refuses all of them, since it has no such model.
  const lost = transport.mishaps["too-many-waiting"] ?? 0;
  await until("the rest has arrived", () => heard.filter(({ kind }) => kind === "failed").length === 100 - lost);
  expect(transport.mishaps).toEqual({ "too-many-waiting": lost });
});

test("wrong credentials end the start at once; what becomes of the connection later is told", async () => {
  const about = testNode(0);
  const hosting = await hostingOf(about, root);
  const wrong = { kind: "password", user: "node0", password: "guess" } as const;
  const beginMs = performance.now();
  const options = { servers: server.url, chainId: CHAIN, shard: SHARD, schedulers: [SCHEDULER.publicKeyHex] };
  const start = startNatsNode({ ...options, authentication: wrong, key: about.key, node: hosting });
  await expect(start).rejects.toThrow(NatsUnreachable);
  expect(performance.now() - beginMs).toBeLessThan(3_000);

  const statuses: NatsStatus["kind"][] = [];
  const transport = createNatsTransport({
    servers: server.url,
    authentication: asScheduler,
    chainId: CHAIN,
    shard: SHARD,
    epoch: 1,
    signingKey: SCHEDULER,
    limits: { settleMs: 1 },
    onStatus: ({ kind }) => void statuses.push(kind),
  });
  transport.onMessage(() => undefined);
  await transport.start();
  await server.kill();
  await until("it is known", () => statuses.includes("disconnected"));
  await server.restart();
  await until("it is back", () => statuses.filter((kind) => kind === "connected").length === 2);
  await transport.close();
  expect(statuses.filter((kind) => kind !== "reconnecting" && kind !== "error")).toEqual([
    "connected",
    "disconnected",
    "connected",
    "closed",
  ]);
});
