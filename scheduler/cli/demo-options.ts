import type { PolicySpec } from "../../policies/policy.ts";

/** What `pipe demo` can be told. */
export interface DemoOptions {
  readonly blocks: number;
  readonly nodes: number;
  /** Of keys, workload and latencies. Two runs with one seed still differ in timing: they are real threads. */
  readonly seed: number;
  readonly policy: PolicySpec;
  /** A policy file in its place, which is followed while the demonstration runs. */
  readonly policyFile: string | undefined;
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
