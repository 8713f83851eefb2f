import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { join } from "node:path";

/** A process of the cluster. */
export interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Pause before a process is started again, doubled while it lives for less than a while. */
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5_000;
const HEALTHY_MS = 10_000;
/** What a graceful end may take; then it is cut short. */
const STOP_MS = 15_000;

/** What a program said last is read after its end, unless somebody else holds its output. */
const LAST_WORDS_MS = 500;

/**
 * Keeps one program running, whatever ends it. What it says goes into a file of its own. A terminal's Ctrl-C is not for it: it ends
 * when it is told to, or with this process, however that ends.
 */
export class Supervised {
  readonly name: string;
  readonly #program: Program;
  readonly #log: WriteStream;
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #onEnd: (name: string, why: string) => void;
  #child: ChildProcess | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;
  #gone = Promise.resolve();

  constructor(
    program: Program,
    about: {
      readonly logs: string;
      /** Told every line of its standard output. */
      readonly onLine?: (line: string) => void;
      /** Told when it ended without having been asked to. */
      readonly onEnd: (name: string, why: string) => void;
    },
  ) {
    this.name = program.name;
    this.#program = program;
    this.#log = createWriteStream(join(about.logs, `${program.name}.log`), { flags: "a" });
    // A disk that is full costs the log, and not the cluster.
    this.#log.on("error", () => undefined);
    this.#onLine = about.onLine;
    this.#onEnd = about.onEnd;
    this.#start();
  }

  /** `undefined` between two lives. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends it without warning, as a crash would; it is started again. */
  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  /** Lets it come to its end within a time, and starts it no more. */
  async stop(limitMs: number = STOP_MS): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#child?.kill("SIGTERM");
    const limit = setTimeout(() => this.kill(), limitMs);
    await this.#gone;
    clearTimeout(limit);
    this.#log.end();
  }

  #start(): void {
    const { name, command, args } = this.#program;
    const startedMs = performance.now();
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.#child = child;
    const heir = child.pid === undefined ? undefined : heirOf(child.pid);
    child.stderr.pipe(this.#log, { end: false });
    let rest = "";
    child.stdout.on("data", (chunk: Buffer) => {
      this.#log.write(chunk);
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#onLine?.(line);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    const ended = (why: string): void => {
      if (this.#child !== child) return;
      clearTimeout(lastWords);
      this.#child = undefined;
      resolve();
      if (this.#stopping) return;
      this.#onEnd(name, why);
      const healthy = performance.now() - startedMs >= HEALTHY_MS;
      this.#pauseMs = healthy ? FIRST_PAUSE_MS : Math.min(2 * this.#pauseMs, MAX_PAUSE_MS);
      this.#restart = setTimeout(() => this.#start(), this.#pauseMs);
    };
    child.on("error", (error) => ended(error.message));
    let lastWords: NodeJS.Timeout | undefined;
    child.on("exit", (code, signal) => {
      // First: the number may be another process's as soon as it is gone.
      heir?.kill("SIGKILL");
      lastWords = setTimeout(() => ended(signal ?? `exit code ${code}`), LAST_WORDS_MS);
    });
    child.on("close", (code, signal) => ended(signal ?? `exit code ${code}`));
  }
}

/** Ends the process when this one is gone without having done so: its standard input ends with us. */
function heirOf(pid: number): ChildProcess {
  const heir = spawn("sh", ["-c", `read _; kill -9 ${pid}`], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  heir.on("error", () => undefined);
  return heir;
}
