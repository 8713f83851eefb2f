import { Worker } from "node:worker_threads";
import { encodeStatement } from "../proofs/statement.ts";
import type { LiveLimits } from "./limits.ts";
import type { ProofCheck, Verdict, Verifier } from "./verification.ts";
import { cheapCheck, expectedStatement, rejection, VALID } from "./verification.ts";
import type { SignatureCheck, VerifyBatch, VerifyWorkerMessage } from "./verify-protocol.ts";
import { OUTCOME_INVALID, OUTCOME_THREW, OUTCOME_VALID } from "./verify-protocol.ts";

export interface VerifierPoolOptions {
  readonly workers: number;
  readonly limits: LiveLimits;
  /** The module that each worker thread runs; `verifyWorkerUrl()` unless a test brings one that misbehaves. */
  readonly workerUrl: URL;
  /** Told when a worker had to be replaced, with the reason. */
  readonly onReplaced: (reason: string) => void;
}

/** The verify worker beside this module, as source or as built. */
export function verifyWorkerUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./verify-worker.ts" : "./verify-worker.js", import.meta.url);
}

/** A check that passed the cheap part and waits for, or is with, a worker. */
interface Waiting {
  readonly signature: SignatureCheck;
  readonly isWanted: () => boolean;
  readonly done: (verdict: Verdict) => void;
}

/** A pause before a worker that failed to start is tried again, so that a broken module does not eat the machine. */
const RESTART_PAUSE_MS = 200;

/**
 * Checks proofs in worker threads (P2). A check that hangs costs its worker: it is ended and replaced, the proof rejected as
 * `verifier-timeout`, and the checks behind it go to another worker. One that crashes or throws rejects that proof alone.
 */
export class VerifierPool implements Verifier {
  readonly #options: VerifierPoolOptions;
  readonly #queue: Waiting[] = [];
  readonly #slots: VerifySlot[] = [];
  #closed = false;

  constructor(options: VerifierPoolOptions) {
    this.#options = options;
    for (let i = 0; i < options.workers; i++)
      this.#slots.push(new VerifySlot(options, this.#queue, () => this.#assign()));
  }

  check(check: ProofCheck, done: (verdict: Verdict) => void): void {
    const verdict = this.#refuse(check);
    if (verdict !== undefined) {
      queueMicrotask(() => done(verdict));
      return;
    }
    const { nodeKey, answer } = check;
    if (nodeKey === undefined || answer === undefined) return;
    const message = encodeStatement(expectedStatement(check));
    const signature = { key: nodeKey, message, signature: answer.proof.signature };
    this.#queue.push({ signature, isWanted: check.isWanted, done });
    this.#assign();
  }

  /** Ends the workers; checks that wait are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { done } of this.#queue.splice(0)) done(rejection("verifier-closed"));
    await Promise.all(this.#slots.map((slot) => slot.close()));
  }

  #refuse(check: ProofCheck): Verdict | undefined {
    if (this.#closed) return rejection("verifier-closed");
    if (this.#queue.length >= this.#options.limits.maxWaitingProofs) return rejection("verifier-overloaded");
    return cheapCheck(check, this.#options.limits.maxOutputBytes);
  }

  #assign(): void {
    for (const slot of this.#slots) {
      if (this.#queue.length === 0) return;
      slot.takeBatch();
    }
  }
}

/** One place for a worker: its thread at the moment, the batch that it has, and the watch over it. */
class VerifySlot {
  readonly #options: VerifierPoolOptions;
  readonly #queue: Waiting[];
  readonly #freed: () => void;
  readonly #progress: Int32Array<SharedArrayBuffer>;
  #worker: Worker | undefined;
  #ready = false;
  #closed = false;
  #batch: Waiting[] = [];
  /** Checks of the batch whose verdicts are given. */
  #settled = 0;
  #watch: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: VerifierPoolOptions, queue: Waiting[], freed: () => void) {
    this.#options = options;
    this.#queue = queue;
    this.#freed = freed;
    this.#progress = new Int32Array(new SharedArrayBuffer((1 + options.limits.maxProofsPerBatch) * 4));
    this.#spawn();
  }

