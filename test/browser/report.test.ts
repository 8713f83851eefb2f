import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PointRecord } from "../../sim/experiment/sweep.ts";
import { readPoints } from "../../sim/report/records.ts";
import { SMALL_SWEEP } from "../support/report-records.ts";
import { type OpenedPage, openFile, startBrowser } from "./browser.ts";

const run = promisify(execFile);
const main = fileURLToPath(new URL("../../scheduler/cli/main.ts", import.meta.url));
/** Starting a program and a browser takes seconds, more on a busy machine. */
const PATIENCE = 120_000;

const HOSTILE = "</script><script>window.hostile=1</script><img src=x onerror=window.hostile=1>\u2028&amp;'\"";

let place = "";
let browser: Browser;
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "pipe-report-"));
  browser = await startBrowser();
}, PATIENCE);
afterAll(async () => {
  await browser?.close();
  rmSync(place, { recursive: true, force: true });
}, PATIENCE);

async function pipeSim(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [main, "sim", ...args], { cwd: place, timeout: PATIENCE });
  return stdout;
}

interface Sweep {
  readonly page: string;
  readonly records: readonly PointRecord[];
}

/** Measures and reports an experiment as a user does. */
async function reported(name: string, text: string, ...flags: readonly string[]): Promise<Sweep> {
  writeFileSync(join(place, `${name}.yaml`), text);
  const directory = join(place, name);
  await pipeSim(text.includes("sweep:") ? "sweep" : "run", `${name}.yaml`, "--out", directory, "--json");
  const { path, points, bytes } = JSON.parse(await pipeSim("report", directory, "--json", ...flags));
  const { records } = readPoints(directory);
  expect(points).toBe(records.length);
  expect(readFileSync(path)).toHaveLength(bytes);
  return { page: path, records };
}

/** Has run without complaint and asked for nothing but itself. */
function expectQuiet({ requests, complaints }: OpenedPage, path: string): void {
  expect(complaints).toEqual([]);
  expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([pathToFileURL(path).href]);
}

/** Marks of charts by what they are, with their places on the screen. */
function marks(
  page: Page,
  figure: string,
  description: string,
): Promise<{ name: string | null; x: number; y: number }[]> {
  return page.$$eval(`#${figure} .chart svg g[aria-description="${description}"]`, (groups) =>
    groups.flatMap((group) =>
      [...group.querySelectorAll("path, circle, rect, line")].map((mark) => {
        const { x, y, width, height } = mark.getBoundingClientRect();
        return { name: mark.getAttribute("aria-label"), x: x + width / 2, y: y + height / 2 };
      }),
    ),
  );
}

