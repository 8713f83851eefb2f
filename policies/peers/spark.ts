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
 * A stage is a set of like tasks that start together, and a stream of jobs has none. Here a job's stage is itself with the
 * `stageJobs` − 1 jobs of its (model, mode) that were launched before it, and its durations are those of the last `stageJobs`
 * that were done. So the rule holds still while the jobs before a slow one are as slow, as it would in a stage.
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
      const stage = memoryOf(race, SparkStage);
      const sinceUs = waitingSinceUs(race, nowUs);
      const { thresholdUs } = stage;
      const tooSlow = thresholdUs !== undefined && nowUs - sinceUs > thresholdUs;
      if (tooSlow && stage.isDoneBefore(sinceUs)) decision.launch++;
      else if (thresholdUs === undefined || tooSlow) decision.lookAtUs = lookAt(nextCheckUs(nowUs), nowUs);
      else decision.lookAtUs = lookAt(nextCheckUs(sinceUs + thresholdUs), nowUs);
    },
    remember: (snapshot) => new SparkStage(spec, snapshot),
  };
}

/** Running tasks that are remembered: of more, those that have run for longest are left out. */
const MAX_RUNNING = 4_096;

interface StageSnapshot {
  readonly durations: readonly number[];
  readonly running: readonly number[];
}

/** The durations of the attempts that were done last, and since when tasks run. */
class SparkStage implements PolicyMemory {
  readonly #spec: SparkSpec;
  /** Of the stage, this many must be done. */
  readonly #enough: number;
  /** In the order in which they ended, and in the order of their length. */
  readonly #durations: number[] = [];
  readonly #sorted: number[] = [];
  /** When the tasks that run were launched, in order. */
  readonly #running: number[] = [];

  constructor(spec: SparkSpec, snapshot?: PlainData) {
    this.#spec = spec;
    this.#enough = Math.max(1, Math.floor(spec.quantile * spec.stageJobs));
    if (snapshot === undefined) return;
    const { durations, running } = snapshot as unknown as StageSnapshot;
    for (const duration of durations) this.#add(duration);
    this.#running.push(...running);
  }

  /** How long a task runs before it is speculated on; `undefined` while too few are done. */
  get thresholdUs(): number | undefined {
    if (this.#durations.length < this.#enough) return undefined;
    const middle = this.#sorted.length / 2;
    const low = this.#sorted[Math.ceil(middle) - 1] as number;
    const high = this.#sorted[Math.floor(middle)] as number;
    return Math.max((this.#spec.multiplier * (low + high)) / 2, this.#spec.minTaskRuntimeMs * 1_000);
  }

  /** Whether enough of the stage of a task that was launched then is done. */
  isDoneBefore(launchedUs: number): boolean {
    // That task itself and those before it.
    return this.#spec.stageJobs - placeOf(this.#running, launchedUs + 1) >= this.#enough;
  }

  launched({ speculative }: { readonly speculative: boolean }, nowUs: number): void {
    if (speculative) return;
    // The engine's clock never goes back, so that this is in order.
    this.#running.push(nowUs);
    if (this.#running.length > MAX_RUNNING) this.#running.shift();
  }

  ended({ outcome, speculative, launchedUs, endedUs }: CopyEnd): void {
    if (!speculative) {
      const place = placeOf(this.#running, launchedUs);
      if (this.#running[place] === launchedUs) this.#running.splice(place, 1);
    }
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
    return { durations: [...this.#durations], running: [...this.#running] };
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
