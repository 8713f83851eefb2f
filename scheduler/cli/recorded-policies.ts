import type { PolicySpec } from "../../policies/policy.ts";
import type { Estimate } from "../../sim/experiment/statistics.ts";
import { fittedFleet } from "../../sim/recorded/fitted.ts";
import type { Outcome, TransactionCounts } from "../../sim/recorded/outcome.ts";
import type { Recording } from "../../sim/recorded/recording.ts";
import {
  differenceOver,
  type Likeness,
  likenessOf,
  metricOver,
  RECORDED_METRIC_NAMES,
  RECORDED_METRICS,
  type RecordedMetric,
} from "../../sim/recorded/replications.ts";
import { formatPolicy } from "../../policies/short-form.ts";
import { NODE_LIMITS } from "../node/limits.ts";
import { type NamedPolicy, RECORDED } from "./named-policy.ts";
import { playAll, type RecordedOptions } from "./recorded-work.ts";
import { readRecording } from "./recordings.ts";

/** A recorded run, and what it would have been under policies. */
export interface Played {
  readonly recording: Recording;
  /** By policy; replication r of each had the same luck as replication r of every other. */
  readonly outcomes: ReadonlyMap<NamedPolicy, readonly Outcome[]>;
  /** How like the run its own policy's replications are: without that, no other policy's are worth anything. */
  readonly likeness: Likeness;
}

/**
 * Plays the run that a directory keeps, on nodes fitted to it, under the recorded policy and those asked for; `undefined` when
 * it was interrupted. Rejects with RecordingError.
 */
export async function playPolicies(
  options: RecordedOptions,
  asked: readonly NamedPolicy[],
  signal: AbortSignal,
): Promise<Played | undefined> {
  const { directory, replications, seed } = options;
  const recording = await readRecording(directory);
  const fleet = fittedFleet(recording, {
    reportIntervalUs: 1_000 * NODE_LIMITS.reportIntervalMs,
    reportDelayUs: 1_000 * NODE_LIMITS.reportDelayMs,
  });
  const policies = [...new Set([RECORDED, ...asked])];
  const plays = policies.map(({ policy }) => ({ policy, fleet, replications, seed }));
  const played = await playAll(recording, plays, signal);
  if (played === undefined) return undefined;
  const outcomes = new Map(policies.map((policy, index) => [policy, played[index] ?? []]));
  return { recording, outcomes, likeness: likenessOf(recording.actual, played[0] ?? []) };
}

/** The run as it was. */
export interface ActualRun {
  readonly policy: string;
  readonly jobs: number;
  readonly transactions: TransactionCounts;
  readonly metrics: Readonly<Record<RecordedMetric, number | null>>;
}

export function actualOf({ actual, config, given }: Recording): ActualRun {
  return {
    policy: recordedPolicies(config.policy, given),
    jobs: actual.jobs.length,
    transactions: actual.transactions,
    metrics: byMetric((metric) => finite(RECORDED_METRICS[metric](actual))),
  };
}

/** A mean with its 95 % interval; no interval of a single replication. */
export interface Interval {
  readonly mean: number;
  readonly ci95: readonly [low: number, high: number] | null;
}

export type Intervals = Readonly<Record<RecordedMetric, Interval | null>>;

export function intervalsOf(outcomes: readonly Outcome[] = []): Intervals {
  return byMetric((metric) => intervalOf(metricOver(outcomes, metric)));
}

/** `b` less `a`, replication by replication. */
export function differencesOf(a: readonly Outcome[] = [], b: readonly Outcome[] = []): Intervals {
  return byMetric((metric) => intervalOf(differenceOver(a, b, metric)));
}

/** The policies that were in force, in order. */
function recordedPolicies(
  first: PolicySpec,
  given: readonly { readonly event: { readonly kind: string; readonly policy?: PolicySpec } }[],
): string {
  const later = given.flatMap(({ event }) =>
    event.kind === "policy-changed" && event.policy !== undefined ? [event.policy] : [],
  );
  return [first, ...later].map(formatPolicy).join(", then ");
}

function byMetric<T>(read: (metric: RecordedMetric) => T): Readonly<Record<RecordedMetric, T>> {
  return Object.fromEntries(RECORDED_METRIC_NAMES.map((metric) => [metric, read(metric)])) as Record<RecordedMetric, T>;
}

function intervalOf(estimate: Estimate | undefined): Interval | null {
  return estimate === undefined ? null : { mean: estimate.mean, ci95: estimate.interval ?? null };
}

/** JSON has no NaN. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