describe(
  "the report of a sweep with blocks",
  () => {
    let sweep: Sweep;
    let opened: OpenedPage;
    beforeAll(async () => {
      sweep = await reported("small", SMALL_SWEEP);
      opened = await openFile(browser, sweep.page);
    }, PATIENCE);

    const metricsOf = ({ result }: PointRecord) => result.metrics;
    const nameOf = ({ experiment: { policy, arrivals } }: PointRecord): string => {
      const words =
        policy.kind === "hedge"
          ? "hedge at 1.5 s, up to 2"
          : policy.kind === "fixed" && policy.copies === 1
            ? "1 copy"
            : "2 copies at once";
      return `${words}, ${(arrivals as { ratePerS: number }).ratePerS} jobs/s`;
    };

    it("needs nothing but itself, and runs without complaint", () => expectQuiet(opened, sweep.page));

    it("draws every point once, in its load's picture, more work to the right and more answers in time above", async () => {
      const drawn = [
        ...(await marks(opened.page, "tradeoff-chart", "on the frontier")),
        ...(await marks(opened.page, "tradeoff-chart", "behind the frontier")),
      ];
      expect(drawn.map(({ name }) => name).sort()).toEqual(sweep.records.map(nameOf).sort());
      const at = new Map(drawn.map(({ name, x, y }) => [name, { x, y }]));
      for (const rate of [1, 2, 2.5]) {
        const here = sweep.records.filter(
          ({ experiment }) => (experiment.arrivals as { ratePerS: number }).ratePerS === rate,
        );
        const byWork = here
          .toSorted((a, b) => metricsOf(a).workMsPerJob.mean - metricsOf(b).workMsPerJob.mean)
          .map(nameOf);
        expect(byWork).toEqual(byWork.toSorted((a, b) => (at.get(a)?.x ?? 0) - (at.get(b)?.x ?? 0)));
        const byTime = here
          .toSorted((a, b) => (metricsOf(a).onTime?.mean ?? 0) - (metricsOf(b).onTime?.mean ?? 0))
          .map(nameOf);
        expect(byTime).toEqual(byTime.toSorted((a, b) => (at.get(b)?.y ?? 0) - (at.get(a)?.y ?? 0)));
      }
      const pictures = await opened.page.$$eval("#tradeoff-chart h4", (titles) =>
        titles.map((title) => title.textContent),
      );
      expect(pictures).toEqual(["1 jobs/s", "2 jobs/s", "2.5 jobs/s"]);
    });

    it("marks the frontier, of which nothing reaches as much for less work", async () => {
      const rate = ({ experiment }: PointRecord) => (experiment.arrivals as { ratePerS: number }).ratePerS;
      const beats = (a: PointRecord, b: PointRecord): boolean => {
        const [work, gain] = [
          metricsOf(b).workMsPerJob.mean - metricsOf(a).workMsPerJob.mean,
          (metricsOf(a).onTime?.mean ?? 0) - (metricsOf(b).onTime?.mean ?? 0),
        ];
        return rate(a) === rate(b) && work >= 0 && gain >= 0 && (work > 0 || gain > 0);
      };
      const expected = sweep.records.filter((one) => !sweep.records.some((other) => beats(other, one))).map(nameOf);
      const drawn = await marks(opened.page, "tradeoff-chart", "on the frontier");
      expect(drawn.map(({ name }) => name).sort()).toEqual(expected.sort());
      expect(expected.length).toBeLessThan(sweep.records.length + 1);
    });

    it("has every figure of every point in its table", async () => {
      const rows = await opened.page.$$eval("#points tbody tr", (found) =>
        found.map((row) => ({
          name: `${row.querySelector(".words")?.textContent}, ${row.querySelector("td")?.textContent} jobs/s`,
          cells: Object.fromEntries(
            [...row.querySelectorAll<HTMLElement>("td[data-metric]")].map((cell) => [
              cell.dataset["metric"],
              [...cell.querySelectorAll("data")].map((data) => Number(data.value)),
            ]),
          ),
        })),
      );
      const expected = sweep.records.map((record) => {
        const cells = Object.entries(metricsOf(record)).flatMap(([metric, found]) => {
          if (found === null) return [];
          const { mean, ci95, ...percentiles } = found as unknown as { mean: number; ci95: number[] } & Record<
            string,
            number
          >;
          return [
            [metric, [mean, ...ci95]],
            ...Object.entries(percentiles).map(([name, value]) => [`${metric}.${name}`, [value]]),
          ];
        });
        return { name: nameOf(record), cells: Object.fromEntries(cells) };
      });
      const sorted = (list: typeof rows) => list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      expect(sorted(rows)).toEqual(sorted(expected));
      expect(await opened.page.locator("#points caption").innerText()).toContain("95 % intervals");
    });

    it("says in words what was found, with intervals", async () => {
      const best = sweep.records
        .filter(({ experiment }) => (experiment.arrivals as { ratePerS: number }).ratePerS === 1)
        .toSorted((a, b) => (metricsOf(b).onTime?.mean ?? 0) - (metricsOf(a).onTime?.mean ?? 0))[0] as PointRecord;
      const finding = await opened.page.locator(".findings li").first().innerText();
      expect(finding).toContain(nameOf(best).replace(", 1 jobs/s", ""));
      const percent = Number(/answers ([\d.]+) %/.exec(finding)?.[1]);
      expect(percent).toBeCloseTo(100 * (metricsOf(best).onTime?.mean ?? 0), 0);
      expect(finding).toMatch(/\[[\d.]+, [\d.]+\] of jobs within 5 s/);
      expect(await opened.page.locator(".findings li").count()).toBe(3);
    });

    it("draws a curve per policy, of the load that is chosen, without those that are switched off", async () => {
      const { page } = opened;
      const curves = () =>
        page.$$eval("#response-chart g[aria-description=curve]", (groups) =>
          groups.map((group) => ({
            colour: group.getAttribute("stroke"),
            path: group.querySelector("path")?.getAttribute("d"),
          })),
        );
      const colours = async () => (await curves()).map(({ colour }) => colour).sort();
      const before = await curves();
      expect(await colours()).toEqual(["var(--series-1)", "var(--series-2)", "var(--series-3)"]);
      await page.selectOption("#view select", { label: "2.5 jobs/s" });
      for (const [index, { path }] of (await curves()).entries()) expect(path).not.toBe(before[index]?.path);
      await page.locator("#view input").first().uncheck();
      expect(await colours()).toEqual(["var(--series-2)", "var(--series-3)"]);
      await page.locator("#view input").first().check();
      expect(await colours()).toEqual(["var(--series-1)", "var(--series-2)", "var(--series-3)"]);
    });

    it("draws the copies of races, primary and speculative, and when each was decided", async () => {
      const { page } = opened;
      await page.selectOption("#view select", { label: "1 jobs/s" });
      const hedge = sweep.records.find(
        (record) => nameOf(record) === "hedge at 1.5 s, up to 2, 1 jobs/s",
      ) as PointRecord;
      const races = hedge.samples.toSorted((a, b) => a.openedUs - b.openedUs);
      const [shown] = /^\d+/.exec((await page.locator("#races-chart .chart .note").innerText()) ?? "") ?? [];
      const copies = races.slice(0, Number(shown)).flatMap((race) => race.copies);
      expect(copies.length).toBeGreaterThan(10);
      expect(await marks(page, "races-chart", "primary copies")).toHaveLength(
        copies.filter(({ speculative }) => !speculative).length,
      );
      expect(await marks(page, "races-chart", "speculative copies")).toHaveLength(
        copies.filter(({ speculative }) => speculative).length,
      );
      expect(await marks(page, "races-chart", "decided")).toHaveLength(Number(shown));
      await page.getByLabel("Rows").selectOption({ label: "node by node" });
      // Of each point, a page keeps a hundred races.
      const all = races.slice(0, 100).flatMap((race) => race.copies);
      const bars = [
        ...(await marks(page, "races-chart", "primary copies")),
        ...(await marks(page, "races-chart", "speculative copies")),
      ];
      expect(bars).toHaveLength(all.length);
      expect(new Set(bars.map(({ y }) => Math.round(y))).size).toBe(new Set(all.map(({ node }) => node)).size);
    });

    it("draws blocks over time and by which block transactions were sealed", async () => {
      const curves = (figure: string) =>
        opened.page.$$eval(`#${figure} g[aria-description=curve] path`, (paths) => paths.length);
      expect([await curves("lateness-chart"), await curves("blocks-chart")]).toEqual([3, 3]);
      expect(await opened.page.locator("#no-blocks").count()).toBe(0);
    });

    it("gives the experiment with which the same figures come again", async () => {
      const text = await opened.page.locator("#yaml code").innerText();
      const again = await reported("again", text);
      const figures = (records: readonly PointRecord[]) =>
        Object.fromEntries(records.map((record) => [nameOf(record), metricsOf(record)]));
      expect(figures(again.records)).toEqual(figures(sweep.records));
      expect(await opened.page.locator("#commands").innerText()).toContain("pipe sim sweep experiment.yaml");
    });

    it("tells those who do not see its pictures what they show", async () => {
      const pictures = await opened.page.$$eval(".chart svg[role=img]", (found) =>
        found.map((picture) => picture.getAttribute("aria-label")),
      );
      expect(pictures.length).toBeGreaterThanOrEqual(8);
      for (const label of pictures) expect(label?.length).toBeGreaterThan(40);
      expect(
        await opened.page.$$eval(
          "select, input",
          (fields) => fields.filter((field) => (field as HTMLInputElement).labels?.length !== 1).length,
        ),
      ).toBe(0);
    });

    it("is dark where the reader's system is", async () => {
      const backgrounds: boolean[] = [];
      for (const colorScheme of ["light", "dark"] as const) {
        const { page, close } = await openFile(browser, sweep.page, { colorScheme });
        const [ground, ink] = await page.evaluate(() => {
          const { backgroundColor, color } = getComputedStyle(document.body);
          return [backgroundColor, color].map(
            (one) =>
              one
                .match(/\d+/g)
                ?.slice(0, 3)
                .reduce((sum, part) => sum + Number(part), 0) ?? 0,
          );
        });
        backgrounds.push((ground ?? 0) > (ink ?? 0));
        await close();
      }
      expect(backgrounds).toEqual([true, false]);
    });

    it("fits a phone without being moved sideways, and is drawn again when its width changes", async () => {
      const viewport = { width: 390, height: 844 };
      const phone = await openFile(browser, sweep.page, { viewport });
      const widths = () =>
        phone.page.evaluate(() => [
          document.documentElement.scrollWidth,
          document.querySelector("#response-chart .chart svg")?.clientWidth ?? 0,
        ]);
      const [page = 0, picture = 0] = await widths();
      expect(page).toBeLessThanOrEqual(390);
      expect(picture).toBeLessThanOrEqual(390);
      await phone.page.setViewportSize({ width: 900, height: 844 });
      await phone.page.waitForFunction(
        () => (document.querySelector("#response-chart .chart svg")?.clientWidth ?? 0) > 600,
      );
      expectQuiet(phone, sweep.page);
      await phone.close();
    });

    it("has its findings, figures and experiment without any program", async () => {
      const { page, close } = await openFile(browser, sweep.page, { javaScriptEnabled: false });
      expect(await page.locator(".findings li").count()).toBe(3);
      expect(await page.locator("#points tbody tr").count()).toBe(9);
      expect(await page.locator("noscript").innerText()).toContain("All figures are in the tables");
      await close();
    });
  },
  PATIENCE,
);

