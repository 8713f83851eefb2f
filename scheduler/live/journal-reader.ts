/**
 * Reads a journal's records in order and checks what can be checked without understanding them: the chain, the numbering of
 * segments and batches, and that nothing follows a `closed` record but a program that opened the journal again.
 *
 * A crash can cut short the very last line; that is a torn tail, which the reader reports and stops at. Everything else that
 * does not fit is damage: the reader throws, names the place, and changes nothing.
 */
import { open } from "node:fs/promises";
import { JournalError, readFailure } from "./journal-error.ts";
import type { NumberedFile } from "./journal-files.ts";
import { listSegments } from "./journal-files.ts";
import type { Batch, JournalHeader, JournalRecord } from "./journal-format.ts";
import {
  batchStart,
  checkLine,
  decodeLine,
  findNewline,
  FORMAT,
  GENESIS_CHAIN,
  hidesRecord,
  MAX_RECORD_BYTES,
} from "./journal-format.ts";

const READ_BYTES = 1024 * 1024;

export interface Place {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Byte of the file at which the line starts. */
  readonly offset: number;
}

interface Line extends Place {
  /** Without the newline. */
  readonly bytes: Buffer;
  readonly terminated: boolean;
  /** Whether the file ends with it. */
  readonly last: boolean;
}

/** A record whose chain value and place are right. Batches are decoded on demand, since a mere check need not. */
export type CheckedRecord =
  | { readonly kind: "batch"; readonly n: number; readonly place: Place; decode(): Batch }
  | {
      readonly kind: "header" | "opened" | "closed";
      readonly place: Place;
      readonly record: Exclude<JournalRecord, Batch>;
    };

export interface SegmentInfo extends NumberedFile {
  readonly firstBatch: number;
  /** Chain value before its header. */
  readonly previous: string;
}

/** Where a reader begins: a segment, and the journal's header if that was read already. */
export interface StartingPoint {
  readonly segment: number;
  readonly header: JournalHeader | undefined;
}

/**
 * Where to begin so as to read batch n: the last segment that starts with it or with an earlier one, found by the headers
 * from the newest backwards. A header that is not whole is passed over: beginning before it, a reader will judge it.
 * @returns `undefined` when the oldest segment is where to begin.
 * @throws JournalError `history-missing`, `unreadable`.
 */
export async function startingPointOf(directory: string, n: number): Promise<StartingPoint | undefined> {
  for (const file of (await listSegments(directory)).reverse()) {
    const header = await readHeader(file);
    if (header !== undefined && header.firstBatch <= n) return { segment: file.number, header: undefined };
  }
  return undefined;
}

/** A segment's header by its own line; `undefined` when that is damaged, cut short, or another segment's. */
async function readHeader({ number, path }: NumberedFile): Promise<JournalHeader | undefined> {
  for await (const { bytes, terminated } of readLines(path)) {
    const record = terminated ? decodeLine(bytes) : "cut short";
    if (typeof record === "string" || record.kind !== "header" || record.segment !== number) return undefined;
    return checkLine(bytes, record.previous) === undefined ? undefined : record;
  }
  return undefined;
}

/** Reads once; its fields tell what was read so far. */
export class JournalReader {
  readonly #directory: string;
  readonly #from: StartingPoint | undefined;
  /** The header of the first segment that was read. */
  header: JournalHeader | undefined;
  /** Chain value of the last record. */
  chain = GENESIS_CHAIN;
  /** Chain value of the last batch; `undefined` when no batch was read. */
  batchChain: string | undefined;
  /** Number of the last batch, 0 for none. */
  lastBatch = 0;
  /** The latest time that a record tells. */
  lastUs = 0;
  /** Whether the last record says that the journal was closed. */
  closed = false;
  /** What a crash left of the last line: to be cut off at `offset`. */
  torn: Place | undefined;
  /** Bytes of whole records in the last segment. */
  bytes = 0;
  readonly segments: SegmentInfo[] = [];

  /** `from`: where to begin; what stands before it is neither read nor checked. `undefined` for the oldest segment. */
  constructor(directory: string, from: StartingPoint | undefined) {
    this.#directory = directory;
    this.#from = from;
    this.header = from?.header;
  }

  /** @throws JournalError `damaged`, `history-missing`, `foreign`, `unreadable`. */
  async *records(): AsyncGenerator<CheckedRecord, void, undefined> {
    const all = await listSegments(this.#directory);
    const files = this.#from === undefined ? all : all.filter(({ number }) => number >= (this.#from?.segment ?? 0));
    for (const [i, file] of files.entries()) {
      const lastFile = i === files.length - 1;
      this.bytes = 0;
      for await (const line of readLines(file.path)) {
        const record = this.#check(line, file, lastFile && line.last);
        if (record === undefined) return;
        this.bytes = line.offset + line.bytes.length + 1;
        yield record;
      }
      if (this.bytes > 0) continue;
      const place = { file: file.path, line: 1, offset: 0 };
      if (!lastFile) throw damaged("the segment is empty", place);
      this.torn = place;
    }
  }

  /** `undefined` when the line is a torn tail. */
  #check(line: Line, file: NumberedFile, mayBeTorn: boolean): CheckedRecord | undefined {
    const previous = this.#previousOf(line);
    const chain = line.terminated ? checkLine(line.bytes, previous) : undefined;
    if (chain === undefined) {
      if (!mayBeTorn) throw damaged("the record is not the one that was written (its chain value does not fit)", line);
      if (hidesRecord(line.bytes, previous)) throw damaged("the end of the record was changed", line);
      this.torn = { file: line.file, line: line.line, offset: line.offset };
      return undefined;
    }
    const record = this.#classify(line, file, previous);
    this.chain = chain;
    if (record.kind === "batch") this.batchChain = chain;
    return record;
  }

