import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "pipe-count-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** One test file of a report: how it ended, and how each of its tests ended. */
interface FileEnd {
  readonly status: "passed" | "failed";
  readonly tests: readonly ("passed" | "failed")[];
}

/** A report as vitest's JSON reporter writes it, with the fields that are counted. */
function reportOf(...files: readonly FileEnd[]): string {
  const ends = files.flatMap((file) => file.tests);
  return JSON.stringify({
    numPassedTests: ends.filter((end) => end === "passed").length,
    numFailedTests: ends.filter((end) => end === "failed").length,
    testResults: files.map((file) => ({
      status: file.status,
      assertionResults: file.tests.map((status) => ({ status })),
    })),
  });
}

interface Run {
  /** Content of the report; `undefined` for a run that left none. */
  readonly report: string | undefined;
  readonly testStatus: number;
  readonly checkStatus: number;
}

function count({ report, testStatus, checkStatus }: Run): { line: string; status: number | null } {
  const path = join(folder, "tests.json");
  rmSync(path, { force: true });
  if (report !== undefined) writeFileSync(path, report);
  const script = join(ROOT, ".ci/count.mjs");
  const ran = spawnSync(process.execPath, [script, path, `${testStatus}`, `${checkStatus}`], { encoding: "utf8" });
  return { line: ran.stdout, status: ran.status };
}

describe("the count of a run", () => {
  const good = reportOf({ status: "passed", tests: ["passed", "passed"] });

  it("adds the checks as one to the tests that passed", () => {
    expect(count({ report: good, testStatus: 0, checkStatus: 0 })).toEqual({ line: "3 passed, 0 failed\n", status: 0 });
  });

  it("fails when a check fails", () => {
    expect(count({ report: good, testStatus: 0, checkStatus: 2 })).toEqual({ line: "2 passed, 1 failed\n", status: 1 });
  });

  it("fails when a test fails, and counts it once", () => {
    const report = reportOf({ status: "failed", tests: ["passed", "failed"] });
    expect(count({ report, testStatus: 1, checkStatus: 0 })).toEqual({ line: "2 passed, 1 failed\n", status: 1 });
  });

  it("counts a file that could not be loaded as a failure", () => {
    const report = reportOf({ status: "passed", tests: ["passed"] }, { status: "failed", tests: [] });
    expect(count({ report, testStatus: 1, checkStatus: 0 })).toEqual({ line: "2 passed, 1 failed\n", status: 1 });
  });

  it("counts an error outside of any test as a failure", () => {
    expect(count({ report: good, testStatus: 1, checkStatus: 0 })).toEqual({ line: "3 passed, 1 failed\n", status: 1 });
  });

  it.each([
    ["no report", undefined],
    ["half a report", good.slice(0, 20)],
    ["a report without tests", reportOf()],
  ])("takes %s for a failure whatever the runner said", (_what, report) => {
    expect(count({ report, testStatus: 0, checkStatus: 0 })).toEqual({ line: "1 passed, 1 failed\n", status: 1 });
  });
});

describe("the run", () => {
  it("uses the command that the README gives", () => {
    const command = "npm ci && npm test";
    expect(readFileSync(join(ROOT, "README.md"), "utf8")).toContain(command);
    expect(readFileSync(join(ROOT, ".ci/run"), "utf8")).toContain(`bash -c "${command}"`);
  });
});
