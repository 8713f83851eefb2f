import { setImmediate } from "node:timers/promises";
import type { RunOptions } from "../experiment/run.ts";
import { runInOrder } from "../experiment/run.ts";
import { estimate } from "../experiment/statistics.ts";
import { streamFor } from "../kernel/streams.ts";
import { simulateBatches } from "./batch.ts";
import { type Case, theoryCases } from "./cases.ts";
import { pareto } from "./laws.ts";
import { type BatchTimes, batchBaseline, type SingleFork, singleForkExact } from "./single-fork.ts";

/** One number of theory beside the simulator's. */
export interface ValidationRow {
  readonly group: string;
  readonly case: string;
  readonly quantity: string;
  /** `engine`: the production engine ran it. `kernel`: the simulation kernel alone did. */
  readonly through: "engine" | "kernel";
  /** 2 when a first measurement was outside its interval: see `CONFIDENCE`. */
  readonly measurement: 1 | 2;
  readonly expected: number;
  readonly measured: number;
  /** Student's interval over replications at `CONFIDENCE`. */
  readonly interval: readonly [low: number, high: number];
  readonly verdict: "holds" | "fails";
}

/**
 * Of each row by itself, so that of a hundred rows that are right one falls outside. Such a case is measured again with other
 * random numbers and four times as many replications, and that decides: chance hardly fails twice, a defect fails more surely.
 */
export const CONFIDENCE = 0.99;
const MORE_REPLICATIONS = 4;

export interface ValidationOptions extends Omit<RunOptions, "samples"> {
  readonly seed: number;
}

type Outcome = readonly ValidationRow[] | "interrupted";

/** Holds the simulator against closed forms. Rejects with `ReplicationFailed`. */
export async function validate({ seed, ...run }: ValidationOptions): Promise<Outcome> {
  const rows = await validateCases(theoryCases(seed), run);
  if (rows === "interrupted") return rows;
  const forks = await singleForkRows(seed, run.signal);
  return forks === "interrupted" ? forks : [...rows, ...forks];
}

/** The rows of some cases, those that were doubtful measured again. */
export async function validateCases(cases: readonly Case[], run: Omit<RunOptions, "samples">): Promise<Outcome> {
  const first = await measure(cases, 1, run);
  if (first === "interrupted") return first;
  const doubtful = cases.filter((_, index) => !holds(first[index]));
  const second = await measure(doubtful.map(again), 2, run);
  if (second === "interrupted") return second;
  return cases.flatMap((one, index) => second[doubtful.indexOf(one)] ?? first[index] ?? []);
}

function holds(rows: readonly ValidationRow[] | undefined): boolean {
  return rows?.every(({ verdict }) => verdict === "holds") === true;
}

/** The same case with seeds that no first measurement has. */
function again(one: Case): Case {
  const { seed, replications } = one.experiment;
  const experiment = { ...one.experiment, seed: seed + 500, replications: replications * MORE_REPLICATIONS };
  return { ...one, experiment };
}

/** The rows of each case. */
async function measure(
  cases: readonly Case[],
  measurement: 1 | 2,
  run: Omit<RunOptions, "samples">,
): Promise<readonly (readonly ValidationRow[])[] | "interrupted"> {
  const rows: ValidationRow[][] = cases.map(() => []);
  const experiments = cases.map(({ experiment }) => experiment);
  const outcome = await runInOrder(experiments, { ...run, samples: 0 }, (index, { replications }) => {
    const one = cases[index];
    if (one === undefined) return;
    rows[index] = one.quantities.map(({ name, expected, read }) =>
      rowOf(
        { group: one.group, case: one.name, quantity: name, through: "engine", measurement, expected },
        replications.map(read),
      ),
    );
  });
  return outcome === "interrupted" ? outcome : rows;
}

function rowOf(
  row: Omit<ValidationRow, "measured" | "interval" | "verdict">,
  values: readonly number[],
): ValidationRow {
  const { mean, interval = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] } = estimate(values, CONFIDENCE);
  const contains = interval[0] <= row.expected && row.expected <= interval[1];
  return { ...row, measured: mean, interval, verdict: contains ? "holds" : "fails" };
}

const FORK_REPLICATIONS = 20;
const FORK_BATCHES = 100;

/** The single fork of 400 Pareto tasks, and the same without a fork. */
async function singleForkRows(seed: number, signal: AbortSignal): Promise<Outcome> {
  const law = pareto(2, 2);
  const tasks = 400;
  const rows: ValidationRow[] = [];
  const variants: readonly ForkCase[] = [
    { name: "no replicas", law, tasks, lingering: 0, expected: batchBaseline({ law, tasks }) },
    {
      name: "last 5 % forked, originals kept",
      law,
      tasks,
      lingering: 20,
      expected: singleForkExact({ law, tasks, lingering: 20 }),
    },
  ];
  for (const variant of variants) {
    const first = await forkRows(variant, { seed, measurement: 1, signal });
    const found =
      first === "interrupted" || holds(first) ? first : await forkRows(variant, { seed, measurement: 2, signal });
    if (found === "interrupted") return found;
    rows.push(...found);
  }
  return rows;
}

interface ForkCase extends SingleFork {
  readonly name: string;
  readonly expected: BatchTimes;
}

async function forkRows(
  { name, expected, ...fork }: ForkCase,
  { seed, measurement, signal }: { readonly seed: number; readonly measurement: 1 | 2; readonly signal: AbortSignal },
): Promise<Outcome> {
  const times: BatchTimes[] = [];
  const replications = measurement === 1 ? FORK_REPLICATIONS : FORK_REPLICATIONS * MORE_REPLICATIONS;
  for (let replication = 0; replication < replications; replication++) {
    // The event loop gets its turn, so that Ctrl-C is heard.
    await setImmediate();
    if (signal.aborted) return "interrupted";
    const stream = streamFor(seed, replication, `single fork ${fork.lingering}, measurement ${measurement}`);
    times.push(simulateBatches({ ...fork, batches: FORK_BATCHES }, stream));
  }
  const row = { group: "single fork", case: `400 × Pareto(2, 2), ${name}`, through: "kernel", measurement } as const;
  const latencies = times.map(({ latency }) => latency);
  const costs = times.map(({ cost }) => cost);
  return [
    rowOf({ ...row, quantity: "latency", expected: expected.latency }, latencies),
    rowOf({ ...row, quantity: "work per task", expected: expected.cost }, costs),
  ];
}
