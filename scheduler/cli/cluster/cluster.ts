import { accessSync, constants } from "node:fs";
import { mkdir, readFile, readdir, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AuditReport } from "../../live/records-reader.ts";
import { auditOrder } from "../order.ts";
import { verifyReceipts } from "../receipts.ts";
import { type ClusterPlan, planCluster } from "./layout.ts";
import type { ProducedBlock } from "./producer.ts";
import { type Program, Supervised } from "./supervised.ts";

export interface ClusterFlags {
  /** New or empty. */
  readonly directory: string;
  readonly nodes: number;
  readonly ratePerS: number;
  /** Ends after so many blocks; `undefined` goes on until it is interrupted. */
  readonly blocks: number | undefined;
  /** Kills one of the processes this often, whichever it is. */
  readonly chaosS: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}

/** What came of it. */
export interface ClusterSummary {
  readonly blocks: number;
  readonly transactions: number;
  readonly acknowledged: number;
  /** Acknowledged transactions that the ordering log does not have. */
  readonly lost: number;
  readonly kills: Readonly<Record<string, number>>;
  /** Blocks that came more than a second after the one before. */
  readonly longestGapMs: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly audits: readonly { readonly what: string; readonly ok: boolean; readonly findings: readonly string[] }[];
}

/** It cannot be started; the message says what to do. */
export class ClusterRefused extends Error {
  override readonly name = "ClusterRefused";
}

type Note = (text: string) => void;

/** Brokers elect a leader before they keep anything. */
const BROKERS_MS = 1_000;
/** What is pending when it stops may wait for the last of its blocks. */
const DRAIN_MS = 120_000;
/** A scheduler starts within seconds, and then has the journal to follow. */
const ALIKE_MS = 60_000;

/**
 * Three brokers, two schedulers, nodes and a block producer as processes of their own, each of which is started again when it
 * dies. Resolves when the blocks are produced or the signal is aborted, and all that was started is gone.
 */
export async function runCluster(flags: ClusterFlags, interrupted: AbortSignal, note: Note): Promise<ClusterSummary> {
  const natsServer = findNatsServer();
  await mkdir(flags.directory, { recursive: true });
  if ((await readdir(flags.directory)).length > 0)
    throw new ClusterRefused(`${flags.directory} is not empty. Give a new directory, or remove that one.`);
  const plan = await planCluster({ ...flags, rate: flags.ratePerS, natsServer });
  return new Cluster(flags, plan, note).run(interrupted);
}

class Cluster {
  readonly #flags: ClusterFlags;
  readonly #plan: ClusterPlan;
  readonly #note: Note;
  readonly #running: Supervised[] = [];
  readonly #blocks: ProducedBlock[] = [];
  readonly #kills: Record<string, number> = {};
  readonly #enough = Promise.withResolvers<void>();
  #lastMs = Number.NaN;
  #longestGapMs = 0;
  #stopping = false;

  constructor(flags: ClusterFlags, plan: ClusterPlan, note: Note) {
    this.#flags = flags;
    this.#plan = plan;
    this.#note = note;
  }

