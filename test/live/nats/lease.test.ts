import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { writeConfig } from "../../../scheduler/nats/server-config/write-config.ts";
import { openShard } from "../../../scheduler/nats/shard/shard.ts";
import type { LeaseReport } from "../../../scheduler/nats/shard/lease-reports.ts";
import { freePort, NatsServer } from "../../support/nats-server.ts";
import { Severable } from "../../support/severable.ts";
import { Client } from "../support/http.ts";
import { eventually, SchedulerProcess } from "../support/scheduler-process.ts";

/** What is said when the lease cannot be had, and when it may be another's. */

const PATIENCE = { timeout: 120_000 };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-lease-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A broker as `pipe nats-config` makes it, and the same without what a test takes away. */
async function guardedBroker() {
  const directory = await temporaryDirectory();
  await writeConfig({
    directory,
    shards: ["main"],
    schedulers: ["a", "b"],
    nodes: [{ id: "oak", publicKey: undefined }],
    servers: [{ host: "127.0.0.1", port: 4_222, clusterPort: 6_222 }],
    tls: undefined,
    syncAlways: false,
  });
  const config = (await readFile(join(directory, "server-1.conf"), "utf8")).replace(/^listen: .*$/m, "");
  const server = await NatsServer.start(config);
  ends.push(() => server.end());
  const seedFile = (user: string) => join(directory, "seeds", `scheduler-${user}.nk`);
  return { server, config, seedFile, without: (subject: string) => config.replaceAll(`, "${subject}"`, "") };
}

/** Tries to have the journal of the shard. */
async function begin(servers: string, seed: string | undefined, onLease: (report: LeaseReport) => void = () => {}) {
  const authentication = seed === undefined ? {} : { authentication: { kind: "nkey", seed } as const };
  const shard = await openShard({ servers, ...authentication, shard: "main", name: "ours", replicas: 1, onLease });
  ends.push(() => shard.close());
  const about = { program: "test", chainId: "ours", config: { policy: {} } as never, retainAll: true };
  return { shard, opened: shard.openJournal({ ...about, directory: await temporaryDirectory() }) };
}

test("who may not have the lease is told so at once, and by which permission", PATIENCE, async () => {
  const { server, config, seedFile, without } = await guardedBroker();
  const seed = (await readFile(seedFile("b"), "utf8")).trim();
  // The bucket is there, as somebody who may make it left it.
  const maker = await begin(server.url, (await readFile(seedFile("a"), "utf8")).trim());
  await (await maker.opened).close(1);
  for (const taken of [
    "$KV.PIPE_LEADERS.main",
    "$JS.API.STREAM.INFO.KV_PIPE_LEADERS",
    "$JS.API.DIRECT.GET.KV_PIPE_LEADERS.>",
  ]) {
    await server.reconfigure(without(taken));
    const { opened } = await begin(server.url, seed);
    await expect(opened, taken).rejects.toMatchObject({
      code: "write-failed",
      message: expect.stringMatching(
        /lease of shard main cannot be used: Permissions Violation.* as pipe nats-config writes it/i,
      ),
    });
  }
  await server.reconfigure(config);
  await (await (await begin(server.url, seed)).opened).close(1);
});

test("a bucket whose keys last for ever would let nobody take over: it is refused", PATIENCE, async () => {
  const server = await NatsServer.start(`jetstream { store_dir: ${JSON.stringify(await temporaryDirectory())} }`);
  ends.push(() => server.end());
  const other = await connect({ servers: server.url });
  ends.push(() => other.close());
  await new Kvm(jetstream(other)).create("PIPE_LEADERS");
  const { opened } = await begin(server.url, undefined);
  await expect(opened).rejects.toMatchObject({
    code: "foreign",
    message: expect.stringContaining("last for ever, not for 1200 ms"),
  });
});

