import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
// @ts-expect-error: the guard is plain JavaScript without declarations, since it must run where TypeScript cannot.
import { complaint as untyped, MINIMUM_NODE } from "../../scheduler/cli/guard.mjs";

const complaint: (nodeVersion: string, installed: boolean) => string | undefined = untyped;
const GUARD = fileURLToPath(new URL("../../scheduler/cli/guard.mjs", import.meta.url));
const bare = mkdtempSync(join(tmpdir(), "pipe-guard-"));
afterAll(() => rmSync(bare, { recursive: true }));

/** Makes a child process believe that it is another version of Node.js. */
function pretending(version: string): string {
  const code = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

describe("the guard's decision", () => {
  it.each(["22.19.0", "22.20.0", "23.0.0", "24.21.0", "100.0.0"])("lets Node.js %s pass", (version) => {
    expect(complaint(version, true)).toBeUndefined();
  });

  it.each(["9.11.2", "14.21.3", "20.20.2", "22.9.0", "22.18.9"])(
    "refuses Node.js %s and names both versions",
    (version) => {
      expect(complaint(version, true)).toContain(MINIMUM_NODE);
      expect(complaint(version, true)).toContain(`this is ${version}`);
    },
  );

  it("asks for npm ci first, since that also brings the right Node.js", () => {
    expect(complaint("20.20.2", false)).toMatch(/npm ci/);
    expect(complaint("20.20.2", false)).not.toMatch(/20\.20\.2/);
  });

  it("asks for the version that package.json promises", () => {
    const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(manifest.engines.node).toBe(`>=${MINIMUM_NODE}`);
  });
});

describe("the guard as a program", () => {
  it("is silent where everything is in place", () => {
    const run = spawnSync(process.execPath, [GUARD], { encoding: "utf8" });
    expect(run).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });

  it("ends an old Node.js with status 1 and a message instead of a stack", () => {
    const run = spawnSync(process.execPath, ["--import", pretending("20.20.2"), GUARD], { encoding: "utf8" });
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^PIPE needs Node\.js/);
    expect(run.stderr).not.toMatch(/ {4}at /);
  });

  it("says npm ci in a checkout where nothing is installed", () => {
    copyFileSync(GUARD, join(bare, "guard.mjs"));
    const run = spawnSync(process.execPath, [join(bare, "guard.mjs")], { encoding: "utf8" });
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/Run `npm ci`/);
  });
});
