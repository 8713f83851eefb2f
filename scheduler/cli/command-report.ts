import { writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Effect, Option } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { POINTS_FILE } from "../../sim/experiment/sweep.ts";
import { readPageParts } from "../../sim/report/page-parts.ts";
import { readPoints, ReportRefused } from "../../sim/report/records.ts";
import { REPORT_PROGRAMS, renderReport } from "../../sim/report/report.ts";
import { PROGRAM } from "../live/program.ts";

const flags = {
  directory: Argument.Path("DIR").pipe(
    Argument.withDescription("what `pipe sim sweep` or `pipe sim run --out` wrote: its points.jsonl is read"),
  ),
  out: Flag.String("out").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("where the page goes; DIR/report.html if not given"),
  ),
  title: Flag.String("title").pipe(
    Flag.optional,
    Flag.withMetavar("TEXT"),
    Flag.withDescription("the page's title; the directory's name if not given"),
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDefault(false),
    Flag.withDescription("print where the page is as one JSON object"),
  ),
};

/** `pipe sim report`: exit code 0 when the page is written, 2 when there is nothing to make it of. */
export const report = Command.make(
  "report",
  flags,
  Effect.fn(function* ({ directory, out, title, json }) {
    yield* Effect.sync(() => {
      const path = Option.getOrElse(out, () => join(directory, "report.html"));
      const name = Option.getOrElse(title, () => basename(resolve(directory)));
      try {
        const written = write(directory, { path, title: name });
        process.stdout.write(json ? `${JSON.stringify(written)}\n` : textOf(written));
      } catch (error) {
        if (!(error instanceof ReportRefused)) throw error;
        process.stderr.write(`pipe sim: ${error.message}\n`);
        process.exitCode = 2;
      }
    });
  }),
).pipe(Command.withDescription("One HTML page of a sweep's points, which needs no network and no server"));

interface Written {
  readonly path: string;
  readonly points: number;
  readonly bytes: number;
}

/** Throws `ReportRefused`. */
function write(directory: string, { path, title }: { readonly path: string; readonly title: string }): Written {
  if (resolve(path) === resolve(directory, POINTS_FILE)) {
    throw new ReportRefused(`--out ${path} would overwrite the points that the report is made of. Name another file.`);
  }
  const { records, torn } = readPoints(directory);
  const page = renderReport(records, { title, directory, program: PROGRAM, torn }, readPageParts(REPORT_PROGRAMS));
  try {
    writeFileSync(path, page);
  } catch (error) {
    throw new ReportRefused(`${path} cannot be written: ${(error as Error).message}`, { cause: error });
  }
  return { path, points: records.length, bytes: Buffer.byteLength(page) };
}

function textOf({ path, points, bytes }: Written): string {
  return `${path}: ${points} ${points === 1 ? "point" : "points"}, ${(bytes / 1e6).toFixed(1)} MB\n`;
}
