import type { PolicySpec } from "../../policies/policy.ts";

/** What `pipe demo` can be told. */
export interface DemoOptions {
  readonly blocks: number;
  readonly nodes: number;
  /** Of keys, workload and latencies. Two runs with one seed still differ in timing: they are real threads. */
  readonly seed: number;
  readonly policy: PolicySpec;
  readonly latency: "modelled" | "none";
  readonly faults: "some" | "none";
  /** Transactions per second of the made-up workload. */
  readonly ratePerS: number;
  /** CSV with the columns TIMESTAMP, ContextTokens, GeneratedTokens in place of the made-up workload. */
  readonly trace: string | undefined;
  /** Where journal, records and latencies go; `undefined` for a folder that is removed afterwards. */
  readonly out: string | undefined;
  readonly json: boolean;
}

export const DEMO_LIMITS = {
  // A block of 500 ms each: ten minutes.
  maxBlocks: 1_200,
  // Each node is a thread of about 100 MB.
  maxNodes: 32,
  minNodes: 2,
  maxRatePerS: 500,
} as const;

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
  if (policy.kind === "deadline") return `deadline:${policy.target}:${policy.maxCopies}`;
  return policy.kind === "fixed" ? `fixed:${policy.copies}` : `hedge:${policy.delayMs}:${policy.maxCopies}`;
}
