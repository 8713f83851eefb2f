import { mkdir, readdir, readFile, rmdir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Journal } from "../../../scheduler/live/journal.ts";
import { openJournal } from "../../../scheduler/live/journal.ts";
import { copyDirectory, freshDirectory, recoveredNumbers, ToyEngine, toyBatch, toyOptions } from "./toy.ts";

const LIMITS = { maxSegmentBytes: 1_200, maxBacklogBytes: 100_000 };

async function appendUpTo(journal: Journal, engine: ToyEngine, last: number): Promise<void> {
  while (journal.nextBatch <= last) await journal.append(toyBatch(engine, journal.nextBatch, 4));
}

/** Snapshots after batches 10, 20 and 30 of 35. */
async function snapshotJournal(retainAll: boolean): Promise<string> {
  const directory = await freshDirectory();
  const { journal } = await openJournal(toyOptions(directory, { limits: LIMITS, retainAll }));
  const engine = new ToyEngine(7);
  for (const n of [10, 20, 30]) {
    await appendUpTo(journal, engine, n);
    await journal.writeSnapshot({ n, atUs: n * 1_000, state: { after: n, text: "ü" } });
  }
  await appendUpTo(journal, engine, 35);
  await journal.close({ atUs: 36_000 });
  return directory;
}

async function reopen(directory: string, retainAll: boolean) {
  const opened = await openJournal(toyOptions(directory, { limits: LIMITS, retainAll, nowUs: 40_000 }));
  const numbers = await recoveredNumbers(opened);
  await opened.journal.close({ atUs: 40_001 });
  return { numbers, recovered: opened.recovered };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const damage = (path: string) => writeFile(path, "damaged");

describe("snapshots", () => {
  it("are two at most, and the newest one shortens recovery", async () => {
    for (const retainAll of [true, false]) {
      const directory = await snapshotJournal(retainAll);
      const files = await readdir(directory);
      expect(files.filter((name) => name.startsWith("snapshot")).sort()).toEqual([
        "snapshot-20.json",
        "snapshot-30.json",
      ]);
      expect(files.includes("segment-000001.jsonl")).toBe(retainAll);
      const { numbers, recovered } = await reopen(directory, retainAll);
      expect(recovered?.snapshot).toEqual({ n: 30, atUs: 30_000, state: { after: 30, text: "ü" } });
      expect(numbers).toEqual(range(31, 35));
      expect(recovered?.refusedSnapshots).toEqual([]);
    }
  });

  it("that are damaged at any byte are refused, and the one before is used", async () => {
    const directory = await snapshotJournal(false);
    const path = join(directory, "snapshot-30.json");
    const sound = await readFile(path);
    for (let at = 0; at < sound.length; at += 7) {
      const bytes = Buffer.from(sound);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await writeFile(path, bytes);
      const { numbers, recovered } = await reopen(directory, false);
      expect(recovered?.snapshot?.n, `byte ${at}`).toBe(20);
      expect(recovered?.refusedSnapshots).toEqual([expect.stringContaining("snapshot-30.json")]);
      expect(numbers).toEqual(range(21, 35));
    }
    for (const size of [0, 10, sound.length - 1]) {
      await writeFile(path, sound.subarray(0, size));
      expect((await reopen(directory, false)).recovered?.snapshot?.n).toBe(20);
    }
  });

  it("that are all damaged leave the whole journal, or an error when its beginning was deleted", async () => {
    for (const retainAll of [true, false]) {
      const directory = await snapshotJournal(retainAll);
      await damage(join(directory, "snapshot-20.json"));
      await damage(join(directory, "snapshot-30.json"));
      if (retainAll) expect((await reopen(directory, true)).numbers).toEqual(range(1, 35));
      else await expect(reopen(directory, false)).rejects.toMatchObject({ code: "history-missing" });
    }
  });

  it("of another journal, or of batches that the journal has lost, are refused", async () => {
    const directory = await snapshotJournal(true);
    const other = await freshDirectory();
    const { journal } = await openJournal(toyOptions(other, { limits: LIMITS, config: { seed: 8 } }));
    await appendUpTo(journal, new ToyEngine(8), 32);
    await journal.writeSnapshot({ n: 32, atUs: 32_000, state: {} });
    await journal.close({ atUs: 33_000 });
    const mixed = await copyDirectory(directory);
    await writeFile(join(mixed, "snapshot-32.json"), await readFile(join(other, "snapshot-32.json")));
    await expect(reopen(mixed, true)).rejects.toMatchObject({ code: "damaged", file: join(mixed, "snapshot-32.json") });

    const segments = (await readdir(directory)).filter((name) => name.startsWith("segment")).sort();
    for (const name of segments.slice(-4)) await unlink(join(directory, name));
    await expect(reopen(directory, true)).rejects.toMatchObject({ code: "damaged" });
  });

  it("may be of a batch that later ones have followed, and one is written at a time", async () => {
    const directory = await freshDirectory();
    const { journal } = await openJournal(toyOptions(directory));
    const engine = new ToyEngine(7);
    const appends = range(1, 9).map((n) => journal.append(toyBatch(engine, n, 2)));
    const first = journal.writeSnapshot({ n: 4, atUs: 4_000, state: 4 });
    await expect(journal.writeSnapshot({ n: 5, atUs: 5_000, state: 5 })).rejects.toThrow(
      "one snapshot is written at a time",
    );
    await first;
    await Promise.all(appends);
    await journal.close({ atUs: 10_000 });
    const opened = await openJournal(toyOptions(directory));
    expect(opened.recovered?.snapshot).toEqual({ n: 4, atUs: 4_000, state: 4 });
    expect(await recoveredNumbers(opened)).toEqual(range(5, 9));
    // Directly after the start, of the last batch before it.
    await opened.journal.writeSnapshot({ n: 9, atUs: 9_000, state: 9 });
    await opened.journal.close({ atUs: 11_000 });
    expect((await reopen(directory, true)).recovered?.snapshot?.n).toBe(9);
  });

  it("that cannot be written leave a journal that goes on", async () => {
    const directory = await freshDirectory();
    const { journal } = await openJournal(toyOptions(directory));
    const engine = new ToyEngine(7);
    await appendUpTo(journal, engine, 3);
    await mkdir(join(directory, "snapshot-3.json.tmp"));
    const failed = journal.writeSnapshot({ n: 3, atUs: 3_000, state: 3 });
    await expect(failed).rejects.toMatchObject({ code: "write-failed" });
    await appendUpTo(journal, engine, 4);
    await journal.writeSnapshot({ n: 4, atUs: 4_000, state: 4 });
    await journal.close({ atUs: 5_000 });
    await rmdir(join(directory, "snapshot-3.json.tmp"));
    expect(await reopen(directory, true)).toMatchObject({
      numbers: [],
      recovered: { closedCleanly: true, lastBatch: 4 },
    });
  });

  it("that a crash left half written are removed", async () => {
    const directory = await snapshotJournal(true);
    await writeFile(join(directory, "snapshot-33.json.tmp"), "{");
    expect((await reopen(directory, true)).recovered?.snapshot?.n).toBe(30);
    expect(await readdir(directory)).not.toContain("snapshot-33.json.tmp");
  });
});
