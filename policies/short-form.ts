import type { PolicySpec } from "./policy.ts";

/** `fixed:2`, `hedge:3000:3` (delay in milliseconds, copies at the most). The error says what would be right. */
export function parsePolicy(text: string): PolicySpec {
  const [kind, ...numbers] = text.split(":");
  const values = numbers.map((number) => (/^\d+$/.test(number) ? Number(number) : Number.NaN));
  const [first = Number.NaN, second = Number.NaN] = values;
  if (kind === "fixed" && values.length === 1 && first >= 1 && first <= 16) return { kind, copies: first };
  if (kind === "hedge" && values.length === 2 && first >= 1 && second >= 1 && second <= 16) {
    return { kind, delayMs: first, maxCopies: second };
  }
  throw new RangeError(
    `"${text}" is no policy. Write fixed:COPIES (such as fixed:2) or hedge:DELAY_MS:MAX_COPIES (such as hedge:3000:3), with 1 to 16 copies.`,
  );
}

/** The policy as it is written on the command line. */
export function formatPolicy(policy: PolicySpec): string {
  if (policy.kind === "rules") return `rules ${policy.name}`;
  return policy.kind === "fixed" ? `fixed:${policy.copies}` : `hedge:${policy.delayMs}:${policy.maxCopies}`;
}
