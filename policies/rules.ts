import type { CallTerms, Mode } from "../scheduler/shared/vocabulary.ts";
import { matches } from "./glob.ts";
import { type PlacementSpec, problemOfPlacement } from "./placement.ts";
import type { LeafSpec, PolicySpec } from "./policy.ts";
import { type BudgetSpec, problemOfBudget } from "./work-budget.ts";

/** Several policies, each for the calls that its rule is for: what a policy file holds. */
export interface RulesSpec {
  readonly kind: "rules";
  /** What its operator calls it, so that logs and comparisons can. */
  readonly name: string;
  /** SHA-256 of the canonical text of its file, hexadecimal, computed at the edge. Missing where there was no file. */
  readonly version?: string;
  /** Where it came from: the file's name, for a person who looks for it. */
  readonly origin?: string;
  /** For rules without one of their own; left out, that of the engine's configuration. */
  readonly placement?: PlacementSpec;
  /** Left out, that of the engine's configuration. */
  readonly budget?: BudgetSpec;
  /** In order: a call takes the first whose conditions all hold. The last one has none, so that every call takes one. */
  readonly rules: readonly RuleSpec[];
}

export interface RuleSpec {
  readonly name: string;
  readonly when: RuleConditions;
  readonly policy: LeafSpec;
  /** Left out, that of all rules. */
  readonly placement?: PlacementSpec;
}

/** What is left out holds for every call. */
export interface RuleConditions {
  /** Names, or patterns in which `*` stands for any characters, none included. */
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
  return rules.find(({ when }) => failing(when, call, sender) === undefined) ?? (rules[rules.length - 1] as RuleSpec);
}

/** The first condition that does not hold for this call; `undefined` when all do. */
export function failing(when: RuleConditions, call: CallTerms, sender: string): keyof RuleConditions | undefined {
  const { models, modes, senders, minFeeGwei, maxFeeGwei } = when;
  if (models !== undefined && !models.some((pattern) => matches(pattern, call.model))) return "models";
  if (modes !== undefined && !modes.includes(call.mode)) return "modes";
  if (senders !== undefined && !senders.includes(sender)) return "senders";
  if (minFeeGwei !== undefined && call.maxFeeGwei < minFeeGwei) return "minFeeGwei";
  return maxFeeGwei !== undefined && call.maxFeeGwei > maxFeeGwei ? "maxFeeGwei" : undefined;
}

/** An earlier rule that takes every call of the one at `index`, if one does by itself; then that one never gets a call. */
export function shadowOf({ rules }: RulesSpec, index: number): RuleSpec | undefined {
  const { when } = rules[index] as RuleSpec;
  return rules.slice(0, index).find((earlier) => isWithin(when, earlier.when));
}

function isWithin(narrow: RuleConditions, wide: RuleConditions): boolean {
  return (
    // A pattern that matches another one's text takes all that it takes: only a star can have taken its stars.
    isSubset(narrow.models, wide.models, matches) &&
    isSubset(narrow.modes, wide.modes, Object.is) &&
    isSubset(narrow.senders, wide.senders, Object.is) &&
    (narrow.minFeeGwei ?? 0) >= (wide.minFeeGwei ?? 0) &&
    (narrow.maxFeeGwei ?? Number.POSITIVE_INFINITY) <= (wide.maxFeeGwei ?? Number.POSITIVE_INFINITY)
  );
}

function isSubset(
  narrow: readonly string[] | undefined,
  wide: readonly string[] | undefined,
  takes: (wide: string, narrow: string) => boolean,
): boolean {
  if (wide === undefined) return true;
  return narrow?.every((one) => wide.some((other) => takes(other, one))) ?? false;
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
