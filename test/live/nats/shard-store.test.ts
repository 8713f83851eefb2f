import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterEach, expect, test } from "vitest";
import { createPipe } from "../../../scheduler/index.ts";
import { listSegments } from "../../../scheduler/live/journal-files.ts";
import type { Batch } from "../../../scheduler/live/journal-format.ts";
import type { JournalStore } from "../../../scheduler/live/journal-store.ts";
import { openShard } from "../../../scheduler/nats/shard/shard.ts";
import type { ShardLimits } from "../../../scheduler/nats/shard/shard-limits.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { stallDisk } from "../support/stalled-disk.ts";
import { ECHO_REGISTRY } from "../support/registries.ts";
import { honest, ScriptedNodes, scriptedNode } from "../support/scripted-nodes.ts";
import { CHAIN, User } from "../support/users.ts";

/** A shard's journal by itself: what its stream holds when things went wrong. */

const PATIENCE = { timeout: 30_000 };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-store-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function broker(): Promise<NatsServer> {
  const server = await NatsServer.start(`jetstream { store_dir: ${JSON.stringify(await temporaryDirectory())} }`);
  ends.push(() => server.end());
  return server;
}

async function streamState(server: NatsServer) {
  const other = await connect({ servers: server.url });
  const { state } = await (await jetstreamManager(other)).streams.info("PIPE_JOURNAL_s1");
  await other.close();
  return state;
}

/** Takes away what servers that all lost power would have lost. */
async function loseStream(server: NatsServer): Promise<void> {
  const other = await connect({ servers: server.url });
  await (await jetstreamManager(other)).streams.delete("PIPE_JOURNAL_s1");
  await other.close();
}

/** A scheduler as far as its journal goes. */
class Member {
  readonly directory: string;
  readonly store: JournalStore;
  readonly close: () => Promise<void>;
  readonly #batches: AsyncIterator<Batch>;

  static async start(
    server: NatsServer,
    directory?: string,
    { retainAll = true, ...changes }: Partial<ShardLimits> & { readonly retainAll?: boolean } = {},
  ): Promise<Member> {
    const place = directory ?? (await temporaryDirectory());
    const limits = { leaseMs: 400, requestMs: 500, ...changes };
    const shard = await openShard({ servers: server.url, shard: "s1", name: "one", replicas: 1, limits });
    ends.push(() => shard.close());
    const config = { policy: {} } as never;
    const store = await shard.openJournal({
      ...{ program: "test", chainId: "chain", config, retainAll },
      directory: place,
    });
    return new Member(place, store, async () => {
      await store.close(2);
      await shard.close();
    });
  }

  private constructor(directory: string, store: JournalStore, close: () => Promise<void>) {
    [this.directory, this.store, this.close] = [directory, store, close];
    const recovered = store.recovered?.batches[Symbol.asyncIterator]();
    if (recovered === undefined) throw new Error("a shard's store always recovers");
    this.#batches = recovered;
    ends.push(close);
  }

  next(): Promise<IteratorResult<Batch>> {
    return this.#batches.next();
  }

  /** The numbers of all that it reads until it leads. */
  async untilLeading(): Promise<readonly number[]> {
    const numbers: number[] = [];
    for (let read = await this.next(); !read.done; read = await this.next()) numbers.push(read.value.n);
    return numbers;
  }

  async write(from: number, to: number, digest: string, bytes = 0): Promise<void> {
    const batches = Array.from({ length: to - from + 1 }, (_, index) => batch(from + index, digest, bytes));
    await Promise.all(batches.map((one) => this.store.append(one)));
  }
}

function batch(n: number, digest: string, bytes = 0): Batch {
  const blobs = bytes === 0 ? {} : { blobs: { filling: "x".repeat(bytes) } };
  return { n, atUs: n, events: [], ...blobs, commands: 0, digest };
}

test(
  "more events than between two snapshots in the local files alone do not keep it from starting",
  PATIENCE,
  async () => {
    const server = await broker();
    const start = async (directory: string, eventsPerSnapshot: number) => {
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, "secret.key"), new Uint8Array(32).fill(7), { mode: 0o600 });
      const shard = await openShard({ servers: server.url, shard: "s1", name: "one", replicas: 1 });
      ends.push(() => shard.close());
      const pipe = await createPipe({
        directory,
        chainId: CHAIN,
        fleet: { transport: new ScriptedNodes([scriptedNode(1, honest)]) },
        registry: ECHO_REGISTRY,
        journal: shard.openJournal,
        limits: { eventsPerSnapshot },
        logger: "fatal",
      });
      ends.push(() => pipe.close());
      return pipe;
    };
    const [directory, left] = [await temporaryDirectory(), await temporaryDirectory()];
    const pipe = await start(directory, 1_000);
    for (let i = 0; i < 8; i++) await pipe.deposit({ account: new User(1).id, amountGwei: 1 });
    // As a crash leaves it: without a last snapshot.
    await cp(directory, left, { recursive: true });
    await rm(join(left, "journal", "lock"));
    await pipe.close();
    const again = await start(left, 3);
    expect(await again.account(new User(1).id)).toMatchObject({ depositGwei: 8 });
  },
);

