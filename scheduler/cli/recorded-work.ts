import type { Outcome } from "../../sim/recorded/outcome.ts";
import { RecordingError } from "../../sim/recorded/recording.ts";
import { replicate, type ReplicationOptions } from "../../sim/recorded/replications.ts";
import type { Recording } from "../../sim/recorded/recording.ts";
import { RunFileError } from "./run-file.ts";
import { SimRefused } from "./sim-experiments.ts";
import { progressOn } from "./sim-progress.ts";

/** What both commands about recordings can be told. */
export interface RecordedOptions {
  readonly directory: string;
  readonly replications: number;
  readonly seed: number;
  readonly json: boolean;
}

/** Outcomes of each play, in the given order, with a bar on standard error; `undefined` when it was interrupted. */
export async function playAll(
  recording: Recording,
  plays: readonly Omit<ReplicationOptions, "goOn">[],
  signal: AbortSignal,
): Promise<(readonly Outcome[])[] | undefined> {
  const progress = progressOn(process.stderr, "replications", () => performance.now());
  const total = plays.reduce((sum, { replications }) => sum + replications, 0);
  let done = 0;
  const goOn = async (): Promise<boolean> => {
    if (done > 0) progress.show(done, total);
    done++;
    // Ctrl-C comes in between.
    await new Promise((resolve) => setImmediate(resolve));
    return !signal.aborted;
  };
  try {
    const outcomes: (readonly Outcome[])[] = [];
    for (const play of plays) outcomes.push(await replicate(recording, { ...play, goOn }));
    return signal.aborted ? undefined : outcomes;
  } finally {
    progress.close();
  }
}

/** What makes no sense to ask becomes a refusal. */
export async function orRefuse<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RecordingError || error instanceof RunFileError) {
      throw new SimRefused(error.message, { cause: error });
    }
    throw error;
  }
}
