import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import type { NodeMessage } from "../../../scheduler/live/transport.ts";
import { createNatsTransport, NatsUnreachable, openShard, rollCall } from "../../../scheduler/nats/index.ts";
import { writeConfig } from "../../../scheduler/nats/server-config/write-config.ts";
import { createEmulatorRoot } from "../../../scheduler/node/enclave-emulator.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { pipeCommand } from "../../support/pipe-command.ts";
import { hostingOf, SCHEDULER, SHARD, startTestNode, testNode } from "../support/nats-fleet.ts";
import { eventually } from "../support/scheduler-process.ts";
import { CHAIN } from "../support/users.ts";

/** What is said to a broker with TLS, as `pipe nats-config` makes one: by whom, and what is said to who comes otherwise. */

const PATIENCE = { timeout: 60_000 };

const root = createEmulatorRoot({ nowMs: Date.now() });
const node = testNode(0);

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-tls-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

interface Broker {
  readonly port: number;
  readonly tls: string;
  readonly seeds: string;
}

/** `address`: what its certificate is for; without one it speaks without TLS. */
async function broker(address: string | undefined): Promise<Broker> {
  const [directory, tls] = [await temporaryDirectory(), await temporaryDirectory()];
  makeCertificates(tls, { servers: 1, address: address ?? "127.0.0.1" });
  await writeConfig({
    directory,
    shards: [SHARD],
    schedulers: ["a"],
    nodes: [{ id: node.terms.id, publicKey: undefined }],
    servers: [{ host: "127.0.0.1", port: 4_222, clusterPort: 6_222 }],
    tls: address === undefined ? undefined : tls,
    syncAlways: false,
  });
  const config = await readFile(join(directory, "server-1.conf"), "utf8");
  const server = await NatsServer.start(config.replace(/^listen: .*$/m, ""));
  ends.push(() => server.end());
  return { port: server.port, tls, seeds: join(directory, "seeds") };
}

type Way = { readonly servers: string; readonly tls?: { readonly ca: string } };

/** Everybody who connects, each as itself. */
async function everybody({ seeds }: Broker, way: Way) {
  const seedOf = async (user: string) => (await readFile(join(seeds, `${user}.nk`), "utf8")).trim();
  const as = async (user: string) => ({ authentication: { kind: "nkey", seed: await seedOf(user) } as const, ...way });
  const heard: NodeMessage[] = [];
  const asScheduler = await as("scheduler-a");
  const transport = createNatsTransport({
    ...asScheduler,
    ...{ chainId: CHAIN, shard: SHARD, epoch: 1, signingKey: SCHEDULER },
  });
  ends.push(() => transport.close());
  transport.onMessage((message) => void heard.push(message));
  return {
    heard,
    transport: () => transport.start(),
    journal: async () => {
      const shard = await openShard({ ...asScheduler, shard: SHARD, name: "a", replicas: 1 });
      ends.push(() => shard.close());
      const about = { program: "test", chainId: CHAIN, config: { policy: {} } as never, retainAll: true };
      const store = await shard.openJournal({ ...about, directory: await temporaryDirectory() });
      await store.close(1);
    },
    node: async () => {
      const options = { ...(await as(`node-${node.terms.id}`)), chainId: CHAIN };
      const started = await startTestNode(node, await hostingOf(node, root), options);
      ends.push(() => started.node.drain());
    },
    list: async () => rollCall({ ...(await as("operator")), waitMs: 500 }),
  };
}

async function refusals(from: Broker, way: Way): Promise<readonly string[]> {
  const { transport, journal, node: joins, list } = await everybody(from, way);
  const said: string[] = [];
  for (const connects of [transport, journal, joins, list]) {
    const error: unknown = await connects().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(NatsUnreachable);
    said.push((error as Error).message);
  }
  return said;
}

