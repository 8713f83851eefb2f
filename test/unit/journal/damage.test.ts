import { readFile, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JournalError } from "../../../scheduler/live/journal-error.ts";
import { readJournalHeader } from "../../../scheduler/live/journal-recovery.ts";
import { openJournal } from "../../../scheduler/live/journal.ts";
import {
  appendGarbage,
  contents,
  copyDirectory,
  freshDirectory,
  recoveredNumbers,
  toyOptions,
  writeToyJournal,
} from "./toy.ts";

const FIRST = "segment-000001.jsonl";

async function linesOf(file: string): Promise<string[]> {
  return (await readFile(file, "utf8")).split("\n").slice(0, -1);
}

/** A journal of three batches that a crash left without its `closed` record. */
async function crashedJournal(): Promise<{ directory: string; bytes: Buffer; lastStart: number }> {
  const directory = await freshDirectory();
  await writeToyJournal(directory, 3);
  const file = join(directory, FIRST);
  const lines = await linesOf(file);
  const bytes = Buffer.from(`${lines.slice(0, -1).join("\n")}\n`);
  await writeFile(file, bytes);
  return { directory, bytes, lastStart: bytes.lastIndexOf("\n", bytes.length - 2) + 1 };
}

describe("a torn tail", () => {
  it("is cut off at every byte at which a crash can cut the last record, and writing goes on behind it", async () => {
    const { directory, bytes, lastStart } = await crashedJournal();
    const file = join(directory, FIRST);
    for (let size = lastStart; size <= bytes.length; size += 1) {
      await writeFile(file, bytes.subarray(0, size));
      const opened = await openJournal(toyOptions(directory));
      const whole = size === bytes.length;
      const numbers = await recoveredNumbers(opened);
      expect(numbers, `cut at byte ${size}`).toEqual(whole ? [1, 2, 3] : [1, 2]);
      expect(opened.recovered?.tornTail, `cut at byte ${size}`).toBe(size > lastStart && !whole);
      expect(opened.journal.nextBatch).toBe(whole ? 4 : 3);
      await opened.journal.close({ atUs: 9_000 });
      const again = await openJournal(toyOptions(directory));
      expect(again.recovered?.closedCleanly).toBe(true);
      await again.journal.close({ atUs: 9_000 });
    }
  });

  it("may be a whole line of other bytes, as a crash of the machine leaves it", async () => {
    for (const garbage of ["\0".repeat(700), `${"\0".repeat(700)}\n`, '{"kind":"batch","n":4}\n']) {
      const { directory } = await crashedJournal();
      await appendGarbage(join(directory, FIRST), garbage);
      const opened = await openJournal(toyOptions(directory));
      expect(opened.recovered?.tornTail).toBe(true);
      expect(await recoveredNumbers(opened)).toEqual([1, 2, 3]);
      await opened.journal.close({ atUs: 9_000 });
    }
  });

  it("of the first header leaves a new journal, of a later one the segments before", async () => {
    const directory = await freshDirectory();
    const small = { limits: { maxSegmentBytes: 600, maxBacklogBytes: 10_000 } };
    await writeToyJournal(directory, 6, small);
    const files = Object.keys(await contents(directory));
    const last = files.filter((name) => name.startsWith("segment")).at(-1) ?? "";
    const header = `${(await linesOf(join(directory, last)))[0]}\n`;
    for (let size = 0; size < header.length; size += 37) {
      const copy = await copyDirectory(directory);
      await truncate(join(copy, last), size);
      const opened = await openJournal(toyOptions(copy, small));
      expect(opened.recovered?.tornTail).toBe(true);
      const numbers = await recoveredNumbers(opened);
      expect(numbers).toEqual(Array.from(numbers, (_, i) => i + 1));
      expect(numbers.length).toBeGreaterThanOrEqual(5);
      await opened.journal.close({ atUs: 9_000 });
    }
    const fresh = await freshDirectory();
    await writeFile(join(fresh, FIRST), header.slice(0, 50));
    const opened = await openJournal(toyOptions(fresh));
    expect(opened.recovered).toBeUndefined();
    await opened.journal.close({ atUs: 1 });
  });
});

