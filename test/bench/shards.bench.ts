/**
 * Two shards against one: each a process with a scheduler and, in a thread of it, three nodes that sign at once; one broker keeps
 * both journals. What a second shard brings is bounded by the cores that there are, since a shard by itself uses more than one.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { findTool, TOOLS } from "../setup/tools.mjs";
import { NatsServer } from "../support/nats-server.ts";
import type { Figure } from "./figure.ts";
import type { ShardReport } from "./shards-child.ts";

const SHARDS = ["one", "two"] as const;
const WINDOW_MS = 3_000;
const WINDOWS = 3;

export async function shardFigures(): Promise<Figure[]> {
  if (findTool(TOOLS.natsServer, process.env) === undefined) return [];
  const directory = mkdtempSync(join(tmpdir(), "pipe-bench-shards-"));
  const server = await NatsServer.start(`jetstream { store_dir: ${JSON.stringify(join(directory, "broker"))} }`);
  const shards: Shard[] = [];
  try {
    for (const name of SHARDS) shards.push(await Shard.start(name, server, join(directory, name)));
    return await measure(shards);
  } finally {
    await Promise.all(shards.map((shard) => shard.end()));
    await server.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(shards: readonly Shard[]): Promise<Figure[]> {
  const [first] = shards;
  if (first === undefined) throw new Error("there is a shard");
  const best = { alone: 0, together: 0 };
  for (let window = 0; window < WINDOWS; window += 1) {
    best.alone = Math.max(best.alone, await first.racesPerSecond());
    const both = await Promise.all(shards.map((shard) => shard.racesPerSecond()));
    best.together = Math.max(
      best.together,
      both.reduce((sum, rate) => sum + rate, 0),
    );
  }
  return [
    { name: "shards: cores of this machine", value: availableParallelism(), unit: "cores" },
    { name: "shards: complete races of one, the other idle", value: best.alone, unit: "/s" },
    { name: "shards: complete races of two together", value: best.together, unit: "/s" },
    { name: "shards: two against one", value: best.together / best.alone, unit: "×" },
  ];
}

/** A shard's process. */
class Shard {
  readonly #child: ChildProcess;
  #told = Promise.withResolvers<ShardReport>();

  static async start(name: string, server: NatsServer, directory: string): Promise<Shard> {
    mkdirSync(directory, { recursive: true });
    const args = [server.url, name, directory, SHARDS.join(",")];
    const shard = new Shard(fork(new URL("./shards-child.ts", import.meta.url), args));
    await shard.#next();
    return shard;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (report: ShardReport) => this.#told.resolve(report));
    child.on("exit", (code) => this.#told.reject(new Error(`a shard's process has ended with ${code}`)));
    this.#told.promise.catch(() => undefined);
  }

  async racesPerSecond(): Promise<number> {
    this.#child.send({ windowMs: WINDOW_MS });
    return (await this.#next()).perSecond;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  async #next(): Promise<ShardReport> {
    const report = await this.#told.promise;
    this.#told = Promise.withResolvers();
    this.#told.promise.catch(() => undefined);
    return report;
  }
}
