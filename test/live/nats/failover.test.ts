import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { SubmitOutcome } from "../../../scheduler/index.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { User } from "../support/users.ts";
import type { Question } from "./workers/shard-child.ts";

/** Schedulers in processes of their own that die, or stand still, while they lead. */

const PATIENCE = { timeout: 120_000 };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-failover-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

interface Said {
  readonly role?: string;
  readonly ready?: true;
  readonly failed?: string;
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: string;
}

class Scheduler {
  readonly #child: ChildProcess;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  readonly ready = Promise.withResolvers<void>();
  readonly failed = Promise.withResolvers<string>();
  readonly roles: string[] = [];
  ledAtMs: number | undefined;
  #next = 1;

  static async start(server: NatsServer, name: string): Promise<Scheduler> {
    const directory = await temporaryDirectory();
    const file = new URL("./workers/shard-child.ts", import.meta.url);
    const child = fork(file, [server.url, name, directory], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    return new Scheduler(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (said: Said) => this.#hear(said));
    child.on("exit", () => {
      for (const { reject } of this.#asked.values()) reject(new Error("the process is gone"));
    });
    ends.push(() => this.kill());
  }

  ask(question: Question): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    const id = this.#next++;
    this.#asked.set(id, answer);
    this.#child.send({ id, question }, () => undefined);
    return answer.promise;
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  #hear({ role, ready, failed, id, value, error }: Said): void {
    if (role !== undefined) this.roles.push(role);
    if (role === "leading") this.ledAtMs = performance.now();
    if (ready) this.ready.resolve();
    if (failed !== undefined) this.failed.resolve(failed);
    const asked = id === undefined ? undefined : this.#asked.get(id);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(new Error(error));
    if (id !== undefined) this.#asked.delete(id);
  }
}

async function broker(): Promise<NatsServer> {
  const server = await NatsServer.start(`jetstream { store_dir: ${JSON.stringify(await temporaryDirectory())} }`);
  ends.push(() => server.end());
  return server;
}

/** Submits until the scheduler answers no more. Resolves to the hashes that it acknowledged. */
async function load(scheduler: Scheduler, user: User, forMs: number): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs) {
    const asked = Array.from({ length: 8 }, () => scheduler.ask({ kind: "submit", signed: user.sign() }));
    for (const outcome of await Promise.allSettled(asked)) {
      if (outcome.status === "rejected") return acknowledged;
      const submitted = outcome.value as SubmitOutcome;
      if (submitted.ok) acknowledged.push(submitted.hash);
    }
  }
  return acknowledged;
}

/** A leader with a block open, a standby, and a user with money. */
async function pair(): Promise<{ first: Scheduler; second: Scheduler; user: User }> {
  const server = await broker();
  const user = new User(1);
  const first = await Scheduler.start(server, "first");
  await first.ready.promise;
  const second = await Scheduler.start(server, "second");
  await first.ask({ kind: "deposit", account: user.id });
  await first.ask({ kind: "open", height: 1 });
  return { first, second, user };
}

test(
  "P1, P8: the leader is killed in the middle of its work: another leads within seconds, and knows it all",
  PATIENCE,
  async () => {
    const { first, second, user } = await pair();
    const acknowledging = load(first, user, 20_000);
    await sleep(1_500);
    await first.kill();
    const killedMs = performance.now();
    const acknowledged = await acknowledging;
    await second.ready.promise;
    const tookMs = Math.round(performance.now() - killedMs);
    const ledMs = Math.round((second.ledAtMs ?? Number.NaN) - killedMs);
    const count = `${acknowledged.length} transactions were acknowledged`;
    console.log(`another led ${ledMs} ms after the kill and answered after ${tookMs} ms; ${count}`);
    expect(acknowledged.length).toBeGreaterThan(0);
    const untilMs = performance.now() + 30_000;
    for (const hash of acknowledged) {
      for (let state: unknown; state !== "ready"; ) {
        state = await second.ask({ kind: "status", hash });
        expect(["pending", "racing", "ready", "discovering"], `${hash} is ${String(state)}`).toContain(state);
        if (performance.now() > untilMs) throw new Error(`${hash} is still ${String(state)}`);
        if (state !== "ready") await sleep(20);
      }
    }
    expect(await second.ask({ kind: "seal", height: 1 })).toBeGreaterThanOrEqual(acknowledged.length);
  },
);

test(
  "P1: a leader that stood still wakes up, finds that another leads, and acknowledges nothing any more",
  PATIENCE,
  async () => {
    const { first, second, user } = await pair();
    const before = await load(first, user, 500);
    await sleep(500);
    first.signal("SIGSTOP");
    // Both believe that they lead from here on: this one was asked while it stood still.
    const late = first.ask({ kind: "submit", signed: user.sign() });
    late.catch(() => undefined);
    await second.ready.promise;
    first.signal("SIGCONT");
    await expect(late).rejects.toThrow(/cannot go on|another scheduler/);
    expect(await first.failed.promise).toContain("another scheduler has written");
    expect(first.roles.at(-1)).toBe("deposed");
    for (const hash of before) expect(await second.ask({ kind: "status", hash })).toBe("ready");
  },
);
