import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { NodeMessage } from "../../../scheduler/live/transport.ts";
import { createNatsTransport, type NatsTransport, type NatsTransportOptions } from "../../../scheduler/nats/index.ts";
import { MAX_MESSAGE_BYTES } from "../../../scheduler/nats/limits.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { SCHEDULER, SHARD, testNode } from "../support/nats-fleet.ts";
import { Raw, untilCounted } from "../support/raw-nats.ts";
import { CHAIN } from "../support/users.ts";

/** What comes from a broker that nobody trusts: none of it is heard, none of it hurts, all of it is counted. */

let server: NatsServer;
let raw: Raw;
let transport: NatsTransport;
let heard: NodeMessage[];
const transports: NatsTransport[] = [];
beforeAll(async () => {
  server = await NatsServer.start();
});
beforeEach(async () => {
  raw = await Raw.connect(server.url);
  ({ transport, heard } = await start());
});
afterEach(async () => {
  await raw.end();
  await Promise.all(transports.splice(0).map((started) => started.close()));
});
afterAll(() => server.end());

async function start(changes: Partial<NatsTransportOptions> = {}) {
  const started = createNatsTransport({
    servers: server.url,
    chainId: CHAIN,
    shard: SHARD,
    epoch: 1,
    signingKey: SCHEDULER,
    ...changes,
    limits: { settleMs: 1, ...changes.limits },
  });
  transports.push(started);
  const said: NodeMessage[] = [];
  started.onMessage((message) => void said.push(message));
  await started.start();
  await raw.connection.flush();
  return { transport: started, heard: said };
}

