import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { problemOf } from "../../../policies/policy.ts";
import type { TournamentReport } from "../../../sim/tournament/report.ts";
import type { TuneResult } from "../../../sim/tune/tune.ts";

const main = fileURLToPath(new URL("../../../scheduler/cli/main.ts", import.meta.url));
/** Each start of the program takes a second or two, more on a busy machine. */
const PATIENCE = 240_000;

let place = "";
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "pipe-tournament-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `pipe …`; `interruptAt` is what standard error must show before Ctrl-C is sent. */
function pipe(args: readonly string[], interruptAt?: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: place, timeout: PATIENCE });
    let [out, err, sent] = ["", "", false];
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
      if (interruptAt !== undefined && !sent && err.includes(interruptAt)) sent = child.kill("SIGINT");
    });
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const SMALL = ["--quick", "--jobs", "150", "--replications", "3", "--policies", "fixed,hedge"];
const AGAINST = ["--against", "hedge"];

describe("pipe sim tournament", { timeout: PATIENCE }, () => {
  const tournament = (...args: readonly string[]) =>
    pipe(["sim", "tournament", ...SMALL, ...(args.includes("--against") ? [] : AGAINST), ...args]);

  it("measures every contender everywhere, keeps the results, and does not measure them again", async () => {
    const args = ["--workloads", "unqueued,lognormal,azure-chat", "--loads", "0.3,0.8", "--out", "kept", "--json"];
    const first = await tournament(...args);
    expect(first.code).toBe(0);
    expect(first.err).toContain("skipped azure-chat: it needs AzureLLM2023_conv.csv");
    const report = JSON.parse(first.out) as TournamentReport;
    expect(report.cells.map(({ workload, load }) => [workload, load])).toEqual([
      ["unqueued", null],
      ["lognormal", 0.3],
      ["lognormal", 0.8],
    ]);
    expect(report.skipped.map(({ workload }) => workload)).toEqual(["azure-chat"]);
    for (const { rows, dominatedBy } of report.cells) {
      const named = rows.map(({ contender, setting }) => `${contender} ${setting}`);
      expect(named).toEqual([
        "single copy documented",
        "clairvoyant documented",
        "fixed documented",
        "fixed tuned",
        "hedge documented",
        "hedge tuned",
      ]);
      expect(dominatedBy).not.toBeNull();
      const [single, bound] = rows;
      expect(single?.workRatio?.mean).toBe(1);
      for (const row of rows) {
        expect(row.onTime?.mean).toBeLessThanOrEqual(bound?.onTime?.mean ?? 0);
        expect(row.blocksLate === null).toBe(row.contender === "clairvoyant");
      }
    }
    expect(readFileSync(join(place, report.page), "utf8")).toContain("Tournament of redundancy policies");

    const again = await tournament(...args);
    expect(again.err).toContain("12 of 12 results are in kept");
    expect(JSON.parse(again.out)).toEqual(report);

    const table = await tournament(...args.filter((arg) => arg !== "--json"));
    expect(table.out).toContain("lognormal at load 0.8");
    expect(table.out).toMatch(/No peer at its tuned setting|is dominated in/);
    expect(table.out).toContain("Not measured: azure-chat");
  });

  it("keeps what is finished when it is interrupted, and goes on from there", async () => {
    const args = ["--workloads", "lognormal", "--loads", "0.3,0.5,0.7", "--out", "torn"];
    const torn = await pipe(["sim", "tournament", ...SMALL, ...AGAINST, ...args], "results\n");
    expect(torn.code).toBe(130);
    const kept = readFileSync(join(place, "torn", "tournament.jsonl"), "utf8")
      .trim()
      .split("\n").length;
    expect(kept).toBeGreaterThan(0);
    const rest = await tournament(...args);
    expect(rest.code).toBe(0);
    if (kept < 12) expect(rest.err).toContain(`${kept} of 12 results are in torn`);
  });

  it("says what makes no sense", async () => {
    const refusals = [
      [["--workloads", "lognormall"], "there is no such workload. There are unqueued, lognormal"],
      [["--loads", "0"], "--loads 0: a load is a number from 0.01 to 2"],
      [["--against", "hedg"], "--against hedg: there is no such policy"],
      [["--workloads", "azure-chat"], "no workload is left to measure"],
      [["--workloads", "azure-chat", "--traces", "nowhere"], "nowhere/AzureLLM2023_conv.csv"],
    ] as const;
    const ended = await Promise.all(refusals.map(([args]) => tournament(...args, "--out", "refused")));
    for (const [index, { code, err }] of ended.entries()) {
      expect(code).toBe(2);
      expect(err).toContain(refusals[index]?.[1]);
    }
  });
});

