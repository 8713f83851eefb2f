import { access, constants, stat } from "node:fs/promises";
import { delimiter, resolve } from "node:path";
import { failedRun, type Run, type RunOptions } from "../model-runner.ts";
import type { Backend, Probe } from "./backend.ts";
import { ByteTail } from "./byte-tail.ts";
import { BACKEND_LIMITS } from "./limits.ts";
import { type CommandLine, ProcessGroup } from "./process-group.ts";

export interface ExecSettings extends CommandLine {
  /** The model as the call names it; the command finds it in `PIPE_MODEL`. */
  readonly model: string;
  readonly totalMs: number;
  readonly outputBytes: number;
  /** From SIGTERM to SIGKILL. */
  readonly killAfterMs: number;
}

/** By the convention of sysexits.h: what failed now may succeed at another time. */
const TEMPORARY_FAILURE = 75;

/**
 * Answers by a command: the input on its standard input, the answer on its standard output, status 0.
 *
 * B5. When the copy is over, takes too long or says too much, the command and all that it started is told to end, and killed
 *     when it does not. The copy does not wait for that.
 * B6. There are never more processes than the limit, those that have not ended yet included.
 * B7. No shell reads the command, and its environment holds what the operator named and nothing else.
 */
export class ExecBackend implements Backend {
  readonly #settings: ExecSettings;
  readonly #groups = new Set<ProcessGroup>();

  constructor(settings: ExecSettings) {
    this.#settings = settings;
  }

  async run(input: Uint8Array, options: RunOptions): Promise<Run> {
    if (options.signal.aborted) return failedRun("error", "the copy is over");
    if (this.#groups.size >= BACKEND_LIMITS.maxProcesses) {
      return failedRun("overloaded", `${this.#groups.size} processes have not ended yet`);
    }
    const group = this.#start(options.tokensOut);
    if (group instanceof ProcessGroup) return this.#converse(group, input, options);
    return failedRun("error", `the command cannot be started: ${group.problem}`);
  }

  async probe(): Promise<Probe> {
    const { command, directory, environment } = this.#settings;
    const [program] = command;
    const found = await findProgram(program, directory, environment["PATH"] ?? "");
    return found ? { ok: true } : { ok: false, why: `there is no program ${program} that may be executed` };
  }

  async close(): Promise<void> {
    for (const group of this.#groups) group.end(this.#settings.killAfterMs);
    await Promise.all([...this.#groups].map((group) => group.gone));
  }

  #start(tokensOut: number): ProcessGroup | { readonly problem: string } {
    const { model, environment, ...line } = this.#settings;
    const told = { ...environment, PIPE_MODEL: model, PIPE_TOKENS_OUT: String(tokensOut) };
    try {
      const group = new ProcessGroup({ ...line, environment: told });
      this.#groups.add(group);
      void group.gone.then(() => this.#groups.delete(group));
      return group;
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) };
    }
  }

  #converse(group: ProcessGroup, input: Uint8Array, options: RunOptions): Promise<Run> {
    const { totalMs, outputBytes, killAfterMs } = this.#settings;
    const { child } = group;
    const { promise, resolve: settle } = Promise.withResolvers<Run>();
    const stop = (why: string): void => {
      settle(failedRun("error", why));
      group.end(killAfterMs);
    };
    const onAbort = (): void => stop("the copy is over");
    const limitMs = Math.min(totalMs, options.withinMs);
    const limit = setTimeout(() => stop(`the command took more than ${Math.round(limitMs)} ms`), limitMs);
    options.signal.addEventListener("abort", onAbort, { once: true });

    const output: Buffer[] = [];
    let bytes = 0;
    child.stdout.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > outputBytes) return stop(`the command wrote more than ${outputBytes} bytes`);
      output.push(piece);
      // How many tokens these are nobody knows; that there are some is the progress that matters.
      options.onProgress(1);
    });
    const said = new ByteTail(BACKEND_LIMITS.stderrTailBytes);
    child.stderr.on("data", (piece: Buffer) => said.push(piece));
    child.once("error", (error) => settle(failedRun("error", `the command cannot be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      if (code === 0) return settle({ ok: true, output: new Uint8Array(Buffer.concat(output)) });
      const why = signal === null ? `the command ended with status ${code}` : `the command was ended by ${signal}`;
      const last = said.text().trim();
      settle(failedRun(code === TEMPORARY_FAILURE ? "overloaded" : "error", last === "" ? why : `${why}: ${last}`));
    });
    // A command need not read its input.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    return promise.finally(() => {
      clearTimeout(limit);
      options.signal.removeEventListener("abort", onAbort);
    });
  }
}

/** Where a program would be found, as `execvp` looks for it. */
async function findProgram(program: string, directory: string, path: string): Promise<boolean> {
  const places = program.includes("/") ? [directory] : path.split(delimiter);
  for (const place of places) if (await isProgram(resolve(directory, place, program))) return true;
  return false;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
