import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import type { Pipe } from "../../../scheduler/index.ts";
import { openShard } from "../../../scheduler/nats/shard/shard.ts";
import type { ShardRole } from "../../../scheduler/nats/shard/shard-store.ts";
import { NatsCluster } from "../../support/nats-cluster.ts";
import { startMember } from "../support/shard-member.ts";
import { User, untilState } from "../support/users.ts";

/** A journal with three copies on three brokers. */

const PATIENCE = { timeout: 180_000 };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
});

async function begin(): Promise<{ cluster: NatsCluster; pipe: Pipe; roles: ShardRole[] }> {
  const cluster = await NatsCluster.start(3);
  ends.push(() => cluster.end());
  const directory = await mkdtemp(join(tmpdir(), "pipe-brokers-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  const roles: ShardRole[] = [];
  const shard = await openShard({
    servers: cluster.urls,
    shard: "s1",
    name: "only",
    replicas: 3,
    onRole: (role) => roles.push(role),
  });
  ends.push(() => shard.close());
  const pipe = await startMember(directory, shard);
  ends.push(() => pipe.close());
  return { cluster, pipe, roles };
}

/** Which of the brokers leads the journal's stream. */
async function leaderOf(cluster: NatsCluster): Promise<number> {
  const connection = await connect({ servers: [...cluster.urls] });
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const { cluster: group } = await manager.streams.info("PIPE_JOURNAL_s1");
    return cluster.names.indexOf(group?.leader ?? "");
  } finally {
    await connection.close();
  }
}

test(
  "P1, P8: the leading broker is killed in the middle, then all three: nothing acknowledged is lost",
  PATIENCE,
  async () => {
    const { cluster, pipe, roles } = await begin();
    const user = new User(1);
    await pipe.deposit({ account: user.id, amountGwei: 10_000_000 });
    await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 60_000 });
    const acknowledged: string[] = [];
    let longestMs = 0;
    const over = new AbortController();
    const submitting = (async () => {
      while (!over.signal.aborted) {
        const startedMs = performance.now();
        const outcome = await pipe.submit(user.sign());
        longestMs = Math.max(longestMs, performance.now() - startedMs);
        if (outcome.ok) acknowledged.push(outcome.hash);
        await sleep(20);
      }
    })();
    await sleep(500);
    const leader = await leaderOf(cluster);
    await cluster.kill(leader);
    const killedAt = acknowledged.length;
    while (acknowledged.length < killedAt + 20) await sleep(20);
    console.log(`the longest submission past the leading broker's death took ${Math.round(longestMs)} ms`);
    await cluster.restart(leader);
    await Promise.all([0, 1, 2].map((index) => cluster.kill(index)));
    await sleep(500);
    await Promise.all([0, 1, 2].map((index) => cluster.restart(index)));
    const restartedAt = acknowledged.length;
    while (acknowledged.length < restartedAt + 20) await sleep(20);
    over.abort();
    await submitting;
    for (const hash of acknowledged) await untilState(pipe, hash, "ready");
    expect(roles.map(({ kind }) => kind)).not.toContain("deposed");
    const sealed = await pipe.seal({ height: 1, maxTransactions: 10_000, order: "gas" });
    expect(sealed.ok && sealed.block.receipts.length).toBe(acknowledged.length);
  },
);
