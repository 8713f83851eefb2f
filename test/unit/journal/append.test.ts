import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { open, readdir, readFile, symlink, unlink } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestCommands, encodeMark, GENESIS_CHAIN } from "../../../scheduler/live/journal-format.ts";
import { JournalWriter } from "../../../scheduler/live/journal-writer.ts";
import { openJournal } from "../../../scheduler/live/journal.ts";
import { freshDirectory, recoveredNumbers, ToyEngine, toyBatch, toyOptions, writeToyJournal } from "./toy.ts";

describe("group commit", () => {
  it("resolves appends in order, each when its line is in the file, with far fewer fsyncs than appends", async () => {
    const directory = await freshDirectory();
    const { journal } = await openJournal(toyOptions(directory));
    const engine = new ToyEngine(7);
    const resolved: number[] = [];
    const file = join(directory, "segment-000001.jsonl");
    const appends = Array.from({ length: 300 }, async (_, i) => {
      await journal.append(toyBatch(engine, i + 1, 3));
      resolved.push(i + 1);
      if (i % 50 === 0) expect(await readFile(file, "utf8")).toContain(`{"kind":"batch","n":${i + 1},`);
    });
    expect(journal.backlogBytes).toBeGreaterThan(0);
    await Promise.all(appends);
    expect(resolved).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(journal.backlogBytes).toBe(0);
    // The `opened` record, the first append alone, and the rest.
    expect(journal.fsyncs).toBeLessThan(10);
    await journal.close({ atUs: 400_000 });
  });

  it("lets appends wait beyond the backlog's limit", async () => {
    const directory = await freshDirectory();
    const maxBacklogBytes = 2_000;
    const { journal } = await openJournal(
      toyOptions(directory, { limits: { maxSegmentBytes: 1_000_000, maxBacklogBytes } }),
    );
    const engine = new ToyEngine(7);
    const appends: Promise<void>[] = [];
    let largest = 0;
    for (let n = 1; n <= 200; n += 1) {
      appends.push(journal.append(toyBatch(engine, n, 2)));
      largest = Math.max(largest, journal.backlogBytes);
    }
    for (const append of appends) {
      await append;
      largest = Math.max(largest, journal.backlogBytes);
    }
    expect(largest).toBeGreaterThanOrEqual(maxBacklogBytes);
    // One record may go beyond, as what it takes is known only when it is encoded.
    expect(largest).toBeLessThan(maxBacklogBytes + 1_000);
    await journal.close({ atUs: 400_000 });
    const again = await openJournal(toyOptions(directory));
    expect((await recoveredNumbers(again)).length).toBe(200);
    await again.journal.close({ atUs: 400_001 });
  });

  it("gives back what was appended, byte for byte of JSON", async () => {
    const directory = await freshDirectory();
    const batches = await writeToyJournal(directory, 20);
    const { journal, recovered } = await openJournal(toyOptions(directory, { nowUs: 30_000 }));
    const read: unknown[] = [];
    for await (const { n, atUs, events, blobs, commands, digest } of recovered?.batches ?? []) {
      read.push({ n, atUs, events, ...(blobs && { blobs }), commands, digest });
    }
    expect(JSON.stringify(read)).toBe(JSON.stringify(batches));
    expect(recovered).toMatchObject({ lastBatch: 20, lastUs: 20_001, closedCleanly: true, tornTail: false });
    expect(recovered?.header).toMatchObject({ chainId: "1337", config: { seed: 7 }, program: "0.0.0-test" });
    await journal.close({ atUs: 30_001 });
  });

  it("refuses appends after the end and values that JSON would change", async () => {
    const { journal } = await openJournal(toyOptions(await freshDirectory()));
    const limitless = { kind: "deposited", account: "a", amountGwei: Number.POSITIVE_INFINITY } as const;
    const honest = { kind: "deposited", account: "null", amountGwei: 1 } as const;
    await journal.append({ n: 1, atUs: 1, events: [honest], commands: 0, digest: "" });
    const broken = journal.append({ n: 2, atUs: 2, events: [limitless], commands: 0, digest: "" });
    await expect(broken).rejects.toMatchObject({ code: "unrepresentable" });
    await expect(journal.close({ atUs: 3 })).rejects.toMatchObject({ code: "unrepresentable" });

    const { journal: second } = await openJournal(toyOptions(await freshDirectory()));
    await second.close({ atUs: 1 });
    const late = second.append({ n: 1, atUs: 1, events: [], commands: 0, digest: "" });
    await expect(late).rejects.toMatchObject({ code: "closed" });
  });
});

