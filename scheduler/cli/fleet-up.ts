import { setTimeout as sleep } from "node:timers/promises";
import type { Pipe } from "../index.ts";

/** Threads that load models and make keys take a second or two, on a busy machine ten times as long. */
const LIMIT_MS = 30_000;
const PAUSE_MS = 20;

/** Waits until that many nodes have joined, for a while: a machine that is too busy begins with those that are there. */
export async function untilJoined(pipe: Pick<Pipe, "statistics">, count: number, ended: AbortSignal): Promise<void> {
  const untilMs = performance.now() + LIMIT_MS;
  while (!ended.aborted && performance.now() < untilMs) {
    if ((await pipe.statistics()).sizes.nodes >= count) return;
    await sleep(PAUSE_MS);
  }
}