test("a standby that loses its right to the lease says so: log, metric, /ready", PATIENCE, async () => {
  const { server, config, seedFile, without } = await guardedBroker();
  const port = await freePort();
  const about = ["--chain", "ours", "--nats", server.url];
  const leader = new SchedulerProcess(await temporaryDirectory(), [
    ...about,
    ...["--port", "0", "--name", "a", "--nats-credentials", seedFile("a")],
  ]);
  ends.push(() => leader.end());
  await leader.client();
  const standby = new SchedulerProcess(await temporaryDirectory(), [
    ...about,
    ...["--port", String(port), "--name", "b", "--nats-credentials", seedFile("b")],
  ]);
  ends.push(() => standby.end());
  const client = new Client(`http://127.0.0.1:${port}`);
  await eventually("it stands by", () => (standby.said.includes("following shard main") ? true : undefined));
  expect((await client.get("/ready")).json.reasons).toBeUndefined();

  // Both lose the right to write the key; each goes on as far as it can.
  await server.reconfigure(without("$KV.PIPE_LEADERS.main"));
  const reasons = await eventually("it says why", async () => {
    const { json } = await client.get("/ready");
    return /permissions violation/i.test(String(json.reasons)) ? (json.reasons as string[]) : undefined;
  });
  expect(reasons).toHaveLength(1);
  const metrics = async () => (await client.get("/metrics")).text;
  await eventually("it is counted", async () =>
    /^pipe_lease_troubles_total\{kind="forbidden"\} [1-9]/m.test(await metrics()) ? true : undefined,
  );
  expect(await metrics()).toMatch(/^pipe_leading 0$/m);
  // Ten more attempts are no more lines.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(standby.said.match(/does not let this user have the shard's lease/g)).toHaveLength(1);

  await server.reconfigure(config);
  await eventually("it is well", async () =>
    (await client.get("/ready")).json.reasons === undefined ? true : undefined,
  );
  expect(standby.said).toContain("can be asked for again");
});

test(
  "a leader that is cut off answers as a standby once its lease has run out, until it is back",
  PATIENCE,
  async () => {
    const server = await NatsServer.start(`jetstream { store_dir: ${JSON.stringify(await temporaryDirectory())} }`);
    ends.push(() => server.end());
    const way = await Severable.to(server.port);
    ends.push(() => way.end());
    const leader = new SchedulerProcess(await temporaryDirectory(), [
      ...["--chain", "ours", "--port", "0", "--name", "a", "--nats", way.url],
    ]);
    ends.push(() => leader.end());
    const client = await leader.client();
    const account = "ab".repeat(32);
    const deposit = (to: Client) =>
      to.ask("POST", `/v1/accounts/${account}/deposits`, {
        ...{ body: { amountGwei: 17 }, producer: true, headers: { "idempotency-key": "event 7" } },
      });
    expect((await deposit(client)).status).toBe(200);

    way.cut();
    const answer = await eventually("it says that it may lead no more", async () => {
      const asked = await client.get(`/v1/accounts/${account}`);
      return asked.status === 503 ? asked : undefined;
    });
    expect(answer.json).toMatchObject({ type: "urn:pipe:problem:standby" });
    expect(answer.json.unconfirmedMs).toBeGreaterThan(1_200);
    expect(answer.headers.get("retry-after")).toBe("1");
    // What tells is refused as well, rather than kept waiting.
    expect((await client.tell(`/v1/accounts/${account}/deposits`, { amountGwei: 17 })).status).toBe(503);
    const ready = await client.get("/ready");
    expect(ready).toMatchObject({ status: 503, json: { type: "urn:pipe:problem:not-ready" } });
    expect(String(ready.json.reasons)).toContain("have not confirmed its lead");
    expect((await client.get("/health")).status).toBe(200);
    expect((await client.get("/metrics")).status).toBe(200);

    way.mend();
    const back = await eventually("it leads again", async () => {
      const asked = await client.get(`/v1/accounts/${account}`);
      return asked.status === 200 ? asked : undefined;
    });
    expect(back.json).toMatchObject({ depositGwei: 17 });

    // Another one leads on while it is away: it never speaks as the leader again.
    way.cut();
    const follower = new SchedulerProcess(await temporaryDirectory(), [
      ...["--chain", "ours", "--port", "0", "--name", "b", "--nats", server.url],
    ]);
    ends.push(() => follower.end());
    const next = await follower.client();
    // The key came with the journal.
    expect((await deposit(next)).json).toMatchObject({ depositGwei: 17 });
    expect((await next.tell(`/v1/accounts/${account}/deposits`, { amountGwei: 1 })).json).toMatchObject({
      depositGwei: 18,
    });
    expect((await client.get(`/v1/accounts/${account}`)).status).toBe(503);
    way.mend();
    const seen = new Set<number>();
    const asking = (async () => {
      for (;;) {
        const status = await client.get(`/v1/accounts/${account}`).then(
          (asked) => asked.status,
          () => undefined,
        );
        if (status === undefined) return;
        seen.add(status);
      }
    })();
    expect(await leader.ended).toBe(1);
    await asking;
    expect([...seen].filter((status) => status !== 503)).toEqual([]);
  },
);
