import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";

/** The list of a closed directory's files with their digests, in the format of `sha256sum`: check with `sha256sum -c`. */
export const MANIFEST_FILE = "MANIFEST.sha256";

/**
 * Keys do not belong into what is handed to outsiders; locks do not outlive their holder; a page that was made of the records
 * afterwards is none of them.
 */
const EXCLUDED = /(^|\/)([^/]*\.key|[^/]*\.lock|lock|MANIFEST\.sha256(\.new)?)$|^twin\.html$/;

const MANIFEST_LINE = /^([0-9a-f]{64}) {2}([^\n\\]+)$/;

/** Files of one directory that are looked at; a record directory has a few dozen. */
const MAX_FILES = 100_000;

/**
 * Writes the manifest over every regular file below the directory, secret keys excluded, durably. Call it last, when every
 * file is closed. Rejects with the system's error, or a RangeError for a file name that the format cannot hold.
 */
export async function writeManifest(directory: string): Promise<void> {
  const lines: string[] = [];
  for (const name of await regularFiles(directory)) {
    const line = `${await sha256OfFile(join(directory, name))}  ${name}`;
    if (!MANIFEST_LINE.test(line))
      throw new RangeError(`the manifest cannot hold the file name ${JSON.stringify(name)}`);
    lines.push(`${line}\n`);
  }
  const draft = join(directory, `${MANIFEST_FILE}.new`);
  const handle = await open(draft, "w", 0o644);
  try {
    await handle.writeFile(lines.join(""));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, join(directory, MANIFEST_FILE));
}

/** A way in which a directory is not what its manifest says. `line` counts from 1 and is 0 where no line is meant. */
export interface ManifestProblem {
  readonly line: number;
  readonly message: string;
}

/** Whether there is a manifest: a directory in use has none. */
export async function hasManifest(directory: string): Promise<boolean> {
  return stat(join(directory, MANIFEST_FILE)).then(
    () => true,
    () => false,
  );
}

/**
 * Compares the directory with its manifest: every listed file is there with the digest listed, and no file is there that is
 * not listed. Empty when all is well. A missing manifest is a problem too; ask `hasManifest` first where it may be absent.
 */
export async function checkManifest(directory: string): Promise<ManifestProblem[]> {
  let text: string;
  try {
    text = await readFile(join(directory, MANIFEST_FILE), "latin1");
  } catch (error) {
    return [{ line: 0, message: `cannot be read: ${describeError(error)}` }];
  }
  const problems: ManifestProblem[] = [];
  const listed = new Set<string>();
  const lines = text.split("\n");
  if (lines.pop() !== "") problems.push({ line: lines.length + 1, message: "the last line has no end" });
  for (const [index, line] of lines.entries()) {
    const problem = await checkLine(directory, line, listed);
    if (problem !== undefined) problems.push({ line: index + 1, message: problem });
  }
  for (const name of await regularFiles(directory)) {
    if (!listed.has(name)) problems.push({ line: 0, message: `${name} is not listed` });
  }
  return problems;
}

async function checkLine(directory: string, line: string, listed: Set<string>): Promise<string | undefined> {
  const [, digest, encodedName] = MANIFEST_LINE.exec(line) ?? [];
  if (digest === undefined || encodedName === undefined) return "not a line of a manifest";
  const name = Buffer.from(encodedName, "latin1").toString("utf8");
  if (name.startsWith("/") || name.split("/").includes("..")) return `${name} is outside the directory`;
  if (listed.has(name)) return `${name} is listed twice`;
  listed.add(name);
  try {
    if ((await sha256OfFile(join(directory, name))) === digest) return undefined;
    return `${name} is not the file that was listed: its digest differs`;
  } catch (error) {
    return `${name} cannot be read: ${describeError(error)}`;
  }
}

/** Paths of the regular files below the directory, with forward slashes, in ascending order. */
async function regularFiles(directory: string): Promise<string[]> {
  const found: string[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(join(directory, folder), { withFileTypes: true })) {
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(name);
      else if (entry.isFile() && !EXCLUDED.test(name)) found.push(name);
      if (found.length > MAX_FILES) throw new RangeError(`more than ${MAX_FILES} files in ${directory}`);
    }
  }
  return found.sort((a, b) => (a < b ? -1 : 1));
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
