import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Experiment, ReplicationResult } from "./types.ts";

/** One replication of one experiment: what a worker is given. Plain data. */
export interface Task {
  readonly experiment: Experiment;
  readonly replication: number;
  /** Races to sample in full. */
  readonly samples: number;
}

/** What a worker says: first that it is ready, then per task how far it is, if that takes long, and what came of it. */
export type Report =
  | { readonly kind: "ready" }
  /** `share`: of the counted jobs, from 0 to 1, how many are over. */
  | { readonly kind: "under-way"; readonly share: number }
  | { readonly kind: "measured"; readonly result: ReplicationResult }
  | { readonly kind: "failed"; readonly message: string };

export interface PoolOptions {
  readonly workers: number;
  /** Ends the pool before its time. */
  readonly signal: AbortSignal;
}

/** A replication that threw: a bug, or a file that went away meanwhile. */
export class ReplicationFailed extends Error {
  override readonly name = "ReplicationFailed";
}

/** One worker per core, up to as many as there are tasks. */
export function workersFor(tasks: number): number {
  return Math.max(1, Math.min(availableParallelism(), tasks));
}

/**
 * Runs tasks in worker threads, each worker one at a time, and delivers results as they come. Tasks are drawn one by one, so
 * that a sweep over thousands of points holds only those that run. Rejects with `ReplicationFailed`.
 */
export async function runTasks<T extends Task>(
  tasks: Iterable<T>,
  { workers, signal }: PoolOptions,
  deliver: (task: T, result: ReplicationResult) => void,
  onShare: (task: T, share: number) => void,
): Promise<"done" | "interrupted"> {
  const queue = tasks[Symbol.iterator]();
  const stop = new AbortController();
  const end = AbortSignal.any([signal, stop.signal]);
  const lines = Array.from({ length: workers }, () => workLine(queue, end, deliver, onShare));
  try {
    await Promise.all(lines);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(lines);
    throw error;
  }
  return signal.aborted ? "interrupted" : "done";
}

/** One worker, from its first task to its last. */
async function workLine<T extends Task>(
  queue: Iterator<T>,
  signal: AbortSignal,
  deliver: (task: T, result: ReplicationResult) => void,
  onShare: (task: T, share: number) => void,
): Promise<void> {
  if (signal.aborted) return;
  const worker = new Worker(workerUrl());
  try {
    // Tasks are drawn once there is somebody to do them, so that what is timed is their work and no thread's start.
    const ready = await reportOf(worker, signal);
    if (ready === "interrupted") return;
    if (ready.kind === "failed") throw new ReplicationFailed(ready.message);
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const task = next.value;
      const report = await ask(worker, task, signal, (share) => onShare(task, share));
      if (report === "interrupted") return;
      if (report.kind === "failed") throw new ReplicationFailed(report.message);
      if (report.kind === "measured") deliver(task, report.result);
    }
  } finally {
    await worker.terminate();
  }
}

function ask(worker: Worker, { experiment, replication, samples }: Task, signal: AbortSignal, onShare: OnShare) {
  const report = reportOf(worker, signal, onShare);
  worker.postMessage({ experiment, replication, samples });
  return report;
}

type OnShare = (share: number) => void;
type LastReport = Exclude<Report, { kind: "under-way" }> | "interrupted";

/** What the worker says next, but for how far it is. */
function reportOf(worker: Worker, signal: AbortSignal, onShare: OnShare = () => {}): Promise<LastReport> {
  if (signal.aborted) return Promise.resolve("interrupted");
  return new Promise((resolve) => {
    const settle = (outcome: LastReport): void => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      signal.removeEventListener("abort", onAbort);
      resolve(outcome);
    };
    const onMessage = (report: Report): void => {
      if (report.kind === "under-way") onShare(report.share);
      else settle(report);
    };
    const onError = (error: unknown): void => settle({ kind: "failed", message: String(error) });
    const onExit = (code: number): void => settle({ kind: "failed", message: `the worker ended with code ${code}` });
    const onAbort = (): void => settle("interrupted");
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    signal.addEventListener("abort", onAbort);
  });
}

/** The worker's program: TypeScript from a checkout, JavaScript from the package. */
function workerUrl(): URL {
  return new URL(
    import.meta.url.endsWith(".ts") ? "./replication-worker.ts" : "./replication-worker.js",
    import.meta.url,
  );
}
