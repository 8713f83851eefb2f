import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { ClusterSummary } from "../../../scheduler/cli/cluster/cluster.ts";
import { findTool, TOOLS } from "../../setup/tools.mjs";

/**
 * Brokers, schedulers, nodes and a block producer as processes, some of which are killed while they work. The long form:
 * `npm run cluster -- --blocks 2000 --chaos 5 --rate 20 --out DIR`.
 */

const MAIN = new URL("../../../scheduler/cli/main.ts", import.meta.url).pathname;

const directories: string[] = [];
afterEach(async () => {
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
});

async function run(
  ...args: readonly string[]
): Promise<{ code: number; summary: ClusterSummary; said: string; out: string }> {
  const parent = await mkdtemp(join(tmpdir(), "pipe-cluster-test-"));
  directories.push(parent);
  const out = join(parent, "cluster");
  const env = { ...process.env, PIPE_NATS_SERVER: findTool(TOOLS.natsServer, process.env) ?? "" };
  const child = spawn(process.execPath, [MAIN, "cluster", "--json", "--out", out, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [printed, said] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, "close")) as [number];
  expect(printed, said).not.toBe("");
  return { code, summary: JSON.parse(printed) as ClusterSummary, said, out };
}

test("whatever ends the program, nothing that it started is left behind", { timeout: 60_000 }, async () => {
  const parent = await mkdtemp(join(tmpdir(), "pipe-cluster-test-"));
  directories.push(parent);
  const env = { ...process.env, PIPE_NATS_SERVER: findTool(TOOLS.natsServer, process.env) ?? "" };
  const child = spawn(process.execPath, [MAIN, "cluster", "--out", join(parent, "cluster"), "--nodes", "1"], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  const started = Promise.withResolvers<void>();
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes("What they say is in")) started.resolve();
  });
  await started.promise;
  const pids = [...said.matchAll(/^ {2}\S+ +process (\d+)$/gm)].map(([, pid]) => Number(pid));
  expect(pids).toHaveLength(3 + 2 + 1 + 1);
  expect(pids.filter(isThere)).toEqual(pids);
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
  const untilMs = performance.now() + 10_000;
  while (pids.some(isThere) && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(pids.filter(isThere)).toEqual([]);
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("P1–P13: whatever is killed, what was acknowledged is sealed once, and the records hold", {
  timeout: 240_000,
}, async () => {
  const { code, summary, said, out } = await run(
    "--nodes",
    "3",
    "--blocks",
    "30",
    "--chaos",
    "3",
    "--seed",
    "5",
    "--rate",
    "20",
  );
  const { acknowledged, lost, transactions, counters, kills, audits } = summary;
  expect(
    audits.flatMap(({ findings }) => findings),
    said,
  ).toEqual([]);
  expect(audits.map(({ what }) => what)).toHaveLength(4);
  expect(lost).toBe(0);
  expect(acknowledged).toBeGreaterThan(50);
  // What a killed producer was about to send may be sealed without its having heard so.
  expect(transactions + Number(counters["refunded"])).toBeGreaterThanOrEqual(acknowledged);
  expect(Object.keys(kills).length).toBeGreaterThan(2);
  expect(code).toBe(0);
  // The journal that each scheduler holds gives the same commands again (P13).
  for (const name of ["a", "b"]) {
    const replayed = spawnSync(process.execPath, [MAIN, "replay", join(out, `scheduler-${name}`)], {
      encoding: "utf8",
    });
    expect(replayed.status, replayed.stdout + replayed.stderr).toBe(0);
  }
});
