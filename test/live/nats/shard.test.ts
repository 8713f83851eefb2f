import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterEach, expect, test } from "vitest";
import type { Pipe } from "../../../scheduler/index.ts";
import { openShard, type Shard } from "../../../scheduler/nats/shard/shard.ts";
import type { ShardRole } from "../../../scheduler/nats/shard/shard-store.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { startMember } from "../support/shard-member.ts";
import { User, untilState } from "../support/users.ts";

/** Schedulers that share a shard's journal, on a real broker. */

const PATIENCE = { timeout: 60_000 };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
});

async function broker(): Promise<NatsServer> {
  const store = await temporaryDirectory();
  const server = await NatsServer.start(`jetstream { store_dir: ${JSON.stringify(store)} }`);
  ends.push(() => server.end());
  return server;
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-shard-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A scheduler of the shard. All of them sign with one key. */
class Member {
  readonly roles: ShardRole[] = [];
  readonly directory: string;
  readonly shard: Shard;
  readonly pipe: Promise<Pipe>;
  leads = false;

  static async start(server: NatsServer, name: string, directory?: string): Promise<Member> {
    const place = directory ?? (await temporaryDirectory());
    const roles: ShardRole[] = [];
    const shard = await openShard({
      servers: server.url,
      shard: "s1",
      name,
      replicas: 1,
      limits: { leaseMs: 800 },
      onRole: (role) => roles.push(role),
    });
    return new Member(place, shard, roles);
  }

  private constructor(directory: string, shard: Shard, roles: ShardRole[]) {
    this.directory = directory;
    this.shard = shard;
    this.roles = roles;
    this.pipe = startMember(directory, shard).then((pipe) => {
      this.leads = true;
      return pipe;
    });
    // Whether it ever leads is the test's affair.
    this.pipe.catch(() => undefined);
    ends.push(() => this.end());
  }

  async end(): Promise<void> {
    if (this.leads) await (await this.pipe).close();
    await this.shard.close();
    await this.pipe.catch(() => undefined);
  }
}

/** Asks, waits for the answers, seals and commits. Resolves to the hashes that are sealed. */
async function block(pipe: Pipe, user: User, height: number, count = 3): Promise<readonly string[]> {
  await pipe.openBlock({ height, sealAtMs: Date.now() + 200 });
  const hashes: string[] = [];
  for (let i = 0; i < count; i++) {
    const outcome = await pipe.submit(user.sign());
    if (!outcome.ok) throw new Error(JSON.stringify(outcome));
    hashes.push(outcome.hash);
  }
  for (const hash of hashes) await untilState(pipe, hash, "ready");
  const sealed = await pipe.seal({ height, maxTransactions: 100, order: "gas" });
  if (!sealed.ok) throw new Error(JSON.stringify(sealed));
  await pipe.committed(height);
  return hashes;
}

test("a standby steps what the leader wrote and goes on where it ended", PATIENCE, async () => {
  const server = await broker();
  const first = await Member.start(server, "first");
  const user = new User(1);
  const pipe = await first.pipe;
  await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
  const second = await Member.start(server, "second");
  const hashes = [...(await block(pipe, user, 1)), ...(await block(pipe, user, 2))];
  const account = await pipe.account(user.id);
  expect(second.leads).toBe(false);

  const closedMs = performance.now();
  await first.end();
  const next = await second.pipe;
  expect(performance.now() - closedMs).toBeLessThan(10_000);
  for (const hash of hashes) expect((await next.status(hash))?.state).toBe("committed");
  expect(await next.account(user.id)).toEqual(account);
  expect(await next.receipts(2)).toBeDefined();
  expect(second.shard.epoch()).toBeGreaterThan(first.shard.epoch());
  await block(next, user, 3);
  // Both have written the same blocks down, under the same key.
  const [ours, theirs] = await Promise.all(
    [first, second].map(({ directory }) => readFile(join(directory, "blocks.jsonl"), "utf8")),
  );
  expect(theirs?.startsWith(ours ?? "-")).toBe(true);
});

test("the first one comes back as a standby, and takes over in its turn", PATIENCE, async () => {
  const server = await broker();
  const user = new User(1);
  const directories = [await temporaryDirectory(), await temporaryDirectory()];
  let height = 1;
  let leader = await Member.start(server, "m0", directories[0]);
  await (await leader.pipe).deposit({ account: user.id, amountGwei: 1_000_000 });
  for (let turn = 1; turn <= 4; turn++) {
    const pipe = await leader.pipe;
    const standby = await Member.start(server, `m${turn}`, directories[turn % 2]);
    await block(pipe, user, height++);
    await leader.end();
    leader = standby;
  }
  const pipe = await leader.pipe;
  expect(await pipe.account(user.id)).toMatchObject({ nextNonce: 12 });
});

test(
  "the broker is killed in the middle: nothing that was acknowledged is lost, and the leader goes on",
  PATIENCE,
  async () => {
    const server = await broker();
    const member = await Member.start(server, "only");
    const pipe = await member.pipe;
    const user = new User(1);
    await pipe.deposit({ account: user.id, amountGwei: 10_000_000 });
    await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 60_000 });
    const outcomes = Array.from({ length: 60 }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * 10));
      return pipe.submit(user.sign());
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await server.kill();
    // Longer than the lease: it is the stream, not the lease, that says who leads.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await server.restart();
    const settled = await Promise.all(outcomes);
    const accepted = settled.flatMap((outcome) => (outcome.ok ? [outcome.hash] : []));
    expect(accepted.length).toBe(60);
    for (const hash of accepted) await untilState(pipe, hash, "ready");
    expect(member.roles.filter(({ kind }) => kind === "deposed")).toEqual([]);
    await member.end();
    const again = await Member.start(server, "again");
    for (const hash of accepted) expect((await (await again.pipe).status(hash))?.state).toBe("ready");
  },
);