test(
  "a scheduler with more batches than another one has led on from neither leads nor writes to the stream",
  PATIENCE,
  async () => {
    const server = await broker();
    const leader = await Member.start(server);
    expect(await leader.untilLeading()).toEqual([]);
    await leader.write(1, 3, "a");
    await leader.close();
    await loseStream(server);
    const shorter = await Member.start(server);
    expect(await shorter.untilLeading()).toEqual([]);
    await shorter.write(1, 1, "a");
    const standby = await Member.start(server, leader.directory);
    await shorter.write(2, 2, "b");
    await shorter.close();
    // Its third batch would have followed another's second.
    await expect(standby.untilLeading()).rejects.toMatchObject({ code: "foreign" });
    await standby.close();
    const fresh = await Member.start(server);
    expect(await fresh.untilLeading()).toEqual([1, 2]);
    await fresh.write(3, 3, "b");
  },
);

test(
  "a standby learns that the stream went another way than its files, before it steps what came of it",
  PATIENCE,
  async () => {
    const server = await broker();
    const leader = await Member.start(server);
    await leader.untilLeading();
    await leader.write(1, 3, "a");
    await leader.close();
    await loseStream(server);
    const shorter = await Member.start(server);
    await shorter.untilLeading();
    await shorter.write(1, 1, "a");
    const standby = await Member.start(server, leader.directory);
    await shorter.write(2, 4, "b");
    await expect(standby.untilLeading()).rejects.toMatchObject({ code: "foreign" });
  },
);

test(
  "a standby that runs while the stream loses what it had acknowledged writes it again and leads",
  PATIENCE,
  async () => {
    const server = await broker();
    const leader = await Member.start(server);
    await leader.untilLeading();
    await leader.write(1, 3, "a");
    const standby = await Member.start(server);
    for (const n of [1, 2, 3]) expect((await standby.next()).value).toMatchObject({ n });
    const leading = standby.next();
    await loseStream(server);
    // Somebody begins it again, without any of the batches.
    await Member.start(server);
    await expect(leader.write(4, 4, "a")).rejects.toThrow("has lost");
    await leader.close();
    expect(await leading).toMatchObject({ done: true });
    await standby.write(4, 4, "a");
    await standby.close();
    const fresh = await Member.start(server);
    expect(await fresh.untilLeading()).toEqual([1, 2, 3, 4]);
  },
);

test("who was away for longer than the stream reaches back is told so at once", PATIENCE, async () => {
  const server = await broker();
  const limits = { maxStreamBytes: 200_000 };
  const leader = await Member.start(server, undefined, limits);
  await leader.untilLeading();
  await leader.write(1, 1_000, "a");
  await leader.close();
  const left = await temporaryDirectory();
  await cp(leader.directory, left, { recursive: true });
  const again = await Member.start(server, leader.directory, limits);
  await again.untilLeading();
  // Each a group of its own, so that what is left does not begin in the middle of one.
  for (let n = 1_001; n <= 1_015; n++) await again.write(n, n, "a", 30_000);
  const startedMs = performance.now();
  await expect(Member.start(server, left, limits)).rejects.toMatchObject({ code: "history-missing" });
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});

test("a leader ends while no broker can be reached", PATIENCE, async () => {
  const server = await broker();
  const leader = await Member.start(server);
  await leader.untilLeading();
  await leader.write(1, 1, "a");
  await server.kill();
  const closing = leader.close();
  await expect(Promise.race([closing.then(() => "closed"), late(15_000)])).resolves.toBe("closed");
});

test("a large group is not torn by the end of its leader", PATIENCE, async () => {
  const server = await broker();
  const leader = await Member.start(server, undefined, { maxPartBytes: 1_000 });
  await leader.untilLeading();
  const writing = leader.write(1, 20, "a", 2_000);
  writing.catch(() => undefined);
  await leader.close();
  const fresh = await Member.start(server);
  const read = await fresh.untilLeading();
  expect(read).toEqual(read.map((_, index) => index + 1));
});

test("a leader that was deposed learns of it without having anything to write", PATIENCE, async () => {
  const server = await broker();
  const leader = await Member.start(server);
  await leader.untilLeading();
  await leader.write(1, 1, "a");
  const other = await connect({ servers: server.url });
  ends.push(() => other.close());
  other.publish("pipe.v1.s1.journal", "another leader's");
  await other.flush();
  const learned = await Promise.race([leader.store.ended?.then(({ message }) => message), late(5_000)]);
  expect(learned).toContain("another scheduler has written");
});

