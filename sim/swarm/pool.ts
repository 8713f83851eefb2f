import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { addCounts, FAULT_KINDS, type FaultCounts, type FaultKind, NO_FAULTS } from "./faults.ts";
import type { SeedResult } from "./run.ts";

/** A seed takes a second or two; one that takes this long hangs. */
const SEED_TIMEOUT_MS = 120_000;
/** A report names no more failures than this; they are all counted. */
const MAX_REPORTED_FAILURES = 50;

export interface SwarmOptions {
  readonly firstSeed: number;
  /** Included. */
  readonly lastSeed: number;
  readonly threads: number;
  readonly onResult: (result: SeedResult, report: SwarmReport) => void;
  /** Ends the run after the seeds under way. */
  readonly signal: AbortSignal;
}

/** What a range of seeds came to so far. */
export interface SwarmReport {
  readonly seeds: number;
  readonly failures: number;
  /** The first failures, in order of their seeds. */
  readonly failed: readonly SeedResult[];
  readonly events: number;
  readonly transactions: number;
  readonly jobs: number;
  readonly copies: number;
  readonly decided: number;
  readonly committed: number;
  readonly faults: FaultCounts;
  /** Kinds of faults that never had an effect. */
  readonly neverFired: readonly FaultKind[];
  readonly elapsedMs: number;
  readonly seedsPerMinute: number;
}

/** Plays every seed of a range, dealt out to worker threads one by one. */
export async function runSwarm(options: SwarmOptions): Promise<SwarmReport> {
  const tally = new Tally();
  let next = options.firstSeed;
  const takeSeed = (): number | undefined => (next <= options.lastSeed && !options.signal.aborted ? next++ : undefined);
  const threads = Math.min(options.threads, options.lastSeed - options.firstSeed + 1);
  const note = (result: SeedResult): void => {
    tally.add(result);
    options.onResult(result, tally.report());
  };
  await Promise.all(Array.from({ length: threads }, () => runThread(takeSeed, note)));
  return tally.report();
}

/** Plays seeds on one thread until none is left; a thread that a seed destroys is replaced. */
async function runThread(takeSeed: () => number | undefined, note: (result: SeedResult) => void): Promise<void> {
  let worker: Worker | undefined;
  try {
    for (let seed = takeSeed(); seed !== undefined; seed = takeSeed()) {
      worker ??= new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
      const result = await playOn(worker, seed);
      if (typeof result !== "string") note(result);
      else {
        await worker.terminate();
        worker = undefined;
        note(brokenSeed(seed, result));
      }
    }
  } finally {
    await worker?.terminate();
  }
}

/** The seed's result, or how it destroyed its thread. */
function playOn(worker: Worker, seed: number): Promise<SeedResult | string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(`no end after ${SEED_TIMEOUT_MS / 1_000} s`), SEED_TIMEOUT_MS);
    const onMessage = (result: SeedResult): void => settle(result);
    const onError = (error: Error): void => settle(error.stack ?? error.message);
    const onExit = (code: number): void => settle(`its thread ended with code ${code}`);
    const settle = (result: SeedResult | string): void => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      resolve(result);
    };
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage(seed);
  });
}

function brokenSeed(seed: number, message: string): SeedResult {
  const nothing = { events: 0, transactions: 0, jobs: 0, copies: 0, decided: 0, committed: 0 };
  return { seed, violations: [{ promise: "sound", message, step: -1 }], faults: NO_FAULTS, ...nothing };
}

/** Adds results up. */
class Tally {
  readonly #startedMs = performance.now();
  #sums = { seeds: 0, failures: 0, events: 0, transactions: 0, jobs: 0, copies: 0, decided: 0, committed: 0 };
  #faults = NO_FAULTS;
  #failed: SeedResult[] = [];

  add(result: SeedResult): void {
    const sums = this.#sums;
    sums.seeds++;
    for (const key of ["events", "transactions", "jobs", "copies", "decided", "committed"] as const) {
      sums[key] += result[key];
    }
    this.#faults = addCounts(this.#faults, result.faults);
    if (result.violations.length === 0) return;
    sums.failures++;
    this.#failed.push(result);
    this.#failed.sort((a, b) => a.seed - b.seed);
    this.#failed.length = Math.min(this.#failed.length, MAX_REPORTED_FAILURES);
  }

  report(): SwarmReport {
    const elapsedMs = performance.now() - this.#startedMs;
    return {
      ...this.#sums,
      failed: [...this.#failed],
      faults: this.#faults,
      neverFired: FAULT_KINDS.filter((kind) => this.#faults[kind] === 0),
      elapsedMs: Math.round(elapsedMs),
      seedsPerMinute: Math.round((this.#sums.seeds / elapsedMs) * 60_000),
    };
  }
}
