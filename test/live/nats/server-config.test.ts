import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection, nkeyAuthenticator, nkeys } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterEach, expect, test } from "vitest";
import { type ConfigRequest, writeConfig } from "../../../scheduler/nats/server-config/write-config.ts";
import { openShard } from "../../../scheduler/nats/shard/shard.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { findTool, TOOLS } from "../../setup/tools.mjs";

/** The reference configuration, enforced by a real server. */

const ASH = nkeys.createUser().getPublicKey();

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-config-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function request(directory: string, changes: Partial<ConfigRequest> = {}): ConfigRequest {
  return {
    directory,
    shards: ["main"],
    schedulers: ["a", "b"],
    nodes: [
      { id: "oak-1", publicKey: undefined },
      { id: "elm.2", publicKey: undefined },
    ],
    servers: [{ host: "127.0.0.1", port: 4_222, clusterPort: 6_222 }],
    tls: undefined,
    syncAlways: false,
    ...changes,
  };
}

/** A server with the configuration, but on a port that is free. */
async function broker(directory: string): Promise<NatsServer> {
  await writeConfig(request(directory));
  const text = await readFile(join(directory, "server-1.conf"), "utf8");
  const server = await NatsServer.start(text.replace(/^listen: .*$/m, ""));
  ends.push(() => server.end());
  return server;
}

async function as(server: NatsServer, directory: string, user: string): Promise<NatsConnection> {
  const seed = (await readFile(join(directory, "seeds", `${user}.nk`), "utf8")).trim();
  const connection = await connect({
    servers: server.url,
    reconnect: false,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
    inboxPrefix: user.startsWith("scheduler") ? "_INBOX_SCHEDULER" : "_INBOX",
  });
  ends.push(() => connection.close());
  return connection;
}

/** Whether the server lets it hear the subject. */
async function mayHear(connection: NatsConnection, subject: string): Promise<boolean> {
  let refused = false;
  const subscription = connection.subscribe(subject, {
    callback: (error) => {
      refused ||= error !== null;
    },
  });
  await connection.flush();
  await connection.flush();
  subscription.unsubscribe();
  return !refused;
}

/** Whether what one says on the subject gets to the other, who may hear all of the shard. */
async function gets(from: NatsConnection, to: NatsConnection, subject: string, heardBy: string): Promise<boolean> {
  let heard = false;
  const subscription = to.subscribe(heardBy, {
    callback: (_, message) => {
      heard ||= message.subject === subject;
    },
  });
  await to.flush();
  from.publish(subject, "said");
  await from.flush();
  await to.flush();
  subscription.unsubscribe();
  return heard;
}

test("a node hears what is said to it alone and speaks in its own name alone", { timeout: 30_000 }, async () => {
  const directory = await temporaryDirectory();
  const server = await broker(directory);
  const [oak, scheduler] = [await as(server, directory, "node-oak-1"), await as(server, directory, "scheduler-a")];

  for (const own of ["pipe.v1.main.down.oak-1.*", "pipe.v1.main.announce", "$SRV.PING"])
    expect(await mayHear(oak, own), own).toBe(true);
  for (const others of [
    "pipe.v1.main.down.elm:2.*",
    "pipe.v1.main.down.*.*",
    "pipe.v1.main.up.>",
    "pipe.v1.main.journal",
    "pipe.>",
    "_INBOX.>",
    ">",
  ])
    expect(await mayHear(oak, others), others).toBe(false);

  expect(await gets(oak, scheduler, "pipe.v1.main.up.oak-1.answer", "pipe.v1.main.up.*.*")).toBe(true);
  expect(await gets(oak, scheduler, "pipe.v1.main.up.elm:2.answer", "pipe.v1.main.up.*.*")).toBe(false);
  expect(await gets(scheduler, oak, "pipe.v1.main.down.oak-1.dispatch", "pipe.v1.main.down.oak-1.*")).toBe(true);
  expect(await gets(oak, oak, "pipe.v1.main.announce", "pipe.v1.main.announce")).toBe(false);
  await expect(jetstreamManager(oak, { timeout: 500 })).rejects.toThrow();
});

