import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, pipeCommand } from "../support/pipe-command.ts";

let folder = "";
let records = "";
/** The policy file under which the live run began. */
let followed = "";

const pipe = (...args: readonly string[]): Promise<Ended> => pipeCommand(args);

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const RULES = `name: two kinds
rules:
  - name: chat
    when: { models: ["chat-*"] }
    policy: { kind: hedge, delayMs: 700, maxCopies: 3 }
  - name: all others
    policy: { kind: fixed, copies: 2 }
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipe-policies-"));
  records = join(folder, "records");
  followed = await file("pipe.policy.yaml", RULES);
  const demo = ["demo", "--blocks", "16", "--nodes", "4", "--faults", "none", "--seed", "7", "--json"];
  const { code, stdout, stderr } = await pipe(...demo, "--policy-file", followed, "--out", records);
  expect(code, stderr).toBe(0);
  const { policy } = JSON.parse(stdout) as { policy: string };
  expect(policy).toMatch(new RegExp(`^two kinds of ${followed}, version [0-9a-f]{12}$`));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("pipe policy check", { timeout: 60_000 }, () => {
  it("says which policy a file holds, or what is wrong where", async () => {
    const good = await pipe("policy", "check", followed);
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(good.stdout).toMatch(/: ok\. Policy two kinds, version [0-9a-f]{12}, rules: chat, all others\.\n$/);
    const wrong = await file("wrong.yaml", RULES.replace("delayMs: 700", "delyMs: 700"));
    const bad = await pipe("policy", "check", wrong);
    const [known, missing] = bad.stderr.split("\n");
    expect(bad).toMatchObject({ code: 2, stdout: "" });
    expect(known).toBe(
      `${wrong}:5:28: rules.0.policy.delyMs: is not known ("delyMs"); did you mean delayMs? Known here: delayMs, maxCopies`,
    );
    expect(missing).toContain(`rules.0.policy.delayMs: is missing; it is a number from 1 to 86400000`);
    const data = await pipe("policy", "check", wrong, "--json");
    expect(data.code).toBe(2);
    expect(JSON.parse(data.stdout)).toMatchObject({ ok: false, problems: [{ line: 5, column: 28 }, {}] });
  });
});

describe("pipe policy explain", { timeout: 60_000 }, () => {
  it("says which rule is taken and why, when copies are launched, and what they are worth", async () => {
    const job = await file(
      "job.yaml",
      "model: risk-small\nblocks: 20\nservice: { kind: exponential, meanMs: 3000 }\nfleet: { nodes: 3 }\n",
    );
    const { code, stdout, stderr } = await pipe("policy", "explain", "--job", job, "--policy", followed, "--json");
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.rules).toEqual([
      { name: "chat", fails: { condition: "models", wants: ["chat-*"], has: "risk-small" } },
      { name: "all others" },
    ]);
    expect(report.takes).toEqual({ policy: { kind: "fixed", copies: 2 }, placement: { kind: "least-loaded" } });
    const launched = report.race.steps.filter(({ kind }: { kind: string }) => kind === "launched");
    expect(launched.map(({ atUs }: { atUs: number }) => atUs)).toEqual([0, 0]);
    // Two exponential copies of mean 3 s: on time unless both take longer than 10 s; machine-time is that of a single one,
    // since half the time is spent twice.
    expect(report.launches[1].needed).toBe(1);
    expect(report.launches[0].onTime).toBeCloseTo(1 - Math.exp(-10 / 3), 1);
    expect(report.launches[1].onTime).toBeCloseTo(1 - Math.exp(-20 / 3), 2);
    expect(report.expectedWorkUs / 1e6).toBeGreaterThan(2.7);
    expect(report.expectedWorkUs / 1e6).toBeLessThan(3.3);
    expect(report.nodes).toHaveLength(3);
    expect(new Set(report.nodes.map(({ operator }: { operator: string }) => operator)).size).toBe(3);
    expect(report.nodes[0].id).toBe(launched[0].node);
    expect(report.nodes[1].id).toBe(launched[1].node);
  });

  it("looks at the nodes and durations that a live run left", async () => {
    const job = await file("job.yaml", "model: chat-mini\nmaxFeeGwei: 100000\nblocks: 20\n");
    const { code, stdout, stderr } = await pipe("policy", "explain", "--job", job, "--journal", records);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`Policy two kinds of ${followed}, version `);
    expect(stdout).toContain('rule "chat": taken');
    expect(stdout).toContain("primary copy on ");
    expect(stdout).toMatch(/\d+ observed: .*records\)/);
    expect(stdout).toMatch(/ 700 ms {2}speculative copy on /);
  });

  it("refuses a job that makes no sense, with its place", async () => {
    const none = await file("none.yaml", "model: chat-mini\n");
    expect(await pipe("policy", "explain", "--job", none)).toMatchObject({
      code: 2,
      stderr: `pipe policy explain: ${none}: service: is missing, and there is no journal either: how long do copies take?\n`,
    });
    const wrong = await file("bad-job.yaml", "model: chat-mini\nmode: zk\njournal: nowhere\n");
    const { code, stderr } = await pipe("policy", "explain", "--job", wrong);
    expect(code).toBe(2);
    expect(stderr).toContain(`${wrong}:2:1: mode: must be`);
    expect(stderr).toContain(`${wrong}:3:1: journal: names a file that does not exist: ${join(folder, "nowhere")}`);
  });
});

describe("pipe policy diff", { timeout: 120_000 }, () => {
  it("gives what the replay gives, side by side, and B less A replication by replication", async () => {
    const asked = ["--replications", "4", "--json"];
    const [diff, replay, same] = await Promise.all([
      pipe("policy", "diff", "fixed:1", followed, "--journal", records, ...asked),
      pipe("sim", "replay", records, "--policy", "fixed:1", "--policy", followed, ...asked),
      pipe("policy", "diff", "recorded", followed, "--journal", records, ...asked),
    ]);
    expect(diff.code, diff.stderr).toBe(0);
    const report = JSON.parse(diff.stdout);
    const { policies, likeness, actual } = JSON.parse(replay.stdout);
    expect(report).toMatchObject({ likeness, actual, a: { policy: "fixed:1" }, b: { policy: followed } });
    expect(report.a.metrics).toEqual(policies[1].metrics);
    expect(report.b.metrics).toEqual(policies[2].metrics);
    for (const metric of ["onTimeShare", "workS", "feesPaidGwei", "copies"]) {
      const { mean, ci95 } = report.differences[metric];
      expect(mean).toBeCloseTo(report.b.metrics[metric].mean - report.a.metrics[metric].mean, 9);
      expect(ci95[0]).toBeLessThanOrEqual(mean);
    }
    expect(report.differences.copies.mean).toBeGreaterThan(0);
    // The file is what was in force, so that nothing differs, chance included.
    const nothing = Object.values(JSON.parse(same.stdout).differences as Record<string, { mean: number } | null>);
    expect(nothing.every((one) => one === null || one.mean === 0)).toBe(true);
  });

  it("refuses what is no policy, and a directory without a journal", async () => {
    const [policy, directory] = await Promise.all([
      pipe("policy", "diff", "fixed:1", "fixed", "--journal", records),
      pipe("policy", "diff", "fixed:1", "fixed:2", "--journal", join(folder, "nowhere")),
    ]);
    expect(policy.code).toBe(2);
    expect(policy.stderr).toContain('pipe policy diff: "fixed" is no policy.');
    expect(directory.code).toBe(2);
    expect(directory.stderr).toContain("pipe policy diff: ");
  });
});
