import { performance } from "node:perf_hooks";
import type { PoolOptions, Task } from "./pool.ts";
import { runTasks } from "./pool.ts";
import type { MeasuredExperiment } from "./result.ts";
import { measured } from "./result.ts";
import type { Experiment, ReplicationResult } from "./types.ts";

export interface RunOptions extends PoolOptions {
  /** Races of the first replication that are kept in full. */
  readonly samples: number;
  /** Called after each replication, and with a part of one while it takes longer than a second or so. */
  readonly onProgress: (done: number, of: number) => void;
}

/** Measures several experiments in one pool of workers; results come in the experiments' order. Rejects with `ReplicationFailed`. */
export async function runExperiments(
  experiments: readonly Experiment[],
  options: RunOptions,
): Promise<readonly MeasuredExperiment[] | "interrupted"> {
  const found: (MeasuredExperiment | undefined)[] = experiments.map(() => undefined);
  const outcome = await runInOrder(experiments, options, (index, result) => {
    found[index] = result;
  });
  return outcome === "interrupted" ? outcome : found.filter((one) => one !== undefined);
}

export async function runExperiment(
  experiment: Experiment,
  options: RunOptions,
): Promise<MeasuredExperiment | "interrupted"> {
  const found = await runExperiments([experiment], options);
  return found === "interrupted" ? found : (found[0] as MeasuredExperiment);
}

interface Part extends Task {
  readonly index: number;
}

interface Gathering {
  readonly startedMs: number;
  readonly results: ReplicationResult[];
}

/**
 * Measures experiments one after the other, all workers on the same one as far as possible, and delivers each when its last
 * replication is in.
 */
export async function runInOrder(
  experiments: readonly Experiment[],
  { samples, onProgress, ...pool }: RunOptions,
  deliver: (index: number, result: MeasuredExperiment) => void,
): Promise<"done" | "interrupted"> {
  const gatherings = new Map<number, Gathering>();
  const total = experiments.reduce((sum, { replications }) => sum + replications, 0);
  let done = 0;
  /** Of replications under way, how much is done. */
  const shares = new Map<Part, number>();

  function* parts(): Iterable<Part> {
    for (const [index, experiment] of experiments.entries()) {
      for (let replication = 0; replication < experiment.replications; replication++) {
        if (replication === 0) gatherings.set(index, { startedMs: performance.now(), results: [] });
        yield { index, experiment, replication, samples: replication === 0 ? samples : 0 };
      }
    }
  }

  const receive = (part: Part, result: ReplicationResult): void => {
    const { index, experiment } = part;
    shares.delete(part);
    const gathering = gatherings.get(index) as Gathering;
    gathering.results.push(result);
    onProgress(++done, total);
    if (gathering.results.length < experiment.replications) return;
    gatherings.delete(index);
    deliver(index, measured(experiment, gathering.results, performance.now() - gathering.startedMs));
  };
  return runTasks(parts(), pool, { result: receive }, (part, share) => {
    shares.set(part, share);
    onProgress(
      [...shares.values()].reduce((sum, each) => sum + each, done),
      total,
    );
  });
}
