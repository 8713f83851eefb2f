import { unreachable } from "../scheduler/shared/assert.ts";
import { deadline } from "./deadline/deadline.ts";
import { fixed } from "./fixed.ts";
import { hedge } from "./hedge.ts";
import type { LeafSpec, Policy } from "./policy.ts";

export type { Candidate, Placement, PlacementSpec } from "./placement.ts";
export { placementOf } from "./placement.ts";
export type { CopyEnd, CopyOutcome, PlainData, PolicyMemory } from "./memory.ts";
export type { CopyPicture, Decision, LeafSpec, Policy, PolicySpec, RacePicture, Surroundings } from "./policy.ts";
export type { RuleConditions, RuleSpec, RulesSpec } from "./rules.ts";
export type { ServiceTimes } from "./service-times.ts";
export { KaplanMeier } from "./service-times.ts";
export type { BudgetSpec } from "./work-budget.ts";
export { WorkBudget } from "./work-budget.ts";

/** The policy that a specification names. */
export function policyOf(spec: LeafSpec): Policy {
  switch (spec.kind) {
    case "fixed":
      return fixed(spec);
    case "hedge":
      return hedge(spec);
    case "deadline":
      return deadline(spec);
    default:
      return unreachable(spec);
  }
}
