import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { SweepPoint } from "./parse.ts";
import type { ExperimentResult, MeasuredExperiment } from "./result.ts";
import type { RunOptions } from "./run.ts";
import { runInOrder } from "./run.ts";
import type { Overrides } from "./sweep-points.ts";
import type { BlockSeries, Experiment, RaceSample } from "./types.ts";

/** One line of `points.jsonl` in a sweep's directory: a finished point with all that a report needs. */
export interface PointRecord {
  /** Digest of the experiment: a point whose inputs changed is another point. */
  readonly key: string;
  readonly overrides: Overrides;
  readonly experiment: Experiment;
  readonly result: ExperimentResult;
  readonly responseHistogram: string;
  readonly samples: readonly RaceSample[];
  /** Absent where an earlier version measured the point. */
  readonly blockSeries?: BlockSeries | null;
}

export const POINTS_FILE = "points.jsonl";

/** Results of a sweep in a directory. Points are appended as they finish, so that a sweep goes on where it was interrupted. */
export class SweepDirectory {
  readonly #path: string;
  readonly #records = new Map<string, PointRecord>();

  /** Reads what is there. A last line that an interruption tore is cut off. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#path = join(directory, POINTS_FILE);
    if (!existsSync(this.#path)) return;
    const text = readFileSync(this.#path, "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole.length < text.length) truncateSync(this.#path, Buffer.byteLength(whole));
    for (const line of whole.split("\n")) {
      if (line === "") continue;
      const record = JSON.parse(line) as PointRecord;
      this.#records.set(record.key, record);
    }
  }

  record(experiment: Experiment): PointRecord | undefined {
    return this.#records.get(keyOf(experiment));
  }

  append({ overrides, experiment }: SweepPoint, measured: MeasuredExperiment): void {
    const { result, responseHistogram, samples, blockSeries } = measured;
    const record = { key: keyOf(experiment), overrides, experiment, result, responseHistogram, samples, blockSeries };
    appendFileSync(this.#path, `${JSON.stringify(record)}\n`);
    this.#records.set(record.key, record);
  }
}

/** Measures the points that the directory does not hold yet. The records are in it afterwards. Rejects with `ReplicationFailed`. */
export async function runSweep(
  points: readonly SweepPoint[],
  directory: SweepDirectory,
  options: RunOptions,
): Promise<"done" | "interrupted"> {
  const missing = points.filter(({ experiment }) => directory.record(experiment) === undefined);
  const experiments = missing.map(({ experiment }) => experiment);
  return runInOrder(experiments, options, (index, result) => directory.append(missing[index] as SweepPoint, result));
}

function keyOf(experiment: Experiment): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(experiment)))
    .digest("hex")
    .slice(0, 32);
}

/** The same value with keys in alphabetical order, so that the order in a file makes no difference. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
