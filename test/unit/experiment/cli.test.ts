import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { progressOn } from "../../../scheduler/cli/sim-progress.ts";

const main = fileURLToPath(new URL("../../../scheduler/cli/main.ts", import.meta.url));

const TEXT = `
jobs: 300
replications: 3
arrivals: { kind: poisson, ratePerS: 5 }
service: { kind: exponential, meanMs: 1000 }
fleet: { nodes: 10 }
policy: { kind: fixed, copies: 1 }
variants: { late: { policy: { kind: hedge, delayMs: 2500, maxCopies: 2 } } }
sweep: { grid: { policy.copies: [1, 2] } }
`;

let place = "";
let file = "";
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "pipe-sim-"));
  file = join(place, "small.yaml");
  writeFileSync(file, TEXT);
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `pipe sim …`; `interruptAt` is what standard error must show before Ctrl-C is sent. */
function pipeSim(args: readonly string[], interruptAt?: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, "sim", ...args], { timeout: 60_000 });
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

describe("pipe sim", () => {
  // Each start of the program takes a second or two, more on a busy machine.
  it("run: a table for people, JSON for programs, the same numbers with the same seed", {
    timeout: 60_000,
  }, async () => {
    const [table, first, second, other] = await Promise.all([
      pipeSim(["run", file]),
      pipeSim(["run", file, "--json"]),
      pipeSim(["run", file, "--json", "--workers", "1"]),
      pipeSim(["run", file, "--json", "--seed", "2", "--replications", "2"]),
    ]);
    expect(table.code).toBe(0);
    expect(table.out).toContain("3 × 300 jobs after 30, seed 1");
    const metrics = ({ out }: Ended): unknown => (JSON.parse(out) as { metrics: unknown }).metrics;
    expect(metrics(second)).toEqual(metrics(first));
    expect(metrics(other)).not.toEqual(metrics(first));
  });

  it("sweep: keeps its points beside the file and does none of them twice", { timeout: 60_000 }, async () => {
    const first = await pipeSim(["sweep", file, "--json"]);
    expect(first.code).toBe(0);
    const points = JSON.parse(first.out) as { overrides: object }[];
    expect(points.map(({ overrides }) => overrides)).toEqual([{ "policy.copies": 1 }, { "policy.copies": 2 }]);
    const kept = join(place, "small.results", "points.jsonl");
    const before = readFileSync(kept, "utf8");
    const again = await pipeSim(["sweep", file, "--json"]);
    expect(again.err).toContain("2 of 2 points are in");
    expect(again.out).toBe(first.out);
    expect(readFileSync(kept, "utf8")).toBe(before);
  });

  it("compare: variants by name, policies in their short form", async () => {
    const { code, out } = await pipeSim(["compare", file, "fixed:1", "late", "--json"]);
    expect(code).toBe(0);
    const { a, b, differences } = JSON.parse(out) as { a: string; b: string; differences: { metric: string }[] };
    expect([a, b, differences[0]?.metric]).toEqual(["fixed:1", "late", "responseMs"]);
  });

  it.each([
    [["run", "FAULTY"], "line 2, job: is not known"],
    [["compare", "FILE", "fixed:1", "none-such"], "The file has the variants late."],
    [["compare", "FILE", "fixed:1", "fixed:11"], "there are only 10"],
    [["run", "FILE", "--replications", "0"], "--replications 0 is out of range"],
    [["sweep", "PLAIN"], "has no sweep section"],
  ])("%j is refused with exit code 2", async (args, expected) => {
    const [faulty, plain] = [join(place, "faulty.yaml"), join(place, "plain.yaml")];
    writeFileSync(faulty, TEXT.replace("jobs:", "job:"));
    writeFileSync(plain, TEXT.replace(/\nsweep.*/, ""));
    const names = new Map([
      ["FAULTY", faulty],
      ["FILE", file],
      ["PLAIN", plain],
    ]);
    const { code, out, err } = await pipeSim(args.map((arg) => names.get(arg) ?? arg));
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(expected);
  });

  it("Ctrl-C ends a sweep cleanly, with the points that are done", { timeout: 60_000 }, async () => {
    const long = join(place, "long.yaml");
    writeFileSync(long, TEXT.replace("[1, 2]", `[${"1, 2, ".repeat(50)}3]`).replace("jobs: 300", "jobs: 30000"));
    const { code, err } = await pipeSim(["sweep", long, "--replications", "1"], " of 101 replications");
    expect(code).toBe(130);
    expect(err).toContain("results are in");
    const lines = readFileSync(join(place, "long.results", "points.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines.length).toBeLessThan(100);
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty("result.metrics");
  });
});

describe("progress", () => {
  it("is a bar in place on a terminal", () => {
    let [written, now] = ["", 0];
    const progress = progressOn({ isTTY: true, columns: 60, write: (text) => (written += text) }, "points", () => now);
    now = 2_000;
    progress.show(1, 4);
    progress.show(2, 4);
    progress.show(4, 4);
    progress.close();
    expect(written.split("\r").map((text) => text.replace("\u001b[2K", ""))).toEqual([
      "",
      `${"█".repeat(8)}${"░".repeat(22)} 1 of 4 points, 6 s left`,
      `${"█".repeat(30)} 4 of 4 points, 0 s left`,
      "",
    ]);
  });

  it("is a few lines elsewhere", () => {
    let written = "";
    const progress = progressOn({ write: (text) => (written += text) }, "points", () => 0);
    for (let done = 1; done <= 100; done++) progress.show(done, 100);
    progress.close();
    expect(written.split("\n")).toHaveLength(11);
  });
});
