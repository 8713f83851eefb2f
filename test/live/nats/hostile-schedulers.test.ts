import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Assignment, NodeMessage } from "../../../scheduler/live/transport.ts";
import {
  createNatsTransport,
  type NatsNode,
  type NatsNodeOptions,
  type NatsTransport,
  type NatsTransportOptions,
  startNatsNode,
} from "../../../scheduler/nats/index.ts";
import { MAX_MESSAGE_BYTES } from "../../../scheduler/nats/limits.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { SCHEDULER, SHARD, testNode } from "../support/nats-fleet.ts";
import { Raw, RawLeader, untilCounted } from "../support/raw-nats.ts";
import { CHAIN } from "../support/users.ts";

/** What a node does with schedulers that are none, that are deposed, or that the broker lets speak again and again. */

const OTHER = signingKeyFromSeed(new Uint8Array(32).fill(202));
const about = testNode(0);
const { id } = about.terms;

let server: NatsServer;
let raw: Raw;
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await NatsServer.start();
});
beforeEach(async () => {
  raw = await Raw.connect(server.url);
});
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
  await raw.end();
});
afterAll(() => server.end());

/** A hosted node that does nothing by itself; what is done to it is written down. */
async function startNode(changes: Partial<NatsNodeOptions> = {}) {
  const told: string[] = [];
  let say: (message: NodeMessage) => void = () => undefined;
  const node: NatsNode = await startNatsNode({
    servers: server.url,
    chainId: CHAIN,
    shard: SHARD,
    schedulers: [SCHEDULER.publicKeyHex, OTHER.publicKeyHex],
    key: about.key,
    node: {
      terms: about.terms,
      create(sayIt) {
        say = sayIt;
        return {
          join: () => say({ kind: "joined", terms: about.terms }),
          rejoin: () => say({ kind: "joined", terms: about.terms }),
          assign: ({ copy, nonce }) => void told.push(`assign ${copy}/${nonce}`),
          cancel: (copy) => void told.push(`cancel ${copy}`),
          drain: () => void told.push("drain"),
        };
      },
    },
    ...changes,
    limits: { adoptMs: 200, ...changes.limits },
  });
  ends.push(() => node.drain());
  return { node, told, say: (message: NodeMessage) => say(message) };
}