async function untilHeard(count: number, messages = heard): Promise<void> {
  const untilMs = performance.now() + 10_000;
  while (messages.length < count) {
    if (performance.now() > untilMs) throw new Error(`heard ${JSON.stringify(messages)}, not ${count} messages`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const [alice, bob] = [testNode(0), testNode(1)];

/** A node that has joined as it should. */
async function joined(about = alice) {
  const before = heard.length;
  const { bytes, session } = await raw.join(about);
  await raw.say(raw.subjects.up(about.terms.id, "join"), bytes);
  await untilHeard(before + 1);
  return { bytes, session };
}

test("a join under another's name is refused, whichever way it is forged", async () => {
  const subject = raw.subjects.up(alice.terms.id, "join");
  // Bob's own terms under Alice's subject.
  await raw.say(subject, (await raw.join(bob)).bytes);
  // Alice's terms, signed by Bob.
  await raw.say(subject, (await raw.join({ terms: alice.terms, key: bob.key })).bytes);
  await untilCounted(transport, { "wrong-node": 1, "bad-signature": 1 });
  // Alice's name with Bob's key, while she uses it.
  await joined();
  await raw.say(subject, (await raw.join({ terms: { ...alice.terms, key: bob.terms.key }, key: bob.key })).bytes);
  await untilCounted(transport, { "other-key": 1 });
  expect(heard).toEqual([{ kind: "joined", terms: alice.terms }]);
});

test("a registered name belongs to its key from the beginning", async () => {
  const keyOf = () => alice.terms.key;
  const { transport: strict } = await start({ keyOf, epoch: 2 });
  const { bytes } = await raw.join({ terms: { ...alice.terms, key: bob.terms.key }, key: bob.key });
  await raw.say(raw.subjects.up(alice.terms.id, "join"), bytes);
  await untilCounted(strict, { "other-key": 1 });
});

test("a join counts once: not again, not after a later one, not for another start of the scheduler", async () => {
  const subject = raw.subjects.up(alice.terms.id, "join");
  const early = await raw.join({ ...alice, number: 1 });
  const { bytes } = await joined();
  await raw.say(subject, bytes);
  await raw.say(subject, early.bytes);
  await untilCounted(transport, { "repeated-join": 2 });
  const next = await start({ epoch: 2 });
  await raw.say(subject, bytes);
  await untilCounted(next.transport, { "stale-join": 1 });
  expect(heard).toHaveLength(1);
  expect(next.heard).toEqual([]);
});

test("a join is not taken twice even when its node was forgotten meanwhile", async () => {
  const subject = raw.subjects.up(alice.terms.id, "join");
  const { bytes, session } = await joined();
  const left = raw.seal(session, alice.terms.id, { kind: "left", node: alice.terms.id });
  await raw.say(left.subject, left.data);
  const successor = { terms: { ...alice.terms, key: bob.terms.key }, key: bob.key };
  const second = await raw.join(successor);
  await raw.say(subject, second.bytes);
  await untilHeard(3);
  const gone = raw.seal(second.session, alice.terms.id, { kind: "left", node: alice.terms.id });
  await raw.say(gone.subject, gone.data);
  await raw.say(subject, bytes);
  await untilCounted(transport, { "repeated-join": 1 });
  expect(heard.map(({ kind }) => kind)).toEqual(["joined", "left", "joined", "left"]);
});

test("a sealed message is heard once, from its node, under its subject, and with every bit in place", async () => {
  const { session } = await joined();
  const { id } = alice.terms;
  const accepted = raw.seal(session, id, { kind: "accepted", node: id, copy: 7 });
  await raw.say(accepted.subject, accepted.data);
  await untilHeard(2);
  await raw.say(accepted.subject, accepted.data);
  const next = raw.seal(session, id, { kind: "accepted", node: id, copy: 8 });
  await raw.say(raw.subjects.up(bob.terms.id, "sealed"), next.data);
  const flipped = Uint8Array.from(next.data);
  flipped[30] = (flipped[30] ?? 0) ^ 1;
  await raw.say(next.subject, flipped);
  const stranger = Uint8Array.from(next.data);
  stranger[0] = (stranger[0] ?? 0) ^ 1;
  await raw.say(next.subject, stranger);
  await untilCounted(transport, { replayed: 1, "wrong-node": 1, "bad-seal": 1, "unknown-session": 1 });
  await raw.say(next.subject, next.data);
  await untilHeard(3);
  expect(heard.slice(1)).toEqual([7, 8].map((copy) => ({ kind: "accepted", node: id, copy })));
});

test("what is too large, no CBOR, or none of the protocol's subjects is dropped", async () => {
  const { session } = await joined();
  const { id } = alice.terms;
  await raw.say(raw.subjects.up(id, "sealed"), new Uint8Array(MAX_MESSAGE_BYTES.sealed + 1));
  await raw.say(raw.subjects.up(id, "join"), new Uint8Array(MAX_MESSAGE_BYTES.join + 1));
  await raw.say(raw.subjects.hello, new Uint8Array(MAX_MESSAGE_BYTES.hello + 1));
  await raw.say(raw.subjects.up(id, "join"), Buffer.from("no join"));
  await raw.say(raw.subjects.up(id, "sealed"), Buffer.from("short"));
  const { subject, data } = raw.sealBytes(session, id, Buffer.from("no frame"));
  await raw.say(subject, data);
  await raw.say(subject.replace("sealed", "sealed2"), data);
  await raw.say(subject.replace(/up\.[^.]*/, "up.a$b"), data);
  await untilCounted(transport, { oversized: 3, malformed: 3, "unknown-subject": 2 });
  expect(heard).toHaveLength(1);
});

test("joins are rationed, and so is what one node says", async () => {
  const { transport: strict, heard: said } = await start({
    epoch: 2,
    limits: { maxJoinsPerSecond: 2, maxMessagesPerSecond: 5 },
  });
  const { bytes, session } = await raw.join(bob);
  await raw.say(raw.subjects.up(bob.terms.id, "join"), bytes);
  await untilHeard(1, said);
  const forged = { terms: alice.terms, key: bob.key };
  for (let i = 0; i < 5; i++) await raw.say(raw.subjects.up(alice.terms.id, "join"), (await raw.join(forged)).bytes);
  for (let copy = 0; copy < 10; copy++) {
    const { subject, data } = raw.seal(session, bob.terms.id, { kind: "accepted", node: bob.terms.id, copy });
    raw.connection.publish(subject, data);
  }
  await raw.connection.flush();
  await untilHeard(6, said);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { mishaps } = strict;
  expect(mishaps["too-many-joins"]).toBeGreaterThanOrEqual(1);
  expect((mishaps["too-many-joins"] ?? 0) + (mishaps["bad-signature"] ?? 0)).toBe(5);
  expect(mishaps.flood).toBeGreaterThanOrEqual(4);
});

test("a node that is silent has left, and has joined again with its next word", async () => {
  await transport.close();
  const quick = await start({ epoch: 2, limits: { maxSilenceMs: 500 } });
  const { bytes, session } = await raw.join(bob);
  const { id } = bob.terms;
  await raw.say(raw.subjects.up(id, "join"), bytes);
  await untilHeard(2, quick.heard);
  expect(quick.heard.map(({ kind }) => kind)).toEqual(["joined", "left"]);
  const report = raw.seal(session, id, { kind: "reported", node: id, running: 0, queued: 0, warm: [] });
  await raw.say(report.subject, report.data);
  await untilHeard(4, quick.heard);
  expect(quick.heard.slice(2, 4).map(({ kind }) => kind)).toEqual(["joined", "reported"]);
});

test("nothing that cannot be sent blocks or throws", async () => {
  const input = new Uint8Array(70_000);
  const about = {
    chainId: CHAIN,
    txHash: "00".repeat(32),
    callIndex: 0,
    model: "risk-small",
    mode: "vanilla",
  } as const;
  const assignment = { ...about, copy: 1, node: alice.terms.id, nonce: 1, inputHash: "00".repeat(32), tokensIn: 1 };
  transport.dispatch({ ...assignment, input, tokensOut: 1, leaseMs: 1_000 });
  transport.cancel("nobody", 1);
  await joined();
  transport.dispatch({ ...assignment, input, tokensOut: 1, leaseMs: 1_000 });
  expect(transport.mishaps).toEqual({ unsayable: 2, "no-session": 1 });
});
