import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RecordFile } from "../../../scheduler/live/records-file.ts";
import { fileOf, RECORD_LOGS } from "../../../scheduler/live/records-lines.ts";
import type { RecordsPosition } from "../../../scheduler/live/records.ts";
import { RecordsTooShort } from "../../../scheduler/live/records.ts";
import {
  CHALLENGES,
  cleanUp,
  Keeper,
  liveThrough,
  makeDirectory,
  note,
  openRecords,
  Producer,
  readAll,
  temporaryDirectory,
} from "./producer.ts";

const FILES = RECORD_LOGS.map(fileOf);

afterAll(cleanUp);

describe("records", () => {
  it("are a function of what they were told (P13)", async () => {
    const { directory, producer } = await makeDirectory();
    const again = await temporaryDirectory();
    const records = await openRecords(again, producer.kept);
    for (const item of producer.history) {
      note(records, item);
      await records.flush();
    }
    await records.close();
    const original = await readAll(directory, FILES);
    expect(await readAll(again, FILES)).toEqual(original);
    for (const [file, bytes] of original) expect(bytes.length, file).toBeGreaterThan(0);
  });

  it("go on from any position with the same bytes, whatever was written after it", async () => {
    const { directory: original, producer } = await makeDirectory();
    const expected = await readAll(original, FILES);
    const directory = await temporaryDirectory();
    const { history, kept } = producer;
    for (let cut = 0; cut <= history.length; cut += 7) {
      const position = await positionAfter(directory, producer, cut);
      const records = await openRecords(directory, kept, JSON.parse(JSON.stringify(position)));
      for (const item of history.slice(cut)) note(records, item);
      await records.close();
      expect(await readAll(directory, FILES), `cut at ${cut}`).toEqual(expected);
    }
  });

  it("refuse to go on when what was recorded is lost", async () => {
    const { directory, producer } = await makeDirectory();
    const position = await positionAfter(directory, producer, producer.history.length);
    await truncate(join(directory, "ledger.jsonl"), position.bytes.ledger - 1);
    await expect(openRecords(directory, producer.kept, position)).rejects.toThrow(RecordsTooShort);
  });

  it("refuse to go on with other terms for challenges, also from nothing", async () => {
    const { directory, producer } = await makeDirectory();
    const position = await positionAfter(directory, producer, 5);
    for (const at of [undefined, position]) {
      await expect(openRecords(directory, producer.kept, at, { ...CHALLENGES, perMillion: 7 })).rejects.toThrow(
        "go on with these, or begin a new directory",
      );
    }
  });

  it("give each block with its receipts, with or without files", async () => {
    const { producer } = await makeDirectory();
    const kept = new Keeper();
    const inMemory = new Producer(await openRecords(undefined, kept), kept);
    liveThrough(inMemory);
    expect(inMemory.blocks).toEqual(producer.blocks);
    expect(producer.blocks.map(({ header }) => header.height)).toEqual([1, 2, 3, 3, 4]);
    expect(producer.blocks.map(({ receipts }) => receipts.length)).toEqual([3, 0, 3, 4, 1]);
  });

  it("write a node once, and again when its terms change", async () => {
    const { directory, producer } = await makeDirectory();
    const position = await positionAfter(directory, producer, producer.history.length);
    const records = await openRecords(directory, producer.kept, position);
    const before = records.position().bytes.registry;
    const [terms] = producer.history.filter((item) => "offers" in item);
    if (terms === undefined || !("offers" in terms)) throw new Error("no node joined");
    records.registered(terms, 0);
    expect(records.position().bytes.registry).toBe(before);
    records.registered({ ...terms, slots: terms.slots + 1 }, 0);
    expect(records.position().bytes.registry).toBeGreaterThan(before);
    await records.close();
  });
});

/** Writes the whole history into the directory again; the position is that after the first `count` items. */
async function positionAfter(directory: string, producer: Producer, count: number): Promise<RecordsPosition> {
  const records = await openRecords(directory, producer.kept);
  for (const item of producer.history.slice(0, count)) note(records, item);
  const position = records.position();
  for (const item of producer.history.slice(count)) note(records, item);
  await records.close();
  return position;
}

describe("a record file", () => {
  it("keeps the order of what is appended while it writes, and writes by itself when too much waits", async () => {
    const directory = await temporaryDirectory();
    const file = await RecordFile.open(join(directory, "file"), 0);
    const writes: Promise<void>[] = [];
    let expected = "";
    for (let i = 0; i < 40; i++) {
      const text = `${i}:${"ü".repeat(i % 8 === 7 ? 3_000_000 : 10)}\n`;
      expected += text;
      file.append(text);
      if (i % 3 === 0) writes.push(file.flush());
    }
    await Promise.all(writes);
    await file.sync();
    expect(file.bytes).toBe(Buffer.byteLength(expected));
    await file.close();
    const written = (await readAll(directory, ["file"])).get("file");
    expect(written?.equals(Buffer.from(expected))).toBe(true);
  });

  it("cuts the file back when it is opened", async () => {
    const directory = await temporaryDirectory();
    const file = await RecordFile.open(join(directory, "file"), 0);
    file.append("kept|lost");
    await file.close();
    const again = await RecordFile.open(join(directory, "file"), 5);
    again.append("new");
    await again.close();
    expect((await readAll(directory, ["file"])).get("file")?.toString()).toBe("kept|new");
  });
});
