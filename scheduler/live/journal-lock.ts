/**
 * One process per journal. The lock is a file that names its holder; it appears whole and exclusively, by hard link, so that
 * nobody ever reads half of it. The lock of a dead process is taken over, so a start after `kill -9` works.
 *
 * A holder is its process id and, where the system tells it, when that process started, since ids are given out again. Ids
 * mean something on one machine only: the directory must not be shared between machines.
 *
 * Taking over must have one winner, too. Who wants to replace a stale lock first links a claim that is named after that very
 * lock's text; the claim of a process that died while it took over is itself claimed in the same way. The claim's owner looks
 * again whether the lock is still the stale one, and then renames its own over it. Claims are removed only after that, so a
 * late claimant finds another lock and leaves it alone.
 */
import { hash, randomUUID } from "node:crypto";
import { link, open, readFile, rename, unlink } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { assert } from "../shared/assert.ts";
import { JournalError, systemCode, writeFailure } from "./journal-error.ts";

interface Holder {
  readonly pid: number;
  /** Clock ticks from the machine's start to the process's, empty when the system does not tell. */
  readonly started: string;
  /** Tells apart two journals of one process. */
  readonly token: string;
}

/** Tokens of this process's own locks: a lock with our id but an unknown token is a dead namesake's. */
const held = new Set<string>();

/** A lost race for the lock is tried again; each round has another winner, so a few suffice. */
const MAX_TRIES = 8;
/** Processes in a row that died while taking over. */
const MAX_CLAIMS = 100;

export interface JournalLock {
  release(): Promise<void>;
}

/** @throws JournalError `locked` when a living process holds it, `write-failed`. */
export async function acquireLock(directory: string): Promise<JournalLock> {
  const path = join(resolve(directory), "lock");
  const token = randomUUID();
  const mine: Holder = { pid: process.pid, started: processStart(process.pid) ?? "", token };
  const draft = `${path}.${token}.lock`;
  // Known before it is visible, so that another journal of this process never takes it for a dead namesake's.
  held.add(token);
  try {
    await writeDraft(draft, mine);
    try {
      await linkOrTakeOver(draft, path);
    } finally {
      await removeIfThere(draft);
    }
  } catch (error) {
    held.delete(token);
    throw writeFailure(error, path);
  }
  return { release: () => release(path, token) };
}

async function writeDraft(draft: string, holder: Holder): Promise<void> {
  const handle = await open(draft, "wx");
  try {
    await handle.writeFile(`${JSON.stringify(holder)}\n`);
  } finally {
    await handle.close();
  }
}

async function linkOrTakeOver(draft: string, path: string): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (await linkNew(draft, path)) return;
    const text = await readLock(path);
    if (text === undefined) continue;
    assertStale(path, text);
    if (await takeOver(draft, path, text)) return;
  }
  throw lockedError(path, "other processes that are starting, too");
}

/** False when the lock is not the stale one any more. */
async function takeOver(draft: string, path: string, staleText: string): Promise<boolean> {
  const claims: string[] = [];
  let text = staleText;
  for (;;) {
    const claim = `${path}.${hash("sha256", text, "hex").slice(0, 32)}.lock`;
    claims.push(claim);
    if (await linkNew(draft, claim)) break;
    const claimed = await readLock(claim);
    if (claimed === undefined) return false;
    assertStale(path, claimed);
    if (claims.length > MAX_CLAIMS) throw lockedError(path, "processes that died while taking it over");
    text = claimed;
  }
  const isStill = (await readLock(path)) === staleText;
  if (isStill) await rename(draft, path);
  for (const claim of claims) await removeIfThere(claim);
  return isStill;
}

/** False when the name is taken. */
async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

function assertStale(path: string, text: string): void {
  const holder = parseHolder(text);
  if (holder !== undefined && isAlive(holder)) throw lockedError(path, `process ${holder.pid}`);
}

async function release(path: string, token: string): Promise<void> {
  assert(held.delete(token), "a lock is released once");
  const text = await readLock(path);
  if (text !== undefined && parseHolder(text)?.token === token) await unlink(path);
}

async function readLock(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started, token } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid !== "number" || typeof started !== "string" || typeof token !== "string") return undefined;
    return Number.isSafeInteger(pid) && pid > 0 ? { pid, started, token } : undefined;
  } catch {
    // A lock that no holder wrote holds nothing: ours appear whole.
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.pid === process.pid) return held.has(holder.token);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (systemCode(error) === "ESRCH") return false;
  }
  const started = processStart(holder.pid);
  return started === undefined || holder.started === "" || started === holder.started;
}

/** When a process started, from field 22 of Linux' /proc/PID/stat; "dead" for one that ended and waits for its parent. */
function processStart(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The command's name, in parentheses, may itself hold spaces and parentheses; the third field follows the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? "dead" : fields[19];
}

function lockedError(path: string, holder: string): JournalError {
  return new JournalError("locked", `the journal is in use by ${holder}`, {
    file: path,
    remedy: "Stop that process first, or use another directory.",
  });
}
