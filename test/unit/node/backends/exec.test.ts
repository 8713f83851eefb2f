import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { ExecBackend, type ExecSettings } from "../../../../scheduler/node/backends/exec.ts";
import type { Run, RunOptions } from "../../../../scheduler/node/model-runner.ts";
import { unhurried } from "../node-under-test.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pipe-exec-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const made: ExecBackend[] = [];
afterEach(async () => {
  for (const backend of made.splice(0)) await backend.close();
});

function backend(command: ExecSettings["command"], changes: Partial<ExecSettings> = {}): ExecBackend {
  const settings: ExecSettings = {
    model: "echo",
    command,
    directory,
    environment: { PATH: "/usr/bin:/bin" },
    totalMs: 10_000,
    outputBytes: 10_000,
    killAfterMs: 200,
    ...changes,
  };
  const of = new ExecBackend(settings);
  made.push(of);
  return of;
}

/** A command that a shell runs, for what one program alone does not do. */
function script(text: string, changes: Partial<ExecSettings> = {}): ExecBackend {
  return backend(["/bin/sh", "-c", text], changes);
}

function ask(of: ExecBackend, input: string, options: Partial<RunOptions> = {}): Promise<Run> {
  return of.run(new TextEncoder().encode(input), { ...unhurried(), ...options });
}

