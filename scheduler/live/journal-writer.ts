/**
 * Appends lines to segments with group commit: while one write and its fsync are under way, further lines collect and make up
 * the next write, so the disk's latency is shared by however many arrive in it. A line is durable when its promise resolves;
 * promises resolve in the order of appending.
 *
 * The first error of the operating system ends the writer: every waiting and later append is refused with that error, and no
 * fsync is ever tried again, since the kernel may have dropped the pages that it could not write.
 */
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { assert } from "../shared/assert.ts";
import { JournalError, writeFailure } from "./journal-error.ts";
import { segmentPath, syncDirectory } from "./journal-files.ts";
import type { EncodedLine } from "./journal-format.ts";

/** Appends that may wait for room; a caller that minds `backlogBytes` never has more than a few. */
const MAX_WAITING = 1_024;

/** A record still to be encoded, which happens in order and as soon as there is room. */
export interface Draft {
  /** Number of the last batch once this record is written: the batch's own, or the one before an `opened` or `closed`. */
  readonly lastBatch: number;
  readonly encode: (previous: string) => EncodedLine;
}

export interface SegmentStart {
  readonly number: number;
  readonly firstBatch: number;
}

/** Where writing goes on. */
export interface WriterState {
  readonly chain: string;
  readonly lastBatch: number;
  /** The latest that exist, oldest first, from the one that the older snapshot needs; none for a new journal. */
  readonly segments: readonly SegmentStart[];
  /** Bytes that the last segment holds. */
  readonly segmentBytes: number;
}

export interface WriterOptions {
  readonly directory: string;
  /** A segment that has reached this size is followed by the next one. */
  readonly maxSegmentBytes: number;
  /** Encoded bytes not yet durable beyond which appends wait before they are even encoded. */
  readonly maxBacklogBytes: number;
  /** The header's line for a segment that begins after the given chain value. */
  readonly encodeHeader: (start: SegmentStart, previous: string) => EncodedLine;
}

interface Pending {
  readonly line: EncodedLine;
  /** Set when the line is the first of that segment. */
  readonly opens: number | undefined;
  readonly resolve: (chain: string) => void;
  readonly reject: (error: JournalError) => void;
}

interface Waiting {
  readonly draft: Draft;
  readonly resolve: (chain: string) => void;
  readonly reject: (error: JournalError) => void;
}

export class JournalWriter {
  readonly #options: WriterOptions;
  /** The latest segments that exist or will with the next write, oldest first. */
  readonly #segments: SegmentStart[];
  #handle: FileHandle | undefined;
  #path: string;
  /** Chain value of the last encoded line. */
  #chain: string;
  /** The last encoded batch. */
  #lastBatch: number;
  /** Bytes of the segment that the next line goes to, encoded ones included. */
  #segmentBytes: number;
  #pending: Pending[] = [];
  #waiting: Waiting[] = [];
  #backlogBytes = 0;
  #flushing: Promise<void> | undefined;
  #failure: JournalError | undefined;
  #fsyncs = 0;

  /** @throws JournalError `write-failed`. */
  static async open(options: WriterOptions, state: WriterState): Promise<JournalWriter> {
    const last = state.segments.at(-1);
    if (last === undefined) return new JournalWriter(options, state, undefined);
    const path = segmentPath(options.directory, last.number);
    const handle = await open(path, "a").catch((error: unknown) => Promise.reject(writeFailure(error, path)));
    return new JournalWriter(options, state, handle);
  }

  /** `handle` is open for appending to the last segment, `undefined` when there is none. */
  constructor(options: WriterOptions, state: WriterState, handle: FileHandle | undefined) {
    this.#options = options;
    this.#segments = [...state.segments];
    this.#handle = handle;
    this.#path = segmentPath(options.directory, state.segments.at(-1)?.number ?? 1);
    this.#chain = state.chain;
    this.#lastBatch = state.lastBatch;
    this.#segmentBytes = state.segmentBytes;
  }

  /** Encoded bytes that are not durable yet. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Writes made durable so far: fewer than appends when group commit does its work. */
  get fsyncs(): number {
    return this.#fsyncs;
  }

