/**
 * The journal: everything that the engine was told, in order, durable before any command leaves (P13). A directory of
 * hash-chained segments (journal-format.ts) and at most two snapshots (journal-snapshots.ts), held by one process.
 *
 * 1. A batch whose append has resolved survives a crash of the process and, as far as fdatasync holds, of the machine.
 * 2. What recovery gives is a prefix of what was appended, and holds every batch whose append has resolved.
 * 3. Only an unfinished last line is ever cut off; any other damage is an error that names the place, and nothing is changed.
 * 4. Segments are deleted only on request, and only those that neither kept snapshot needs.
 * 5. Opening it reads as much as the snapshots leave, however long it is: from the segment that holds the older one's batch.
 *    Damage before that is found by a replay, which reads everything.
 */
import { stat, unlink } from "node:fs/promises";
import { assert } from "../shared/assert.ts";
import { writeFailure } from "./journal-error.ts";
import { listSegments, makeDirectory, syncDirectory } from "./journal-files.ts";
import type { Batch, JournalHeader } from "./journal-format.ts";
import { encodeBatch, encodeHeader, encodeMark, FORMAT, GENESIS_CHAIN } from "./journal-format.ts";
import type { JournalLock } from "./journal-lock.ts";
import { acquireLock } from "./journal-lock.ts";
import type { CheckedJournal } from "./journal-recovery.ts";
import { batchesAfterSnapshot, recoverJournal } from "./journal-recovery.ts";
import type { Snapshot } from "./journal-snapshots.ts";
import { removeOldSnapshots, SNAPSHOTS_KEPT, storeSnapshot } from "./journal-snapshots.ts";
import type { SegmentStart, WriterState } from "./journal-writer.ts";
import { JournalWriter } from "./journal-writer.ts";

export interface JournalLimits {
  /** A segment that has reached this size is followed by the next one. */
  readonly maxSegmentBytes: number;
  /** Encoded bytes not yet durable beyond which appends wait. */
  readonly maxBacklogBytes: number;
}

export const DEFAULT_JOURNAL_LIMITS: JournalLimits = {
  // Read and checked within a fraction of a second; a hundred thousand events or more.
  maxSegmentBytes: 64 * 1024 * 1024,
  // Some batches of usual size: more would only grow the time until commands leave.
  maxBacklogBytes: 16 * 1024 * 1024,
};

export interface JournalOptions {
  /** Created when it does not exist; on a disk of this machine, since its lock knows only this machine's processes. */
  readonly directory: string;
  /** Version of this program. */
  readonly program: string;
  readonly chainId: string;
  /** The engine's configuration. An existing journal must have been written with an equal one. */
  readonly config: unknown;
  readonly nowUs: number;
  readonly limits: JournalLimits;
  /** Keep every segment, so that the journal can be replayed from its beginning; otherwise snapshots free the older ones. */
  readonly retainAll: boolean;
}

/** What an existing journal holds. */
export interface Recovered {
  readonly header: JournalHeader;
  /** The newest usable one. */
  readonly snapshot: Snapshot | undefined;
  /** The batches after the snapshot, in order. To be read before the first `writeSnapshot`, which may delete segments. */
  readonly batches: AsyncIterable<Batch>;
  /** Number of the last batch, 0 for none. */
  readonly lastBatch: number;
  /** The latest time that is told by what was read: time goes on from there. */
  readonly lastUs: number;
  /** Whether the last run closed the journal. */
  readonly closedCleanly: boolean;
  /** Whether a crash had left an unfinished last line, which is now cut off. It was never acknowledged. */
  readonly tornTail: boolean;
  /** Snapshots that could not be used, each with the reason. */
  readonly refusedSnapshots: readonly string[];
}

export interface OpenedJournal {
  readonly journal: Journal;
  /** `undefined` when the journal is new. */
  readonly recovered: Recovered | undefined;
}