test(
  "who finds another's message at the stream's end has been deposed, and acknowledges nothing any more",
  PATIENCE,
  async () => {
    const server = await broker();
    const member = await Member.start(server, "only");
    const pipe = await member.pipe;
    const user = new User(1);
    await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
    const other = await connect({ servers: server.url });
    ends.push(() => other.close());
    other.publish("pipe.v1.s1.journal", "another leader's");
    await other.flush();
    await expect(pipe.openBlock({ height: 1, sealAtMs: Date.now() })).rejects.toMatchObject({ reason: "failed" });
    expect((await pipe.failed).message).toContain("another scheduler has written");
    expect(member.roles.at(-1)?.kind).toBe("deposed");
  },
);

test("what servers acknowledged and lost is written again from the files of a scheduler", PATIENCE, async () => {
  const server = await broker();
  const user = new User(1);
  const member = await Member.start(server, "only");
  const pipe = await member.pipe;
  await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
  const hashes = await block(pipe, user, 1);
  await member.end();
  const other = await connect({ servers: server.url });
  ends.push(() => other.close());
  await (await jetstreamManager(other)).streams.delete("PIPE_JOURNAL_s1");

  const again = await Member.start(server, "again", member.directory);
  await again.pipe;
  await again.end();
  const fresh = await Member.start(server, "fresh");
  for (const hash of hashes) expect((await (await fresh.pipe).status(hash))?.state).toBe("committed");
});

test(
  "a scheduler of another chain's shard, or with a journal that went another way, does not start",
  PATIENCE,
  async () => {
    const [server, elsewhere] = [await broker(), await broker()];
    const ours = await Member.start(server, "ours");
    await (await ours.pipe).deposit({ account: new User(1).id, amountGwei: 1 });
    await ours.end();
    const theirs = await Member.start(elsewhere, "theirs");
    await (await theirs.pipe).deposit({ account: new User(2).id, amountGwei: 1 });
    await (await theirs.pipe).deposit({ account: new User(2).id, amountGwei: 1 });
    await theirs.end();
    const astray = await Member.start(server, "astray", theirs.directory);
    await expect(astray.pipe).rejects.toMatchObject({
      part: expect.stringMatching(/journal|records/),
      reason: "foreign",
    });
  },
);