  /** Resolves to the line's chain value once it is durable; rejects with a `JournalError`. */
  append(draft: Draft): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      assert(this.#waiting.length < MAX_WAITING, "who appends must hold back while the backlog is large");
      this.#waiting.push({ draft, resolve, reject });
      this.#admit();
    });
  }

  /** Number of the segment that holds batch n, before which none is needed any more; 1 when it is none of those known. */
  releaseSegments(n: number): number {
    const firstKept = this.#segments.findLastIndex(({ firstBatch }) => firstBatch <= n);
    if (firstKept < 0) return 1;
    this.#segments.splice(0, firstKept);
    return this.#segments[0]?.number ?? 1;
  }

  /** Ends the writer after what was appended; later appends are refused. The segment stays as it is. */
  async close(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    const remedy = "Append before the journal is closed.";
    this.#failure ??= new JournalError("closed", "the journal is closed", { remedy });
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** Encodes what waits, as far as there is room. */
  #admit(): void {
    while (this.#backlogBytes < this.#options.maxBacklogBytes && this.#failure === undefined) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      try {
        this.#encode(next);
      } catch (error) {
        // A record that cannot be written leaves a gap that no later one may jump over.
        next.reject(this.#fail(error));
      }
    }
    if (this.#pending.length > 0) this.#flushing ??= this.#flush();
  }

  #encode({ draft, resolve, reject }: Waiting): void {
    const current = this.#segments.at(-1);
    if (current === undefined || this.#segmentBytes >= this.#options.maxSegmentBytes) {
      const start = { number: (current?.number ?? 0) + 1, firstBatch: this.#lastBatch + 1 };
      const header = this.#options.encodeHeader(start, this.#chain);
      this.#segments.push(start);
      this.#segmentBytes = 0;
      this.#push({ line: header, opens: start.number, resolve: () => {}, reject: () => {} });
    }
    this.#push({ line: draft.encode(this.#chain), opens: undefined, resolve, reject });
    this.#lastBatch = draft.lastBatch;
  }

  #push(pending: Pending): void {
    const { bytes, chain } = pending.line;
    this.#chain = chain;
    this.#segmentBytes += bytes.length;
    this.#backlogBytes += bytes.length;
    this.#pending.push(pending);
  }

  async #flush(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const group = this.#takeGroup();
        if (!(await this.#commit(group))) return;
        // In order, and before more is admitted, so that who waits for room sees what is durable.
        for (const { line, resolve } of group) {
          this.#backlogBytes = Math.max(0, this.#backlogBytes - line.bytes.length);
          resolve(line.chain);
        }
        this.#admit();
      }
    } finally {
      this.#flushing = undefined;
    }
  }

  /** Everything pending up to the next segment's header. */
  #takeGroup(): Pending[] {
    const next = this.#pending.findIndex(({ opens }, i) => opens !== undefined && i > 0);
    return this.#pending.splice(0, next < 0 ? this.#pending.length : next);
  }

  /** False when the writer has failed. */
  async #commit(group: readonly Pending[]): Promise<boolean> {
    try {
      const opens = group[0]?.opens;
      if (opens !== undefined) await this.#openSegment(opens);
      const handle = this.#handle;
      assert(handle !== undefined, "a segment is open while something is to be written");
      await writeWhole(handle, group);
      await handle.datasync();
      if (opens !== undefined) await syncDirectory(this.#options.directory);
      this.#fsyncs += 1;
      return true;
    } catch (error) {
      const failure = this.#fail(error);
      for (const { reject } of group) reject(failure);
      return false;
    }
  }

  async #openSegment(segment: number): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    this.#path = segmentPath(this.#options.directory, segment);
    this.#handle = await open(this.#path, "ax");
  }

  #fail(error: unknown): JournalError {
    this.#failure ??= writeFailure(error, this.#path);
    const refused = [...this.#pending.splice(0), ...this.#waiting.splice(0)];
    this.#backlogBytes = 0;
    for (const { reject } of refused) reject(this.#failure);
    return this.#failure;
  }
}

/** One write for the whole group; what the system did not take at once follows. */
async function writeWhole(handle: FileHandle, group: readonly Pending[]): Promise<void> {
  const only = group[0];
  const bytes = group.length === 1 && only ? only.line.bytes : Buffer.concat(group.map(({ line }) => line.bytes));
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, null);
    assert(bytesWritten > 0, "a write takes at least a byte or fails");
    written += bytesWritten;
  }
}
