/**
 * The journal's records and how they become lines.
 *
 * A journal is a directory of segments `segment-000001.jsonl`, …: JSON Lines, one record per line, whose last key is
 * `"chain"`: the first 32 hexadecimal digits of SHA-256 over the previous record's chain value (as its 32 characters; zeros
 * before the very first record) followed by the line's bytes before `,"chain":`. The trailer has a fixed length, so these
 * bytes are the line without its last 44. The chain runs on from segment to segment.
 *
 * The truncated hash (128 bits) finds accidents. It is not a signature: who can write the directory can write a whole new
 * chain. A manifest kept elsewhere, or the published chain head, is what holds against that.
 */
import { createHash, hash } from "node:crypto";
import type { EngineEvent } from "../engine/events.ts";
import { assert } from "../shared/assert.ts";
import { JournalError } from "./journal-error.ts";

export const FORMAT = 1;
export const CHAIN_DIGITS = 32;
/** The chain value before the first record. */
export const GENESIS_CHAIN = "0".repeat(CHAIN_DIGITS);
const TRAILER_START = ',"chain":"';
const TRAILER_END = '"}';
const TRAILER_BYTES = TRAILER_START.length + CHAIN_DIGITS + TRAILER_END.length;
const NEWLINE = 0x0a;

/** Bytes of one line. Above what a full blob store takes as base64, below the longest string that the runtime can hold. */
export const MAX_RECORD_BYTES = 448 * 1024 * 1024;

/** First record of every segment. All but `segment`, `firstBatch` and `previous` repeats what the first segment says. */
export interface JournalHeader {
  readonly kind: "header";
  readonly format: typeof FORMAT;
  /** Counted from 1. */
  readonly segment: number;
  /** Number of the next batch, which is the segment's first one if it has any. */
  readonly firstBatch: number;
  /** Chain value of the record before. */
  readonly previous: string;
  /** Version of the program that created the journal. */
  readonly program: string;
  readonly chainId: string;
  /** The engine's configuration: plain JSON, opaque here. */
  readonly config: unknown;
  readonly createdAtUs: number;
}

/** What was stepped at one moment. */
export interface Batch {
  /** Counted from 1, without gaps over the whole journal. */
  readonly n: number;
  readonly atUs: number;
  readonly events: readonly EngineEvent[];
  /** Inputs and answers that these events name by their hash, as base64. */
  readonly blobs?: Readonly<Record<string, string>>;
  /** How many commands stepping the events produced, and `digestCommands` of them. */
  readonly commands: number;
  readonly digest: string;
}

export interface BatchRecord extends Batch {
  readonly kind: "batch";
}

/** A program took up the journal again. `n` is the last batch before. */
export interface OpenedRecord {
  readonly kind: "opened";
  readonly n: number;
  readonly atUs: number;
  readonly program: string;
}

/** The journal was closed cleanly after batch `n`. */
export interface ClosedRecord {
  readonly kind: "closed";
  readonly n: number;
  readonly atUs: number;
}

export type JournalRecord = JournalHeader | BatchRecord | OpenedRecord | ClosedRecord;

/** A line, its newline included, with its chain value. */
export interface EncodedLine {
  readonly bytes: Buffer;
  readonly chain: string;
}

/**
 * First 32 hexadecimal digits of SHA-256 over the commands' JSON text. Commands are plain objects whose keys are written in a
 * fixed order, so equal commands have equal text.
 */
export function digestCommands(commands: readonly unknown[]): string {
  return hash("sha256", JSON.stringify(commands), "hex").slice(0, CHAIN_DIGITS);
}

/** @throws JournalError `unrepresentable` when the configuration would not come back from JSON as it is. */
export function encodeHeader(header: JournalHeader): EncodedLine {
  const { kind, format, segment, firstBatch, previous, program, chainId, config, createdAtUs } = header;
  assert(isNatural(createdAtUs), "a header's time is an integer that is not negative");
  assertLossless(config, "config");
  const record = { kind, format, segment, firstBatch, previous, program, chainId, config, createdAtUs };
  return encodeLine(JSON.stringify(record), previous);
}

/** @throws JournalError `unrepresentable` when an event would not come back from JSON as it is, or the line is too long. */
export function encodeBatch(batch: Batch, previous: string): EncodedLine {
  const { n, atUs, events, blobs, commands, digest } = batch;
  assert([n, atUs, commands].every(isNatural), "a batch's numbers are integers that are not negative");
  const text = JSON.stringify(events);
  // No event holds a null, so the costly check is needed only when the text looks as if one does.
  if (text.includes("null")) assertLossless(events, `batch ${n}.events`);
  const blobText = blobs === undefined ? "" : `,"blobs":${JSON.stringify(blobs)}`;
  const start = `{"kind":"batch","n":${n},"atUs":${atUs},"events":${text}${blobText}`;
  return encodeLine(`${start},"commands":${commands},"digest":${JSON.stringify(digest)}}`, previous);
}

