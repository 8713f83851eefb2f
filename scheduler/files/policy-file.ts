import { MAX_POLICY_FILE_BYTES, POLICY_FILE_FIELDS } from "../../policies/file-format.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import { problemOf } from "../../policies/policy.ts";
import { type RulesSpec, shadowOf } from "../../policies/rules.ts";
import { isSection } from "../fields/fields.ts";
import { checkFields, inside, type Place, trouble } from "./check.ts";
import { versionOf } from "./policy-version.ts";
import {
  faultProblems,
  type FileProblem,
  problemsOf,
  problemText,
  readBoundedText,
  unreadable,
  wholeProblem,
} from "./problems.ts";
import { type PlainSection, readYaml } from "./yaml.ts";

export type ReadPolicy =
  | { readonly ok: true; readonly spec: RulesSpec }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** A policy file cannot be used. The message has one line per problem, each beginning with its place. */
export class PolicyFileError extends Error {
  override readonly name = "PolicyFileError";
  readonly problems: readonly FileProblem[];

  constructor(path: string, problems: readonly FileProblem[]) {
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
    const said = await readBoundedText(path, MAX_POLICY_FILE_BYTES);
    const read = readPolicyText(said, path);
    return { said, read: read.ok ? read.spec : new PolicyFileError(path, read.problems) };
  } catch (error) {
    const said = unreadable(error);
    return { said, read: new PolicyFileError(path, [wholeProblem(said)]) };
  }
}

/** Reads a policy file's text (YAML, of which JSON is a part). `origin` says where it came from. Never throws. */
export function readPolicyText(text: string, origin: string): ReadPolicy {
  const yaml = readYaml(text, MAX_POLICY_FILE_BYTES);
  if (!yaml.ok) return { ok: false, problems: faultProblems(yaml.faults) };
  const { value } = yaml.text;
  if (!isSection(value)) {
    return { ok: false, problems: [wholeProblem("must be a section of keys such as `name: standard` and `rules:`")] };
  }
  const place: Place = { path: [], directory: "", troubles: [], depth: 0 };
  const checked = checkFields(POLICY_FILE_FIELDS, value, place);
  // The table of the format describes this type.
  const { budget } = checked;
  const said = isSection(budget) ? { ...checked, budget: withoutNone(budget) } : checked;
  const spec = { kind: "rules", ...said } as unknown as RulesSpec;
  if (place.troubles.length === 0) checkRules(spec, inside(place, "rules"));
  if (place.troubles.length > 0) return { ok: false, problems: problemsOf(place.troubles, yaml.text) };
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

function quoted(name: string): string {
  return JSON.stringify(name);
}