  /** The oldest segment may follow deleted ones: what it says about the record before is then all that is known. */
  #previousOf(line: Line): string {
    if (this.segments.length > 0 || line.line > 1) return this.chain;
    const decoded = decodeLine(line.bytes);
    const header = typeof decoded !== "string" && decoded.kind === "header" ? decoded : undefined;
    return header === undefined || header.segment === 1 ? GENESIS_CHAIN : header.previous;
  }

  #classify(line: Line, file: NumberedFile, previous: string): CheckedRecord {
    const { file: path, line: number, offset } = line;
    const place = { file: path, line: number, offset };
    const batch = number === 1 ? undefined : batchStart(line.bytes);
    if (batch !== undefined) {
      const { n, atUs } = batch;
      if (n !== this.lastBatch + 1) throw damaged(`batch ${n} follows batch ${this.lastBatch}`, place);
      if (this.closed) throw damaged("a batch follows the end of the journal", place);
      this.lastBatch = n;
      this.lastUs = Math.max(this.lastUs, atUs);
      return { kind: "batch", n, place, decode: () => decodeBatch(line.bytes, place) };
    }
    const record = decodeLine(line.bytes);
    if (typeof record === "string") throw damaged(record, place);
    if (record.kind === "batch" || (record.kind === "header") !== (number === 1)) {
      throw damaged("each segment starts with a header, and has no other", place);
    }
    if (record.kind === "header") this.#enterSegment(record, file, previous, place);
    else {
      if (record.n !== this.lastBatch) throw damaged(`"${record.kind}" tells of batch ${record.n}`, place);
      this.closed = record.kind === "closed";
      this.lastUs = Math.max(this.lastUs, record.atUs);
    }
    return { kind: record.kind, place, record };
  }

  #enterSegment(header: JournalHeader, file: NumberedFile, previous: string, place: Place): void {
    const { segment, firstBatch } = header;
    if (header.format !== FORMAT) throw foreign(`the format is ${header.format}, not ${FORMAT}`, place);
    const first = this.segments.length === 0;
    if (first && segment === 1 && firstBatch !== 1) throw damaged("the first segment starts with batch 1", place);
    if (first) this.lastBatch = firstBatch - 1;
    const fits = segment === file.number && firstBatch === this.lastBatch + 1 && header.previous === previous;
    if (!fits) throw damaged("the header is another segment's", place);
    this.header ??= header;
    if (header.chainId !== this.header.chainId) throw damaged("the header is another chain's", place);
    this.segments.push({ ...file, firstBatch, previous });
  }
}

function decodeBatch(bytes: Buffer, place: Place): Batch {
  const record = decodeLine(bytes);
  if (typeof record === "string" || record.kind !== "batch") {
    throw damaged(typeof record === "string" ? record : "not a batch", place);
  }
  return record;
}

/** The file's lines up to the size that it had at the start. Empty lines are lines, too. */
async function* readLines(file: string): AsyncGenerator<Line, void, undefined> {
  const handle = await open(file, "r").catch((error: unknown) => Promise.reject(readFailure(error, file)));
  try {
    const { size } = await handle.stat();
    let rest: Buffer[] = [];
    let restBytes = 0;
    let line = 1;
    let offset = 0;
    for (let position = 0; position < size; ) {
      const wanted = Math.min(READ_BYTES, size - position);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, position);
      if (bytesRead === 0) break;
      const chunk = buffer.subarray(0, bytesRead);
      position += bytesRead;
      let start = 0;
      for (let end = findNewline(chunk, 0); end >= 0; end = findNewline(chunk, start)) {
        const tail = chunk.subarray(start, end);
        const bytes = restBytes === 0 ? tail : Buffer.concat([...rest, tail]);
        const next = offset + bytes.length + 1;
        yield { file, line, offset, bytes, terminated: true, last: next === size };
        rest = [];
        restBytes = 0;
        line += 1;
        offset = next;
        start = end + 1;
      }
      if (start < bytesRead) rest.push(chunk.subarray(start));
      restBytes += bytesRead - start;
      if (restBytes > MAX_RECORD_BYTES) throw damaged("the line is longer than any record", { file, line, offset });
    }
    if (restBytes > 0) yield { file, line, offset, bytes: Buffer.concat(rest), terminated: false, last: true };
  } catch (error) {
    throw readFailure(error, file);
  } finally {
    await handle.close();
  }
}

function damaged(what: string, place: Place): JournalError {
  return new JournalError("damaged", `the journal is damaged: ${what}`, {
    file: place.file,
    line: place.line,
    remedy: `Put the file back from a copy; its bytes before ${place.offset} are sound. Nothing was changed.`,
  });
}

function foreign(what: string, place: Place): JournalError {
  return new JournalError("foreign", `the journal is not one of this program: ${what}`, {
    file: place.file,
    line: place.line,
    remedy: "Use the program that wrote it, or another directory.",
  });
}
