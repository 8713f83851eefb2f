import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TournamentReport } from "../../sim/tournament/report.ts";
import type { TuneResult } from "../../sim/tune/tune.ts";
import { type OpenedPage, openFile, startBrowser } from "./browser.ts";

const run = promisify(execFile);
const main = fileURLToPath(new URL("../../scheduler/cli/main.ts", import.meta.url));
/** Starting programs and a browser takes seconds, more on a busy machine. */
const PATIENCE = 240_000;

let place = "";
let browser: Browser;
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "pipe-pages-"));
  browser = await startBrowser();
}, PATIENCE);
afterAll(async () => {
  await browser?.close();
  rmSync(place, { recursive: true, force: true });
}, PATIENCE);

async function pipe(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await run(process.execPath, [main, ...args, "--json"], { cwd: place, timeout: PATIENCE });
  return JSON.parse(stdout) as unknown;
}

/** Has run without complaint and asked for nothing but itself. */
function expectQuiet({ requests, complaints }: OpenedPage, path: string): void {
  expect(complaints).toEqual([]);
  expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([pathToFileURL(path).href]);
}

/** Names of a chart's marks, as those hear them who do not see it. */
function names({ page }: OpenedPage, figure: string, description: string): Promise<(string | null)[]> {
  return page.$$eval(`#${figure} .chart svg g[aria-description="${description}"] path`, (marks) =>
    marks.map((mark) => mark.getAttribute("aria-label")),
  );
}

/** Nothing but what scrolls by itself is wider than the screen. */
async function expectNoOverflow({ page }: OpenedPage): Promise<void> {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(content).toBeLessThanOrEqual(screen ?? 0);
}

describe("the tournament's page", { timeout: PATIENCE }, () => {
  let report: TournamentReport;
  let path: string;
  let opened: OpenedPage;
  beforeAll(async () => {
    const size = ["--quick", "--jobs", "150", "--replications", "3", "--loads", "0.3,0.9"];
    const who = ["--policies", "fixed,hedge", "--against", "hedge", "--workloads", "unqueued,lognormal"];
    report = (await pipe("sim", "tournament", ...size, ...who, "--out", "kept")) as TournamentReport;
    path = join(place, report.page);
    opened = await openFile(browser, path);
  }, PATIENCE);

  it("needs nothing but itself, and runs without complaint", () => expectQuiet(opened, path));

  it("says plainly where the subject is dominated", async () => {
    const items = await opened.page.$$eval("#dominated li .where", (places) => places.map((one) => one.textContent));
    expect(items).toEqual(
      report.dominated.map(({ workload, load }) => (load === null ? workload : `${workload}, load ${load}`)),
    );
  });

  it("has a square for each peer, workload and load", async () => {
    const squares = await opened.page.$$eval("#verdicts .strip .square", (found) =>
      found.map((square) => square.getAttribute("aria-label") ?? ""),
    );
    expect(squares).toHaveLength(3);
    expect(squares.map((text) => text.split(":")[0])).toEqual(["no queues", "load 0.3", "load 0.9"]);
  });

  it("draws every setting once, in the chosen workload's pictures", async () => {
    const drawn = async (): Promise<(string | null)[]> => [
      ...(await names(opened, "pareto-chart", "at its best")),
      ...(await names(opened, "pareto-chart", "as documented")),
    ];
    const rowsOf = (workload: string): number =>
      report.cells.filter((cell) => cell.workload === workload).reduce((sum, { rows }) => sum + rows.length, 0);
    expect(await drawn()).toHaveLength(rowsOf("unqueued"));
    await opened.page.selectOption("#pareto-chart select", "1");
    const names2 = await drawn();
    expect(names2).toHaveLength(rowsOf("lognormal"));
    expect(names2.every((name) => name?.includes("(lognormal, load") === true)).toBe(true);
  });

  it("has every figure in its tables, in full", async () => {
    const shown = await opened.page.$$eval("#figures td[data-metric=onTime]", (cells) =>
      cells.map((cell) => Number(cell.querySelector("data")?.getAttribute("value"))),
    );
    expect(shown).toEqual(report.cells.flatMap(({ rows }) => rows.map(({ onTime }) => onTime?.mean)));
  });

  it("fits a phone, and reads in the dark", async () => {
    const phone = await openFile(browser, path, { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
    expectQuiet(phone, path);
    await expectNoOverflow(phone);
    const [paper, ink] = await phone.page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color];
    });
    expect([paper, ink]).toEqual(["rgb(20, 23, 27)", "rgb(228, 231, 234)"]);
    await phone.close();
  });
});

describe("the page of a tuning", { timeout: PATIENCE }, () => {
  it("draws the settings with the target and the bound, and carries the policy file", async () => {
    writeFileSync(
      join(place, "small.yaml"),
      "{ jobs: 150, arrivals: { kind: poisson, ratePerS: 2 }, service: { kind: lognormal, meanMs: 7000, p95Ms: 11000 }, fleet: { nodes: 40 }, deadlineMs: 12000, policy: { kind: fixed, copies: 2 } }",
    );
    const args = ["--experiment", "small.yaml", "--quick", "--replications", "3", "--policies", "fixed,hedge"];
    const result = (await pipe("tune", ...args)) as TuneResult;
    const path = join(place, "tune.html");
    const opened = await openFile(browser, path, { viewport: { width: 390, height: 844 } });
    expectQuiet(opened, path);
    await expectNoOverflow(opened);
    expect(await names(opened, "frontier-chart", "finalists")).toHaveLength(result.finalists.length);
    expect(await names(opened, "frontier-chart", "tried")).toHaveLength(result.tried.length);
    expect(await opened.page.$$("#frontier-chart g[aria-description=target] line")).toHaveLength(1);
    expect(await opened.page.textContent("#policy")).toContain(`kind: ${result.winner.kind}`);
    await opened.close();
  });
});