function text(run: Run): string {
  return run.ok ? new TextDecoder().decode(run.output) : `failed: ${run.why}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The process id that a script wrote into a file. */
async function pidIn(file: string): Promise<number> {
  const read = async () => {
    const pid = Number(await readFile(join(directory, file), "utf8"));
    expect(pid).toBeGreaterThan(0);
    return pid;
  };
  return await vi.waitFor(read, { timeout: 5_000, interval: 10 });
}

async function isGone(pid: number): Promise<void> {
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 5_000, interval: 10 });
}

describe("a command", () => {
  it("gets the input on its standard input, and its standard output is the answer", async () => {
    const seen: number[] = [];
    const input = "x".repeat(9_000);
    expect(text(await ask(backend(["cat"]), input, { onProgress: (tokens) => seen.push(tokens) }))).toBe(input);
    expect(new Set(seen)).toEqual(new Set([1]));
  });

  it("need not read its input", async () => {
    expect(text(await ask(backend(["echo", "hello"]), "x".repeat(60_000)))).toBe("hello\n");
  });

  it("finds in its environment what the operator named, and no more", async () => {
    const environment = { PATH: "/usr/bin:/bin", TOKEN: "t" };
    const of = backend(["env"], { environment });
    const lines = text(await ask(of, "", { tokensOut: 5 }))
      .trimEnd()
      .split("\n")
      .sort();
    expect(lines).toEqual(["PATH=/usr/bin:/bin", "PIPE_MODEL=echo", "PIPE_TOKENS_OUT=5", "TOKEN=t"]);
  });

  it("is not read by a shell, and begins in its directory (B7)", async () => {
    expect(text(await ask(backend(["echo", "$HOME", "; pwd", "*"]), ""))).toBe("$HOME ; pwd *\n");
    await writeFile(join(directory, "here.txt"), "here");
    expect(text(await ask(backend(["cat", "here.txt"]), ""))).toBe("here");
  });

  it.each([
    ["exit 3", "error", "the command ended with status 3"],
    ["exit 75", "overloaded", "the command ended with status 75"],
    ["kill -9 $$", "error", "the command was ended by SIGKILL"],
  ])("that does `%s` fails its copy as %s", async (does, reason, why) => {
    expect(await ask(script(`echo out; ${does}`), "")).toEqual({ ok: false, reason, why });
  });

  it("that fails leaves the end of what it said, for the log", async () => {
    const says =
      'i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done; echo "out of memory" >&2; exit 1';
    const run = await ask(script(says), "");
    const why = run.ok ? "" : run.why;
    expect(why).toMatch(/^the command ended with status 1: …(?:.|\n)*line 1999\nout of memory$/);
    expect(why.length).toBeLessThanOrEqual(4 * 1024 + 40);
  });

  it.each([
    ["does not exist", ["no-such-program"], {}],
    ["may not be executed", ["/etc/passwd"], {}],
    ["begins nowhere", ["cat"], { directory: "/no/such/directory" }],
    ["is no command line", ["cat", "\0"], {}],
  ] as const)("that %s fails its copy", async (_what, command, changes) => {
    const of = backend([...command], changes);
    expect(text(await ask(of, ""))).toMatch(/^failed: the command cannot be started: /);
    expect(text(await ask(of, ""))).toMatch(/^failed: the command cannot be started: /);
  });

  it("that writes too much is ended, and its copy fails", async () => {
    const of = script("echo $$ > loud.pid; exec yes");
    expect(text(await ask(of, ""))).toBe("failed: the command wrote more than 10000 bytes");
    await isGone(await pidIn("loud.pid"));
  });

  it("that takes too long is ended, and its copy fails", async () => {
    const of = script("echo $$ > slow.pid; exec sleep 60", { totalMs: 150 });
    expect(text(await ask(of, ""))).toBe("failed: the command took more than 150 ms");
    await isGone(await pidIn("slow.pid"));
  });

  it("that takes longer than the lease is ended", async () => {
    expect(text(await ask(backend(["sleep", "60"]), "", { withinMs: 100 }))).toBe(
      "failed: the command took more than 100 ms",
    );
  });
});

describe("a copy that is over (P9, B5)", () => {
  it("ends the command and what it started", async () => {
    const copy = new AbortController();
    const run = ask(script("sleep 60 & echo $! > child.pid; echo $$ > parent.pid; wait"), "", { signal: copy.signal });
    const pids = [await pidIn("child.pid"), await pidIn("parent.pid")];
    expect(pids.map(isAlive)).toEqual([true, true]);
    copy.abort();
    expect(text(await run)).toBe("failed: the copy is over");
    for (const pid of pids) await isGone(pid);
  });

  it("does not wait for a command that will not end, which is killed", async () => {
    const copy = new AbortController();
    const stubborn = "trap '' TERM; echo $$ > stubborn.pid; while true; do sleep 0.05; done";
    const run = ask(script(stubborn), "", { signal: copy.signal });
    const pid = await pidIn("stubborn.pid");
    const abortedMs = performance.now();
    copy.abort();
    await run;
    expect(performance.now() - abortedMs).toBeLessThan(150);
    expect(isAlive(pid)).toBe(true);
    await isGone(pid);
    expect(performance.now() - abortedMs).toBeGreaterThanOrEqual(195);
  });

  it("before it began starts nothing", async () => {
    expect(text(await ask(script("touch begun"), "", { signal: AbortSignal.abort() }))).toBe(
      "failed: the copy is over",
    );
    await sleep(50);
    await expect(readFile(join(directory, "begun"))).rejects.toThrow("ENOENT");
  });
});

describe("processes", () => {
  it("that a command leaves behind are killed with it", async () => {
    const of = script("sleep 60 & echo $! > left.pid; echo done");
    expect(text(await ask(of, ""))).toBe("done\n");
    await isGone(await pidIn("left.pid"));
  });

  it("that left the group and hold the output are no longer listened to", async () => {
    const of = script("setsid sleep 3 & sleep 0.2", { totalMs: 600 });
    expect(text(await ask(of, ""))).toBe("failed: the command took more than 600 ms");
    const startMs = performance.now();
    await of.close();
    expect(performance.now() - startMs).toBeLessThan(1_500);
  });

  it("are gone when the backend is closed", async () => {
    const of = script("echo $$ > closing.pid; exec sleep 60");
    const run = ask(of, "");
    const pid = await pidIn("closing.pid");
    await of.close();
    expect(isAlive(pid)).toBe(false);
    expect(text(await run)).toBe("failed: the command was ended by SIGTERM");
  });
});

describe("a probe", () => {
  it("says whether the program is there", async () => {
    expect(await backend(["cat"]).probe()).toEqual({ ok: true });
    expect(await backend(["/bin/sh"]).probe()).toEqual({ ok: true });
    expect(await backend(["no-such-program"]).probe()).toEqual({
      ok: false,
      why: "there is no program no-such-program that may be executed",
    });
    expect((await backend(["./here.txt"]).probe()).ok).toBe(false);
  });
});
