import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

export interface CommandLine {
  /** The program and its words; no shell reads them. */
  readonly command: readonly [string, ...string[]];
  readonly directory: string;
  /** All that the command finds in its environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Groups do not end with this process by themselves. */
const alive = new Set<ProcessGroup>();
let watched = false;

function endWithProcess(group: ProcessGroup): void {
  alive.add(group);
  void group.gone.then(() => alive.delete(group));
  if (watched) return;
  watched = true;
  process.on("exit", () => {
    for (const left of alive) left.signal("SIGKILL");
  });
}

/** A command with all that it starts, which ends as one. */
export class ProcessGroup {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves when the command has ended and nobody holds its output any more, or when it could not be started. */
  readonly gone: Promise<void>;
  #isGone = false;
  #kill: NodeJS.Timeout | undefined;

  /** Throws when the words can be no command line. What else keeps a command from starting is an event `error` of the child. */
  constructor({ command: [program, ...words], directory, environment }: CommandLine) {
    this.child = spawn(program, words, {
      cwd: directory,
      env: { ...environment },
      stdio: "pipe",
      shell: false,
      // A group of its own, so that a signal reaches what the command has started, too.
      detached: true,
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    const onGone = (): void => {
      this.#isGone = true;
      clearTimeout(this.#kill);
      resolve();
    };
    this.child.once("close", onGone);
    this.child.once("error", () => {
      if (this.child.pid === undefined) onGone();
    });
    // A job ends with its command: what that left behind would compute for nobody.
    this.child.once("exit", () => this.signal("SIGKILL"));
    endWithProcess(this);
  }

  /** Asks the group to end, and makes it when it has not within this time. */
  end(killAfterMs: number): void {
    if (this.#isGone || this.#kill !== undefined) return;
    this.signal("SIGTERM");
    this.#kill = setTimeout(() => {
      this.signal("SIGKILL");
      // Whoever left the group and holds the output is no longer listened to.
      for (const stream of this.child.stdio) stream?.destroy();
    }, killAfterMs);
  }

  signal(name: "SIGTERM" | "SIGKILL"): void {
    const { pid } = this.child;
    if (pid === undefined || this.#isGone) return;
    try {
      process.kill(-pid, name);
    } catch {
      // There is nobody left in the group.
    }
  }
}