describe("damage", () => {
  it("anywhere is detected, and nothing but a torn tail is changed", async () => {
    const original = await freshDirectory();
    await writeToyJournal(original, 12, { limits: { maxSegmentBytes: 1_500, maxBacklogBytes: 100_000 } });
    const files = Object.keys(await contents(original)).filter((name) => name.startsWith("segment"));
    const lastFile = files.at(-1);
    const place = fc.record({
      file: fc.constantFrom(...files),
      at: fc.nat({ max: 1_000_000 }),
      flip: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(place, async ({ file, at, flip }) => {
        const path = join(original, file);
        const sound = await readFile(path);
        const bytes = Buffer.from(sound);
        const index = at % bytes.length;
        bytes.writeUInt8(bytes.readUInt8(index) ^ flip, index);
        await writeFile(path, bytes);
        const before = await contents(original);
        const opened = await openJournal(toyOptions(original)).catch((error: unknown) => error as JournalError);
        if ("journal" in opened) {
          // Only the `closed` record, which is the last line, can be taken for torn: no batch is lost.
          expect(opened.recovered?.tornTail).toBe(true);
          expect(file).toBe(lastFile);
          expect(index).toBeGreaterThan(bytes.lastIndexOf("\n", bytes.length - 2));
          expect(opened.recovered?.closedCleanly).toBe(false);
          expect(opened.journal.nextBatch).toBe(13);
          await opened.journal.close({ atUs: 99_000 });
        } else {
          expect(opened.code).toBe("damaged");
          expect(opened.file).toContain("segment-");
          expect(opened.line).toBeGreaterThan(0);
          expect(await contents(original)).toEqual(before);
        }
        await writeFile(path, sound);
      }),
      { numRuns: 250 },
    );
  });

  it("of the newline between the last two records is not taken for a torn tail", async () => {
    const { directory, bytes, lastStart } = await crashedJournal();
    const changed = Buffer.from(bytes);
    changed.writeUInt8(0x20, lastStart - 1);
    await writeFile(join(directory, FIRST), changed);
    await expect(openJournal(toyOptions(directory))).rejects.toMatchObject({ code: "damaged", line: 4 });
  });

  it("is a line taken out, put in twice, or exchanged", async () => {
    const directory = await freshDirectory();
    await writeToyJournal(directory, 5);
    const file = join(directory, FIRST);
    const lines = await linesOf(file);
    const [a = "", b = "", c = "", d = "", ...rest] = lines;
    for (const changed of [
      [a, b, d, ...rest],
      [a, b, c, c, d, ...rest],
      [a, b, d, c, ...rest],
      [b, c, d, ...rest],
    ]) {
      await writeFile(file, `${changed.join("\n")}\n`);
      await expect(openJournal(toyOptions(directory))).rejects.toMatchObject({ code: "damaged" });
    }
    await writeFile(file, `${lines.join("\n")}\n`);
    const opened = await openJournal(toyOptions(directory));
    expect(await recoveredNumbers(opened)).toEqual([1, 2, 3, 4, 5]);
    await opened.journal.close({ atUs: 9_000 });
  });

  it("is a missing segment", async () => {
    const directory = await freshDirectory();
    const small = { limits: { maxSegmentBytes: 500, maxBacklogBytes: 10_000 } };
    await writeToyJournal(directory, 8, small);
    for (const gone of [FIRST, "segment-000002.jsonl"]) {
      const copy = await copyDirectory(directory);
      await unlink(join(copy, gone));
      await expect(openJournal(toyOptions(copy, small))).rejects.toMatchObject({ code: "history-missing" });
    }
  });

  it("of the header is told before the journal is opened", async () => {
    const directory = await freshDirectory();
    expect(await readJournalHeader(directory)).toBeUndefined();
    await writeToyJournal(directory, 2);
    expect(await readJournalHeader(directory)).toMatchObject({ segment: 1, config: { seed: 7 } });
    const file = join(directory, FIRST);
    await writeFile(file, (await readFile(file, "utf8")).replace('"seed":7', '"seed":8'));
    await expect(readJournalHeader(directory)).rejects.toMatchObject({ code: "damaged", line: 1 });
  });

  it("is another chain's or configuration's journal", async () => {
    const directory = await freshDirectory();
    await writeToyJournal(directory, 2);
    const before = await contents(directory);
    for (const change of [{ chainId: "1" }, { config: { seed: 8 } }]) {
      await expect(openJournal(toyOptions(directory, change))).rejects.toMatchObject({ code: "foreign" });
    }
    expect(await contents(directory)).toEqual(before);
  });
});