/** `opened` and `closed`. */
export function encodeMark(record: OpenedRecord | ClosedRecord, previous: string): EncodedLine {
  assert(isNatural(record.n) && isNatural(record.atUs), "a mark's numbers are integers that are not negative");
  return encodeLine(JSON.stringify(record), previous);
}

/** Puts the trailer into a JSON object's text and hashes it, in one buffer, since lines can be large. */
function encodeLine(json: string, previous: string): EncodedLine {
  assert(previous.length === CHAIN_DIGITS, "a chain value has 32 digits");
  const jsonBytes = Buffer.byteLength(json);
  if (jsonBytes > MAX_RECORD_BYTES) {
    const remedy = "Append smaller batches.";
    throw new JournalError("unrepresentable", `a record of ${jsonBytes} bytes is too large`, { remedy });
  }
  const hashedBytes = CHAIN_DIGITS + jsonBytes - 1;
  const buffer = Buffer.allocUnsafe(hashedBytes + TRAILER_BYTES + 1);
  buffer.write(previous, 0, "latin1");
  // The closing brace is overwritten by the trailer, which brings its own.
  buffer.write(json, CHAIN_DIGITS, "utf8");
  const chain = hash("sha256", buffer.subarray(0, hashedBytes), "hex").slice(0, CHAIN_DIGITS);
  buffer.write(`${TRAILER_START}${chain}${TRAILER_END}\n`, hashedBytes, "latin1");
  return { bytes: buffer.subarray(CHAIN_DIGITS), chain };
}

/** The chain value of a line (without its newline), or `undefined` when it is not what was written after `previous`. */
export function checkLine(line: Buffer, previous: string): string | undefined {
  const bodyBytes = line.length - TRAILER_BYTES;
  if (bodyBytes < 1) return undefined;
  const trailer = line.toString("latin1", bodyBytes);
  if (!trailer.startsWith(TRAILER_START) || !trailer.endsWith(TRAILER_END)) return undefined;
  const hashed = createHash("sha256").update(previous, "latin1").update(line.subarray(0, bodyBytes));
  const chain = hashed.digest("hex").slice(0, CHAIN_DIGITS);
  return trailer.slice(TRAILER_START.length, -TRAILER_END.length) === chain ? chain : undefined;
}

/**
 * Whether an unfinished line starts with a whole record that something other than its newline follows. A write that was cut
 * short never looks like that: a newline was changed after it had been written.
 */
export function hidesRecord(line: Buffer, previous: string): boolean {
  let at = line.indexOf(TRAILER_START);
  while (at >= 0) {
    const end = at + TRAILER_BYTES;
    if (end < line.length && checkLine(line.subarray(0, end), previous) !== undefined) return true;
    at = line.indexOf(TRAILER_START, at + 1);
  }
  return false;
}

/** A batch's number and time, read without parsing its events; `undefined` when the line is no batch. */
export function batchStart(line: Buffer): { readonly n: number; readonly atUs: number } | undefined {
  // The two numbers have at most 16 digits each, so the first 80 bytes hold them.
  const match = /^\{"kind":"batch","n":(\d+),"atUs":(\d+),/.exec(line.toString("latin1", 0, 80));
  return match === null ? undefined : { n: Number(match[1]), atUs: Number(match[2]) };
}

/** The record of a line whose chain value was checked, or why it is none. Its events are trusted, as the chain is ours. */
export function decodeLine(line: Buffer): JournalRecord | string {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  return isRecord(value) ? value : "not a record of this format";
}

function isRecord(value: unknown): value is JournalRecord {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  const record = value as Partial<Record<keyof JournalHeader | keyof BatchRecord, unknown>>;
  switch (record.kind) {
    case "header":
      return (
        record.format === FORMAT &&
        isNatural(record.segment) &&
        isNatural(record.firstBatch) &&
        typeof record.previous === "string" &&
        typeof record.chainId === "string" &&
        typeof record.program === "string"
      );
    case "batch":
      return (
        isNatural(record.n) &&
        isNatural(record.atUs) &&
        Array.isArray(record.events) &&
        isNatural(record.commands) &&
        typeof record.digest === "string"
      );
    case "opened":
    case "closed":
      return isNatural(record.n) && isNatural(record.atUs);
    default:
      return false;
  }
}

function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** @throws JournalError `unrepresentable` naming the first number that JSON turns into null. */
export function assertLossless(value: unknown, path: string): void {
  if (typeof value === "number" && !Number.isFinite(value)) {
    const remedy = "Refuse such numbers where they come in.";
    throw new JournalError("unrepresentable", `${path} is ${value}, which JSON cannot hold`, { remedy });
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) assertLossless(inner, `${path}.${key}`);
}

/** Index of the newline at or after `from`, −1 for none. */
export function findNewline(bytes: Buffer, from: number): number {
  return bytes.indexOf(NEWLINE, from);
}
