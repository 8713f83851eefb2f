import { Schema } from "effect";
import type { ConflictRule } from "../shared/vocabulary.ts";
import type { Field } from "./encoding.ts";
import { integer } from "./fields.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

const Quorum = integer(1, WIRE_LIMITS.maxQuorum);

/** How far from their median numbers may lie and still agree; like every number of the wire, never minus zero. */
const Tolerance = Schema.Finite.check(
  Schema.isGreaterThanOrEqualTo(0),
  Schema.makeFilter((value: number) => !Object.is(value, -0) || "zero without a sign"),
);

/** A conflict rule as its sender signs it, and as receipts repeat it. */
export const ConflictRuleSchema = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("first-valid") }),
  Schema.Struct({ kind: Schema.Literal("agree"), k: Quorum }),
  Schema.Struct({ kind: Schema.Literal("median"), k: Quorum, tolerance: Tolerance }),
]);

const isRule = Schema.is(ConflictRuleSchema);

/** Whether the value is a conflict rule that may be raced under. Never throws. */
export function isConflictRule(value: unknown): value is ConflictRule {
  return isRule(value);
}

/** The rule with its keys in the canonical order, and no others. */
export function orderConflictKeys(rule: ConflictRule): ConflictRule {
  switch (rule.kind) {
    case "first-valid":
      return { kind: rule.kind };
    case "agree":
      return { kind: rule.kind, k: rule.k };
    case "median":
      return { kind: rule.kind, k: rule.k, tolerance: rule.tolerance };
  }
}

/** The rule as one field: a list of its kind, `k` and `tolerance`, the latter as eight bytes of IEEE 754, big endian. */
export function conflictField(rule: ConflictRule): Field {
  switch (rule.kind) {
    case "first-valid":
      return [rule.kind];
    case "agree":
      return [rule.kind, rule.k];
    case "median":
      return [rule.kind, rule.k, float64Bytes(rule.tolerance)];
  }
}

function float64Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}
