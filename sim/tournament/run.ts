import type { LeafSpec } from "../../policies/policy.ts";
import { Crew, CrewStopped } from "../experiment/crew.ts";
import type { KeptLines } from "../experiment/kept-lines.ts";
import type { PoolOptions } from "../experiment/pool.ts";
import { type Scale, scaleOf } from "../tune/candidates.ts";
import { durationsAlone } from "../tune/clairvoyant.ts";
import { Bout, type Plan } from "./measure.ts";
import type { ContenderName, ContenderRecord } from "./records.ts";
import { experimentAt, type Place } from "./world.ts";
import { queues, type Workload } from "./workloads.ts";

/** Where the contenders meet. */
export interface Field {
  readonly workloads: readonly Workload[];
  readonly loads: readonly number[];
  readonly kinds: readonly LeafSpec["kind"][];
  /** Where traces are; workloads that need one are only among `workloads` when it is there. */
  readonly traces: string;
}

/** Durations of which a workload's time scale is taken. */
const SCALE_JOBS = 20_000;

/** Everything that is to be measured: workload by workload, load by load, contender by contender. */
export function boutsOf({ workloads, loads, kinds, traces }: Field, plan: Plan): readonly Bout[] {
  const contenders: readonly ContenderName[] = ["single copy", "clairvoyant", ...kinds];
  return workloads.flatMap((workload) => {
    const scale = timeScale({ workload, load: queues(workload) ? 0.5 : undefined, traces }, plan);
    return (queues(workload) ? loads : [undefined]).flatMap((load) =>
      contenders.map((contender) => new Bout({ workload, load, traces }, contender, plan, scale)),
    );
  });
}

function timeScale(place: Place, { size, target }: Plan): Scale {
  const { deadlineMs } = place.workload;
  return scaleOf({ deadlineMs, target }, durationsAlone(experimentAt(place, size), SCALE_JOBS));
}

export interface TournamentOptions extends PoolOptions {
  readonly onProgress: (done: number, of: number) => void;
}

/** Measures the bouts that are not kept yet. The records are kept afterwards. Rejects with `ReplicationFailed`. */
export async function runTournament(
  bouts: readonly Bout[],
  kept: KeptLines<ContenderRecord>,
  { onProgress, ...pool }: TournamentOptions,
): Promise<"done" | "interrupted"> {
  const missing = bouts.filter(({ key }) => kept.get(key) === undefined);
  if (missing.length === 0) return "done";
  const crew = new Crew(pool);
  const queue = missing[Symbol.iterator]();
  let done = 0;
  const line = async (): Promise<void> => {
    for (const bout of queue) {
      kept.append(await bout.measure(crew));
      onProgress(++done, missing.length);
      if (pool.signal.aborted) return;
    }
  };
  try {
    // A search waits for its slowest replication now and then; meanwhile the workers do the next bouts.
    await Promise.all(Array.from({ length: pool.workers + 2 }, line));
  } catch (error) {
    if (error instanceof CrewStopped && pool.signal.aborted) return "interrupted";
    throw error;
  } finally {
    await crew.close();
  }
  return pool.signal.aborted ? "interrupted" : "done";
}