test("a journal on fewer servers than was asked for is none to acknowledge by", PATIENCE, async () => {
  const server = await broker();
  const member = await Member.start(server);
  const shard = await openShard({ servers: server.url, shard: "s1", name: "two", replicas: 3 });
  ends.push(() => shard.close());
  const options = { program: "test", chainId: "chain", config: member.store.config, retainAll: true };
  const opened = shard.openJournal({ ...options, directory: await temporaryDirectory() });
  await expect(opened).rejects.toThrow("is on 1 of the servers, not on 3");
});

test("a broker without JetStream is told of, and not waited for", PATIENCE, async () => {
  const server = await NatsServer.start();
  ends.push(() => server.end());
  await expect(Member.start(server, undefined, { retryMs: 10 })).rejects.toMatchObject({ code: "write-failed" });
});

function late(ms: number): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, "late").unref();
  });
}

/** What comes to be read until it leads, and how it all ends for the leader whose disk stands still. */
async function stalledLeader(write: (leader: Member) => Promise<readonly number[]>) {
  const server = await broker();
  const leader = await Member.start(server, undefined, { maxStallMs: 1_000 });
  await leader.untilLeading();
  await leader.write(1, 1, "a");
  const standby = await Member.start(server);
  const goesOn = await stallDisk(leader.directory);
  ends.push(async () => goesOn());
  const acknowledged = await write(leader);
  const ended = await leader.store.ended;
  const refused = await leader.store.append(batch(leader.store.nextBatch, "a")).catch((error: unknown) => error);
  const read = await standby.untilLeading();
  goesOn();
  return { acknowledged, ended, refused, read };
}

const STALLED = { code: "write-failed", message: expect.stringContaining("has taken nothing for 1000 ms") };

test("a disk that stands still ends the lead in order, though there is little to write", PATIENCE, async () => {
  const { ended, refused, read } = await stalledLeader(async (leader) => {
    // The stream has it: nobody waits for the disk.
    await leader.write(2, 2, "a");
    return [2];
  });
  expect(ended).toMatchObject(STALLED);
  expect(refused).toBe(ended);
  expect(read).toEqual([1, 2]);
});

test("what such a disk has no room for is refused, and nothing that was acknowledged is lost", PATIENCE, async () => {
  const { acknowledged, ended, refused, read } = await stalledLeader(async (leader) => {
    const outcomes = await Promise.allSettled(
      // Far more small batches than may ever wait for a disk, and more bytes than it is given room for.
      Array.from({ length: 4_000 }, (_, index) => leader.store.append(batch(2 + index, "a", 8 * 1024))),
    );
    const reasons = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) expect(reason).toMatchObject(STALLED);
    return outcomes.flatMap(({ status }, index) => (status === "fulfilled" ? [2 + index] : []));
  });
  expect(ended).toMatchObject(STALLED);
  expect(refused).toBe(ended);
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(read.slice(1, 1 + acknowledged.length)).toEqual(acknowledged);
});

test("a journal that was pruned cannot write a lost stream again: it says so and changes nothing", {
  timeout: 90_000,
}, async () => {
  const server = await broker();
  const pruning = await Member.start(server, undefined, { retainAll: false });
  await pruning.untilLeading();
  const whole = await Member.start(server);
  // More than a segment, and the two snapshots that free it.
  for (let n = 1; n <= 11; n++) await pruning.write(n, n, "a", 7 * 1024 * 1024);
  for (const n of [11, 12]) {
    if (n === 12) await pruning.write(12, 12, "a");
    await pruning.store.writeSnapshot({ n, atUs: n, state: {} });
  }
  expect(await listSegments(join(pruning.directory))).toMatchObject([{ number: 2 }]);
  for (let n = 1; n <= 12; n++) expect((await whole.next()).value).toMatchObject({ n });
  // Both are away when it happens.
  await whole.close();
  await pruning.close();
  // It goes on as long as the stream is there.
  const again = await Member.start(server, pruning.directory, { retainAll: false });
  await again.untilLeading();
  await again.close();

  await loseStream(server);
  const refused = {
    code: "history-missing",
    message: expect.stringMatching(/was lost, and the local journal was pruned beyond that.*without --prune-journal/),
  };
  await expect(Member.start(server, pruning.directory, { retainAll: false })).rejects.toMatchObject(refused);
  expect((await streamState(server)).last_seq).toBe(0);

  // Who has all of it writes it again; then the other one goes on, too.
  const healing = await Member.start(server, whole.directory);
  await healing.untilLeading();
  const healed = await Member.start(server, pruning.directory, { retainAll: false });
  await healing.write(13, 13, "a");
  expect((await healed.next()).value).toMatchObject({ n: 13 });

  // The stream is lost under a standby that cannot fill the gap: it ends instead of leading over it.
  await healing.close();
  await loseStream(server);
  await Member.start(server);
  await expect(healed.untilLeading()).rejects.toMatchObject(refused);
});
