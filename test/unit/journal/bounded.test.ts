import { copyFile, readdir, readFile, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { replayJournal } from "../../../scheduler/live/journal-replay.ts";
import type { JournalOptions } from "../../../scheduler/live/journal.ts";
import { openJournal } from "../../../scheduler/live/journal.ts";
import {
  contents,
  copyDirectory,
  freshDirectory,
  recoveredNumbers,
  ToyEngine,
  toyBatch,
  toyOptions,
  toyStepper,
} from "./toy.ts";

const SMALL: Partial<JournalOptions> = { limits: { maxSegmentBytes: 1_200, maxBacklogBytes: 100_000 } };
const BATCHES = 60;

/** Sixty batches in some twenty segments, with snapshots after batches 40 and 50 that hold their own number. */
async function longJournal(change: Partial<JournalOptions> = {}): Promise<string> {
  const directory = await freshDirectory();
  const options = toyOptions(directory, { ...SMALL, ...change });
  const { journal } = await openJournal(options);
  const seed = (options.config as { readonly seed: number }).seed;
  const engine = new ToyEngine(seed);
  for (let n = 1; n <= BATCHES; n += 1) {
    await journal.append(toyBatch(engine, n, 4));
    if (n === 40 || n === 50) await journal.writeSnapshot({ n, atUs: n * 1_000, state: n });
  }
  await journal.close({ atUs: 61_000 });
  return directory;
}

interface Segment {
  readonly path: string;
  readonly firstBatch: number;
}

async function segmentsOf(directory: string): Promise<Segment[]> {
  const names = (await readdir(directory)).filter((name) => name.startsWith("segment")).sort();
  const read = async (name: string): Promise<Segment> => {
    const path = join(directory, name);
    const [header = ""] = (await readFile(path, "utf8")).split("\n");
    return { path, firstBatch: (JSON.parse(header) as { readonly firstBatch: number }).firstBatch };
  };
  return Promise.all(names.map(read));
}

/** Index of the segment that holds the batch. */
const holding = (segments: readonly Segment[], n: number): number =>
  segments.findLastIndex(({ firstBatch }) => firstBatch <= n);

/** The file's name stays in the directory; opening it fails. */
async function makeUnopenable(path: string): Promise<void> {
  await unlink(path);
  await symlink(`${path}.gone`, path);
}

async function reopen(directory: string, change: Partial<JournalOptions> = {}) {
  const opened = await openJournal(toyOptions(directory, { ...SMALL, nowUs: 70_000, ...change }));
  const numbers = await recoveredNumbers(opened);
  await opened.journal.close({ atUs: 70_001 });
  return { numbers, recovered: opened.recovered, nextBatch: opened.journal.nextBatch };
}

const following = (n: number) => Array.from({ length: BATCHES - n }, (_, i) => n + 1 + i);

describe("a restart with snapshots", () => {
  it("opens only the segments from the one that holds the older snapshot's batch", async () => {
    const directory = await longJournal();
    const segments = await segmentsOf(directory);
    const needed = holding(segments, 40);
    expect(segments.length).toBeGreaterThanOrEqual(20);
    expect(needed).toBeGreaterThan(10);
    for (const { path } of segments.slice(0, needed)) await makeUnopenable(path);
    expect(await reopen(directory)).toMatchObject({
      numbers: following(50),
      nextBatch: BATCHES + 1,
      recovered: {
        snapshot: { n: 50 },
        lastBatch: BATCHES,
        closedCleanly: true,
        tornTail: false,
        refusedSnapshots: [],
      },
    });
    await makeUnopenable(segments[needed]?.path ?? "");
    await expect(reopen(directory)).rejects.toMatchObject({ code: "unreadable", file: segments[needed]?.path });
  });

  it("begins at the newer one's batch when the older is damaged, and at the older one's when the newer is", async () => {
    for (const [damaged, left] of [
      [40, 50],
      [50, 40],
    ] as const) {
      const directory = await longJournal();
      const segments = await segmentsOf(directory);
      await writeFile(join(directory, `snapshot-${damaged}.json`), "damaged");
      for (const { path } of segments.slice(0, holding(segments, left))) await makeUnopenable(path);
      expect((await reopen(directory)).numbers).toEqual(following(left));
    }
  });

  it("reads everything when no snapshot can be used", async () => {
    const directory = await longJournal();
    for (const n of [40, 50]) await writeFile(join(directory, `snapshot-${n}.json`), "damaged");
    expect((await reopen(directory)).numbers).toEqual(following(0));
    const [first] = await segmentsOf(directory);
    await makeUnopenable(first?.path ?? "");
    await expect(reopen(directory)).rejects.toMatchObject({ code: "unreadable", file: first?.path });
  });

  it("leaves damage before that to a replay, and still finds every segment that is not there", async () => {
    const directory = await longJournal();
    const [, second, third] = await segmentsOf(directory);
    const path = second?.path ?? "";
    await writeFile(path, (await readFile(path, "utf8")).replace('"copy-progressed"', '"copy-progresses"'));
    const replayed = await replayJournal({ directory, stepper: toyStepper, mustBeClosed: true });
    expect(replayed).toMatchObject({ status: "unreadable", error: { code: "damaged", file: path } });
    expect((await reopen(directory)).numbers).toEqual(following(50));
    await unlink(third?.path ?? "");
    await expect(reopen(directory)).rejects.toMatchObject({ code: "history-missing", file: third?.path });
  });

  it("holds both snapshots against the chain", async () => {
    const other = await longJournal({ config: { seed: 8 } });
    for (const n of [40, 50]) {
      const directory = await longJournal();
      await copyFile(join(other, `snapshot-${n}.json`), join(directory, `snapshot-${n}.json`));
      const before = await contents(directory);
      const file = join(directory, `snapshot-${n}.json`);
      await expect(reopen(directory)).rejects.toMatchObject({ code: "damaged", file });
      expect(await contents(directory)).toEqual(before);
    }
  });

  it("names the damaged segment when one that is needed has no sound header", async () => {
    const original = await longJournal();
    const from = holding(await segmentsOf(original), 40);
    for (let at = from; at < (await segmentsOf(original)).length; at += 1) {
      const directory = await copyDirectory(original);
      const path = (await segmentsOf(directory))[at]?.path ?? "";
      await writeFile(path, (await readFile(path, "utf8")).replace('"firstBatch":', '"firstBatch":1'));
      await expect(reopen(directory)).rejects.toMatchObject({ code: "damaged", file: path, line: 1 });
      // Another segment's header is not followed either.
      await copyFile((await segmentsOf(original))[2]?.path ?? "", path);
      await expect(reopen(directory)).rejects.toMatchObject({ code: "damaged", file: path, line: 1 });
    }
  });

  it("cuts off the torn header of the last segment", async () => {
    const original = await longJournal();
    const segments = await segmentsOf(original);
    const last = segments.length - 1;
    for (let size = 0; size < 200; size += 23) {
      const directory = await copyDirectory(original);
      await truncate((await segmentsOf(directory))[last]?.path ?? "", size);
      const { recovered, nextBatch } = await reopen(directory);
      expect(recovered).toMatchObject({ tornTail: true, snapshot: { n: 50 } });
      expect(nextBatch).toBe(segments[last]?.firstBatch);
    }
  });

  it("frees older segments that an interrupted deletion left, though it does not read them", async () => {
    const directory = await longJournal();
    const { journal } = await openJournal(toyOptions(directory, { ...SMALL, retainAll: false, nowUs: 70_000 }));
    const count = (await segmentsOf(directory)).length;
    await journal.writeSnapshot({ n: BATCHES, atUs: 60_000, state: BATCHES });
    await journal.close({ atUs: 70_001 });
    const kept = await segmentsOf(directory);
    expect(kept.length).toBeLessThan(count / 2);
    expect(holding(kept, 50)).toBe(0);
    expect((await reopen(directory, { retainAll: false })).recovered?.snapshot?.n).toBe(BATCHES);
  });
});
