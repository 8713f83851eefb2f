import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../../scheduler/cli/main.ts", import.meta.url));

let folder = "";
/** Where the command puts what it keeps for itself. */
let temporary = "";
/** What a demonstration left behind. */
let records = "";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as the shell runs it. `meanwhile` sees the process after each piece of its progress. */
function pipe(args: readonly string[], meanwhile?: (child: ChildProcess, stderr: string) => void): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
    meanwhile?.(child, stderr);
  });
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  child.on("error", reject);
  child.on("close", (code) => resolve({ code, stdout, stderr }));
  return promise;
}

const AUDITS = [["receipts", "verify"], ["order", "audit"], ["replay"]] as const;

/** The exit codes of the three audits. */
async function audited(directory: string): Promise<(number | null)[]> {
  const ended = await Promise.all(AUDITS.map((audit) => pipe([...audit, directory])));
  return ended.map(({ code }) => code);
}

let demonstration: Ended;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipe-command-"));
  temporary = join(folder, "temporary");
  records = join(folder, "records");
  await mkdir(temporary);
  demonstration = await pipe(["demo", "--blocks", "12", "--latency", "none", "--json", "--out", records]);
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("pipe demo", () => {
  it("prints one JSON object that adds up, and where the records are", () => {
    expect(demonstration.code, demonstration.stderr).toBe(0);
    const summary = JSON.parse(demonstration.stdout);
    expect(summary).toMatchObject({ blocks: 12, ledgerBalanced: true, missedEvents: 0, out: records });
    const { submitted, accepted, sealed, refunded, pending } = summary.transactions;
    expect(submitted).toBeGreaterThan(0);
    expect([accepted, pending]).toEqual([sealed + refunded, 0]);
    expect(summary.transactions.sealedWithInference).toBeGreaterThan(0);
    expect(demonstration.stderr).toContain(`npx pipe receipts verify ${records}\n`);
  });

  it("refuses a directory that is used", async () => {
    const { code, stderr } = await pipe(["demo", "--out", records]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `pipe demo: ${records} is not empty. Give --out a new directory, or remove that one.\n`,
    });
  });

  it("ends at Ctrl-C with a summary and leaves nothing behind", async () => {
    let interrupted = false;
    const { code, stdout } = await pipe(["demo", "--nodes", "2"], (child, stderr) => {
      if (interrupted || !stderr.includes("block   1/40")) return;
      interrupted = true;
      // As npm does: it hands on what the terminal has sent already.
      child.kill("SIGINT");
      child.kill("SIGINT");
    });
    expect(code).toBe(130);
    expect(stdout).toMatch(/^ {2}blocks sealed +[1-9], .*^ {2}ledger +balanced/ms);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("ends at once at the second Ctrl-C, and leaves nothing behind either", async () => {
    const { code, stdout } = await pipe(["demo", "--nodes", "2"], (child, stderr) => {
      // Its nodes start now, which takes longer than the pause between two presses.
      if (!stderr.includes("held back")) return;
      child.kill("SIGINT");
      setTimeout(() => child.kill("SIGINT"), 350);
    });
    expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
    expect(await readdir(temporary)).toEqual([]);
  });

  it.each([
    [["--blocks", "9"], "--blocks 9 is out of range: give 10 to 1200."],
    [["--policy", "fixed"], '--policy: "fixed" is no policy.'],
    [["--policy", "fixed:2", "--policy-file", "p.yaml"], "give --policy or --policy-file, not both."],
    [["--policy-file", "no-such.yaml"], "--policy-file:\nno-such.yaml: the file: cannot be read (ENOENT)"],
    [["--trace", "nowhere.csv"], "The trace nowhere.csv cannot be read (ENOENT)."],
    [["--out", MAIN], "cannot be used (ENOTDIR)"],
    [["--blcks", "10"], "Unrecognized flag: --blcks"],
  ])("refuses %j with status 2", async (args, message) => {
    const { code, stderr } = await pipe(["demo", ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});

describe("the audits", () => {
  it("pass on what the demonstration left", async () => {
    const [verified, ordered, replayed] = await Promise.all(AUDITS.map((audit) => pipe([...audit, records])));
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining("receipts verify: all is well in") });
    expect(ordered).toMatchObject({ code: 0, stdout: expect.stringContaining("order audit: all is well in") });
    expect(replayed).toMatchObject({ code: 0, stdout: expect.stringContaining("SAME: identical commands") });
  });

  it("find one changed byte in any file but the secret", { timeout: 240_000 }, async () => {
    const entries = await readdir(records, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    expect(files.length).toBeGreaterThan(8);
    for (const file of files) {
      const copy = join(folder, "changed");
      await cp(records, copy, { recursive: true });
      const bytes = await readFile(file);
      const middle = Math.floor(bytes.length / 2);
      // An empty file has no byte to change, but room for one.
      const changed = bytes.length === 0 ? Buffer.from("\n") : bytes;
      if (bytes.length > 0) changed[middle] = (changed[middle] ?? 0) ^ 1;
      await writeFile(file.replace(records, copy), changed);
      const codes = await audited(copy);
      // Outsiders never see the secret. The two audits of records tell what they found, the replay that it is not the journal.
      expect({ file, codes }).toEqual({ file, codes: file.endsWith("secret.key") ? [0, 0, 0] : [1, 1, 2] });
      await rm(copy, { recursive: true });
    }
  });

  it("refuse what is no directory of records with status 2", async () => {
    expect(await audited(temporary)).toEqual([2, 2, 2]);
    expect(await audited(join(folder, "nowhere"))).toEqual([2, 2, 2]);
    const unsaid = await pipe(["replay"]);
    expect(unsaid).toMatchObject({ code: 2, stderr: expect.stringContaining("Missing required argument: DIR") });
  });

  it("want a whole key, and the scheduler's", async () => {
    const short = await pipe(["receipts", "verify", records, "--key", "00"]);
    expect(short).toMatchObject({ code: 2, stderr: expect.stringContaining("--key is not 64") });
    const foreign = await pipe(["receipts", "verify", records, "--key", "00".repeat(32)]);
    expect(foreign).toMatchObject({ code: 1, stdout: expect.stringContaining("not the one expected") });
  });
});
