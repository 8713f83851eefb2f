import { join } from "node:path";
import { digestOf, KeptLines } from "./kept-lines.ts";
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
  readonly #points: KeptLines<PointRecord>;

  constructor(directory: string) {
    this.#points = new KeptLines(join(directory, POINTS_FILE), isPoint, "finished point of a sweep");
  }

  record(experiment: Experiment): PointRecord | undefined {
    return this.#points.get(digestOf(experiment));
  }

  append({ overrides, experiment }: SweepPoint, measured: MeasuredExperiment): void {
    const { result, responseHistogram, samples, blockSeries } = measured;
    const key = digestOf(experiment);
    this.#points.append({ key, overrides, experiment, result, responseHistogram, samples, blockSeries });
  }
}

/** What a page or a table needs is looked at when it is drawn; here, whether this is a finished point at all. */
function isPoint(value: unknown): value is PointRecord {
  const record = value as Partial<PointRecord> | null | undefined;
  return typeof record?.key === "string" && record.result?.metrics?.responseMs !== undefined;
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
