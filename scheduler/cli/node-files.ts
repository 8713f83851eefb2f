import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FileProblem, problemText } from "../files/problems.ts";
import type { Probe } from "../node/backends/backend.ts";
import { assembleNode } from "../node/file/assemble-node.ts";
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
      /** What the models' backends said, when they were asked. */
      readonly backends?: Readonly<Record<string, Probe>>;
    }
  | { readonly ok: false; readonly file: string; readonly problems: readonly FileProblem[] };

/**
 * Says whether a node file can be followed and, with `ask`, whether its backends answer. Resolves to the exit code: 2 for a file
 * that cannot be followed, 1 when a backend does not answer.
 */
export async function nodeCheck(
  path: string,
  { json, ask }: { readonly json: boolean; readonly ask: boolean },
): Promise<number> {
  try {
    const file = await loadNodeFile(path, process.env);
    const backends = ask ? await asked(file) : undefined;
    process.stdout.write(json ? `${JSON.stringify(reportOn(file, backends))}\n` : textOf(file, backends));
    return [...(backends?.values() ?? [])].every(({ ok }) => ok) ? EXIT.done : EXIT.failed;
  } catch (error) {
    if (!(error instanceof NodeFileError)) throw error;
    const report: NodeCheckReport = { ok: false, file: path, problems: error.problems };
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else process.stderr.write(`${error.message}\n`);
    return EXIT.refused;
  }
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

async function asked(file: NodeFile): Promise<ReadonlyMap<string, Probe>> {
  const node = await assembleNode(file, { environment: process.env, log: () => undefined });
  const { probes } = node;
  await node.close();
  return probes;
}

function reportOn(file: NodeFile, backends: ReadonlyMap<string, Probe> | undefined): NodeCheckReport {
  const { path, sections, key, missing } = file;
  const models = sections.models.map(({ model }) => model);
  const about = { ok: true, file: path, id: sections.id, key: key.publicKeyHex, models, missing } as const;
  return backends === undefined ? about : { ...about, backends: Object.fromEntries(backends) };
}

function textOf(file: NodeFile, backends: ReadonlyMap<string, Probe> | undefined): string {
  const { path, sections, missing } = file;
  const { id, operator, slots, chain, shard, servers } = sections;
  const head = `${path}: ok. Node ${id} of ${operator}, ${slots} slots, chain ${chain}, shard ${shard}, by ${servers.join(", ")}.`;
  const offers = termsOf(file).offers.map(({ model, mode, priceGwei }) => `  ${model}, ${mode}: ${priceGwei} gwei`);
  const notes = missing.map((problem) => `note: ${problemText(path, problem)}; the node needs it to start`);
  const answers = [...(backends ?? [])].map(([model, probe]) => `${model} ${saidBy(probe)}`);
  return `${[head, ...offers, ...notes, ...answers].join("\n")}\n`;
}

function saidBy(probe: Probe): string {
  if (!probe.ok) return `does not answer: ${probe.why}`;
  return probe.note === undefined ? "answers" : `answers, but ${probe.note}`;
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
