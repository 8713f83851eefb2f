import type { Mode } from "../../shared/vocabulary.ts";

/** A node file as its fields describe it: what is left out has its default, and paths are absolute. */
export interface NodeSections {
  readonly id: string;
  readonly operator: string;
  readonly region: string;
  readonly hardware: string;
  readonly slots: number;
  readonly queueLimit: number;
  readonly key: string;
  readonly enclave?: { readonly emulator?: string };
  readonly chain: string;
  readonly shard: string;
  readonly schedulers: readonly string[];
  readonly servers: readonly string[];
  readonly credentials?: string;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly drainMs: number;
  readonly models: readonly ModelSection[];
}

export interface ModelSection {
  readonly model: string;
  readonly priceGwei: Readonly<Partial<Record<Mode, number>>>;
  readonly concurrency?: number;
  readonly backend: BackendSection;
}

export type BackendSection = OnnxSection | OpenAiSection | ExecSection;

export interface OnnxSection {
  readonly kind: "onnx";
  readonly directory?: string;
}

export interface OpenAiSection {
  readonly kind: "openai";
  readonly url: string;
  readonly name: string;
  readonly apiKeyEnv?: string;
  readonly temperature: number;
  readonly seed: number | "none";
  readonly tokensField: "max_tokens" | "max_completion_tokens";
  readonly usage: "asked" | "unasked";
  readonly firstTokenMs: number;
  readonly totalMs: number;
  readonly outputBytes: number;
  readonly retries: number;
}

export interface ExecSection {
  readonly kind: "exec";
  readonly command: readonly [string, ...string[]];
  readonly directory?: string;
  readonly environment?: readonly string[];
  readonly totalMs: number;
  readonly outputBytes: number;
  readonly killAfterMs: number;
}
