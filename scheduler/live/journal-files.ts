/** The journal directory's files: their names, how they are listed, and how a change of the directory is made durable. */
import { open, mkdir, readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { JournalError, readFailure } from "./journal-error.ts";

const SEGMENT = /^segment-(\d{6,})\.jsonl$/;
const SNAPSHOT = /^snapshot-(\d+)\.json$/;

export interface NumberedFile {
  readonly number: number;
  readonly path: string;
}

export function segmentPath(directory: string, segment: number): string {
  return join(directory, `segment-${String(segment).padStart(6, "0")}.jsonl`);
}

export function snapshotPath(directory: string, n: number): string {
  return join(directory, `snapshot-${n}.json`);
}

/**
 * The segments, oldest first.
 * @throws JournalError `history-missing` when one in between is not there, `unreadable`.
 */
export async function listSegments(directory: string): Promise<NumberedFile[]> {
  const segments = await listNumbered(directory, SEGMENT);
  for (const [i, segment] of segments.entries()) {
    const expected = (segments[0]?.number ?? 0) + i;
    if (segment.number === expected) continue;
    throw new JournalError("history-missing", `segment ${expected} is not there, though later ones are`, {
      file: segmentPath(directory, expected),
      remedy: "Put it back from a copy; nothing was changed.",
    });
  }
  return segments;
}

/** The snapshots, newest first. */
export async function listSnapshots(directory: string): Promise<NumberedFile[]> {
  return (await listNumbered(directory, SNAPSHOT)).reverse();
}

async function listNumbered(directory: string, pattern: RegExp): Promise<NumberedFile[]> {
  const names = await readdir(directory).catch((error: unknown) => Promise.reject(readFailure(error, directory)));
  const files: NumberedFile[] = [];
  for (const name of names) {
    const digits = pattern.exec(name)?.[1];
    if (digits !== undefined) files.push({ number: Number(digits), path: join(directory, name) });
  }
  return files.sort((a, b) => a.number - b.number);
}

/** Creations, renames and removals in a directory are durable only once the directory itself is. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates the directory and what leads to it, durably. */
export async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let at = dirname(resolve(directory)); at.length >= top.length; at = dirname(at)) {
    await syncDirectory(at);
    if (at === top) return;
  }
}
