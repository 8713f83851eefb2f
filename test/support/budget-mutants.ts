import type { BudgetSpec, PolicySpec } from "../../policies/index.ts";
import { MAX_BURST_MS } from "../../policies/token-buckets.ts";
import type { EngineConfig } from "../../scheduler/engine/config.ts";
import type { Mutant, Tampering } from "./tampering.ts";

/** Planted errors of the work budget (P6). test/unit/policies/budget-intervals.test.ts plants those that take an override. */

/** Another budget is in force from the first step on, and nobody was told. What the buckets held before, they hold. */
const secretBudget =
  (change: (budget: LimitedBudget) => LimitedBudget) =>
  ({ policy, budget: agreed }: EngineConfig): Tampering => {
    const underSecret = (spec: PolicySpec): PolicySpec => {
      const budget = (spec.kind === "rules" ? spec.budget : undefined) ?? agreed;
      if (budget === "unlimited") return spec;
      const rules = spec.kind === "rules" ? spec.rules : [{ name: "any", when: {}, policy: spec }];
      return { kind: "rules", name: "secret", rules, budget: change(budget) };
    };
    let told = false;
    return {
      hear: (event) => (event.kind === "policy-changed" ? { ...event, policy: underSecret(event.policy) } : event),
      say: (commands, _event, tell) => {
        if (told) return commands;
        told = true;
        return [...commands, ...tell({ kind: "policy-changed", policy: underSecret(policy) })];
      },
    };
  };

type LimitedBudget = Exclude<BudgetSpec, string>;

export const BUDGET_MUTANTS: readonly Mutant[] = [
  {
    name: "has no budget",
    breaks: ["P6"],
    plant: () => ({}),
    configure: (config) => ({ ...config, budget: "unlimited" }),
  },
  {
    name: "does not ask the sender's budget",
    breaks: ["P6"],
    shows: /work of s/,
    plant: secretBudget(({ perSender: _, ...budget }) => budget),
  },
  {
    name: "does not ask the budget of the model and mode",
    breaks: ["P6"],
    shows: /work for m/,
    plant: secretBudget(({ perClass: _, ...budget }) => budget),
  },
];

/** What piles up is only missed once it is spent: it takes much work. */
export const RARE_BUDGET_MUTANTS: readonly Mutant[] = [
  {
    name: "lets unspent budget pile up",
    breaks: ["P6"],
    plant: secretBudget((budget) => ({ ...budget, burstMs: MAX_BURST_MS })),
  },
];
