import type { PolicySpec } from "../../policies/policy.ts";
import { assert } from "../../scheduler/shared/assert.ts";
import { type Estimate, estimate } from "../experiment/statistics.ts";
import type { Mode } from "../../scheduler/shared/vocabulary.ts";
import type { FleetBehaviour } from "./course.ts";
import { ascending, ksDistance, quantile } from "./distance.ts";
import type { Outcome } from "./outcome.ts";
import type { Recording } from "./recording.ts";
import { playRecording } from "./world.ts";

export interface ReplicationOptions {
  readonly policy: PolicySpec | "recorded";
  readonly fleet: FleetBehaviour;
  readonly replications: number;
  /** Replication r is played with seed + r, under every policy. */
  readonly seed: number;
  /** Called before each replication; resolves to false to end early. */
  readonly goOn: () => Promise<boolean>;
}

/** Plays the recording over and over, each time with other luck. Fewer outcomes than asked for when it was ended early. */
export async function replicate(recording: Recording, options: ReplicationOptions): Promise<Outcome[]> {
  const { policy, fleet, replications, seed, goOn } = options;
  const outcomes: Outcome[] = [];
  for (let replication = 0; replication < replications && (await goOn()); replication++) {
    outcomes.push(playRecording(recording, { policy, fleet, seed: seed + replication }));
  }
  return outcomes;
}

/** What is told of an outcome, and how it is read. NaN where there is nothing to read, as a percentile of no jobs. */
export const RECORDED_METRICS = {
  onTimeShare: ({ transactions }) => transactions.onTime / transactions.withCalls,
  jobP50Ms: (outcome) => jobPercentileMs(outcome, 0.5),
  jobP95Ms: (outcome) => jobPercentileMs(outcome, 0.95),
  jobP99Ms: (outcome) => jobPercentileMs(outcome, 0.99),
  workS: ({ workUs }) => workUs / 1e6,
  speculativeWorkS: ({ speculativeWorkUs }) => speculativeWorkUs / 1e6,
  copies: ({ copies }) => copies,
  feesPaidGwei: ({ ledger }) => ledger.paidGwei,
} as const satisfies Record<string, (outcome: Outcome) => number>;

export type RecordedMetric = keyof typeof RECORDED_METRICS;
export const RECORDED_METRIC_NAMES = Object.keys(RECORDED_METRICS) as readonly RecordedMetric[];

/** In milliseconds; of the jobs in one mode alone, where one is named. */
export function jobLatenciesMs({ jobs }: Outcome, mode?: Mode): number[] {
  const chosen = mode === undefined ? jobs : jobs.filter((job) => job.mode === mode);
  return chosen.map(({ latencyUs }) => latencyUs / 1_000);
}

function jobPercentileMs(outcome: Outcome, p: number): number {
  return quantile(ascending(jobLatenciesMs(outcome)), p);
}

const CONFIDENCE = 0.95;

/** Mean of a metric over replications with its 95 % interval; `undefined` when none of them has a value. */
export function metricOver(outcomes: readonly Outcome[], metric: RecordedMetric): Estimate | undefined {
  return estimateOf(outcomes.map(RECORDED_METRICS[metric]));
}

/** The same of differences b − a, replication by replication: what chance did to one it did to the other. */
export function differenceOver(
  a: readonly Outcome[],
  b: readonly Outcome[],
  metric: RecordedMetric,
): Estimate | undefined {
  const read = RECORDED_METRICS[metric];
  const pairs = Math.min(a.length, b.length);
  return estimateOf(Array.from({ length: pairs }, (_, r) => read(b[r] as Outcome) - read(a[r] as Outcome)));
}

function estimateOf(values: readonly number[]): Estimate | undefined {
  const finite = values.filter(Number.isFinite);
  return finite.length === 0 ? undefined : estimate(finite, CONFIDENCE);
}

/** How a played run's job latencies compare with the real ones'. */
export interface Likeness {
  /** Distance of Kolmogorov and Smirnov between the real run and all replications together. */
  readonly distance: number;
  /**
   * What chance alone gives: the same distance of single replications from the others together. When the real run is one more
   * replication, its distance is above `p95` once in twenty times. `undefined` with a single replication.
   */
  readonly byChance: { readonly p50: number; readonly p95: number } | undefined;
  /**
   * What share of transactions with calls was sealed on time, and between what bounds it would be in 19 of 20 further
   * replications (Student's prediction interval). Latencies can be alike where these are not: when blocks themselves were late.
   */
  readonly onTime: { readonly real: number; readonly expected: readonly [low: number, high: number] | undefined };
}

/** Needs a replication. */
export function likenessOf(actual: Outcome, outcomes: readonly Outcome[]): Likeness {
  assert(outcomes.length > 0, "a likeness needs replications");
  const latencies = outcomes.map((outcome) => jobLatenciesMs(outcome));
  const distance = ksDistance(jobLatenciesMs(actual), latencies.flat());
  const onTime = { real: RECORDED_METRICS.onTimeShare(actual), expected: predicted(outcomes, "onTimeShare") };
  if (latencies.length === 1) return { distance, byChance: undefined, onTime };
  const chance = latencies.map((own, r) => ksDistance(own, latencies.filter((_, other) => other !== r).flat()));
  const sorted = ascending(chance.filter(Number.isFinite));
  return { distance, byChance: { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) }, onTime };
}

/** Where one more replication's value would lie with 95 % probability: the mean's interval, widened from n values to one. */
function predicted(outcomes: readonly Outcome[], metric: RecordedMetric): readonly [number, number] | undefined {
  const { mean, interval } = metricOver(outcomes, metric) ?? {};
  if (mean === undefined || interval === undefined) return undefined;
  const half = ((interval[1] - interval[0]) / 2) * Math.sqrt(outcomes.length + 1);
  return [mean - half, mean + half];
}
