import type { Run, RunOptions } from "../model-runner.ts";

/** What computes one model's answers for the node. */
export interface Backend {
  /** Does not reject: whatever goes wrong is a failed run. */
  run(input: Uint8Array, options: RunOptions): Promise<Run>;
  /** Whether it would answer now. Does not reject. */
  probe(signal: AbortSignal): Promise<Probe>;
  /** Resolves when nothing of it is left: no process, no timer. */
  close(): Promise<void>;
}

export type Probe =
  /** `note`: what the operator should know, all the same. */
  { readonly ok: true; readonly note?: string } | { readonly ok: false; readonly why: string };

/** Where a node says what its operator should know. Never inputs or outputs: they may be secret. */
export type NodeLog = (
  level: "debug" | "info" | "warn",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;
