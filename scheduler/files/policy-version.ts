import type { PolicySpec } from "../../policies/policy.ts";
import { formatPolicy } from "../../policies/short-form.ts";
import { sha256Hex } from "../proofs/digest.ts";

/** Which policy it is, for statistics, metrics, notices and logs. */
export interface PolicyIdentity {
  /** What its operator calls it; its short form where it has no name. */
  readonly name: string;
  /** SHA-256 of its canonical text, hexadecimal. Files that say the same have the same, whatever their layout and comments. */
  readonly version: string;
  /** The file that it came from; `undefined` where a program set it. */
  readonly origin: string | undefined;
}

export function identityOf(spec: PolicySpec): PolicyIdentity {
  if (spec.kind !== "rules") return { name: formatPolicy(spec), version: versionOf(spec), origin: undefined };
  return { name: spec.name, version: spec.version ?? versionOf(spec), origin: spec.origin };
}

/** The policy as the journal holds it: rules with their version, which nobody else may give them. */
export function versioned(spec: PolicySpec): PolicySpec {
  return spec.kind === "rules" ? { ...spec, version: versionOf(spec) } : spec;
}

/** As many digits of a version as a person compares. */
export function shortVersion({ version }: Pick<PolicyIdentity, "version">): string {
  return version.slice(0, 12);
}

/** SHA-256 of the policy's canonical text: JSON without spaces, keys in order of their UTF-16 code units, nothing left out filled in. */
export function versionOf(spec: PolicySpec): string {
  const { version: _, origin: __, ...said } = { version: undefined, origin: undefined, ...spec };
  return sha256Hex(Buffer.from(canonicalJson(said)));
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
