import type { ModelRunner, Run, RunOptions } from "../../../scheduler/node/model-runner.ts";

/** A run that the test decides the end of. */
export interface ScriptedRun {
  readonly model: string;
  readonly options: RunOptions;
  readonly end: (run: Run) => void;
}

/** A runner whose runs end when the test says so, in the order in which they began. */
export function scriptedRunner(): { readonly runner: ModelRunner; readonly runs: ScriptedRun[] } {
  const runs: ScriptedRun[] = [];
  const runner: ModelRunner = {
    warm: [],
    run(model, _input, options) {
      const { promise, resolve } = Promise.withResolvers<Run>();
      runs.push({ model, options, end: resolve });
      return promise;
    },
  };
  return { runner, runs };
}

export const DONE: Run = { ok: true, output: new Uint8Array([1, 2, 3]) };
