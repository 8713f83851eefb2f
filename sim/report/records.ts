import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Result, Schema, SchemaIssue } from "effect";
import { POINTS_FILE, type PointRecord } from "../experiment/sweep.ts";

/** Limits of a report, with their reasons. */
export const REPORT_LIMITS = {
  // A table of more rows is not read, and a browser takes seconds to lay it out.
  points: 2_000,
  // Each point has a histogram of some kilobytes and up to two hundred races; many times over what 2,000 points take.
  inputBytes: 512 * 1_024 * 1_024,
} as const;

/** No report can be made of what is there; the message says why and what to do. */
export class ReportRefused extends Error {
  override readonly name = "ReportRefused";
}

/** What a sweep kept, for a report. */
export interface KeptPoints {
  readonly records: readonly PointRecord[];
  /** The last line was torn by an interruption, or is being written now. */
  readonly torn: boolean;
}

const Metric = Schema.Struct({
  // Not a number in JSON: nothing was measured.
  mean: Schema.NullOr(Schema.Finite),
  ci95: Schema.NullOr(Schema.Tuple([Schema.Finite, Schema.Finite])),
});
const Plain = Schema.Record(Schema.String, Schema.Unknown);
const Copy = Schema.Struct({
  node: Schema.Finite,
  speculative: Schema.Boolean,
  launchedUs: Schema.Finite,
  startedUs: Schema.Finite,
  endedUs: Schema.Finite,
  end: Schema.String,
});
const Race = Schema.Struct({
  job: Schema.Finite,
  openedUs: Schema.Finite,
  decidedUs: Schema.Finite,
  copies: Schema.Array(Copy),
});
const Counts = Schema.Array(Schema.Finite);
const Series = Schema.Struct({
  stretchUs: Schema.Finite.check(Schema.isGreaterThan(0)),
  blocks: Counts,
  sealed: Counts,
  blocksLate: Counts,
  refunded: Counts,
  lateness: Counts,
});

/** What a report needs of a record; metrics and sections of the experiment may be more than it knows. */
const Line = Schema.Struct({
  key: Schema.String,
  experiment: Schema.StructWithRest(
    Schema.Struct({ replications: Schema.Int, jobs: Schema.Int, warmup: Schema.Int, seed: Schema.Int, policy: Plain }),
    [Plain],
  ),
  result: Schema.Struct({ metrics: Schema.Record(Schema.String, Schema.NullOr(Metric)) }),
  responseHistogram: Schema.String,
  samples: Schema.Array(Race),
  blockSeries: Schema.optional(Schema.NullOr(Series)),
});
const check = Schema.decodeUnknownResult(Line, { errors: "first" });
const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1();

/**
 * The points in a directory that `pipe sim sweep` or `run --out` wrote, in the order in which they stand; of two with the
 * same experiment the later one. Only reads. Throws `ReportRefused`.
 */
export function readPoints(directory: string): KeptPoints {
  const text = pointsText(join(directory, POINTS_FILE));
  const end = text.lastIndexOf("\n") + 1;
  const records = new Map<string, PointRecord>();
  for (const [index, line] of text.slice(0, end).split("\n").entries()) {
    if (line === "") continue;
    const record = recordOf(line, index + 1);
    records.set(record.key, record);
    if (records.size > REPORT_LIMITS.points) {
      throw new ReportRefused(
        `${directory} has more than ${REPORT_LIMITS.points} points, which no page shows well. Sweep fewer, into a directory of their own.`,
      );
    }
  }
  if (records.size === 0) throw new ReportRefused(`${directory} holds no finished point yet. ${HOW}`);
  return { records: [...records.values()], torn: end < text.length };
}

const HOW = "`pipe sim sweep FILE --out DIR` or `pipe sim run FILE --out DIR` writes them.";

function pointsText(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new ReportRefused(`${path} cannot be read: ${(error as Error).message}. ${HOW}`, { cause: error });
  }
  try {
    const { size } = fstatSync(file);
    if (size > REPORT_LIMITS.inputBytes) {
      throw new ReportRefused(`${path} has ${size} bytes; a report reads ${REPORT_LIMITS.inputBytes} at most.`);
    }
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

function recordOf(line: string, number: number): PointRecord {
  const refuse = (trouble: string, cause?: unknown): never => {
    const advice = "Remove that line, or measure the sweep again into another directory.";
    throw new ReportRefused(`line ${number} of ${POINTS_FILE} is no point of a sweep: ${trouble}. ${advice}`, {
      cause,
    });
  };
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch (error) {
    return refuse((error as Error).message, error);
  }
  const checked = check(record);
  if (Result.isFailure(checked)) {
    const [issue] = formatIssue(checked.failure.issue).issues;
    return refuse(`${(issue?.path ?? []).map(String).join(".")}: ${issue?.message ?? "not readable"}`);
  }
  return record as PointRecord;
}
