import { EventHeap } from "../kernel/event-heap.ts";
import type { Stream } from "../kernel/streams.ts";
import type { BatchTimes, SingleFork } from "./single-fork.ts";

export interface BatchOptions extends Omit<SingleFork, "lingering"> {
  /** Tasks left at which each of them gets a replica; 0 for never. */
  readonly lingering: number;
  readonly batches: number;
}

/**
 * Batches of tasks simulated on the kernel alone: the engine races one job at a time and has no policy that looks at a whole
 * batch, so this result of theory checks event heap and streams, not the engine. Means over the batches.
 */
export function simulateBatches({ law, tasks, lingering, batches }: BatchOptions, stream: Stream): BatchTimes {
  let [latencies, work] = [0, 0];
  for (let batch = 0; batch < batches; batch++) {
    const heap = new EventHeap();
    const ends = new Float64Array(tasks);
    // Handles of a task's copies: the original's, then its replica's.
    const copies = new Float64Array(2 * tasks);
    for (let task = 0; task < tasks; task++) {
      ends[task] = law.quantile(stream.unit()) * SCALE;
      copies[task] = heap.schedule(ends[task] as number, 0, task);
    }
    let [left, forkedAt] = [tasks, Number.POSITIVE_INFINITY];
    while (left > 0 && heap.popNext()) {
      const task = heap.payload % tasks;
      const now = heap.timeUs;
      work += now + Math.max(0, now - forkedAt);
      heap.cancel(copies[heap.payload < tasks ? task + tasks : task] as number);
      ends[task] = Number.NaN;
      left--;
      if (left === lingering && left > 0) {
        forkedAt = now;
        for (let other = 0; other < tasks; other++) {
          if (Number.isNaN(ends[other])) continue;
          copies[other + tasks] = heap.schedule(now + law.quantile(stream.unit()) * SCALE, 0, other + tasks);
        }
      }
      if (left === 0) latencies += now;
    }
  }
  return { latency: latencies / batches / SCALE, cost: work / batches / tasks / SCALE };
}

/** Microseconds per unit of the law's time. */
const SCALE = 1_000_000;
