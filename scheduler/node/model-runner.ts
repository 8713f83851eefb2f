/** Executes models on the bytes of calls' inputs. */
export interface ModelRunner {
  /** Models that would begin at once: loaded here, or their backend answered when it was last asked. */
  readonly warm: readonly string[];
  /** Does not reject for what a backend does: the copy has failed, and nothing else (P4). */
  run(model: string, input: Uint8Array, options: RunOptions): Promise<Run>;
}

/** What a run is told beside its input. */
export interface RunOptions {
  /** Aborted when nobody wants the output any more: work stops wherever it goes on (P9). */
  readonly signal: AbortSignal;
  /** At most as many tokens of output, for models that count in tokens. */
  readonly tokensOut: number;
  /** How long the output is of use, from now on. */
  readonly withinMs: number;
  /** Told, as output comes, how many tokens there are so far. */
  readonly onProgress: (tokens: number) => void;
}

/** What became of a run. */
export type Run =
  | { readonly ok: true; readonly output: Uint8Array }
  | {
      readonly ok: false;
      /** `overloaded`: the same would be answered at another time. */
      readonly reason: "error" | "overloaded";
      /** For the operator's log. */
      readonly why: string;
    };

export function failedRun(reason: "error" | "overloaded", why: string): Run {
  return { ok: false, reason, why };
}
