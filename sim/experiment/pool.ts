import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { RunLimits } from "../world/simulation-limit.ts";
import type { Experiment, ReplicationResult } from "./types.ts";

/** One replication of one experiment: what a worker is given. Plain data. */
export interface Task {
  readonly experiment: Experiment;
  readonly replication: number;
  /** Races to sample in full. */
  readonly samples: number;
  /** After which it is given up, in place of the usual limits. */
  readonly limits?: RunLimits;
}

/** What a worker says: first that it is ready, then per task how far it is, if that takes long, and what came of it. */
export type Report =
  | { readonly kind: "ready" }
  /** `share`: of the counted jobs, from 0 to 1, how many are over. */
  | { readonly kind: "under-way"; readonly share: number }
  | { readonly kind: "measured"; readonly result: ReplicationResult }
  /** `endless`: it reached a limit, and so says something of the experiment and nothing of us. */
  | { readonly kind: "failed"; readonly message: string; readonly endless: boolean };

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

/** What is done with what comes of tasks. */
export interface Delivery<T extends Task> {
  result(task: T, result: ReplicationResult): void;
  /** A replication reached its limit; left out, that fails all. */
  endless?(task: T, message: string): void;
}

type TaskQueue<T> = Iterator<T> | AsyncIterator<T>;

/**
 * Runs tasks in worker threads, each worker one at a time, and delivers results as they come. Tasks are drawn one by one, so
 * that a sweep over thousands of points holds only those that run. Rejects with `ReplicationFailed`.
 */
export async function runTasks<T extends Task>(
  tasks: Iterable<T> | AsyncIterable<T>,
  { workers, signal }: PoolOptions,
  deliver: Delivery<T>,
  onShare: (task: T, share: number) => void,
): Promise<"done" | "interrupted"> {
  const queue: TaskQueue<T> = Symbol.iterator in tasks ? tasks[Symbol.iterator]() : tasks[Symbol.asyncIterator]();
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
  queue: TaskQueue<T>,
  signal: AbortSignal,
  deliver: Delivery<T>,
  onShare: (task: T, share: number) => void,
): Promise<void> {
  if (signal.aborted) return;
  const worker = new Worker(workerUrl());
  try {
    // Tasks are drawn once there is somebody to do them, so that what is timed is their work and no thread's start.
    const ready = await reportOf(worker, signal);
    if (ready === "interrupted") return;
    if (ready.kind === "failed") throw new ReplicationFailed(ready.message);
    for (let next = await queue.next(); next.done !== true; next = await queue.next()) {
      const task = next.value;
      const report = await ask(worker, task, signal, (share) => onShare(task, share));
      if (report === "interrupted") return;
      if (report.kind === "measured") deliver.result(task, report.result);
      else if (report.kind === "failed" && report.endless && deliver.endless) deliver.endless(task, report.message);
      else if (report.kind === "failed") throw new ReplicationFailed(report.message);
    }
  } finally {
    await worker.terminate();
  }
}

function ask(worker: Worker, task: Task, signal: AbortSignal, onShare: OnShare) {
  const { experiment, replication, samples, limits } = task;
  const report = reportOf(worker, signal, onShare);
  worker.postMessage({ experiment, replication, samples, ...(limits === undefined ? {} : { limits }) });
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
    const onError = (error: unknown): void => settle(failure(String(error)));
    const onExit = (code: number): void => settle(failure(`the worker ended with code ${code}`));
    const onAbort = (): void => settle("interrupted");
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    signal.addEventListener("abort", onAbort);
  });
}

function failure(message: string): LastReport {
  return { kind: "failed", message, endless: false };
}

/** The worker's program: TypeScript from a checkout, JavaScript from the package. */
function workerUrl(): URL {
  return new URL(
    import.meta.url.endsWith(".ts") ? "./replication-worker.ts" : "./replication-worker.js",
    import.meta.url,
  );
}
