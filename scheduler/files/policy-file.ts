import { readFile, stat } from "node:fs/promises";
import { MAX_POLICY_FILE_BYTES, POLICY_FILE_FIELDS } from "../../policies/file-format.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import { problemOf } from "../../policies/policy.ts";
import { type RulesSpec, shadowOf } from "../../policies/rules.ts";
import { isSection } from "../fields/fields.ts";
import { checkFields, inside, type Place, trouble } from "./check.ts";
import { versionOf } from "./policy-version.ts";
import { type PlainSection, readYaml, type TextPlace } from "./yaml.ts";

/** What is wrong with a policy file, for the one who wrote it. */
export interface PolicyProblem {
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** Keys from the top, with dots between: `rules.0.policy.delayMs`. Empty for the file as a whole. */
  readonly path: string;
  /** A sentence without its subject. */
  readonly message: string;
}

export type ReadPolicy =
  | { readonly ok: true; readonly spec: RulesSpec }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** More would scroll the first ones away, and those explain the rest. */
const MAX_PROBLEMS = 20;

/** A policy file cannot be used. The message has one line per problem, each beginning with its place. */
export class PolicyFileError extends Error {
  override readonly name = "PolicyFileError";
  readonly problems: readonly PolicyProblem[];

  constructor(path: string, problems: readonly PolicyProblem[]) {
    super(problems.map((problem) => problemText(path, problem)).join("\n"));
    this.problems = problems;
  }
}

/** Reads a policy file. Rejects with a `PolicyFileError`. */
export async function loadPolicyFile(path: string): Promise<RulesSpec> {
  const { read } = await readPolicyFile(path);
  if (read instanceof PolicyFileError) throw read;
  return read;
}

/** The same for who reads a file again and again: `said` is its text, or why it has none. Does not reject. */
export async function readPolicyFile(
  path: string,
): Promise<{ readonly said: string; readonly read: RulesSpec | PolicyFileError }> {
  try {
    // Before it fills the memory.
    const found = await stat(path);
    // A pipe has no end as long as nobody writes, and a device none at all.
    if (!found.isFile() && !found.isDirectory()) throw new Error("is no file");
    const { size } = found;
    if (size > MAX_POLICY_FILE_BYTES) throw new Error(`is longer than ${MAX_POLICY_FILE_BYTES} bytes`);
    const said = await readFile(path, "utf8");
    const read = readPolicyText(said, path);
    return { said, read: read.ok ? read.spec : new PolicyFileError(path, read.problems) };
  } catch (error) {
    const said =
      error instanceof Error && "code" in error ? `cannot be read (${error.code})` : (error as Error).message;
    return { said, read: new PolicyFileError(path, [whole(said)]) };
  }
}

/** Reads a policy file's text (YAML, of which JSON is a part). `origin` says where it came from. Never throws. */
export function readPolicyText(text: string, origin: string): ReadPolicy {
  const yaml = readYaml(text, MAX_POLICY_FILE_BYTES);
  if (!yaml.ok) {
    return refused(yaml.faults.map(({ place, message }) => ({ ...positionOf(place), path: "", message })));
  }
  const { value, placeOf } = yaml.text;
  if (!isSection(value)) return refused([whole("must be a section of keys such as `name: standard` and `rules:`")]);
  const place: Place = { path: [], directory: "", troubles: [], depth: 0 };
  const checked = checkFields(POLICY_FILE_FIELDS, value, place);
  // The table of the format describes this type.
  const { budget } = checked;
  const said = isSection(budget) ? { ...checked, budget: withoutNone(budget) } : checked;
  const spec = { kind: "rules", ...said } as unknown as RulesSpec;
  if (place.troubles.length === 0) checkRules(spec, inside(place, "rules"));
  if (place.troubles.length > 0) {
    // Only those that are told are looked up in the text: each takes a look at all keys of its section.
    return refused(
      place.troubles.map(({ path, message }, index) => ({
        ...positionOf(index < MAX_PROBLEMS ? placeOf(path) : undefined),
        path: path.join("."),
        message,
      })),
    );
  }
  return { ok: true, spec: named(spec, said, origin) };
}

function named(spec: RulesSpec, checked: PlainSection, origin: string): RulesSpec {
  const { kind, name, ...rest } = spec;
  return { kind, name, version: versionOf({ kind, ...checked } as unknown as PolicySpec), origin, ...rest };
}

/** Buckets that there are not to be. */
function withoutNone(section: PlainSection): PlainSection {
  return Object.fromEntries(Object.entries(section).filter(([, value]) => value !== "none"));
}

/** What one rule by itself does not show. */
function checkRules(spec: RulesSpec, place: Place): void {
  const { rules } = spec;
  const names = new Map<string, number>();
  for (const [index, { name, when, policy }] of rules.entries()) {
    const there = inside(place, index);
    const first = names.get(name);
    if (first !== undefined) trouble(inside(there, "name"), `is the name of rule ${first + 1}, too; give it another`);
    names.set(name, index);
    const { minFeeGwei, maxFeeGwei } = when;
    if (minFeeGwei !== undefined && maxFeeGwei !== undefined && minFeeGwei > maxFeeGwei) {
      const bounds = inside(inside(there, "when"), "minFeeGwei");
      trouble(bounds, `is ${minFeeGwei}, more than maxFeeGwei: ${maxFeeGwei}; no call is for this rule`);
    }
    const shadow = shadowOf(spec, index);
    if (shadow !== undefined) {
      trouble(
        there,
        `never gets a call: rule ${quoted(shadow.name)} before it takes all of them; move it up, or drop it`,
      );
    }
    const problem = problemOf(policy);
    if (problem !== undefined) trouble(inside(there, "policy"), problem);
  }
  const last = rules.at(-1);
  if (last === undefined) trouble(place, "must hold a rule at least: the last one, for every call");
  else if (Object.keys(last.when).length > 0) {
    const there = inside(inside(place, rules.length - 1), "when");
    trouble(there, "must be left out of the last rule, so that every call has a policy; add a rule after it");
  }
}

/** `pipe.policy.yaml:7:5: rules.0.policy.delayMs: must be …`, as editors and terminals make links of it. */
export function problemText(file: string, { line, column, path, message }: PolicyProblem): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(":");
  return `${place}: ${path === "" ? "the file" : path}: ${message}`;
}

function refused(problems: readonly PolicyProblem[]): ReadPolicy {
  const more = problems.length - MAX_PROBLEMS;
  if (more <= 0) return { ok: false, problems };
  return { ok: false, problems: [...problems.slice(0, MAX_PROBLEMS), whole(`has ${more} more problems`)] };
}

function whole(message: string): PolicyProblem {
  return { line: undefined, column: undefined, path: "", message };
}

function positionOf(place: TextPlace | undefined): Pick<PolicyProblem, "line" | "column"> {
  return { line: place?.line, column: place?.column };
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
