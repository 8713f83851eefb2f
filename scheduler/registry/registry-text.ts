import { Result, Schema, SchemaIssue } from "effect";
import type { Path, Plain } from "../files/yaml.ts";
import { readYaml } from "../files/yaml.ts";
import { REGISTRY_LIMITS } from "./registry-limits.ts";
import type { ModelSection, RegistryFile } from "./registry-schema.ts";
import { RegistryFileSchema } from "./registry-schema.ts";

/** What a registry file's text says, before the files that it names are read. */
export type ReadRegistry =
  | {
      readonly ok: true;
      readonly file: RegistryFile;
      /** A trouble at a path of this text, as a sentence. */
      readonly sentence: (trouble: Trouble) => string;
    }
  /** One line per trouble: `line 7, models.risk-small.digest: must be …`. */
  | { readonly ok: false; readonly troubles: readonly string[] };

export interface Trouble {
  readonly path: Path;
  /** A sentence without its subject. */
  readonly message: string;
}

/** More would scroll the first ones away, and those explain the rest. */
const MAX_TROUBLES = 20;
const MAX_SHOWN = 60;

const decode = Schema.decodeUnknownResult(RegistryFileSchema, { onExcessProperty: "error", errors: "all" });
const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1();

/** Reads a registry file's text (YAML, of which JSON is a part). Never throws. */
export function readRegistryText(text: string): ReadRegistry {
  const yaml = readYaml(text, REGISTRY_LIMITS.maxFileBytes);
  if (!yaml.ok) return { ok: false, troubles: yaml.troubles.slice(0, MAX_TROUBLES) };
  const { value, lineOf } = yaml.text;
  const sentence = ({ path, message }: Trouble): string => {
    const line = lineOf(path);
    const where = path.join(".").slice(0, 256);
    return `${line === undefined ? "" : `line ${line}, `}${where === "" ? "the file" : where}: ${message}`;
  };
  const decoded = decode(value);
  const troubles = Result.isFailure(decoded)
    ? issuesOf(decoded.failure.issue, value)
    : Object.entries(decoded.success.models).flatMap(([id, model]) => relationTroubles(id, model));
  if (Result.isSuccess(decoded) && troubles.length === 0) return { ok: true, file: decoded.success, sentence };
  return { ok: false, troubles: shorten(troubles.map(sentence)) };
}

/** Troubles that are told: the first ones, and how many more there are. */
export function shorten(sentences: readonly string[]): readonly string[] {
  const more = sentences.length - MAX_TROUBLES;
  return more > 0 ? [...sentences.slice(0, MAX_TROUBLES), `and ${more} more`] : sentences;
}

/** What Schema says of a key that is not there, and of one that should not be. */
const WORDS: Readonly<Record<string, string>> = {
  "Missing key": "is missing",
  "Expected no excess property": "is no key of this section; delete it, or correct its spelling",
};

function issuesOf(issue: SchemaIssue.Issue, value: Plain): Trouble[] {
  return formatIssue(issue).issues.map((one) => {
    const path = (one.path ?? []).map((step) => {
      const key = typeof step === "object" ? step.key : step;
      return typeof key === "symbol" ? String(key) : key;
    });
    const known = WORDS[one.message];
    if (known !== undefined) return { path, message: known };
    const message = one.message
      .replace(/^Expected /, "must be ")
      .replaceAll(/\bobject\b/g, "a section")
      .replaceAll(" | ", " or ");
    return { path, message: `${message}; it is ${shown(at(value, path))}` };
  });
}

function at(value: Plain | undefined, path: Path): Plain | undefined {
  const [key, ...rest] = path;
  if (key === undefined || value === undefined) return value;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return at((value as Record<string | number, Plain>)[key], rest);
}

function shown(value: Plain | undefined): string {
  if (value === undefined) return "missing";
  if (value === null) return "empty";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "a section";
  const text = JSON.stringify(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

/** A mode and what it needs come together. */
function relationTroubles(id: string, model: ModelSection): Trouble[] {
  const troubles: Trouble[] = [];
  for (const mode of ["tee", "zkml"] as const) {
    const [allowed, ruled] = [model.modes.includes(mode), model[mode] !== undefined];
    if (allowed && !ruled) {
      const path = ["models", id, "modes"];
      troubles.push({ path, message: `names ${mode}, but the model has no section ${mode}; add it, or drop the mode` });
    }
    if (ruled && !allowed) {
      const path = ["models", id, mode];
      troubles.push({ path, message: `is of no use while the modes do not name ${mode}; add the mode, or drop this` });
    }
  }
  return troubles;
}
