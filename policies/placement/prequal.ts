import { draw } from "./best.ts";
import { type Candidate, type Choose, COLD } from "./candidate.ts";

/**
 * Prequal's hot-cold lexicographic rule (Wydrowski, Kleinberg, Rumble, Archer, NSDI 2024). Of a pool of nodes drawn at random
 * those with more requests in flight than the `hotQuantile` of the pool are hot. Of the cold ones the one with the lowest
 * latency is taken. (In the paper the quantile is of probes older than the pool, so that all may be hot; then the one with the fewest
 * requests is taken. Here the one with the fewest is always cold.) 1 looks at latency alone, 0 at requests in flight first.
 *
 * Instead of asynchronous probes there is what the engine knows: what it sent, what nodes reported, and how long copies took. The
 * latency of a node at its present requests in flight is its service time, once for each round of its slots that is in front.
 * It is multiplied by the tries that an answer takes, against sinkholing: a node that fails at once is never busy and never late.
 */
export function prequal({ pool, hotQuantile }: { readonly pool: number; readonly hotQuantile: number }): Choose {
  const drawn: number[] = [];
  const inFlight: number[] = [];
  return (candidates, taken, { model }, random) => {
    draw(pool, drawn, { candidates, taken, random });
    if (drawn.length === 0) return -1;
    while (inFlight.length > 0) inFlight.pop();
    for (const index of drawn) inFlight.push(perSlot(candidates[index] as Candidate));
    inFlight.sort(ascending);
    const hottestCold = inFlight[Math.max(0, Math.ceil(hotQuantile * inFlight.length) - 1)] as number;
    let best = -1;
    let bestLatency = Number.MAX_VALUE;
    let ties = 0;
    for (const index of drawn) {
      const candidate = candidates[index] as Candidate;
      if (perSlot(candidate) > hottestCold) continue;
      const latency = expectedTime(candidate, model);
      if (latency < bestLatency) {
        best = index;
        bestLatency = latency;
        ties = 1;
      } else if (latency === bestLatency && random.below(++ties) === 0) best = index;
    }
    return best;
  };
}

function perSlot({ load, slots }: Candidate): number {
  return load / slots;
}

/** Until one more copy is answered there, in units of what is usual: queue, service, a model to load, and tries in vain. */
export function expectedTime(candidate: Candidate, model: string): number {
  const { record, load, slots } = candidate;
  const rounds = Math.max(1, (load + 1) / slots);
  return record.tries * (record.service * rounds + (candidate.isWarm(model) ? 0 : COLD));
}

function ascending(a: number, b: number): number {
  return a - b;
}
