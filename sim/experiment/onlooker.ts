import { type HowFar, SimulationLimit } from "../world/simulation-limit.ts";

const TELL_MS = 1_000;
/** A job's end takes microseconds; after a minute in which there was none there will be none. */
export const STANDSTILL_MS = 60_000;

/**
 * Tells about every second which share of a replication is done, and ends it with a `SimulationLimit` when it stands still: the world
 * counts its events, but what an event costs it does not know. `nowMs` is any clock that does not go back.
 */
export function onlooker(nowMs: () => number, tell: (share: number) => void): (far: HowFar) => void {
  let toldMs = nowMs();
  let last = { endedInAll: 0, atMs: toldMs };
  return ({ ended, of, endedInAll, events, simulatedUs }) => {
    const now = nowMs();
    if (endedInAll > last.endedInAll) last = { endedInAll, atMs: now };
    else if (now - last.atMs > STANDSTILL_MS) {
      throw new SimulationLimit(
        `no job has come to its end in a minute of computing, at ${events} events and ${Math.round(simulatedUs / 1e6)} simulated seconds: hardly any copy gets through; lower network.loss, network.jitterMs, the fleet's faults or the load, or give transactions an end with blocks.ttlBlocks`,
      );
    }
    if (now - toldMs < TELL_MS) return;
    toldMs = now;
    tell(ended / of);
  };
}