  takeBatch(): void {
    if (!this.#ready || this.#batch.length > 0) return;
    this.#batch = this.#takeWanted();
    if (this.#batch.length === 0) return;
    this.#settled = 0;
    Atomics.store(this.#progress, 0, 0);
    const message: VerifyBatch = { checks: this.#batch.map(({ signature }) => signature), progress: this.#progress };
    this.#worker?.postMessage(message);
    this.#armWatch();
  }

  #takeWanted(): Waiting[] {
    const batch: Waiting[] = [];
    while (batch.length < this.#options.limits.maxProofsPerBatch) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      if (next.isWanted()) batch.push(next);
      else next.done(rejection("not-wanted"));
    }
    return batch;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#watch);
    clearTimeout(this.#restart);
    for (const { done } of this.#batch.splice(0)) done(rejection("verifier-closed"));
    await this.#worker?.terminate();
  }

  #spawn(): void {
    const worker = new Worker(this.#options.workerUrl, { name: "pipe-verifier" });
    this.#worker = worker;
    this.#ready = false;
    worker.on("message", (message: VerifyWorkerMessage) => this.#hear(worker, message));
    // The error's own handling is its exit, which always follows.
    worker.on("error", () => undefined);
    worker.on("exit", () => this.#replace(worker, "verifier-crashed"));
    this.#watch = setTimeout(
      () => this.#replace(worker, "verifier-timeout"),
      this.#options.limits.verifierStartLimitMs,
    );
  }

  #hear(worker: Worker, message: VerifyWorkerMessage): void {
    if (worker !== this.#worker) return;
    clearTimeout(this.#watch);
    if (message === "ready") this.#ready = true;
    else {
      this.#settleDone();
      this.#batch = [];
    }
    this.#freed();
  }

  /** Looks four times per limit whether the batch moves on; a check that does not for a whole limit hangs. */
  #armWatch(): void {
    const worker = this.#worker;
    const stepMs = Math.max(1, this.#options.limits.proofTimeLimitMs / 4);
    let stillMs = 0;
    const look = (): void => {
      stillMs = this.#settleDone() > 0 ? 0 : stillMs + stepMs;
      if (stillMs >= this.#options.limits.proofTimeLimitMs && worker) this.#replace(worker, "verifier-timeout");
      else this.#watch = setTimeout(look, stepMs);
    };
    this.#watch = setTimeout(look, stepMs);
  }

  /** Gives the verdicts that stand in the shared memory; returns how many were new. */
  #settleDone(): number {
    const done = Atomics.load(this.#progress, 0);
    const before = this.#settled;
    while (this.#settled < Math.min(done, this.#batch.length)) {
      const outcome = Atomics.load(this.#progress, 1 + this.#settled);
      this.#batch[this.#settled++]?.done(verdictOf(outcome));
    }
    return this.#settled - before;
  }

  /** The worker hangs or is gone: the check that it was at is rejected, those behind it wait again, a new worker starts. */
  #replace(worker: Worker, reason: "verifier-timeout" | "verifier-crashed"): void {
    if (worker !== this.#worker || this.#closed) return;
    clearTimeout(this.#watch);
    this.#worker = undefined;
    const wasReady = this.#ready;
    this.#ready = false;
    void worker.terminate();
    this.#options.onReplaced(reason);
    this.#settleDone();
    const [culprit, ...behind] = this.#batch.slice(this.#settled);
    this.#batch = [];
    this.#queue.unshift(...behind);
    culprit?.done(rejection(reason));
    if (wasReady) this.#spawn();
    else this.#restart = setTimeout(() => this.#spawn(), RESTART_PAUSE_MS);
    this.#freed();
  }
}

function verdictOf(outcome: number): Verdict {
  switch (outcome) {
    case OUTCOME_VALID:
      return VALID;
    case OUTCOME_INVALID:
      return rejection("bad-signature");
    case OUTCOME_THREW:
      return rejection("verifier-crashed");
    default:
      return rejection("verifier-crashed");
  }
}