test.each(["tls", "nats"])(
  "by %s:// and the broker's authority a scheduler leads, a node joins, and an operator sees it",
  PATIENCE,
  async (scheme) => {
    const one = await broker("127.0.0.1");
    const ca = await readFile(join(one.tls, "ca.crt"), "utf8");
    const all = await everybody(one, { servers: `${scheme}://127.0.0.1:${one.port}`, tls: { ca } });
    await all.transport();
    await all.journal();
    await all.node();
    await eventually("the node has joined", () => all.heard.find(({ kind }) => kind === "joined"));
    expect(await all.list()).toMatchObject([{ id: node.terms.id }]);
  },
);

test("who trusts another authority, or none, says nothing, and is told what to do", PATIENCE, async () => {
  const [one, other] = [await broker("127.0.0.1"), await temporaryDirectory()];
  makeCertificates(other, { servers: 0, address: "127.0.0.1" });
  const servers = `tls://127.0.0.1:${one.port}`;
  const ca = await readFile(join(other, "ca.crt"), "utf8");
  for (const way of [{ servers, tls: { ca } }, { servers }, { servers: servers.replace("tls", "nats") }]) {
    for (const said of await refusals(one, way)) {
      expect(said).toContain(`no NATS server at ${way.servers} takes us`);
      expect(said).toMatch(/give the certificate of its own \(ca\.crt\)$/);
    }
  }
});

test("a certificate for another address is refused", PATIENCE, async () => {
  const one = await broker("10.0.0.9");
  const ca = await readFile(join(one.tls, "ca.crt"), "utf8");
  for (const said of await refusals(one, { servers: `tls://127.0.0.1:${one.port}`, tls: { ca } }))
    expect(said).toMatch(/127\.0\.0\.1.*The server's certificate is for another address/);
});

test("tls:// and an authority are kept to: a server without TLS is told nothing", PATIENCE, async () => {
  const one = await broker(undefined);
  const ca = await readFile(join(one.tls, "ca.crt"), "utf8");
  const servers = `127.0.0.1:${one.port}`;
  for (const way of [{ servers: `tls://${servers}` }, { servers: `nats://${servers}`, tls: { ca } }])
    for (const said of await refusals(one, way)) expect(said).toContain("The server speaks without TLS: give it");
});

test("a client that goes on in the clear is cut off before it is heard", PATIENCE, async () => {
  const one = await broker("127.0.0.1");
  const socket = createConnection({ port: one.port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write('CONNECT {"verbose":true}\r\nPING\r\n');
  const said = await text(socket).catch(() => "");
  expect(said).not.toMatch(/PONG|\+OK/);
});

test("the command says the same to its operator", PATIENCE, async () => {
  const [one, other] = [await broker("127.0.0.1"), await temporaryDirectory()];
  makeCertificates(other, { servers: 0, address: "127.0.0.1" });
  const about = ["--nats", `tls://127.0.0.1:${one.port}`, "--nats-ca"];
  const seed = (user: string) => ["--nats-credentials", join(one.seeds, `${user}.nk`)];
  const strange = join(other, "ca.crt");
  const [scheduler, list, well] = await Promise.all([
    pipeCommand([
      ...["scheduler", "--directory", await temporaryDirectory(), "--chain", CHAIN, "--port", "0", "--shard", SHARD],
      ...[...about, strange, ...seed("scheduler-a")],
    ]),
    pipeCommand(["node", "list", ...about, strange, ...seed("operator")]),
    pipeCommand(["node", "list", ...about, join(one.tls, "ca.crt"), ...seed("operator")]),
  ]);
  expect(scheduler).toMatchObject({ code: 2, stdout: "" });
  expect(scheduler.stderr).toContain("another authority than the one given");
  expect(list).toMatchObject({ code: 1, stdout: "" });
  expect(list.stderr).toContain("another authority than the one given");
  expect(well, well.stderr).toMatchObject({ code: 0, stdout: "No node answers.\n" });
});
