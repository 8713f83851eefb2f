import { DEFAULTS } from "./defaults.ts";
import { allowedFor, type Parameter, POLICY_KINDS, problemOfParameters } from "./parameters.ts";
import type { LeafSpec, PolicySpec } from "./policy.ts";

const FORMS =
  "Write fixed:COPIES (such as fixed:2) or hedge:DELAY_MS:MAX_COPIES (such as hedge:3000:3), with 1 to 16 copies, " +
  `or one of ${others().join(", ")}, which may be followed by :KEY=VALUE.`;

/**
 * A policy as it is written on a command line: `fixed:2`, `hedge:3000:3` (delay in milliseconds, copies at the most), and all
 * others by kind and the parameters that are not to be as documented, such as `finagle` or `finagle:maxExtraLoad=0.05`.
 * Throws a RangeError that says what would be right.
 */
export function parsePolicy(text: string): LeafSpec {
  const [kind = "", ...parts] = text.split(":");
  const policy = Object.hasOwn(POSITIONAL, kind) ? positional(kind, parts) : named(text, kind, parts);
  if (policy === undefined) throw new RangeError(`"${text}" is no policy. ${FORMS}`);
  return policy;
}

const POSITIONAL: { readonly [kind: string]: (values: readonly number[]) => LeafSpec | undefined } = {
  fixed: ([copies = Number.NaN, ...more]) =>
    more.length === 0 && isCopies(copies) ? { kind: "fixed", copies } : undefined,
  hedge: ([delayMs = Number.NaN, maxCopies = Number.NaN, ...more]) =>
    more.length === 0 && delayMs >= 1 && isCopies(maxCopies) ? { kind: "hedge", delayMs, maxCopies } : undefined,
};

function positional(kind: string, parts: readonly string[]): LeafSpec | undefined {
  const values = parts.map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN));
  return POSITIONAL[kind]?.(values);
}

function isCopies(value: number): boolean {
  return value >= 1 && value <= 16;
}

function others(): string[] {
  return Object.keys(POLICY_KINDS).filter((kind) => kind !== "fixed" && kind !== "hedge");
}

function named(text: string, kind: string, parts: readonly string[]): LeafSpec | undefined {
  if (!Object.hasOwn(POLICY_KINDS, kind)) return undefined;
  const { parameters, oneOf, either = [] } = POLICY_KINDS[kind as LeafSpec["kind"]];
  const refuse = (problem: string): never => {
    throw new RangeError(`"${text}" is no policy: ${problem}.`);
  };
  const given: Record<string, number | string> = {};
  for (const part of parts) {
    const [key = "", ...rest] = part.split("=");
    const parameter = Object.hasOwn(parameters, key) ? parameters[key] : undefined;
    const known = `${kind} has ${Object.keys(parameters).join(", ")}`;
    if (parameter === undefined) return refuse(`${JSON.stringify(key)} is no key of ${kind}; ${known}`);
    if (rest.length === 0) return refuse(`${key} has no value; write ${key}=VALUE`);
    if (Object.hasOwn(given, key)) return refuse(`${key} is given twice`);
    given[key] = readValue(parameter, rest.join("=")) ?? refuse(`${key} must be ${allowedFor(parameter)}`);
  }
  const [one, other] = either.map((keys) => keys.find((key) => Object.hasOwn(given, key)));
  if (one !== undefined && other !== undefined) return refuse(`${other} is not given together with ${one}`);
  // Of several sets of keys the default is one, so that any key means another one altogether.
  const base = oneOf !== undefined && parts.length > 0 ? { kind } : DEFAULTS[kind as LeafSpec["kind"]];
  const spec = { ...base, ...given } as LeafSpec;
  const problem = problemOfParameters(spec);
  return problem === undefined ? spec : refuse(problem);
}

function readValue(parameter: Parameter, text: string): number | string | undefined {
  if (parameter.type === "text") return text;
  if (text === parameter.word) return text;
  return /^\d+(?:\.\d+)?(?:e-?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** The policy in the form that `parsePolicy` reads; rules by their name, which it does not. */
export function formatPolicy(policy: PolicySpec): string {
  switch (policy.kind) {
    case "rules":
      return `rules ${policy.name}`;
    case "fixed":
      return `fixed:${policy.copies}`;
    case "hedge":
      return `hedge:${policy.delayMs}:${policy.maxCopies}`;
    default:
      return [policy.kind, ...changed(policy)].join(":");
  }
}

function changed({ kind, ...given }: LeafSpec): string[] {
  const usual: object = DEFAULTS[kind];
  const entries = Object.entries(given);
  const isUsual = ([key, value]: readonly [string, unknown]): boolean =>
    (usual as Readonly<Record<string, unknown>>)[key] === value;
  // Keys that exclude each other are given all or not at all.
  if (POLICY_KINDS[kind].oneOf !== undefined) {
    const same = entries.length === Object.keys(usual).length - 1 && entries.every(isUsual);
    return same ? [] : entries.map(([key, value]) => `${key}=${value}`);
  }
  return entries.filter((entry) => !isUsual(entry)).map(([key, value]) => `${key}=${value}`);
}
