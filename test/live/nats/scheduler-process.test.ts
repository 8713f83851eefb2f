import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openShard } from "../../../scheduler/nats/shard/shard.ts";
import { NatsServer } from "../../support/nats-server.ts";

/** A scheduler of a shard as a process: how it ends. */

const MAIN = new URL("../../../scheduler/cli/main.ts", import.meta.url).pathname;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-process-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function scheduler(server: NatsServer, directory: string, ...more: readonly string[]): ChildProcess {
  const args = ["scheduler", "--directory", directory, "--chain", "ours", "--port", "0", "--nats", server.url];
  const child = spawn(process.execPath, [MAIN, ...args, ...more], { stdio: ["ignore", "pipe", "pipe"] });
  ends.push(async () => child.kill("SIGKILL"));
  return child;
}

test("a standby that cannot follow says why and ends: its supervisor has to know", { timeout: 60_000 }, async () => {
  const server = await NatsServer.start(`jetstream { store_dir: ${JSON.stringify(await temporaryDirectory())} }`);
  ends.push(() => server.end());
  const shard = await openShard({ servers: server.url, shard: "main", name: "theirs", replicas: 1 });
  ends.push(() => shard.close());
  const about = { program: "test", chainId: "another", config: { policy: {} } as never, retainAll: true };
  const store = await shard.openJournal({ ...about, directory: await temporaryDirectory() });
  ends.push(() => store.close(1));

  const child = scheduler(server, await temporaryDirectory());
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = await Promise.race([
    once(child, "exit"),
    new Promise((resolve) => setTimeout(resolve, 20_000, "still there").unref()),
  ]);
  expect(said).toContain("the shard's stream was begun with another chain");
  expect(ended).toEqual([1, null]);
});