describe("pipe tune", { timeout: PATIENCE }, () => {
  const EXPERIMENT = `
jobs: 200
arrivals: { kind: poisson, ratePerS: 2 }
service: { kind: lognormal, meanMs: 7000, p95Ms: 11000 }
fleet: { nodes: 40 }
deadlineMs: 12000
placement: { kind: least-loaded }
policy: { kind: fixed, copies: 2 }
`;
  const small = ["--quick", "--replications", "4", "--policies", "fixed,hedge", "--target", "0.98"];

  it("writes a policy of the least work for the target, and what is to be expected of it", async () => {
    writeFileSync(join(place, "small.yaml"), EXPERIMENT);
    const args = ["--experiment", "small.yaml", ...small, "--out", "tuned.yaml", "--page", "tuned.html", "--json"];
    const { code, out } = await pipe(["tune", ...args]);
    expect(code).toBe(0);
    const result = JSON.parse(out) as TuneResult;
    const text = readFileSync(join(place, "tuned.yaml"), "utf8");
    const file = parse(text) as { rules: { policy: TuneResult["winner"] }[] };
    expect(file.rules.map(({ policy }) => policy)).toEqual([result.winner]);
    expect(problemOf(result.winner)).toBeUndefined();
    expect(text).toContain("Against the present policy");
    expect((await pipe(["policy", "check", "tuned.yaml"])).code).toBe(0);
    const winner = result.finalists.find(({ roles }) => roles.includes("winner"));
    const present = result.finalists.find(({ roles }) => roles.includes("present"));
    expect(present?.policy).toEqual({ kind: "fixed", copies: 2 });
    // Two copies at once answer more in time than is asked for; a later second one is enough.
    expect(winner?.effect?.work.ci95[1]).toBeLessThan(0);
    expect(result.bound.onTime.mean).toBeGreaterThanOrEqual(winner?.onTime?.mean ?? 1);
    expect(readFileSync(join(place, "tuned.html"), "utf8")).toContain("Tuned for small.yaml");
  });

  it("writes nothing when it is interrupted", async () => {
    writeFileSync(join(place, "long.yaml"), EXPERIMENT.replace("jobs: 200", "jobs: 2000"));
    const args = ["--experiment", "long.yaml", "--out", "none.yaml", "--page", "none.html"];
    const { code } = await pipe(["tune", ...args], "replications searched");
    expect(code).toBe(130);
    expect(existsSync(join(place, "none.yaml")) || existsSync(join(place, "none.html"))).toBe(false);
    expect(readdirSync(place).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("says what makes no sense", async () => {
    writeFileSync(join(place, "endless.yaml"), EXPERIMENT.replace("deadlineMs: 12000\n", ""));
    const refusals = [
      [[], "tune needs either --experiment FILE or --journal DIR"],
      [["--experiment", "endless.yaml"], "has neither deadlineMs nor blocks"],
      [["--experiment", "endless.yaml", "--target", "1"], "--target 1 is out of range"],
      [["--journal", "."], "journal"],
    ] as const;
    const ended = await Promise.all(refusals.map(([args]) => pipe(["tune", ...args])));
    for (const [index, { code, err }] of ended.entries()) {
      expect(code).toBe(2);
      expect(err).toContain(refusals[index]?.[1]);
    }
  });
});
