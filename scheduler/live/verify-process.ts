import { type ChildProcess, fork } from "node:child_process";
import type { Readable } from "node:stream";
import type { Trust } from "../proofs/stage-runner.ts";
import { assert } from "../shared/assert.ts";
import type { Preload, VerifyAnswer, VerifyTask } from "./verify-protocol.ts";
import { OUTCOMES_FD } from "./verify-protocol.ts";

export interface VerifyProcessOptions {
  readonly url: URL;
  readonly trust: Trust;
  readonly preload: Preload | undefined;
  /** Megabytes. */
  readonly heapMb: number;
  readonly onAnswer: (answer: VerifyAnswer) => void;
  /** One byte for each signature. */
  readonly onOutcomes: (codes: Uint8Array) => void;
  /** It is gone, and everything that it wrote was heard. `said`: the end of what it wrote on standard error. */
  readonly onEnd: (end: { readonly outOfMemory: boolean; readonly said: string }) => void;
}

/** Of what a process says as it dies. */
const MAX_LAST_WORDS = 4_096;
const OUT_OF_MEMORY = /out of memory/i;

/**
 * A process for stages of judging. A process and not a thread, since a thread that runs out of memory, or crashes outside of
 * JavaScript, takes the whole program with it. It gets no environment and no file but its own code's.
 */
export class VerifyProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor({ url, trust, preload, heapMb, onAnswer, onOutcomes, onEnd }: VerifyProcessOptions) {
    this.#child = fork(url, {
      env: {},
      execArgv: [`--max-old-space-size=${heapMb}`],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc", "pipe"],
    });
    const outcomes = this.#child.stdio[OUTCOMES_FD] as Readable | null | undefined;
    assert(outcomes !== null && outcomes !== undefined, "the process has a pipe for outcomes");
    let said = "";
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-MAX_LAST_WORDS);
    });
    this.#child.on("message", (answer) => onAnswer(answer as VerifyAnswer));
    outcomes.on("data", onOutcomes);
    // A failed send or start is followed by the end.
    this.#child.on("error", () => this.kill());
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", () => {
        resolve();
        onEnd({ outOfMemory: OUT_OF_MEMORY.test(said), said });
      });
    });
    this.tell({ kind: "open", trust, preload });
  }

  /** What cannot be delivered shows as silence. */
  tell(task: VerifyTask): void {
    if (this.#child.connected) this.#child.send(task, () => undefined);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Resolves when nothing of it is left. */
  async end(): Promise<void> {
    this.kill();
    await this.#ended;
  }
}
