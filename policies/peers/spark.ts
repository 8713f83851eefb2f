import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { CopyEnd, PlainData, PolicyMemory } from "../memory.ts";
import { type Policy, racing } from "../policy.ts";
import { lookAt, memoryOf, replacements, waitingSinceUs } from "./reading.ts";

export interface SparkSpec {
  readonly kind: "spark";
  /** Share of the stage that must be done before anything is speculated on. */
  readonly quantile: number;
  /** How many times the median duration a task must have run. */
  readonly multiplier: number;
  /** And so long at the least. */
  readonly minTaskRuntimeMs: number;
  /** From one check of all running tasks to the next. */
  readonly intervalMs: number;
  /** Jobs that make up a stage. */
  readonly stageJobs: number;
}

/**
 * Spark's speculation (`TaskSetManager.checkSpeculatableTasks`): once `quantile` of a stage's tasks are done, a task of which
 * one attempt runs gets a second one when it has run for longer than max(`multiplier` × median, `minTaskRuntimeMs`), found out
 * at the next check.
 *
 * A stage is a set of like tasks that start together, and a stream of jobs has none. Here it is the latest `stageJobs` jobs of
 * the (model, mode): those that run, and those that were done last. So the rule speculates while no more than
 * 1 − `quantile` of so many run at a time, and stops when they pile up, as it would in a stage most of which still runs.
 */
export function spark(spec: SparkSpec): Policy {
  const intervalUs = spec.intervalMs * 1_000;
  const nextCheckUs = (us: number): number => (Math.floor(us / intervalUs) + 1) * intervalUs;
  return {
    spec,
    decide(race, { nowUs }, decision) {
      const lost = replacements(race);
      decision.launch = lost;
      decision.lookAtUs = NEVER;
      if (lost === 0 && racing(race) !== 1) return;
      const sinceUs = waitingSinceUs(race, nowUs);
      const thresholdUs = memoryOf(race, SparkStage).thresholdUs;
      if (thresholdUs === undefined) decision.lookAtUs = lookAt(nextCheckUs(nowUs), nowUs);
      else if (nowUs - sinceUs > thresholdUs) decision.launch++;
      else decision.lookAtUs = lookAt(nextCheckUs(sinceUs + thresholdUs), nowUs);
    },
    remember: (snapshot) => new SparkStage(spec, snapshot),
  };
}

interface StageSnapshot {
  readonly durations: readonly number[];
  readonly running: number;
}

/** The durations of the attempts that were done last, and how many tasks run. */
class SparkStage implements PolicyMemory {
  readonly #spec: SparkSpec;
  /** In the order in which they ended, and in the order of their length. */
  readonly #durations: number[] = [];
  readonly #sorted: number[] = [];
  #running = 0;

  constructor(spec: SparkSpec, snapshot?: PlainData) {
    this.#spec = spec;
    if (snapshot === undefined) return;
    const { durations, running } = snapshot as unknown as StageSnapshot;
    for (const duration of durations) this.#add(duration);
    this.#running = running;
  }

  /** How long a task runs before it is speculated on; `undefined` while too little of the stage is done. */
  get thresholdUs(): number | undefined {
    const { quantile, multiplier, minTaskRuntimeMs, stageJobs } = this.#spec;
    const done = Math.min(this.#durations.length, stageJobs - this.#running);
    if (done < Math.max(1, Math.floor(quantile * stageJobs))) return undefined;
    const middle = this.#sorted.length / 2;
    const low = this.#sorted[Math.ceil(middle) - 1] as number;
    const high = this.#sorted[Math.floor(middle)] as number;
    return Math.max((multiplier * (low + high)) / 2, minTaskRuntimeMs * 1_000);
  }

  launched({ speculative }: { readonly speculative: boolean }): void {
    if (!speculative) this.#running++;
  }

  ended({ outcome, speculative, launchedUs, endedUs }: CopyEnd): void {
    if (!speculative) this.#running--;
    if (outcome === "accepted") this.#add(endedUs - launchedUs);
  }

  #add(duration: number): void {
    if (this.#durations.length === this.#spec.stageJobs) {
      const oldest = this.#durations.shift() as number;
      this.#sorted.splice(placeOf(this.#sorted, oldest), 1);
    }
    this.#durations.push(duration);
    this.#sorted.splice(placeOf(this.#sorted, duration), 0, duration);
  }

  opened(): void {}
  decided(): void {}

  snapshot(): PlainData {
    return { durations: [...this.#durations], running: this.#running };
  }
}

/** Index of the first that is not less. */
function placeOf(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
