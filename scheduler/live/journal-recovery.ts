/** Checks an existing journal, cuts off what a crash left unfinished, and gives back the batches to be stepped again. */
import { truncate, unlink } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { assert } from "../shared/assert.ts";
import { JournalError, writeFailure } from "./journal-error.ts";
import { listSegments, listSnapshots, segmentPath, syncDirectory } from "./journal-files.ts";
import type { Batch, JournalHeader } from "./journal-format.ts";
import { JournalReader, startingPointOf } from "./journal-reader.ts";
import type { StoredSnapshot } from "./journal-snapshots.ts";
import { findSnapshots, removeDrafts } from "./journal-snapshots.ts";

export interface CheckedJournal {
  readonly header: JournalHeader;
  /** Read to its end, from the oldest segment or from the one that the older snapshot needs. */
  readonly reader: JournalReader;
  /** Usable snapshots, newest first. */
  readonly snapshots: readonly StoredSnapshot[];
  /** Snapshots that could not be used, each with the reason. */
  readonly refusedSnapshots: readonly string[];
}

/**
 * Reads from the segment that holds the batch of the oldest usable snapshot, so that each snapshot is still held against the
 * chain, and the time of a restart does not grow with the journal; without snapshots, all that is there. Segments before are
 * only looked for: what is in them is for a replay to check. Changes nothing when it throws.
 * @returns `undefined` when nothing was ever appended.
 * @throws JournalError `damaged`, `history-missing`, `foreign`, `unreadable`, `write-failed`.
 */
export async function recoverJournal(
  directory: string,
  engine: { readonly chainId: string; readonly config: unknown },
): Promise<CheckedJournal | undefined> {
  const segments = await listSegments(directory);
  const { usable, refused } = await findSnapshots(directory);
  const anySnapshot = (await listSnapshots(directory)).length > 0;
  const oldest = usable.at(-1);
  const reader = new JournalReader(directory, oldest && (await startingPointOf(directory, oldest.n)));
  for await (const record of reader.records()) {
    const snapshot = record.kind === "batch" && usable.find(({ n }) => n === record.n);
    if (snapshot && snapshot.chain !== reader.chain) throw misfit(snapshot, "it is another journal's");
  }
  const { header } = reader;
  if (header === undefined) {
    // At most the beginning of the first segment's header: a crash while the journal was being made.
    if (anySnapshot || (segments[0]?.number ?? 1) !== 1) throw historyMissing(segmentPath(directory, 1));
  } else {
    assertSameEngine(engine, header, directory);
    assertCovered(directory, reader, usable[0]);
  }
  await cleanUp(directory, reader);
  return header && { header, reader, snapshots: usable, refusedSnapshots: refused };
}

/** The header of the oldest segment, unchecked but for its own line; `undefined` where no journal was begun. */
export async function readJournalHeader(directory: string): Promise<JournalHeader | undefined> {
  const reader = new JournalReader(directory, undefined);
  // Left by `break`, the generator closes its file.
  for await (const _first of reader.records()) break;
  return reader.header;
}

function assertSameEngine(engine: { chainId: string; config: unknown }, header: JournalHeader, file: string): void {
  const config: unknown = JSON.parse(JSON.stringify(engine.config));
  const sameChain = header.chainId === engine.chainId;
  if (sameChain && isDeepStrictEqual(config, header.config)) return;
  const what = sameChain ? "engine configuration" : "chain";
  throw new JournalError("foreign", `the journal was written with another ${what}`, {
    file,
    remedy: "Start with the one that stands in the header of its first segment, or use another directory.",
  });
}

/** The newest snapshot and the segments must join without a gap. */
function assertCovered(directory: string, reader: JournalReader, newest: StoredSnapshot | undefined): void {
  if (newest && newest.n > reader.lastBatch) {
    throw misfit(newest, `its segments end at batch ${reader.lastBatch}, before the snapshot`);
  }
  const first = reader.segments[0];
  if (first && (newest?.n ?? 0) < first.firstBatch - 1) throw historyMissing(segmentPath(directory, first.number - 1));
}

function historyMissing(file: string): JournalError {
  return new JournalError("history-missing", "no usable snapshot covers the batches before the first segment", {
    file,
    remedy: "Put back the segment or an older snapshot from a copy; nothing was changed.",
  });
}

function misfit(snapshot: StoredSnapshot, what: string): JournalError {
  return new JournalError("damaged", `the journal does not fit its snapshot: ${what}`, {
    file: snapshot.path,
    remedy: "Put back the segments or the snapshot that belong together; nothing was changed.",
  });
}

async function cleanUp(directory: string, { torn }: JournalReader): Promise<void> {
  try {
    await removeDrafts(directory);
    if (torn === undefined) return;
    // A segment without a whole header is no segment yet: it will be made anew.
    if (torn.offset === 0) await unlink(torn.file);
    else await truncate(torn.file, torn.offset);
    await syncDirectory(directory);
  } catch (error) {
    throw writeFailure(error, torn?.file ?? directory);
  }
}

/** The recovered batches after the newest snapshot, read again from the segment that holds the first of them. */
export async function* batchesAfterSnapshot(
  directory: string,
  { header, reader, snapshots }: CheckedJournal,
): AsyncGenerator<Batch, void, undefined> {
  const after = snapshots[0]?.n ?? 0;
  const { segments, lastBatch } = reader;
  if (after === lastBatch) return;
  const segment = segments.findLast(({ firstBatch }) => firstBatch <= after + 1);
  assert(segment !== undefined, "the first segment holds the batch after the snapshot, or an earlier one");
  for await (const record of new JournalReader(directory, { segment: segment.number, header }).records()) {
    if (record.kind !== "batch" || record.n <= after) continue;
    yield record.decode();
    // What was appended in the meantime is not part of what was recovered.
    if (record.n === lastBatch) return;
  }
}
