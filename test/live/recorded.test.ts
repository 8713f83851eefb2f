import { access, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, pipeCommand } from "../support/pipe-command.ts";

const BLOCKS = 16;

let folder = "";
/** What a live run kept. */
let records = "";
let summary: {
  readonly transactions: Readonly<Record<string, number>>;
  readonly copies: { readonly launched: number };
};

const pipe = (...args: readonly string[]): Promise<Ended> => pipeCommand(args);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipe-recorded-"));
  records = join(folder, "records");
  const demo = ["demo", "--blocks", String(BLOCKS), "--rate", "16", "--seed", "5", "--json", "--out", records];
  const { code, stdout, stderr } = await pipe(...demo);
  expect(code, stderr).toBe(0);
  summary = JSON.parse(stdout);
}, 90_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The records with another description of the run, as if nobody had closed them. */
async function recordsWith(name: string, change: (run: Run) => void): Promise<string> {
  const copy = join(folder, name);
  await cp(records, copy, { recursive: true });
  await rm(join(copy, "MANIFEST.sha256"));
  const run = JSON.parse(await readFile(join(copy, "run.json"), "utf8")) as Run;
  change(run);
  await writeFile(join(copy, "run.json"), JSON.stringify(run));
  return copy;
}

interface Run {
  nodes: { id: string; speed: number }[];
}

describe("pipe sim replay", () => {
  it("counts what the live run counted, and plays all of it under each policy", async () => {
    const args = [
      "sim",
      "replay",
      records,
      "--policy",
      "fixed:1",
      "--policy",
      "fixed:2",
      "--replications",
      "5",
      "--json",
    ];
    const [one, other] = await Promise.all([pipe(...args), pipe(...args)]);
    expect(one.code, one.stderr).toBe(0);
    expect(other.stdout).toBe(one.stdout);
    const report = JSON.parse(one.stdout);
    const { submitted, withCalls, onTime, late, refunded } = report.actual.transactions;
    const { transactions } = summary;
    expect(submitted).toBe(transactions["submitted"]);
    expect(onTime + late).toBe(transactions["sealedWithInference"]);
    expect(refunded).toBeLessThanOrEqual(transactions["refunded"] ?? 0);
    expect(report.actual.metrics.copies).toBe(summary.copies.launched);
    expect(report.actual.metrics.onTimeShare).toBeCloseTo(onTime / withCalls, 12);
    expect(report.policies.map(({ policy }: { policy: string }) => policy)).toEqual(["recorded", "fixed:1", "fixed:2"]);
    const [recorded, single, double] = report.policies;
    expect(recorded.differences).toBeNull();
    expect(recorded.metrics.onTimeShare.ci95[0]).toBeLessThanOrEqual(recorded.metrics.onTimeShare.mean);
    expect(single.metrics.speculativeWorkS.mean).toBe(0);
    // Whatever chance does, two copies at once are more than one; calls that compare answers have several in any case.
    expect(double.metrics.copies.mean).toBeGreaterThan(1.2 * single.metrics.copies.mean);
    expect(double.differences.copies.mean).toBeCloseTo(double.metrics.copies.mean - recorded.metrics.copies.mean, 9);
  });

  it("prints a table for people, and takes a journal's own folder", async () => {
    const { code, stdout } = await pipe(
      "sim",
      "replay",
      join(records, "journal"),
      "--replications",
      "2",
      "--seed",
      "3",
    );
    expect(code).toBe(0);
    expect(stdout).toContain(`${summary.transactions["submitted"]} transactions`);
    expect(stdout).toContain("Kolmogorov–Smirnov distance of job latencies 0.");
    expect(stdout).toContain("Name other policies with --policy");
  });

  it("refuses what makes no sense with status 2", async () => {
    const refused = await Promise.all([
      pipe("sim", "replay", records, "--policy", "fixed:17"),
      pipe("sim", "replay", folder),
      pipe("sim", "replay", records, "--replications", "0"),
    ]);
    expect(refused.map(({ code }) => code)).toEqual([2, 2, 2]);
    expect(refused[0]?.stderr).toContain('--policy: "fixed:17" is no policy.');
    expect(refused[1]?.stderr).toContain("There is no journal in");
    expect(refused[2]?.stderr).toContain("--replications 0 is out of range");
  });
});

describe("pipe sim twin", () => {
  it("is judged by its distance, draws both, and leaves the records what they were", async () => {
    const { code, stdout, stderr } = await pipe("sim", "twin", records, "--replications", "5", "--json");
    expect([0, 1], stderr).toContain(code);
    const report = JSON.parse(stdout);
    expect(report.verdict).toBe(code === 0 ? "alike" : "different");
    expect(code === 0).toBe(report.likeness.distance <= 0.05);
    // The same luck on nodes of the same profiles: no short run is this far away, a slower fleet is (below).
    expect(report.likeness.distance).toBeLessThan(0.35);
    expect(report.counts[0]).toMatchObject({ what: "jobs decided", live: report.jobs.live });
    expect(report.quantiles.map(({ p }: { p: number }) => p)).toContain(0.5);
    const page = await readFile(join(records, "twin.html"), "utf8");
    expect(page).toContain("<svg");
    expect(page).toContain(`distance ${report.likeness.distance.toFixed(3)}`);
    const replayed = await pipe("replay", records);
    expect(replayed.stdout).toContain("manifest    ok");
    expect(replayed.code).toBe(0);
  });

  it("is different when the profiles are not those that ran", async () => {
    const slower = await recordsWith("slower", ({ nodes }) => {
      for (const node of nodes) node.speed /= 10;
    });
    const { code, stdout } = await pipe("sim", "twin", slower, "--replications", "3");
    expect(stdout).toContain("DIFFERENT");
    expect(code).toBe(1);
    // What the twin takes from the run must not make up for profiles that are wrong in the other direction, either.
    const faster = await recordsWith("faster", ({ nodes }) => {
      for (const node of nodes) node.speed *= 10;
    });
    const { code: alsoDifferent, stdout: json } = await pipe("sim", "twin", faster, "--replications", "3", "--json");
    expect(alsoDifferent).toBe(1);
    expect(JSON.parse(json).likeness.distance).toBeGreaterThan(0.15);
  });

  it("refuses records that were changed, and runs whose profiles were not kept", async () => {
    const changed = join(folder, "changed");
    await cp(records, changed, { recursive: true });
    await writeFile(
      join(changed, "run.json"),
      await readFile(join(changed, "run.json"), "utf8").then((text) => `${text}\n`),
    );
    await rm(join(changed, "twin.html"), { force: true });
    const unknown = await recordsWith("unknown", ({ nodes }) => void nodes.pop());
    const malformed = await recordsWith("malformed", ({ nodes }) => {
      for (const node of nodes) node.speed = -1;
    });
    const nowhere = await recordsWith("nowhere", () => undefined);
    await rm(join(nowhere, "run.json"));
    const refused = await Promise.all(
      [changed, unknown, malformed, nowhere].map((directory) => pipe("sim", "twin", directory)),
    );
    expect(refused.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
    const said = [
      "run.json is not the file that was listed",
      "profile was not kept",
      "does not describe a run",
      "run.json cannot be read",
    ];
    for (const [index, words] of said.entries()) expect(refused[index]?.stderr).toContain(words);
    await expect(access(join(changed, "twin.html"))).rejects.toThrow();
  });
});
