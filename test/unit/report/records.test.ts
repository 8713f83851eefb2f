import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PointRecord } from "../../../sim/experiment/sweep.ts";
import { readPoints, REPORT_LIMITS, ReportRefused } from "../../../sim/report/records.ts";
import { renderReport } from "../../../sim/report/report.ts";
import { recordsOf } from "../../support/report-records.ts";

let directory = "";
let lines: readonly string[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "pipe-points-"));
  lines = recordsOf().map((record) => JSON.stringify(record));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function holding(...given: readonly string[]): string {
  writeFileSync(join(directory, "points.jsonl"), given.map((line) => `${line}\n`).join(""));
  return directory;
}

function changed(change: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...(JSON.parse(lines[0] as string) as PointRecord), ...change });
}

function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(ReportRefused);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe("the points of a directory", () => {
  it("are read in their order, of two of one experiment the later", () => {
    const again = changed({ samples: [] });
    const { records, torn } = readPoints(holding(...lines, again));
    expect(torn).toBe(false);
    expect(records.map(({ key }) => key)).toEqual(lines.map((_, index) => `point-${index}`));
    expect(records[0]?.samples).toEqual([]);
  });

  it("are read up to a torn line, which is told", () => {
    holding(...lines.slice(0, 2));
    writeFileSync(join(directory, "points.jsonl"), `${lines[0]}\n${lines[1]}\n{"key":"poi`);
    expect(readPoints(directory)).toMatchObject({ torn: true, records: { length: 2 } });
  });

  it.each([
    ["no JSON", () => holding("{"), "line 1 of points.jsonl is no point of a sweep: "],
    [
      "a mean that is text",
      () => holding(changed({ result: { metrics: { onTime: { mean: "x", ci95: null } } } })),
      "result.metrics.onTime.mean",
    ],
    ["an experiment without jobs", () => holding(changed({ experiment: { policy: {} } })), "experiment."],
    [
      "a race without copies",
      () => holding(changed({ samples: [{ job: 1, openedUs: 0, decidedUs: 1 }] })),
      "samples.0.copies",
    ],
    ["nothing", () => holding(), "holds no finished point yet"],
    ["no directory", () => join(directory, "none"), "pipe sim sweep FILE --out DIR"],
  ])("%s is refused, with its place and what to do", (_, place, expected) => {
    expect(refusal(() => readPoints(place()))).toContain(expected);
  });

  it("more than a page shows are refused", () => {
    const many = Array.from({ length: REPORT_LIMITS.points + 1 }, (_, index) =>
      changed({ key: `k${index}`, samples: [], blockSeries: null }),
    );
    expect(refusal(() => readPoints(holding(...many)))).toContain("has more than 2000 points");
  });

  it("with response times that are no histogram are refused", () => {
    const { records } = readPoints(holding(changed({ responseHistogram: "HISTnone" })));
    const options = { title: "t", directory, program: "p", torn: false };
    const parts = { style: "", libraries: [], programs: [] };
    expect(refusal(() => renderReport(records, options, parts))).toContain("the response times of the point");
  });
});
