import { stringify } from "yaml";
import type { RulesSpec } from "../../policies/rules.ts";

/** A policy file that says this, with the lines of the comment above it. Reading it gives the same version. */
export function policyText({ name, placement, budget, rules }: RulesSpec, comment: readonly string[]): string {
  const said = {
    name,
    placement,
    budget,
    rules: rules.map(({ when, ...rule }) => ({ ...rule, when: Object.keys(when).length === 0 ? undefined : when })),
  };
  const head = comment.map((line) => `# ${line}\n`).join("");
  return head + stringify(said, { lineWidth: 0, keepUndefined: false });
}
