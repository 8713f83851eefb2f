import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { TwinReport } from "../../scheduler/cli/recorded-twin.ts";
import { twinPage } from "../../scheduler/cli/twin-page.ts";
import { openFile, startBrowser } from "./browser.ts";

const PATIENCE = 120_000;

const REPORT: TwinReport = {
  directory: "run",
  options: {
    blocks: 260,
    nodes: 9,
    seed: 3,
    policy: "hedge:1500:3",
    latency: "",
    faults: "",
    ratePerS: 12,
    trace: null,
  },
  replications: 2,
  seed: 1,
  jobs: { live: 400, twin: 300 },
  likeness: { distance: 0.0712, byChance: { p50: 0.02, p95: 0.04 }, onTime: { real: 0.95, expected: [0.9, 0.99] } },
  maxDistance: 0.05,
  maxMissing: 0.05,
  verdict: "different",
  modes: [{ mode: "optimistic", jobs: { live: 100, twin: 12.5 }, distance: 0.5, p50Ms: { live: 135.8, twin: 1780.3 } }],
  quantiles: [{ p: 0.5, liveMs: 201, twinMs: 245 }],
  counts: [{ what: "wins by speculative copies", live: 88, twin: 86.5 }],
  measured: { accepted: { p50Ms: 9.6, p95Ms: 477.2 }, verified: { p50Ms: 12, p95Ms: 158.5 } },
  page: "run/twin.html",
};

let place = "";
let path = "";
let browser: Browser;
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "pipe-twin-"));
  path = join(place, "twin.html");
  const latencies = Array.from({ length: 400 }, (_, index) => 40 * 1.015 ** index);
  writeFileSync(path, twinPage(REPORT, latencies, [latencies.slice(20), latencies.slice(60)]));
  browser = await startBrowser();
}, PATIENCE);
afterAll(async () => {
  await browser?.close();
  rmSync(place, { recursive: true, force: true });
}, PATIENCE);

it.each([
  ["a phone", 390],
  ["a desk", 1_280],
])(
  "the page of a twin fits %s, its axis can be read there, and it asks the network for nothing",
  async (_, width) => {
    const opened = await openFile(browser, path, { viewport: { width, height: 844 } });
    const { page, requests, complaints } = opened;
    const { whole, letters, overlaps } = await page.evaluate(() => {
      const boxes = [...document.querySelectorAll(".distributions text")].map((text) => text.getBoundingClientRect());
      const shown = boxes.filter((box) => box.width > 0);
      const meet = (a: DOMRect, b: DOMRect): boolean =>
        a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4;
      return {
        whole: document.documentElement.scrollWidth,
        letters: Math.min(...shown.map((box) => box.height)),
        overlaps: shown.filter((box, index) => shown.slice(index + 1).some((other) => meet(box, other))).length,
      };
    });
    expect(whole).toBeLessThanOrEqual(width);
    expect(letters).toBeGreaterThan(10);
    expect(overlaps).toBe(0);
    const words = await page.locator("body").innerText();
    expect(words).toContain("They are different.");
    expect(words).toContain("more than 7.1 percentage points; 5 are allowed. They do not decide as many jobs.");
    expect(complaints).toEqual([]);
    expect(requests).toEqual([pathToFileURL(path).href]);
    await opened.close();
  },
  PATIENCE,
);
