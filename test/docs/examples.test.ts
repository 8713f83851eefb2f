import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));

/** They take five seconds; threads that load models take ten times as long on a machine that is busy with other tests. */
const LIMIT_MS = 110_000;

/** Below the root, where the packages are found. */
let place = "";
beforeEach(async () => {
  await mkdir(join(root, "out"), { recursive: true });
  place = await mkdtemp(join(root, "out", "docs-"));
});
afterEach(() => rm(place, { recursive: true, force: true }));

/** Runs a program as a reader would, with the package's name standing for its source. */
async function output(program: string): Promise<string[]> {
  const entry = new URL("../../scheduler/index.ts", import.meta.url).href;
  const path = join(place, "program.ts");
  await writeFile(path, program.replaceAll('"pipe-scheduler"', JSON.stringify(entry)));
  const { stdout, stderr } = await run(process.execPath, [path], { cwd: place, timeout: LIMIT_MS });
  expect(stderr).toBe("");
  return stdout.trimEnd().split("\n");
}

test("the program of docs/EMBEDDING.md runs and says what it says", { timeout: LIMIT_MS + 10_000 }, async () => {
  const page = await readFile(join(root, "docs", "EMBEDDING.md"), "utf8");
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(blocks.length).toBeGreaterThan(4);
  const lines = await output(blocks.join("\n"));
  expect(lines).toEqual([
    "accepted: true",
    expect.stringMatching(/^refused: rejected - .*known already/),
    "sealed: 1 transaction, 1 receipt",
    "held: 0 gwei",
    "would be sealed by block 2 with a probability between 0 and 1: true",
    "copies: 2",
  ]);
});

test("the example with Effect seals one answer, finds its directory locked, and leaves it whole", {
  timeout: LIMIT_MS + 10_000,
}, async () => {
  expect(await output(await readFile(join(root, "docs", "examples", "with-effect.ts"), "utf8"))).toEqual([
    "sealed 1 answer, held 0 gwei",
    "second: journal locked",
    "closed: true",
  ]);
});

test("the example block producer seals, meets a reorg, and pays each answer once", {
  timeout: LIMIT_MS + 10_000,
}, async () => {
  const lines = await output(await readFile(join(root, "docs", "examples", "block-producer.ts"), "utf8"));
  const answers = lines.filter((line) => line.startsWith("block "));
  expect(new Set(answers.map((line) => line.replace(/^block \d+: /, ""))).size).toBe(3);
  expect(answers.length).toBeGreaterThanOrEqual(4);
  expect(lines).toContain("reorg: blocks 3 to 5 are taken back, results are used again");
  expect(lines.at(-1)).toMatch(/^paid [1-9]\d* gwei, refunded [1-9]\d* gwei, held 0 gwei$/);
});
