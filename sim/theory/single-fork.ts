import jstat from "jstat";
import { assert } from "../../scheduler/shared/assert.ts";
import type { Law } from "./laws.ts";
import { areaUnder } from "./laws.ts";

/** A batch of tasks, all started at once; when only `lingering` of them are left, each of those gets one replica and goes on itself. */
export interface SingleFork {
  readonly law: Law;
  readonly tasks: number;
  readonly lingering: number;
}

export interface BatchTimes {
  /** Time until every task has an answer. */
  readonly latency: number;
  /** Machine-time per task, losers cancelled. */
  readonly cost: number;
}

/** No replicas: the latency is the mean of the slowest, ∫ 1 − F(t)ⁿ dt. */
export function batchBaseline({ law, tasks }: Omit<SingleFork, "lingering">): BatchTimes {
  return { latency: slowestMean(law.survival, tasks, law.quantile(1e-12)), cost: law.mean };
}

/**
 * Many tasks: the fork comes at the (1 − p) quantile, and what is left of a lingering task then has the tail
 * F̄(fork + y)/p · F̄(y) (Wang, Joshi and Wornell, "Efficient straggler replication in large-scale parallel computing",
 * ACM TOMPECS 2019, theorem 1).
 */
export function singleForkLimit(given: SingleFork): BatchTimes {
  const { law, tasks, lingering } = given;
  const share = lingering / tasks;
  const { latency, ended, forked } = forkedAt(given, law.quantile(1 - share));
  return { latency, cost: (1 - share) * ended + share * forked };
}

/**
 * The same for exactly this many tasks: the fork comes when the (n − k)th of n ends, so its share of lingering tasks varies,
 * F̄(fork) ~ Beta(k + 1, n − k). Given the fork, the lingering tasks are independent, as in the theorem.
 */
export function singleForkExact(given: SingleFork): BatchTimes {
  const { law, tasks, lingering } = given;
  const [a, b] = [lingering + 1, tasks - lingering];
  const logBeta = jstat.gammaln(a) + jstat.gammaln(b) - jstat.gammaln(a + b);
  const density = (share: number): number =>
    Math.exp((a - 1) * Math.log(share) + (b - 1) * Math.log1p(-share) - logBeta);
  const average = (of: (times: Fork) => number): number =>
    areaUnder(
      (share) => {
        const weight = density(share);
        // Out there the fork's time itself is beyond what a number holds.
        return weight < 1e-15 ? 0 : weight * of(forkedAt(given, law.quantile(1 - share)));
      },
      0,
      1,
    );
  return {
    latency: average(({ latency }) => latency),
    // The task whose end makes the fork is neither among those that ended before it nor forked.
    cost: average(({ fork, ended, forked }) => (tasks - lingering - 1) * ended + fork + lingering * forked) / tasks,
  };
}

interface Fork {
  readonly fork: number;
  readonly latency: number;
  /** Mean machine-time of a task that ended before the fork, and of one that was forked. */
  readonly ended: number;
  readonly forked: number;
}

/** With the fork at this very time. */
function forkedAt({ law, lingering }: SingleFork, fork: number): Fork {
  const share = law.survival(fork);
  assert(share > 0, "the fork comes before the law ends");
  const left = (y: number): number => (law.survival(fork + y) / share) * law.survival(y);
  const start = law.quantile(1e-12);
  const residual = areaUnder(left, 0, start) + areaUnder(left, start, Number.POSITIVE_INFINITY);
  // Ended tasks were shorter than the fork: their mean is what remains of ∫F̄ up to it.
  const before = areaUnder(law.survival, 0, start) + areaUnder(law.survival, start, fork);
  return {
    fork,
    latency: fork + slowestMean(left, lingering, start),
    ended: (before - share * fork) / (1 - share),
    forked: fork + 2 * residual,
  };
}

/** Mean of the slowest of n, ∫ 1 − (1 − F̄)ⁿ; the curve may have a kink. */
function slowestMean(survival: (t: number) => number, n: number, kink: number): number {
  const tail = (t: number): number => -Math.expm1(n * Math.log1p(-survival(t)));
  return areaUnder(tail, 0, kink) + areaUnder(tail, kink, Number.POSITIVE_INFINITY);
}
