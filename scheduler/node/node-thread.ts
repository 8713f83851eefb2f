import { Worker } from "node:worker_threads";
import type { Assignment, NodeMessage, RegistrationEpoch } from "../live/transport.ts";
import type { EmbeddedNode } from "./embedded-node.ts";
import type { EmulatorRoot } from "./enclave-emulator.ts";
import type { HostMessage, WorkerData, WorkerMessage } from "./worker-messages.ts";

/** Limits of one thread's supervision (P11), with their reasons. */
export const THREAD_LIMITS = {
  /** Loading takes a second or two when eight threads share two cores; beyond this `start` no longer waits for the node. */
  startMs: 20_000,
  /** A drain is a handful of messages; a thread that has not gone by then is ended. */
  drainMs: 2_000,
  firstRestartMs: 200,
  maxRestartMs: 10_000,
  /** A thread that lived this long was healthy: the next restart is quick again. */
  healthyMs: 30_000,
  /** Assignments and Cancels sent since the thread last said anything; beyond it further ones are lost. */
  maxUnheard: 1_024,
  /** What a node's own code and messages need is below 20 MB; its WebAssembly memory is not counted here. */
  maxHeapMb: 128,
} as const;

/** Time until the restart after `failures` (1 for the first) lives in a row that ended early. */
export function restartDelayMs(failures: number): number {
  return Math.min(THREAD_LIMITS.firstRestartMs * 2 ** (failures - 1), THREAD_LIMITS.maxRestartMs);
}

export interface NodeThreadParts {
  readonly node: EmbeddedNode;
  readonly wasmBinary: Uint8Array;
  /** Root of its enclave's documents; `undefined` for a host without enclaves. */
  readonly emulator: EmulatorRoot | undefined;
  readonly receive: (message: NodeMessage) => void;
  /** Told of each life that ended unasked. */
  readonly onCrash: (node: string, error: Error) => void;
}

/**
 * Keeps one node's thread alive: starts it, carries its messages, and starts it again after a crash, ever more slowly.
 * Whatever happens in the thread, the host only sees messages. The node can speak in its own name only.
 */
export class NodeThread {
  readonly #parts: NodeThreadParts;
  #worker: Worker | undefined;
  #joinedMs: number | undefined;
  #failures = 0;
  #unheard = 0;
  #epoch: RegistrationEpoch | undefined;
  #closing = false;
  #restart: NodeJS.Timeout | undefined;
  /** Settles `start`. */
  #started: () => void = () => undefined;

  constructor(parts: NodeThreadParts) {
    this.#parts = parts;
  }

  /** Resolves when the node has joined, its first life failed, or it takes too long. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      const limit = setTimeout(resolve, THREAD_LIMITS.startMs);
      this.#started = () => {
        clearTimeout(limit);
        resolve();
      };
      this.#spawn();
    });
  }

  assign(assignment: Assignment): void {
    this.#post({ kind: "assign", assignment: { ...assignment, input: ownBytes(assignment.input) } });
  }

  cancel(copy: number): void {
    this.#post({ kind: "cancel", copy });
  }

  /** The registration epoch that the node's attestation has to answer from now on; told before `start`, too. */
  announce(epoch: RegistrationEpoch): void {
    this.#epoch = epoch;
    // A thread that is still loading hears it when it has joined.
    this.#worker?.postMessage({ kind: "epoch", epoch } satisfies HostMessage);
  }

  /** Ends the thread without warning, as a crash would; it is started again. */
  async crash(): Promise<void> {
    await this.#worker?.terminate();
  }

  /** Lets the node fail its copies as `drained`, then ends the thread. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    this.#started();
    const worker = this.#worker;
    if (worker === undefined) return;
    const gone = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    if (this.#joinedMs === undefined) void worker.terminate();
    else worker.postMessage({ kind: "drain" } satisfies HostMessage);
    const limit = setTimeout(() => void worker.terminate(), THREAD_LIMITS.drainMs);
    await gone;
    clearTimeout(limit);
  }

  #post(message: HostMessage): void {
    if (this.#worker === undefined || this.#joinedMs === undefined || this.#closing) return;
    if (this.#unheard >= THREAD_LIMITS.maxUnheard) return;
    this.#unheard += 1;
    this.#worker.postMessage(message);
  }

  #spawn(): void {
    const { node, wasmBinary, emulator } = this.#parts;
    const workerData: WorkerData = { node, wasmBinary, emulator, epoch: this.#epoch };
    const worker = new Worker(workerUrl(), {
      workerData,
      name: `node ${node.id}`,
      // The host's flags and environment are none of a node's business.
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: THREAD_LIMITS.maxHeapMb },
    });
    this.#worker = worker;
    let problem: unknown;
    worker.on("message", (message: WorkerMessage) => this.#heard(message));
    worker.on("error", (error) => {
      problem = error;
    });
    worker.on("exit", (code) =>
      this.#exited(problem ?? new Error(`the thread of ${node.id} exited with code ${code}`)),
    );
  }

  #heard(message: WorkerMessage): void {
    const speaker = message.kind === "joined" ? message.terms.id : message.node;
    if (speaker !== this.#parts.node.id) return;
    this.#unheard = 0;
    if (message.kind === "joined") {
      this.#joinedMs = performance.now();
      this.#started();
    }
    this.#parts.receive(message);
  }

  #exited(problem: unknown): void {
    const { node, receive, onCrash } = this.#parts;
    const joinedMs = this.#joinedMs;
    this.#worker = undefined;
    this.#joinedMs = undefined;
    this.#unheard = 0;
    this.#started();
    if (joinedMs !== undefined) receive({ kind: "left", node: node.id });
    if (this.#closing) return;
    const healthy = joinedMs !== undefined && performance.now() - joinedMs >= THREAD_LIMITS.healthyMs;
    this.#failures = healthy ? 1 : this.#failures + 1;
    this.#restart = setTimeout(() => this.#spawn(), restartDelayMs(this.#failures));
    onCrash(node.id, problem instanceof Error ? problem : new Error(String(problem)));
  }
}

/** The entry point beside this file, as source or compiled. */
function workerUrl(): URL {
  const extension = new URL(import.meta.url).pathname.endsWith(".ts") ? "ts" : "js";
  return new URL(`./worker.${extension}`, import.meta.url);
}

/** A view into a larger buffer would take the whole buffer along to the thread. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