const BARE = `
jobs: 200
replications: 1
arrivals: { kind: poisson, ratePerS: 2 }
service: { kind: empirical, file: 'durations "<b>.csv', column: "${HOSTILE.replaceAll('"', '\\"')}" }
fleet: { nodes: 4 }
policy: { kind: fixed, copies: 2 }
`;

describe("the report of a single experiment", () => {
  it("takes hostile names for names, and says that there are no blocks", { timeout: PATIENCE }, async () => {
    writeFileSync(join(place, 'durations "<b>.csv'), `"${HOSTILE.replaceAll('"', '""')}"\n100\n200\n700\n`);
    const { page: path } = await reported("bare", BARE, "--title", HOSTILE);
    const opened = await openFile(browser, path);
    const { page } = opened;
    expectQuiet(opened, path);
    expect(await page.evaluate(() => (globalThis as { hostile?: number }).hostile)).toBeUndefined();
    expect(await page.locator("img, b").count()).toBe(0);
    expect(await page.locator("h1").textContent()).toBe(HOSTILE);
    const experiment = await page.locator("#yaml").textContent();
    expect(experiment).toContain("</script><script>window.hostile=1</script>");
    expect(await page.locator("#no-blocks").innerText()).toContain("this experiment has none (blocks: none)");
    expect(await page.locator("#blocks-chart, #lateness-chart, #load-chart").count()).toBe(0);
    expect(await page.locator(".lede").innerText()).toMatch(/^The fleet answers after .* on average/);
    expect(await marks(page, "tradeoff-chart", "on the frontier")).toHaveLength(1);
    await opened.close();
  });

  it("is refused where there is nothing to report, or where it would overwrite its points", {
    timeout: PATIENCE,
  }, async () => {
    const refused = async (...args: readonly string[]): Promise<{ code: number; stderr: string }> =>
      pipeSim("report", ...args).then(
        () => ({ code: 0, stderr: "" }),
        (error: { code: number; stderr: string }) => error,
      );
    expect(await refused("nowhere")).toMatchObject({ code: 2, stderr: expect.stringContaining("pipe sim: ") });
    const points = join("bare", "points.jsonl");
    expect(await refused("bare", "--out", points)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("would overwrite the points"),
    });
    expect(await refused("bare", "--out", join("none", "x.html"))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("cannot be written"),
    });
  });
});