describe("the format", () => {
  it("is checked by an independent reading: chain over all segments, numbering, headers", async () => {
    const directory = await freshDirectory();
    const limits = { maxSegmentBytes: 2_000, maxBacklogBytes: 10_000 };
    await writeToyJournal(directory, 40, { limits });
    const names = (await readdir(directory)).filter((name) => name.startsWith("segment")).sort();
    expect(names.length).toBeGreaterThan(4);
    let chain = "0".repeat(32);
    let n = 0;
    for (const [i, name] of names.entries()) {
      expect(name).toBe(`segment-${String(i + 1).padStart(6, "0")}.jsonl`);
      const lines = (await readFile(join(directory, name), "utf8")).trimEnd().split("\n");
      const header = JSON.parse(lines[0] ?? "");
      expect(header).toMatchObject({ kind: "header", format: 1, segment: i + 1, firstBatch: n + 1, previous: chain });
      for (const line of lines) {
        const record = JSON.parse(line);
        expect(Object.keys(record).at(-1)).toBe("chain");
        const body = line.replace(/,"chain":"[0-9a-f]{32}"\}$/, "");
        chain = createHash("sha256").update(chain).update(body).digest("hex").slice(0, 32);
        expect(record.chain).toBe(chain);
        if (record.kind === "batch") expect(record.n).toBe(++n);
      }
    }
    expect(n).toBe(40);
  });

  it("has a digest of commands that sha256sum gives for their JSON", () => {
    expect(digestCommands([{ kind: "committed", height: 3 }])).toBe("d564d1410df948ee80fa910ec8b8cf86");
  });
});

describe("a write error", () => {
  it("of a full device rejects every waiting and later append", async () => {
    const handle = await open("/dev/full", constants.O_WRONLY | constants.O_APPEND);
    const options = {
      directory: "/dev",
      maxSegmentBytes: 1_000_000,
      maxBacklogBytes: 300,
      encodeHeader: () => encodeMark({ kind: "closed", n: 0, atUs: 0 }, GENESIS_CHAIN),
    };
    const state = { chain: GENESIS_CHAIN, lastBatch: 0, segments: [{ number: 1, firstBatch: 1 }], segmentBytes: 1 };
    const writer = new JournalWriter(options, state, handle);
    const draft = (n: number) => ({
      lastBatch: n,
      encode: (previous: string) => encodeMark({ kind: "closed", n, atUs: 0 }, previous),
    });
    // Some are in the first write, some in the next group, some are not even encoded yet.
    const appends = Array.from({ length: 10 }, (_, i) => writer.append(draft(i)));
    for (const outcome of await Promise.allSettled(appends)) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: "write-failed", cause: { code: "ENOSPC" } },
      });
    }
    await expect(writer.append(draft(11))).rejects.toMatchObject({ code: "write-failed" });
    expect(writer.backlogBytes).toBe(0);
    await writer.close();
  });

  it("of a descriptor that was closed under it rejects", async () => {
    const directory = await freshDirectory();
    const path = join(directory, "segment-000001.jsonl");
    const handle = await open(path, "a");
    await handle.close();
    const options = {
      directory,
      maxSegmentBytes: 1_000_000,
      maxBacklogBytes: 10_000,
      encodeHeader: () => encodeMark({ kind: "closed", n: 0, atUs: 0 }, GENESIS_CHAIN),
    };
    const state = { chain: GENESIS_CHAIN, lastBatch: 0, segments: [{ number: 1, firstBatch: 1 }], segmentBytes: 1 };
    const writer = new JournalWriter(options, state, handle);
    const encode = (previous: string) => encodeMark({ kind: "closed", n: 1, atUs: 0 }, previous);
    await expect(writer.append({ lastBatch: 1, encode })).rejects.toMatchObject({ code: "write-failed" });
  });

  it("at a rotation ends the journal, and what was acknowledged before is recovered", async () => {
    const directory = await freshDirectory();
    const limits = { maxSegmentBytes: 1_000, maxBacklogBytes: 100_000 };
    const { journal } = await openJournal(toyOptions(directory, { limits }));
    await symlink("/dev/full", join(directory, "segment-000002.jsonl"));
    const engine = new ToyEngine(7);
    let acknowledged = 0;
    await expect(async () => {
      for (let n = 1; n <= 50; n += 1) {
        await journal.append(toyBatch(engine, n, 3));
        acknowledged = n;
      }
    }).rejects.toMatchObject({ code: "write-failed", file: join(directory, "segment-000002.jsonl") });
    await expect(journal.close({ atUs: 60_000 })).rejects.toMatchObject({ code: "write-failed" });
    await unlink(join(directory, "segment-000002.jsonl"));
    const again = await openJournal(toyOptions(directory, { limits }));
    expect((await recoveredNumbers(again)).length).toBe(acknowledged);
    await again.journal.close({ atUs: 60_001 });
  });

  it("in the middle of a record, at the size that the system allows a file, leaves a journal that opens again", async () => {
    const directory = await freshDirectory();
    const child = join(import.meta.dirname, "child.ts");
    // 100 blocks of 1,024 bytes; the runtime ignores the signal and gets EFBIG after a partial write.
    const shell = 'ulimit -f 100 && exec "$0" "$1" "$2" 1000000 fail';
    const output = execFileSync("bash", ["-c", shell, process.execPath, child, directory], { encoding: "utf8" });
    const lines = output.trimEnd().split("\n");
    expect(lines.at(-1)).toBe("write-failed EFBIG");
    const acknowledged = Number(lines.at(-2));
    expect(acknowledged).toBeGreaterThan(10);
    const again = await openJournal(toyOptions(directory));
    expect(again.recovered?.tornTail).toBe(true);
    expect((await recoveredNumbers(again)).length).toBeGreaterThanOrEqual(acknowledged);
    await again.journal.close({ atUs: 60_000_000 });
  });
});
