import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { parseSeeds } from "../../../scheduler/cli/command-swarm.ts";
import { formatViolations } from "../../../scheduler/cli/swarm-text.ts";
import { NO_FAULTS } from "../../../sim/swarm/faults.ts";

describe("the range of seeds", () => {
  it.each([
    ["1..500", { first: 1, last: 500 }],
    ["7", { first: 7, last: 7 }],
    ["0..0", { first: 0, last: 0 }],
  ])("%s is understood", (text, range) => {
    expect(parseSeeds(text)).toEqual(range);
  });

  it.each([
    ["", "no range"],
    ["1-5", "no range"],
    ["-1..5", "no range"],
    ["5..1", "empty"],
    ["0..2147483648", "out of range"],
    ["0..1000000", "too many"],
  ])("%s is refused", (text, why) => {
    expect(parseSeeds(text)).toContain(why);
  });
});

describe("a broken promise", () => {
  it("is shown with the one command that shows it again", () => {
    const nothing = { events: 0, transactions: 0, jobs: 0, copies: 0, decided: 0, committed: 0, faults: NO_FAULTS };
    const violations = [{ promise: "P5", message: "paid twice", step: 12 }] as const;
    expect(formatViolations({ seed: 41, violations, ...nothing })).toBe(
      "seed 41:\n  P5 at step 12: paid twice\n  again: npx pipe sim swarm --seeds 41..41 --trace\n",
    );
  });
});

describe("pipe sim swarm", () => {
  const pipe = (...flags: string[]) =>
    spawnSync(process.execPath, ["scheduler/cli/main.ts", "sim", "swarm", ...flags], {
      encoding: "utf8",
      maxBuffer: 2 ** 27,
    });

  it("prints a report that a program can read", { timeout: 60_000 }, () => {
    const { status, stdout } = pipe("--seeds", "20..21", "--jobs", "1", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ seeds: 2, failures: 0, failed: [] });
  });

  it("refuses flags that make no sense", { timeout: 60_000 }, () => {
    const { status, stderr } = pipe("--seeds", "1..2", "--trace");
    expect(status).toBe(2);
    expect(stderr).toContain("--trace takes one seed");
  });

  it("shows one seed event by event", { timeout: 60_000 }, () => {
    const { status, stdout } = pipe("--seeds", "20..20", "--trace");
    expect(status).toBe(0);
    expect(stdout).toMatch(/submitted .*\n {4}→ /);
    expect(stdout).toContain("seed 20: every promise was kept");
  });
});
