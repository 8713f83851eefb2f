import { spawn } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { acquireLock } from "../../../scheduler/live/journal-lock.ts";
import { openJournal } from "../../../scheduler/live/journal.ts";
import { freshDirectory, recoveredNumbers, toyOptions } from "./toy.ts";

const CHILD = join(import.meta.dirname, "child.ts");

/** Runs the child until it has acknowledged that many batches, kills it at once, and tells the last acknowledged one. */
async function killMidWrite(directory: string, acknowledgements: number): Promise<number> {
  const child = spawn(process.execPath, [CHILD, directory, "40000", "kill"], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    output += text;
    if (output.split("\n").length > acknowledgements) child.kill("SIGKILL");
  });
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  expect(signal, output).toBe("SIGKILL");
  // A line that the kill has cut was not acknowledged in full; the number before it was.
  return Number(output.slice(0, output.lastIndexOf("\n")).split("\n").at(-1));
}

describe("kill -9 in the middle of writing", () => {
  it("loses no acknowledged batch, over several crashes of one journal with rotation and snapshots", async () => {
    const directory = await freshDirectory();
    let before = 0;
    for (const acknowledgements of [1, 30, 77, 210, 149]) {
      const acknowledged = await killMidWrite(directory, acknowledgements);
      expect(acknowledged).toBeGreaterThan(before);
      const opened = await openJournal(toyOptions(directory, { retainAll: false }));
      const { recovered } = opened;
      expect(recovered?.closedCleanly).toBe(false);
      expect(recovered?.lastBatch).toBeGreaterThanOrEqual(acknowledged);
      const from = (recovered?.snapshot?.n ?? 0) + 1;
      const numbers = await recoveredNumbers(opened);
      expect(numbers).toEqual(Array.from(numbers, (_, i) => from + i));
      expect(from + numbers.length - 1).toBe(recovered?.lastBatch);
      if (recovered?.snapshot) expect(recovered.snapshot.state).toEqual({ n: recovered.snapshot.n });
      before = recovered?.lastBatch ?? 0;
      await opened.journal.close({ atUs: 9_000_000 });
    }
    const files = await readdir(directory);
    expect(files).not.toContain("segment-000001.jsonl");
    expect(files.filter((name) => name.startsWith("snapshot"))).toHaveLength(2);
  }, 60_000);
});

describe("the lock", () => {
  it("keeps a second journal of the same process and a second process out", async () => {
    const directory = await freshDirectory();
    const { journal } = await openJournal(toyOptions(directory));
    await expect(openJournal(toyOptions(directory))).rejects.toMatchObject({
      code: "locked",
      message: expect.stringContaining(`process ${process.pid}`),
    });
    const child = spawn(process.execPath, [CHILD, directory, "40000", "kill"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [output] = (await once(child.stdout, "data")) as [Buffer];
    expect(output.toString()).toBe("locked undefined\n");
    await once(child, "close");
    await journal.close({ atUs: 1 });
    const again = await openJournal(toyOptions(directory));
    await again.journal.close({ atUs: 2 });
    expect(await readdir(directory)).toEqual(["segment-000001.jsonl"]);
  });

  it("of a process that is dead, of a namesake, or that nobody wrote is taken over", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "close");
    const stale = [
      JSON.stringify({ pid: child.pid, started: "1", token: "gone" }),
      JSON.stringify({ pid: process.pid, started: "1", token: "an earlier process with our id" }),
      JSON.stringify({ pid: process.ppid, started: "1", token: "our parent started at another time" }),
      "",
      "not a lock",
    ];
    const directory = await freshDirectory();
    for (const text of stale) {
      await writeFile(join(directory, "lock"), text);
      const lock = await acquireLock(directory);
      expect(JSON.parse(await readFile(join(directory, "lock"), "utf8"))).toMatchObject({ pid: process.pid });
      await expect(acquireLock(directory)).rejects.toMatchObject({ code: "locked" });
      await lock.release();
      expect(await readdir(directory)).toEqual([]);
    }
  });

  it("has one winner when many want a stale one at once, at whatever moments they come", async () => {
    const directory = await freshDirectory();
    const turns = async (count: number) => {
      for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    for (let round = 0; round < 60; round += 1) {
      await writeFile(
        join(directory, "lock"),
        JSON.stringify({ pid: process.pid, started: "1", token: `stale-${round}` }),
      );
      const starts = Array.from({ length: 8 }, async (_, i) => {
        await turns((i * round) % 17);
        return await acquireLock(directory);
      });
      const outcomes = await Promise.allSettled(starts);
      const locks = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
      expect(locks, `round ${round}`).toHaveLength(1);
      expect(await readdir(directory)).toEqual(["lock"]);
      await locks[0]?.release();
    }
  });

  it("is taken over also when processes died while they took it over", async () => {
    const directory = await freshDirectory();
    let text = JSON.stringify({ pid: process.pid, started: "1", token: "stale" });
    await writeFile(join(directory, "lock"), text);
    for (const token of ["first", "second"]) {
      const claim = `lock.${hash("sha256", text, "hex").slice(0, 32)}.lock`;
      text = JSON.stringify({ pid: process.pid, started: "1", token });
      await writeFile(join(directory, claim), text);
    }
    const lock = await acquireLock(directory);
    expect(await readdir(directory)).toEqual(["lock"]);
    await lock.release();
  });

  it("is given back when the journal cannot be opened", async () => {
    const directory = await freshDirectory();
    await writeFile(join(directory, "snapshot-4.json"), "{}");
    await expect(openJournal(toyOptions(directory))).rejects.toMatchObject({ code: "history-missing" });
    expect(await readdir(directory)).toEqual(["snapshot-4.json"]);
  });
});
