import type { MeasuredExperiment, Metrics } from "./result.ts";
import { histogramOf, PER_REPLICATION, PERCENTILES, percentilesMs } from "./result.ts";
import { estimate } from "./statistics.ts";
import type { ReplicationResult } from "./types.ts";

/** How B differs from A in one number, replication by replication under common random numbers. */
export interface PairedDifference {
  readonly metric: ComparedMetric;
  readonly a: number;
  readonly b: number;
  /** Mean of B − A. */
  readonly difference: number;
  /** 95 % interval of it (paired Student); `null` with a single replication. */
  readonly ci95: readonly [low: number, high: number] | null;
  /** What the interval allows to say: that B is lower or higher than A, or neither. */
  readonly verdict: "lower" | "higher" | "no difference seen";
}

export type ComparedMetric = keyof Metrics | `responseMs.${keyof typeof PERCENTILES}`;

/**
 * Paired differences B − A. Both were measured with the same seed and replications, so that what chance did to one it did to
 * the other, and the difference varies less than either (common random numbers; Law, Simulation Modeling and Analysis, ch. 11).
 */
export function pairedDifferences(a: MeasuredExperiment, b: MeasuredExperiment): readonly PairedDifference[] {
  const differences: PairedDifference[] = [];
  for (const [metric, read] of readers()) {
    const [as, bs] = [a.replications.map(read), b.replications.map(read)];
    const pairs = as.map((value, index) => [value, bs[index] ?? Number.NaN] as const).filter(bothFinite);
    if (pairs.length > 0 && measuredBy(metric, a) && measuredBy(metric, b)) differences.push(paired(metric, pairs));
  }
  return differences;
}

type Reader = (one: ReplicationResult) => number;

function readers(): readonly (readonly [ComparedMetric, Reader])[] {
  const means = Object.entries(PER_REPLICATION) as [keyof Metrics, Reader][];
  const percentiles = Object.keys(PERCENTILES) as (keyof typeof PERCENTILES)[];
  return [
    ...means.slice(0, 1),
    ...percentiles.map((p): [ComparedMetric, Reader] => [
      `responseMs.${p}`,
      (one) => percentilesMs(histogramOf(one))[p],
    ]),
    ...means.slice(1),
  ];
}

function measuredBy(metric: ComparedMetric, { result }: MeasuredExperiment): boolean {
  return result.metrics[metric.split(".")[0] as keyof Metrics] !== null;
}

function bothFinite([a, b]: readonly [number, number]): boolean {
  return Number.isFinite(a) && Number.isFinite(b);
}

function paired(metric: ComparedMetric, pairs: readonly (readonly [number, number])[]): PairedDifference {
  const of = (read: (pair: readonly [number, number]) => number) => estimate(pairs.map(read), 0.95);
  const { mean: difference, interval } = of(([a, b]) => b - a);
  return {
    metric,
    a: of(([a]) => a).mean,
    b: of(([, b]) => b).mean,
    difference,
    ci95: interval ?? null,
    verdict: verdictOf(interval),
  };
}

function verdictOf(interval: readonly [number, number] | undefined): PairedDifference["verdict"] {
  if (interval === undefined) return "no difference seen";
  if (interval[1] < 0) return "lower";
  return interval[0] > 0 ? "higher" : "no difference seen";
}
