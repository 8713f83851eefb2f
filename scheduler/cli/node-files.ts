import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FileProblem, problemText } from "../files/problems.ts";
import { makeKeyFile, readKeyFile } from "../node/file/key-file.ts";
import { KEY_FILE_NAME, NODE_EXAMPLE, NODE_FILE_NAME } from "../node/file/node-example.ts";
import { loadNodeFile, type NodeFile, NodeFileError, termsOf } from "../node/file/node-file.ts";
import { EXIT } from "./sim-experiments.ts";

/** What `pipe node check --json` prints. */
export type NodeCheckReport =
  | {
      readonly ok: true;
      readonly file: string;
      readonly id: string;
      readonly key: string;
      readonly models: readonly string[];
      /** Variables that are not set here; the node does not start without them. */
      readonly missing: readonly FileProblem[];
    }
  | { readonly ok: false; readonly file: string; readonly problems: readonly FileProblem[] };

/** Resolves to the exit code: 0 for a file that can be followed, 2 for another. */
export async function nodeCheck(path: string, json: boolean): Promise<number> {
  const found = await loaded(path);
  if (json) process.stdout.write(`${JSON.stringify(reportOn(path, found))}\n`);
  else if (found instanceof NodeFileError) process.stderr.write(`${found.message}\n`);
  else process.stdout.write(textOf(found));
  return found instanceof NodeFileError ? EXIT.refused : EXIT.done;
}

/** Prints the public key of a node file (by its ending) or of a key file. Resolves to the exit code. */
export async function nodeKey(path: string): Promise<number> {
  if (/\.(?:ya?ml|json)$/.test(path)) {
    const found = await loaded(path);
    if (!(found instanceof NodeFileError)) return shown(found.key.publicKeyHex);
    process.stderr.write(`${found.message}\n`);
    return EXIT.refused;
  }
  const key = await readKeyFile(path);
  if (key.ok) return shown(key.key.publicKeyHex);
  process.stderr.write(`pipe node key: ${path} ${key.message}\n`);
  return EXIT.refused;
}

/** Writes a node file to start from, and a key. Overwrites nothing. Resolves to the exit code. */
export async function nodeInit(directory: string): Promise<number> {
  await mkdir(directory, { recursive: true });
  const [file, keyFile] = [join(directory, NODE_FILE_NAME), join(directory, KEY_FILE_NAME)];
  for (const path of [file, keyFile]) if (await exists(path)) return refuse(`${path} is there already`);
  try {
    // The key first: it is what must never be there twice, and a node file without it is of no use.
    const key = await makeKeyFile(keyFile);
    await writeFile(file, NODE_EXAMPLE, { flag: "wx" });
    process.stdout.write(nextSteps(file, keyFile, key.publicKeyHex));
    return EXIT.done;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return refuse(error.message);
    throw error;
  }
}

async function loaded(path: string): Promise<NodeFile | NodeFileError> {
  try {
    return await loadNodeFile(path, process.env);
  } catch (error) {
    if (error instanceof NodeFileError) return error;
    throw error;
  }
}

function reportOn(path: string, found: NodeFile | NodeFileError): NodeCheckReport {
  if (found instanceof NodeFileError) return { ok: false, file: path, problems: found.problems };
  const { sections, key, missing } = found;
  const models = sections.models.map(({ model }) => model);
  return { ok: true, file: path, id: sections.id, key: key.publicKeyHex, models, missing };
}

function textOf(file: NodeFile): string {
  const { path, sections, missing } = file;
  const { id, operator, slots, chain, shard, servers } = sections;
  const offers = termsOf(file).offers.map(({ model, mode, priceGwei }) => `  ${model}, ${mode}: ${priceGwei} gwei\n`);
  const notes = missing.map((problem) => `note: ${problemText(path, problem)}; the node needs it to start\n`);
  return `${path}: ok. Node ${id} of ${operator}, ${slots} slots, chain ${chain}, shard ${shard}, by ${servers.join(", ")}.\n${offers.join("")}${notes.join("")}`;
}

function nextSteps(file: string, keyFile: string, publicKey: string): string {
  return `${file}: an example, to be made your own
${keyFile}: the node's secret key; keep a copy of it
public key for the scheduler's registry: ${publicKey}
next: edit ${file}, then \`pipe node check ${file}\`
`;
}

function shown(publicKey: string): number {
  process.stdout.write(`${publicKey}\n`);
  return EXIT.done;
}

function refuse(message: string): number {
  process.stderr.write(`pipe node init: ${message}; nothing was written.\n`);
  return EXIT.refused;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