test("a scheduler keeps its journal there and cannot take back what it wrote", { timeout: 30_000 }, async () => {
  const directory = await temporaryDirectory();
  const server = await broker(directory);
  const seed = (await readFile(join(directory, "seeds", "scheduler-b.nk"), "utf8")).trim();
  const shard = await openShard({
    servers: server.url,
    authentication: { kind: "nkey", seed },
    shard: "main",
    name: "b",
    replicas: 1,
  });
  ends.push(() => shard.close());
  const options = { program: "test", chainId: "chain", config: { policy: {} } as never, retainAll: true };
  const store = await shard.openJournal({ ...options, directory: await temporaryDirectory() });
  ends.push(() => store.close(1));
  const batches = store.recovered?.batches[Symbol.asyncIterator]();
  expect(await batches?.next()).toEqual({ done: true, value: undefined });
  await store.append({ n: 1, atUs: 1, events: [], commands: 0, digest: "0" });
  const scheduler = await as(server, directory, "scheduler-a");
  const manager = await jetstreamManager(scheduler, { timeout: 1_000 });
  expect((await manager.streams.info("PIPE_JOURNAL_main")).state.messages).toBe(3);
  await expect(manager.streams.delete("PIPE_JOURNAL_main")).rejects.toThrow();
  await expect(manager.streams.purge("PIPE_JOURNAL_main")).rejects.toThrow();
  const limits = { max_msgs: 1, max_age: 1_000_000_000 };
  await expect(manager.streams.update("PIPE_JOURNAL_main", limits)).rejects.toThrow();
  await expect(manager.streams.add({ name: "OTHER", subjects: ["pipe.v1.main.up.>"] })).rejects.toThrow();
  expect(await manager.streams.info("PIPE_JOURNAL_main")).toMatchObject({ state: { messages: 3 } });
  // Who looks after it all sees who leads, by what NATS's own tools ask, and nothing of the journal.
  const operator = await as(server, directory, "operator");
  const asOperator = await jetstreamManager(operator, { timeout: 1_000 });
  const found = await asOperator.streams.getMessage("KV_PIPE_LEADERS", { last_by_subj: "$KV.PIPE_LEADERS.main" });
  expect(found?.string()).toMatch(/^b\//);
  const direct = await asOperator.direct.getMessage("KV_PIPE_LEADERS", { last_by_subj: "$KV.PIPE_LEADERS.main" });
  expect(direct?.string()).toBe(found?.string());
  await expect(asOperator.streams.getMessage("PIPE_JOURNAL_main", { seq: 1 })).rejects.toThrow();
  await expect(asOperator.direct.getMessage("PIPE_JOURNAL_main", { seq: 1 })).rejects.toThrow();
  // The journal is in the answers.
  expect(await mayHear(operator, "_INBOX_SCHEDULER.>")).toBe(false);
  expect(await mayHear(operator, "_INBOX.>")).toBe(true);
});

test("who may not keep the journal is told so, and does not wait for it", { timeout: 30_000 }, async () => {
  const directory = await temporaryDirectory();
  const server = await broker(directory);
  for (const user of ["node-oak-1", "operator"]) {
    const seed = (await readFile(join(directory, "seeds", `${user}.nk`), "utf8")).trim();
    const authentication = { kind: "nkey", seed } as const;
    const shard = await openShard({ servers: server.url, authentication, shard: "main", name: "b", replicas: 1 });
    ends.push(() => shard.close());
    const options = { program: "test", chainId: "chain", config: { policy: {} } as never, retainAll: true };
    const opened = shard.openJournal({ ...options, directory: await temporaryDirectory() });
    await expect(opened).rejects.toMatchObject({ code: "write-failed" });
  }
});

test("nobody without a key gets in", async () => {
  const server = await broker(await temporaryDirectory());
  await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(/authoriz/i);
});

test("asked again it keeps every seed, and its files are their owner's alone", async () => {
  const directory = await temporaryDirectory();
  const first = await writeConfig(request(directory));
  expect(first.seeds.every(({ isNew }) => isNew)).toBe(true);
  const seed = await readFile(join(directory, "seeds", "node-oak-1.nk"), "utf8");
  const nodes = [...request(directory).nodes, { id: "ash-3", publicKey: ASH }];
  const again = await writeConfig(request(directory, { nodes }));
  expect(again.seeds.some(({ isNew }) => isNew)).toBe(false);
  expect(await readFile(join(directory, "seeds", "node-oak-1.nk"), "utf8")).toBe(seed);
  expect(await readFile(join(directory, "server-1.conf"), "utf8")).toContain(`nkey: ${ASH}`);
  for (const file of ["server-1.conf", "seeds/node-oak-1.nk", "seeds/cluster.password"])
    expect((await stat(join(directory, file))).mode & 0o077, file).toBe(0);
});

test.each([
  [{ servers: [{ host: "10.0.0.1", port: 4_222, clusterPort: 6_222 }] }, "--tls"],
  [{ servers: [1, 2].map((n) => ({ host: "127.0.0.1", port: n, clusterPort: n + 10 })) }, "1, 3 or 5"],
  [{ shards: ["a.b"] }, "is no shard"],
  [{ nodes: [{ id: "a>", publicKey: undefined }] }, "is no node id"],
  [{ nodes: [{ id: "a", publicKey: "SUABC" }] }, "no public nkey"],
  [{ nodes: [{ id: "a", publicKey: `U${"A".repeat(55)}` }] }, "no public nkey"],
  [{ nodes: ["a", "b"].map((id) => ({ id, publicKey: ASH })) }, "node-b has the key of another user"],
  [{ schedulers: ["a", "a"] }, "named twice"],
  [{ nodes: [] }, "no node"],
] satisfies [Partial<ConfigRequest>, string][])("%j is refused with what to do", async (changes, words) => {
  await expect(writeConfig(request(await temporaryDirectory(), changes))).rejects.toThrow(words);
});

test("three servers with TLS: the server's own check takes each configuration", async () => {
  const directory = await temporaryDirectory();
  const tls = await temporaryDirectory();
  makeCertificates(tls, { servers: 3, address: "127.0.0.1" });
  const servers = [1, 2, 3].map((n) => ({ host: "127.0.0.1", port: 4_221 + n, clusterPort: 6_221 + n }));
  const written = await writeConfig(request(directory, { servers, tls }));
  const program = findTool(TOOLS.natsServer, process.env) ?? "nats-server";
  for (const { config } of written.servers) {
    const { status, stderr } = spawnSync(program, ["-t", "-c", config], { encoding: "utf8" });
    expect(stderr).toContain("is valid");
    expect(status).toBe(0);
  }
});
