import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EventHeap } from "../../sim/kernel/event-heap.ts";
import { streamFor } from "../../sim/kernel/streams.ts";
import type { Figure } from "./figure.ts";
import { EVENTS_PER_JOB, HedgeModel, MEAN_RESPONSE } from "./reference/hedge.ts";

/**
 * The simulator's kernel without a scheduler in it. Rounds of ours and of the C++ reference take turns, so that whatever
 * else the machine does slows both: their ratio is the median of the rounds' ratios. A rate is that of the best round, since
 * other work only ever takes away. References are left out where there is no compiler, or no SimPy.
 */
export function simKernelFigures(): Figure[] {
  return [mm1Figure(), ...hedgeFigures()];
}

const ROUNDS = 7;
const COMPILER = "g++";

/** One server, arrivals and services exponential, utilisation 0.8: two events per job, one or two pending at a time. */
function mm1Figure(): Figure {
  const jobs = 100_000;
  const rates: number[] = [];
  // Short rounds, so that one of them at least has the core to itself.
  for (let round = 0; round < 10 * ROUNDS; round++) rates.push((2 * jobs) / timed(() => mm1(jobs)));
  const rate = Math.max(...rates);
  return {
    name: "sim kernel: M/M/1 events per second",
    value: rate,
    unit: "/s",
    target: "≥ 9,000,000",
    met: rate >= 9e6,
  };
}

/** Returns the mean number in the system as seen by arrivals, so that nothing of it can be optimised away. */
function mm1(jobs: number): number {
  const [arrival, departure] = [0, 1];
  const heap = new EventHeap();
  const stream = streamFor(1, 0, "M/M/1");
  let inSystem = 0;
  let seen = 0;
  let left = jobs;
  heap.schedule(stream.exponential() / 0.8, 0, arrival);
  while (left > 0 && heap.popNext()) {
    if (heap.payload === arrival) {
      seen += inSystem;
      if (inSystem++ === 0) heap.schedule(heap.timeUs + stream.exponential(), 0, departure);
      heap.schedule(heap.timeUs + stream.exponential() / 0.8, 0, arrival);
    } else {
      left--;
      if (--inSystem > 0) heap.schedule(heap.timeUs + stream.exponential(), 0, departure);
    }
  }
  return seen / jobs;
}

function hedgeFigures(): Figure[] {
  const jobs = 400_000;
  const model = new HedgeModel(1);
  const cpp = compiled();
  const [ours, theirs]: [number[], number[]] = [[], []];
  model.run(jobs);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const seconds = timed(() => expectTheory("ours", model.run(jobs), 0.03));
      ours.push((EVENTS_PER_JOB * jobs) / seconds);
      if (cpp !== undefined) theirs.push(rateOf(cpp.program, [String(jobs)], jobs));
    }
  } finally {
    if (cpp !== undefined) rmSync(cpp.folder, { recursive: true });
  }
  return [...againstCpp(ours, theirs), ...againstSimPy(Math.max(...ours))];
}

function againstCpp(ours: readonly number[], theirs: readonly number[]): Figure[] {
  const rate = Math.max(...ours);
  const name = "sim kernel: hedge model events per second";
  if (theirs.length === 0) return [{ name, value: rate, unit: "/s", target: "≥ 5,000,000", met: rate >= 5e6 }];
  const ratio = median(ours.map((one, round) => one / (theirs[round] as number)));
  const met = rate >= 5e6 || ratio >= 0.4;
  return [
    { name, value: rate, unit: "/s", target: "≥ 5,000,000, or 0.4 of C++", met },
    { name: "sim kernel: the same model in C++", value: Math.max(...theirs), unit: "/s" },
    { name: "sim kernel: ours against C++", value: ratio, unit: "×", target: "≥ 0.4", met: ratio >= 0.4 },
  ];
}

function againstSimPy(ours: number): Figure[] {
  const python = ["python3", "/usr/bin/python3"].find((name) => spawnSync(name, ["-c", "import simpy"]).status === 0);
  if (python === undefined) return [];
  const jobs = 20_000;
  const rate = rateOf(python, [beside("reference/hedge_simpy.py"), String(jobs)], jobs);
  return [
    { name: "sim kernel: the same model in SimPy", value: rate, unit: "/s" },
    { name: "sim kernel: ours against SimPy", value: ours / rate, unit: "×" },
  ];
}

/** Events per second of a reference, which prints its mean response time and the seconds it took. */
function rateOf(program: string, options: readonly string[], jobs: number): number {
  const { status, stdout, stderr } = spawnSync(program, options, { encoding: "utf8", timeout: 20_000 });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  const [mean, seconds] = stdout.trim().split(" ").map(Number) as [number, number];
  expectTheory(program, mean, jobs < 100_000 ? 0.1 : 0.03);
  return (EVENTS_PER_JOB * jobs) / seconds;
}

/** A fast model of something else would be no comparison. */
function expectTheory(who: string, mean: number, tolerance: number): void {
  if (!(Math.abs(mean / MEAN_RESPONSE - 1) <= tolerance)) {
    throw new Error(`${who}: mean response ${mean}, but by theory it is ${MEAN_RESPONSE}`);
  }
}

/** The reference as a program in a folder of its own, if there is a compiler. */
function compiled(): { program: string; folder: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), "pipe-bench-"));
  const program = join(folder, "hedge");
  const { status } = spawnSync(COMPILER, ["-O2", "-o", program, beside("reference/hedge.cpp")]);
  if (status === 0) return { program, folder };
  rmSync(folder, { recursive: true });
  return undefined;
}

function beside(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

function timed(work: () => void): number {
  const startedMs = performance.now();
  work();
  return (performance.now() - startedMs) / 1e3;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}
