/**
 * Snapshots of the engine's state beside the segments: `snapshot-<n>.json`, the state after batch n. One line of JSON whose
 * last key `"sha256"` is the digest of the line's bytes before `,"sha256":`; `chain` is batch n's chain value, so that a
 * snapshot of another journal is known. Written aside, made durable and renamed, so a snapshot is there whole or not at all.
 */
import { createHash, hash } from "node:crypto";
import { open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { readFailure, writeFailure } from "./journal-error.ts";
import { listSnapshots, snapshotPath, syncDirectory } from "./journal-files.ts";
import { CHAIN_DIGITS } from "./journal-format.ts";
import { jsonPieces } from "./json-pieces.ts";

/** The second one is there for the case that the first is damaged. */
export const SNAPSHOTS_KEPT = 2;

const TRAILER_START = ',"sha256":"';
const TRAILER_END = '"}\n';
const TRAILER_BYTES = TRAILER_START.length + 64 + TRAILER_END.length;

export interface Snapshot {
  /** The last batch that the state includes. */
  readonly n: number;
  readonly atUs: number;
  /** What `Engine.snapshot()` gave: plain JSON, opaque here. */
  readonly state: unknown;
}

export interface StoredSnapshot extends Snapshot {
  readonly path: string;
  /** Chain value of batch n. */
  readonly chain: string;
}

/** The service's state has its large arrays (transactions, races, blobs) in an object, three levels below it. */
const STATE_DEPTH = 4;

/**
 * Writes piece by piece and lets others work in between. The state must not change until this has resolved.
 * @throws JournalError `write-failed`; the older snapshots are then untouched.
 */
export async function storeSnapshot(directory: string, snapshot: Snapshot & { readonly chain: string }): Promise<void> {
  const { n } = snapshot;
  const path = snapshotPath(directory, n);
  const draft = `${path}.tmp`;
  try {
    const handle = await open(draft, "w");
    try {
      await handle.writeFile(encodeSnapshot(snapshot));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, path);
    await syncDirectory(directory);
  } catch (error) {
    throw writeFailure(error, path);
  }
}

function* encodeSnapshot({ n, atUs, chain, state }: Snapshot & { readonly chain: string }): Generator<Buffer> {
  const digest = createHash("sha256");
  const start = Buffer.from(`{"kind":"snapshot","format":1,"n":${n},"atUs":${atUs},"chain":"${chain}","state":`);
  digest.update(start);
  yield start;
  for (const text of jsonPieces(state, STATE_DEPTH)) {
    const bytes = Buffer.from(text);
    digest.update(bytes);
    yield bytes;
  }
  yield Buffer.from(`${TRAILER_START}${digest.digest("hex")}${TRAILER_END}`);
}

/** The snapshot, or why it cannot be used. */
export async function loadSnapshot(path: string): Promise<StoredSnapshot | string> {
  const bytes = await readFile(path).catch((error: unknown) => Promise.reject(readFailure(error, path)));
  const bodyBytes = bytes.length - TRAILER_BYTES;
  if (bodyBytes < 1) return "it is cut short";
  const trailer = bytes.toString("latin1", bodyBytes);
  const digest = hash("sha256", bytes.subarray(0, bodyBytes), "hex");
  if (trailer !== `${TRAILER_START}${digest}${TRAILER_END}`) return "its digest does not fit";
  const value = JSON.parse(`${bytes.toString("utf8", 0, bodyBytes)}}`) as Partial<StoredSnapshot> & {
    readonly format?: unknown;
  };
  const { n, atUs, chain, state } = value;
  const sound = typeof n === "number" && typeof atUs === "number" && chain?.length === CHAIN_DIGITS;
  if (value.format !== 1 || !sound || state === undefined) return "it is not of this format";
  return { path, n, atUs, chain, state };
}

/** Removes what no recovery needs: older snapshots, damaged ones, and drafts that a crash left. */
export async function removeOldSnapshots(directory: string, kept: readonly number[]): Promise<void> {
  for (const { number, path } of await listSnapshots(directory)) {
    if (!kept.includes(number)) await unlink(path);
  }
}

export async function removeDrafts(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (/^snapshot-\d+\.json\.tmp$/.test(name)) await unlink(join(directory, name));
  }
}

/** The newest usable snapshots, newest first, and which files had to be refused. */
export async function findSnapshots(
  directory: string,
): Promise<{ readonly usable: readonly StoredSnapshot[]; readonly refused: readonly string[] }> {
  const usable: StoredSnapshot[] = [];
  const refused: string[] = [];
  for (const { number, path } of await listSnapshots(directory)) {
    if (usable.length === SNAPSHOTS_KEPT) break;
    const loaded = await loadSnapshot(path);
    if (typeof loaded === "string") refused.push(`${path}: ${loaded}`);
    else if (loaded.n !== number) refused.push(`${path}: it is the snapshot after batch ${loaded.n}`);
    else usable.push(loaded);
  }
  return { usable, refused };
}
