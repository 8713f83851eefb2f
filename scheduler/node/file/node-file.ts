import { dirname, resolve } from "node:path";
import { isSection } from "../../fields/fields.ts";
import { checkFields, inside, type Place, trouble, type Trouble } from "../../files/check.ts";
import {
  faultProblems,
  type FileProblem,
  problemsOf,
  problemText,
  readBoundedText,
  unreadable,
  wholeProblem,
} from "../../files/problems.ts";
import { readYaml, type YamlText } from "../../files/yaml.ts";
import type { SigningKey } from "../../proofs/keys.ts";
import { MODES, type NodeTerms, type Offer } from "../../shared/vocabulary.ts";
import { readModelOf } from "../backends/model-directory.ts";
import type { EmulatorRoot } from "../enclave-emulator.ts";
import { readEmulatorRoot } from "../enclave-emulator-file.ts";
import { readKeyFile } from "./key-file.ts";
import { checkNode } from "./node-check.ts";
import { MAX_NODE_FILE_BYTES, NODE_FIELDS } from "./node-fields.ts";
import type { NodeSections } from "./node-sections.ts";

/** A node file that can be followed, with the key that it names. */
export interface NodeFile {
  readonly path: string;
  readonly sections: NodeSections;
  readonly key: SigningKey;
  /** The root that its enclave's documents begin with, for a node that has one. */
  readonly emulator: EmulatorRoot | undefined;
  /** Environment variables that it names and that cannot be used as they are. The node does not start with any. */
  readonly missing: readonly FileProblem[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

export type ReadNodeFile =
  | { readonly ok: true; readonly sections: NodeSections; readonly text: YamlText }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** A node file cannot be used. The message has one line per problem, each beginning with its place. */
export class NodeFileError extends Error {
  override readonly name = "NodeFileError";
  readonly problems: readonly FileProblem[];

  constructor(path: string, problems: readonly FileProblem[]) {
    super(problems.map((problem) => problemText(path, problem)).join("\n"));
    this.problems = problems;
  }
}

/** Reads a node file, its key and the manifests that it names. Rejects with a `NodeFileError`. */
export async function loadNodeFile(path: string, environment: Environment): Promise<NodeFile> {
  const text = await readBoundedText(path, MAX_NODE_FILE_BYTES).catch((error: unknown) => {
    throw new NodeFileError(path, [wholeProblem(unreadable(error))]);
  });
  const read = readNodeText(text, dirname(resolve(path)));
  if (!read.ok) throw new NodeFileError(path, read.problems);
  const { sections } = read;
  const place: Place = { path: [], directory: "", troubles: [], depth: 0 };
  const key = await readKeyFile(sections.key);
  if (!key.ok) place.troubles.push({ path: ["key"], message: `names a file that ${key.message}` });
  const emulator = await emulatorOf(sections, inside(inside(place, "enclave"), "emulator"));
  place.troubles.push(...(await manifestTroubles(sections, inside(place, "models"))));
  if (!key.ok || place.troubles.length > 0) throw new NodeFileError(path, problemsOf(place.troubles, read.text));
  const missing = problemsOf(missingVariables(sections, environment), read.text);
  return { path, sections, key: key.key, emulator, missing };
}

/** Reads a node file's text (YAML, of which JSON is a part). Relative paths in it start at `directory`. Never throws. */
export function readNodeText(text: string, directory: string): ReadNodeFile {
  const yaml = readYaml(text, MAX_NODE_FILE_BYTES);
  if (!yaml.ok) return { ok: false, problems: faultProblems(yaml.faults) };
  const { value } = yaml.text;
  if (!isSection(value)) {
    return { ok: false, problems: [wholeProblem("must be a section of keys such as `id: alder-1` and `models:`")] };
  }
  const place: Place = { path: [], directory, troubles: [], depth: 0 };
  const checked = checkFields(NODE_FIELDS, value, place);
  // The table of the format describes this type.
  const sections = checked as unknown as NodeSections;
  if (place.troubles.length === 0) checkNode(sections, place);
  if (place.troubles.length > 0) return { ok: false, problems: problemsOf(place.troubles, yaml.text) };
  return { ok: true, sections, text: yaml.text };
}

/** What the node says of itself when it joins. */
export function termsOf({ sections, key }: NodeFile): NodeTerms {
  const { id, operator, region, hardware, slots, queueLimit, models } = sections;
  const offers: Offer[] = [];
  for (const { model, priceGwei } of models) {
    for (const mode of MODES) {
      const price = priceGwei[mode];
      if (price !== undefined) offers.push({ model, mode, priceGwei: price });
    }
  }
  return { id, key: key.publicKeyHex, operator, region, hardware, slots, queueLimit, offers };
}

async function emulatorOf({ enclave }: NodeSections, place: Place): Promise<EmulatorRoot | undefined> {
  if (enclave?.emulator === undefined) return undefined;
  try {
    return await readEmulatorRoot(enclave.emulator);
  } catch (error) {
    return trouble(place, `cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Models whose directory does not have them, or has another file than its manifest means. */
async function manifestTroubles({ models }: NodeSections, place: Place): Promise<readonly Trouble[]> {
  const troubles: Trouble[] = [];
  for (const [index, { model, backend }] of models.entries()) {
    if (backend.kind !== "onnx" || backend.directory === undefined) continue;
    try {
      await readModelOf(backend.directory, model);
    } catch (error) {
      const message = `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
      troubles.push({ path: [...place.path, index, "backend", "directory"], message });
    }
  }
  return troubles;
}

function missingVariables({ models }: NodeSections, environment: Environment): readonly Trouble[] {
  return models.flatMap(({ backend }, index): readonly Trouble[] => {
    const path = ["models", index, "backend"];
    if (backend.kind === "exec") {
      const missing = (backend.environment ?? []).filter((name) => environment[name] === undefined);
      return missing.map((name) => ({ path: [...path, "environment"], message: `names ${name}, which is not set` }));
    }
    if (backend.kind !== "openai" || backend.apiKeyEnv === undefined) return [];
    const key = environment[backend.apiKeyEnv];
    if (key === undefined || key === "") {
      return [{ path: [...path, "apiKeyEnv"], message: `names ${backend.apiKeyEnv}, which is not set` }];
    }
    // What cannot stand in a header would be shown by the error about it.
    if (/^[\x21-\x7e]+$/.test(key)) return [];
    return [{ path: [...path, "apiKeyEnv"], message: `names ${backend.apiKeyEnv}, which holds no API key` }];
  });
}
