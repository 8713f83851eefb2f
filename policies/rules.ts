import type { CallTerms, Mode } from "../scheduler/shared/vocabulary.ts";
import { type PlacementSpec, problemOfPlacement } from "./placement.ts";
import type { LeafSpec, PolicySpec } from "./policy.ts";
import { type BudgetSpec, problemOfBudget } from "./work-budget.ts";

/** Several policies, each for the calls that its rule is for: what a policy file holds. */
export interface RulesSpec {
  readonly kind: "rules";
  /** What its operator calls it, so that logs and comparisons can. */
  readonly name: string;
  /** In order: a call takes the first whose conditions all hold. The last one has none, so that every call takes one. */
  readonly rules: readonly RuleSpec[];
  /** In place of the engine's configured one for as long as this is in force. */
  readonly budget?: BudgetSpec;
}

export interface RuleSpec {
  readonly name: string;
  readonly when: RuleConditions;
  readonly policy: LeafSpec;
  /** Left out, that of the engine's configuration. */
  readonly placement?: PlacementSpec;
}

/** What is left out holds for every call. */
export interface RuleConditions {
  readonly models?: readonly string[];
  readonly modes?: readonly Mode[];
  readonly senders?: readonly string[];
  /** A call's value is its max fee: what its sender would pay to have it answered. Both ends are included. */
  readonly minFeeGwei?: number;
  readonly maxFeeGwei?: number;
}

/** Rules are looked at one by one whenever a race opens. */
export const MAX_RULES = 64;

/** The first rule that is for this call. */
export function ruleFor(spec: RulesSpec, call: CallTerms, sender: string): RuleSpec {
  const { rules } = spec;
  return rules.find(({ when }) => holds(when, call, sender)) ?? (rules[rules.length - 1] as RuleSpec);
}

function holds(when: RuleConditions, call: CallTerms, sender: string): boolean {
  const { models, modes, senders, minFeeGwei = 0, maxFeeGwei = Number.MAX_SAFE_INTEGER } = when;
  if (models !== undefined && !models.includes(call.model)) return false;
  if (modes !== undefined && !modes.includes(call.mode)) return false;
  if (senders !== undefined && !senders.includes(sender)) return false;
  return call.maxFeeGwei >= minFeeGwei && call.maxFeeGwei <= maxFeeGwei;
}

/** The budget that is in force under a policy. */
export function budgetUnder(policy: PolicySpec, configured: BudgetSpec): BudgetSpec {
  return (policy.kind === "rules" ? policy.budget : undefined) ?? configured;
}

export function problemOfRules(
  { rules, budget }: RulesSpec,
  problemOf: (spec: PolicySpec) => string | undefined,
): string | undefined {
  const ofBudget = budget === undefined ? undefined : problemOfBudget(budget);
  if (ofBudget !== undefined) return `budget: ${ofBudget}`;
  if (rules.length === 0 || rules.length > MAX_RULES) return `there must be 1 to ${MAX_RULES} rules`;
  for (const { name, policy, placement } of rules) {
    const problem = problemOf(policy) ?? (placement === undefined ? undefined : problemOfPlacement(placement));
    if (problem !== undefined) return `rule ${JSON.stringify(name)}: ${problem}`;
  }
  const last = rules[rules.length - 1] as RuleSpec;
  if (Object.values(last.when).some((condition) => condition !== undefined))
    return `the last rule, ${JSON.stringify(last.name)}, must have no conditions, so that every call has a policy`;
  return undefined;
}