/** @throws JournalError `locked`, `damaged`, `history-missing`, `foreign`, `unreadable`, `write-failed`, `unrepresentable`. */
export async function openJournal(options: JournalOptions): Promise<OpenedJournal> {
  const { limits, directory } = options;
  assert(limits.maxSegmentBytes > 0 && limits.maxBacklogBytes > 0, "the journal's limits must be positive");
  await makeDirectory(directory).catch((error: unknown) => Promise.reject(writeFailure(error, directory)));
  const lock = await acquireLock(directory);
  try {
    const checked = await recoverJournal(directory, options);
    const journal = await startWriting(options, lock, checked);
    return { journal, recovered: checked && describe(directory, checked) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function describe(directory: string, checked: CheckedJournal): Recovered {
  const { header, reader, snapshots, refusedSnapshots } = checked;
  const newest = snapshots[0];
  return {
    header,
    snapshot: newest && { n: newest.n, atUs: newest.atUs, state: newest.state },
    batches: batchesAfterSnapshot(directory, checked),
    lastBatch: reader.lastBatch,
    lastUs: Math.max(reader.lastUs, header.createdAtUs, newest?.atUs ?? 0),
    closedCleanly: reader.closed,
    tornTail: reader.torn !== undefined,
    refusedSnapshots,
  };
}

async function startWriting(
  options: JournalOptions,
  lock: JournalLock,
  checked: CheckedJournal | undefined,
): Promise<Journal> {
  const { directory, limits, program, chainId, config, nowUs } = options;
  const header = checked?.header ?? { kind: "header", format: FORMAT, program, chainId, config, createdAtUs: nowUs };
  const writerOptions = {
    directory,
    ...limits,
    encodeHeader: ({ number, firstBatch }: SegmentStart, previous: string) =>
      encodeHeader({ ...header, segment: number, firstBatch, previous }),
  };
  const state = checked === undefined ? NEW_JOURNAL : await writerState(checked);
  const writer = await JournalWriter.open(writerOptions, state);
  const lastBatch = state.lastBatch;
  const opened = { kind: "opened", n: lastBatch, atUs: nowUs, program } as const;
  try {
    await writer.append({ lastBatch, encode: (previous) => encodeMark(opened, previous) });
  } catch (error) {
    await writer.close();
    throw error;
  }
  const snapshots = checked?.snapshots.map(({ n }) => n) ?? [];
  return new Journal(options, { lock, writer, lastBatch, lastChain: checked?.reader.batchChain ?? "", snapshots });
}

const NEW_JOURNAL: WriterState = { chain: GENESIS_CHAIN, lastBatch: 0, segments: [], segmentBytes: 0 };

async function writerState({ reader }: CheckedJournal): Promise<WriterState> {
  const { chain, lastBatch, segments } = reader;
  const last = segments.at(-1);
  assert(last !== undefined, "a journal with a header has a segment");
  const { size } = await stat(last.path);
  return {
    chain,
    lastBatch,
    segments: segments.map(({ number, firstBatch }) => ({ number, firstBatch })),
    segmentBytes: size,
  };
}

interface JournalParts {
  readonly lock: JournalLock;
  readonly writer: JournalWriter;
  readonly lastBatch: number;
  /** Chain value of the last batch, empty when it is not known. */
  readonly lastChain: string;
  /** Numbers of the usable snapshots, newest first. */
  readonly snapshots: readonly number[];
}

/** Batches after which a snapshot can no more be written: more than are ever appended while one batch becomes durable. */
const MAX_SNAPSHOT_LAG = 1_024;

/** An open journal; made by `openJournal`. */
export class Journal {
  readonly #directory: string;
  readonly #retainAll: boolean;
  readonly #lock: JournalLock;
  readonly #writer: JournalWriter;
  #snapshots: readonly number[];
  #lastBatch: number;
  /** Chain values of the latest batches by their numbers; each resolves when its batch is durable. */
  readonly #chains = new Map<number, Promise<string>>();
  #snapshotting: Promise<void> | undefined;
  #closed = false;

  constructor(options: JournalOptions, parts: JournalParts) {
    this.#directory = options.directory;
    this.#retainAll = options.retainAll;
    this.#lock = parts.lock;
    this.#writer = parts.writer;
    this.#snapshots = parts.snapshots;
    this.#lastBatch = parts.lastBatch;
    this.#chains.set(parts.lastBatch, Promise.resolve(parts.lastChain));
  }

  /** The number that the next batch must have. */
  get nextBatch(): number {
    return this.#lastBatch + 1;
  }

  /** Encoded bytes that are not durable yet. Who appends should hold back while it is beyond `maxBacklogBytes`. */
  get backlogBytes(): number {
    return this.#writer.backlogBytes;
  }

  /** Writes made durable so far by this process. */
  get fsyncs(): number {
    return this.#writer.fsyncs;
  }

  /**
   * Resolves when the batch is durable, in the order of the calls. The batch must not change until then.
   * @throws JournalError `write-failed`, `unrepresentable` (both end the journal), `closed`.
   */
  async append(batch: Batch): Promise<void> {
    assert(batch.n === this.nextBatch, "batches are numbered without gaps");
    this.#lastBatch = batch.n;
    const chain = this.#writer.append({ lastBatch: batch.n, encode: (previous) => encodeBatch(batch, previous) });
    this.#chains.set(batch.n, chain);
    this.#chains.delete(batch.n - MAX_SNAPSHOT_LAG);
    await chain;
  }

  /**
   * Keeps the state after batch `n`, one of the latest 1,024. The state must not change until this has resolved: its text is
   * made and written piece by piece, while the journal goes on. Resolves when it is durable and what it makes superfluous is
   * removed: all but two snapshots, and, unless everything is retained, the segments that only older snapshots need. One is
   * written at a time: call it again when it has resolved.
   * @throws JournalError `write-failed`, `history-missing`. The journal goes on when only the snapshot could not be written.
   */
  async writeSnapshot(snapshot: Snapshot): Promise<void> {
    const { n, atUs, state } = snapshot;
    const chain = this.#chains.get(n);
    assert(
      !this.#closed && this.#snapshotting === undefined,
      "one snapshot is written at a time, into an open journal",
    );
    assert(chain !== undefined && n > 0, "a snapshot is the state after one of the latest batches");
    assert(n >= (this.#snapshots[0] ?? 0), "a snapshot is not older than the one before");
    this.#snapshotting = this.#storeSnapshot({ n, atUs, state }, chain);
    try {
      await this.#snapshotting;
    } finally {
      this.#snapshotting = undefined;
    }
  }

  async #storeSnapshot(snapshot: Snapshot, chain: Promise<string>): Promise<void> {
    await storeSnapshot(this.#directory, { ...snapshot, chain: await chain });
    const others = this.#snapshots.filter((n) => n !== snapshot.n);
    this.#snapshots = [snapshot.n, ...others].slice(0, SNAPSHOTS_KEPT);
    try {
      await removeOldSnapshots(this.#directory, this.#snapshots);
      const oldest = this.#snapshots[SNAPSHOTS_KEPT - 1];
      // With a single snapshot, the beginning of the journal is what remains if that one is damaged.
      if (this.#retainAll || oldest === undefined) return;
      const firstKept = this.#writer.releaseSegments(oldest);
      // Oldest first, so that a crash in between leaves no gap; what it leaves, the next snapshot frees.
      for (const { number, path } of await listSegments(this.#directory)) if (number < firstKept) await unlink(path);
      await syncDirectory(this.#directory);
    } catch (error) {
      throw writeFailure(error, this.#directory);
    }
  }

  /**
   * Ends the journal cleanly after what was appended and gives its lock back, also when the end could not be written.
   * @throws JournalError `write-failed`.
   */
  async close({ atUs }: { readonly atUs: number }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = { kind: "closed", n: this.#lastBatch, atUs } as const;
    try {
      // A snapshot that cannot be written is told to who asked for it, and does not keep the journal from ending cleanly.
      await this.#snapshotting?.catch(() => {});
      await this.#writer.append({ lastBatch: closed.n, encode: (previous) => encodeMark(closed, previous) });
    } finally {
      await this.#writer.close();
      await this.#lock.release();
    }
  }
}
