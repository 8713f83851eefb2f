/**
 * What can be wrong with a journal.
 *
 * - `locked`: another process has it open.
 * - `damaged`: a record, segment or snapshot is not what was written.
 * - `history-missing`: records that the reader needs are not in the directory.
 * - `foreign`: it belongs to another chain, engine configuration or format.
 * - `unreadable`: the operating system refused to read it.
 * - `write-failed`: the operating system refused a write or an fsync; nothing can be appended any more.
 * - `unrepresentable`: a value would come back from JSON as another one, or a record would be too large.
 * - `closed`: the journal was closed.
 */
export type JournalErrorCode =
  | "locked"
  | "damaged"
  | "history-missing"
  | "foreign"
  | "unreadable"
  | "write-failed"
  | "unrepresentable"
  | "closed";

export interface JournalErrorDetails {
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
  /** What the operator can do about it. */
  readonly remedy: string;
  readonly cause?: unknown;
}

/** An operating condition of the journal, with its place and what to do about it. */
export class JournalError extends Error {
  override readonly name = "JournalError";
  readonly _tag = "JournalError";
  readonly code: JournalErrorCode;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly remedy: string;

  constructor(code: JournalErrorCode, message: string, details: JournalErrorDetails) {
    const place = details.file === undefined ? "" : ` (${details.file}${lineSuffix(details.line)})`;
    super(`${message}${place}. ${details.remedy}`, { cause: details.cause });
    this.code = code;
    this.file = details.file;
    this.line = details.line;
    this.remedy = details.remedy;
  }
}

function lineSuffix(line: number | undefined): string {
  return line === undefined ? "" : `, line ${line}`;
}

/** The operating system's error code (`ENOENT`, `ENOSPC`, …), if it is one of its errors. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** Turns an error of the operating system into one that names the file; a `JournalError` stays as it is. */
export function readFailure(error: unknown, file: string): JournalError {
  if (error instanceof JournalError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const remedy = "Check that the file exists and that this user may read it.";
  return new JournalError("unreadable", `the journal cannot be read: ${reason}`, { file, remedy, cause: error });
}

export function writeFailure(error: unknown, file: string): JournalError {
  if (error instanceof JournalError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  // After a failed fsync the kernel may have dropped the pages, so trying again would report a durability that is not there.
  const remedy =
    "End this process, make room or repair the disk, and start again: every acknowledged batch is in the journal.";
  return new JournalError("write-failed", `the journal cannot be written: ${reason}`, { file, remedy, cause: error });
}
