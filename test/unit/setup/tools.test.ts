import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTool, TOOLS } from "../../setup/tools.mjs";

const script = fileURLToPath(new URL("../../setup/tools.mjs", import.meta.url));
const isRoot = process.getuid?.() === 0;

let bin = "";
beforeEach(() => {
  bin = realpathSync(mkdtempSync(join(tmpdir(), "pipe-tools-")));
  chmodSync(bin, 0o777);
});
afterEach(() => rmSync(bin, { recursive: true, force: true }));

/** A program on the path of which these tests know all. */
function program(name: string, ...lines: readonly string[]): string {
  const path = join(bin, name);
  writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  chmodSync(path, 0o755);
  return path;
}

/** An apt-get that notes what it is asked for and installs an empty program of the package's name. */
function packageManager(): void {
  program(
    "apt-get",
    `echo "$@" >> "${bin}/asked"`,
    "for last; do :; done",
    `if [ "$1" = install ]; then echo '#!/bin/sh' > "${bin}/$last"; /bin/chmod 755 "${bin}/$last"; fi`,
  );
}

function setUp(environment: Record<string, string> = {}, uid?: number): { code: number | null; said: string } {
  const done = spawnSync(process.execPath, [script], {
    env: { PATH: bin, ...environment },
    encoding: "utf8",
    ...(uid === undefined ? {} : { uid }),
  });
  return { code: done.status, said: done.stdout + done.stderr };
}

describe("setting up what the tests drive", () => {
  it("says nothing when the browser is there, and takes the preferred name first", () => {
    program("nats-server");
    program("google-chrome");
    expect(setUp()).toEqual({ code: 0, said: "" });
    const preferred = program("chromium");
    expect(findTool(TOOLS.chromium, { PATH: bin })).toBe(preferred);
  });

  it("takes the path that the environment gives, and complains of one that cannot be run", () => {
    program("nats-server");
    const path = program("my-browser");
    expect(setUp({ PIPE_CHROMIUM: path })).toEqual({ code: 0, said: "" });
    const { code, said } = setUp({ PIPE_CHROMIUM: join(bin, "gone") });
    expect(code).toBe(1);
    expect(said).toContain("gone, which cannot be run. Let it be the path of Chromium, or unset it.");
  });

  it("finds the broker where Debian has it, among the programs of administrators beside those on PATH", () => {
    mkdirSync(join(bin, "bin"));
    mkdirSync(join(bin, "sbin"));
    const server = program("sbin/nats-server");
    expect(findTool(TOOLS.natsServer, { PATH: join(bin, "bin") })).toBe(server);
    expect(findTool(TOOLS.natsServer, { PATH: bin })).toBeUndefined();
  });

  it("without a package manager it says what to do", () => {
    const { code, said } = setUp();
    expect(code).toBe(1);
    expect(said).toContain("there is no apt-get here");
    expect(said).toContain("set PIPE_CHROMIUM to its path, then try again");
  });

  it.runIf(isRoot)("as root it installs, in one line, and once only", () => {
    packageManager();
    expect(setUp()).toEqual({
      code: 0,
      said:
        "Installing chromium with apt-get, for the tests of reports, in a real browser.\n" +
        "Installing nats-server with apt-get, for the tests across machines, with a real broker.\n",
    });
    expect(setUp()).toEqual({ code: 0, said: "" });
  });

  it.runIf(isRoot)("hands on what the package manager says when it fails", () => {
    program("apt-get", "echo 'Unable to fetch some archives' >&2", "exit 100");
    const { code, said } = setUp();
    expect(code).toBe(1);
    expect(said).toContain("`apt-get update` ended with status 100: Unable to fetch some archives");
  });

  it.runIf(isRoot)("as somebody else it needs sudo without a password", () => {
    const nobody = 65_534;
    packageManager();
    expect(setUp({}, nobody).said).toContain("takes root, or sudo without a password");
    program("sudo", `[ "$1" = -n ] || exit 1`, "shift", `[ "$1" = true ] || PATH="${bin}" "$@"`);
    expect(setUp({}, nobody)).toMatchObject({ code: 0 });
  });
});
