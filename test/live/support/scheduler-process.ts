import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "./http.ts";

const MAIN = new URL("../../../scheduler/cli/main.ts", import.meta.url).pathname;

/** Longest wait for anything: a process starts within two seconds on an idle machine. */
const PATIENCE_MS = 40_000;

/** `pipe scheduler` as an operator starts it. Whoever starts it ends it. */
export class SchedulerProcess {
  readonly #child: ChildProcess;
  readonly directory: string;
  /** What it has said on standard error so far. */
  said = "";
  /** Resolves to its exit code. */
  readonly ended: Promise<number | null>;
  readonly #ready = Promise.withResolvers<string>();

  constructor(directory: string, args: readonly string[]) {
    this.directory = directory;
    const all = [MAIN, "scheduler", "--directory", directory, "--json", ...args];
    this.#child = spawn(process.execPath, all, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.once("data", (chunk: Buffer) => {
      this.#ready.resolve((JSON.parse(chunk.toString()) as { readonly url: string }).url);
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.said += chunk.toString();
    });
    this.ended = once(this.#child, "exit").then(([code]) => code as number | null);
    void this.ended.then(() => this.#ready.reject(new Error(`the scheduler has ended: ${this.said}`)));
    this.#ready.promise.catch(() => undefined);
  }

  /** What the producer speaks to it with, once it has printed its ready line. */
  async client(): Promise<Client> {
    const url = await this.#ready.promise;
    return new Client(url, (await readFile(join(this.directory, "producer.token"), "utf8")).trim());
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

/** Asks until the answer is there; the error of a question that failed is only its latest answer. */
export async function eventually<A>(what: string, ask: () => Promise<A | undefined> | A | undefined): Promise<A> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (let last = ""; ; ) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = String(error);
    }
    if (performance.now() > untilMs) throw new Error(`not after ${PATIENCE_MS} ms: ${what} ${last}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