async function lead(changes: Partial<NatsTransportOptions> = {}) {
  const transport: NatsTransport = createNatsTransport({
    servers: server.url,
    chainId: CHAIN,
    shard: SHARD,
    epoch: 1,
    signingKey: SCHEDULER,
    ...changes,
    limits: { settleMs: 1, announceMs: 200, ...changes.limits },
  });
  ends.push(() => transport.close());
  const heard: NodeMessage[] = [];
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

function assignment(copy: number, nonce = copy): Assignment {
  const input = Buffer.from("input");
  const call = { callIndex: 0, model: "risk-small", mode: "vanilla", inputHash: sha256Hex(input), input } as const;
  const size = { tokensIn: 1, tokensOut: 1, leaseMs: 10_000 };
  return { copy, node: id, nonce, chainId: CHAIN, txHash: "00".repeat(32), ...call, ...size };
}

test("announcements that a node has no reason to believe change nothing", async () => {
  const { node } = await startNode();
  const leader = await RawLeader.create();
  const joins = raw.record(raw.subjects.up(id, "join"));
  await raw.connection.flush();
  const announce = (bytes: Uint8Array) => raw.say(raw.subjects.announce, bytes);
  const stranger = signingKeyFromSeed(new Uint8Array(32).fill(203));
  await announce(leader.announcement({}, stranger));
  await announce(leader.announcement({ chainId: "another-chain" }));
  await announce(leader.announcement({ shard: "shard-1" }));
  await announce(leader.announcement({ scheduler: OTHER.publicKeyHex }));
  await announce(Buffer.from("no announcement"));
  await announce(new Uint8Array(MAX_MESSAGE_BYTES.announce + 1));
  await untilCounted(node, {
    "unknown-scheduler": 1,
    "wrong-chain": 1,
    "wrong-shard": 1,
    "bad-signature": 1,
    malformed: 1,
    oversized: 1,
  });
  expect(joins).toEqual([]);
});

test("the epoch never goes back, one epoch has one scheduler, and no announcement counts twice", async () => {
  const { node } = await startNode();
  const joins = raw.record(raw.subjects.up(id, "join"));
  const announce = (bytes: Uint8Array) => raw.say(raw.subjects.announce, bytes);
  const earlier = await RawLeader.create(1_000);
  const later = await RawLeader.create(2_000);
  const first = earlier.announcement({ epoch: 5 });
  await announce(first);
  await until("it joins", () => joins.length === 1);
  await announce(first);
  await announce(earlier.announcement({ epoch: 4 }));
  await announce(later.announcement({ epoch: 5 }, OTHER));
  await untilCounted(node, { "old-announcement": 1, "lower-epoch": 1, "other-leader": 1 });
  // The same scheduler's next start, and then nothing more of the one before.
  await announce(later.announcement({ epoch: 5 }));
  await until("it joins the next start", () => joins.length >= 2);
  await announce(earlier.announcement({ epoch: 5 }));
  await untilCounted(node, { "old-announcement": 2 });
});

test("a deposed leader's dispatches and cancels are worth nothing, whatever it goes on saying", async () => {
  const { node, told } = await startNode();
  const deposed = await lead();
  await until("the node has joined", () => deposed.heard.some(({ kind }) => kind === "joined"));
  deposed.transport.dispatch(assignment(1));
  await until("the node has a copy", () => told.length === 1);
  const leader = await lead({ epoch: 2, signingKey: OTHER });
  await until("the node has joined its successor", () => leader.heard.some(({ kind }) => kind === "joined"));
  deposed.transport.dispatch(assignment(2));
  deposed.transport.cancel(id, 1);
  await until("it is refused", () => node.mishaps["unknown-session"] === 1 && (node.mishaps["lower-epoch"] ?? 0) >= 2);
  leader.transport.dispatch(assignment(3));
  // The copy that only the deposed leader wanted ends by itself.
  await until("the node does what its leader says", () => told.length === 3);
  expect(new Set(told)).toEqual(new Set(["assign 1/1", "assign 3/3", "cancel 1"]));
});

test("a successor that gives the same assignment again gets the copy as it is; another one under its number takes its place", async () => {
  const { told, say } = await startNode({ limits: { adoptMs: 500 } });
  const first = await lead();
  await until("the node has joined", () => first.heard.some(({ kind }) => kind === "joined"));
  for (const copy of [1, 2, 3]) first.transport.dispatch(assignment(copy));
  await until("the node has its copies", () => told.length === 3);
  await first.transport.close();
  const second = await lead({ epoch: 2 });
  await until("the node has joined", () => second.heard.some(({ kind }) => kind === "joined"));
  // Nobody has asked for it yet: the leader is not told.
  say({ kind: "progressed", node: id, copy: 1, tokens: 3 });
  second.transport.dispatch(assignment(1));
  second.transport.dispatch(assignment(2, 99));
  await until("the third copy is given up", () => told.includes("cancel 3"));
  say({ kind: "progressed", node: id, copy: 1, tokens: 4 });
  await until("the leader hears of it", () => second.heard.some(({ kind }) => kind === "progressed"));
  expect(told.slice(3)).toEqual(["assign 1/1", "cancel 2", "assign 2/99", "cancel 3"]);
  expect(second.heard.filter(({ kind }) => kind === "progressed")).toEqual([
    { kind: "progressed", node: id, copy: 1, tokens: 4 },
  ]);
});

test("what the broker repeats, changes or sends elsewhere is not done", async () => {
  const { node, told } = await startNode();
  const downs = raw.record(raw.subjects.allDown(id));
  await raw.connection.flush();
  const leader = await lead();
  await until("the node has joined", () => leader.heard.some(({ kind }) => kind === "joined"));
  leader.transport.dispatch(assignment(1));
  leader.transport.cancel(id, 1);
  await until("it was told", () => told.length === 2);
  // A copy: what is said again is recorded again.
  const said = [...downs];
  for (const { subject, data } of said) await raw.say(subject, data);
  const [first] = said;
  if (first === undefined) throw new Error("nothing was said");
  // The same under a counter that was not used yet.
  const later = Uint8Array.from(first.data);
  later[23] = 200;
  await raw.say(first.subject, later);
  await raw.say(raw.subjects.down("node.1", "sealed"), first.data);
  await raw.say(first.subject, Buffer.from("nothing"));
  await raw.say(first.subject, new Uint8Array(MAX_MESSAGE_BYTES.sealed + 1));
  await untilCounted(node, { replayed: said.length, "bad-seal": 1, malformed: 1, oversized: 1 });
  expect(told).toEqual(["assign 1/1", "cancel 1"]);
});

test("a node whose session the scheduler has forgotten joins anew", async () => {
  const { node } = await startNode({ limits: { heardMs: 200, maxUnheardMs: 800 } });
  const { transport, heard } = await lead({ limits: { heardMs: 60_000, maxUnheardMs: 120_000 } });
  // This scheduler never says that it hears: to the node that looks as if it did not.
  const joins = () => heard.filter(({ kind }) => kind === "joined").length;
  await until("it has joined three times", () => joins() >= 3);
  expect(node.mishaps).toEqual({});
  expect(transport.presentNodes).toBe(1);
});

test("a drained node says farewell and its connection ends", async () => {
  const statuses: string[] = [];
  const { node, told } = await startNode({ onStatus: ({ kind }) => void statuses.push(kind) });
  const { heard } = await lead({ limits: { maxSilenceMs: 60_000 } });
  await until("the node knows that it has joined", () => statuses.includes("joined"));
  await node.drain();
  expect(await node.closed).toBeUndefined();
  await until("it has left", () => heard.at(-1)?.kind === "left");
  expect(told).toEqual(["drain"]);
  expect(statuses).toEqual(["connected", "following", "joined", "closed"]);
});

test("options that cannot work are refused at once, and so is a broker that is not there", async () => {
  await expect(startNode({ schedulers: [] })).rejects.toThrow(RangeError);
  await expect(startNode({ shard: "a.b" })).rejects.toThrow(RangeError);
  await expect(startNode({ key: OTHER })).rejects.toThrow(RangeError);
  await expect(startNode({ servers: "127.0.0.1:1", limits: { connectMs: 300 } })).rejects.toThrow(/no NATS server at/);
});