  async run(interrupted: AbortSignal): Promise<ClusterSummary> {
    const { brokers, schedulers, nodes, producer } = this.#plan;
    interrupted.addEventListener("abort", () => this.#enough.resolve(), { once: true });
    await mkdir(join(this.#flags.directory, "logs"), { recursive: true });
    try {
      for (const broker of brokers) this.#start(broker);
      await sleep(BROKERS_MS);
      for (const program of [...schedulers, ...nodes]) this.#start(program);
      this.#start(producer, (line) => this.#produced(JSON.parse(line) as ProducedBlock));
      this.#introduce();
      const chaos = this.#chaos();
      await this.#enough.promise;
      this.#stopping = true;
      await chaos;
      this.#note("stopping: what is pending comes to its end first");
      const counters = await this.#finish(producer.name);
      return await this.#summary(counters);
    } finally {
      this.#stopping = true;
      for (const group of [[producer], nodes, schedulers, brokers]) await this.#stop(group);
    }
  }

  #start(program: Program, onLine?: (line: string) => void): void {
    const onEnd = (name: string, why: string): void => {
      if (!this.#stopping) this.#note(`${name} has ended (${why}) and is started again`);
    };
    const logs = join(this.#flags.directory, "logs");
    this.#running.push(new Supervised(program, { logs, onEnd, ...(onLine === undefined ? {} : { onLine }) }));
  }

  async #stop(programs: readonly Program[]): Promise<void> {
    const names = new Set(programs.map(({ name }) => name));
    await Promise.all(this.#running.filter(({ name }) => names.has(name)).map((running) => running.stop()));
  }

  #introduce(): void {
    const { directory, chaosS } = this.#flags;
    for (const { name, pid } of this.#running) this.#note(`  ${name.padEnd(12)} process ${pid ?? "-"}`);
    this.#note(`What they say is in ${join(directory, "logs")}.`);
    this.#note(
      chaosS === undefined
        ? "Kill any of them (kill -9) and watch: it is started again, and the others go on. Ctrl-C ends all."
        : `One of them is killed every ${chaosS} s. Ctrl-C ends all.`,
    );
  }

  #produced(block: ProducedBlock): void {
    const nowMs = performance.now();
    if (!Number.isNaN(this.#lastMs)) this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#blocks.push(block);
    const leader = this.#plan.schedulers[this.#plan.urls.indexOf(block.url)]?.name ?? block.url;
    const { height, transactions, acknowledged, pending, lateMs } = block;
    const late = lateMs > 100 ? `, ${lateMs} ms late` : "";
    this.#note(
      `block ${height}: ${transactions} transactions by ${leader}; ${acknowledged} more acknowledged, ${pending} pending${late}`,
    );
    if (this.#flags.blocks !== undefined && this.#blocks.length >= this.#flags.blocks) this.#enough.resolve();
  }

  /** Kills one after the other, at intervals, as a seed decides. */
  async #chaos(): Promise<void> {
    const { chaosS, seed } = this.#flags;
    if (chaosS === undefined) return;
    let state = seed;
    while (!this.#stopping) {
      await Promise.race([sleep(chaosS * 1_000), this.#enough.promise]);
      if (this.#stopping || this.#blocks.length === 0) continue;
      // Numerical Recipes' generator: which process is next need not be more random than that.
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const victim = this.#running[Math.floor((state / 2 ** 32) * this.#running.length)];
      if (victim?.pid === undefined) continue;
      this.#kills[victim.name] = (this.#kills[victim.name] ?? 0) + 1;
      this.#note(`killing ${victim.name}, process ${victim.pid}`);
      victim.kill();
    }
  }

  /** Lets the producer come to its end, and asks the leader what it counted. */
  async #finish(producer: string): Promise<Readonly<Record<string, number>>> {
    const limit = AbortSignal.timeout(DRAIN_MS);
    await this.#running.find(({ name }) => name === producer)?.stop(DRAIN_MS);
    while (!limit.aborted) {
      for (const url of this.#plan.urls) {
        const counters = await fetch(`${url}/v1/statistics`, { signal: AbortSignal.timeout(2_000) })
          .then(async (response) =>
            response.ok ? ((await response.json()) as { counters: object }).counters : undefined,
          )
          .catch(() => undefined);
        if (counters !== undefined) return counters as Readonly<Record<string, number>>;
      }
      await sleep(200);
    }
    return {};
  }

  /** Until the standby, which may just have been started again, has written down what the leader has: then both can be audited. */
  async #untilAlike(): Promise<void> {
    const sizes = (): Promise<readonly number[]> =>
      Promise.all(
        this.#plan.directories.map((directory) =>
          stat(join(directory, "blocks.jsonl")).then(
            ({ size }) => size,
            () => 0,
          ),
        ),
      );
    const untilMs = performance.now() + ALIKE_MS;
    while (performance.now() < untilMs) {
      const found = await sizes();
      if (found.every((size) => size === found[0])) return;
      await sleep(200);
    }
  }

  async #summary(counters: Readonly<Record<string, number>>): Promise<ClusterSummary> {
    const { nodes, schedulers } = this.#plan;
    await this.#stop(nodes);
    await this.#untilAlike();
    await this.#stop(schedulers);
    const audits: ClusterSummary["audits"][number][] = [];
    const add = (what: string, report: AuditReport): void => {
      const findings = report.findings.map((finding) => JSON.stringify(finding));
      audits.push({ what, ok: report.exitCode === 0, findings: findings.slice(0, 10) });
    };
    const logs: string[] = [];
    for (const [index, directory] of this.#plan.directories.entries()) {
      const name = schedulers[index]?.name ?? directory;
      logs.push(await readFile(join(directory, "order.jsonl"), "utf8").catch(() => ""));
      add(`${name}: receipts verify`, await verifyReceipts(directory, { key: undefined }));
      add(`${name}: order audit`, await auditOrder(directory));
    }
    const order = logs.sort((a, b) => b.length - a.length)[0] ?? "";
    const acknowledged = await linesOf(join(this.#flags.directory, "acknowledged.jsonl"));
    const lost = acknowledged.filter((line) => !order.includes(line)).length;
    return {
      blocks: this.#blocks.length,
      // By the scheduler's journal: a producer that was killed had no time to tell of its last block.
      transactions: counters["sealed"] ?? this.#blocks.reduce((sum, { transactions }) => sum + transactions, 0),
      acknowledged: acknowledged.length,
      lost,
      kills: this.#kills,
      longestGapMs: Math.round(this.#longestGapMs),
      counters,
      audits,
    };
  }
}

async function linesOf(file: string): Promise<readonly string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

/** Debian's package puts it where only root looks. */
function findNatsServer(): string {
  const given = process.env["PIPE_NATS_SERVER"];
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const places = [...folders.map((folder) => join(folder, "nats-server")), "/usr/sbin/nats-server"];
  const found = (given === undefined ? places : [given]).find(isProgram);
  if (found !== undefined) return found;
  throw new ClusterRefused(
    "there is no nats-server here. Install it (on Debian and Ubuntu: apt-get install nats-server), or set PIPE_NATS_SERVER to its path.",
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
