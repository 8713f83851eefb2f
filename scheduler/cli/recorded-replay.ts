import type { PolicySpec } from "../../policies/policy.ts";
import type { Estimate } from "../../sim/experiment/statistics.ts";
import { fittedFleet } from "../../sim/recorded/fitted.ts";
import type { Outcome, TransactionCounts } from "../../sim/recorded/outcome.ts";
import {
  differenceOver,
  type Likeness,
  likenessOf,
  metricOver,
  RECORDED_METRIC_NAMES,
  RECORDED_METRICS,
  type RecordedMetric,
} from "../../sim/recorded/replications.ts";
import { NODE_LIMITS } from "../node/limits.ts";
import { formatPolicy, parsePolicy } from "../../policies/short-form.ts";
import { orRefuse, playAll, type RecordedOptions } from "./recorded-work.ts";
import { replayText } from "./recorded-tables.ts";
import { readRecording } from "./recordings.ts";
import { EXIT, SimRefused } from "./sim-experiments.ts";

/** What `pipe sim replay --json` prints. */
export interface ReplayReport {
  readonly directory: string;
  readonly replications: number;
  readonly seed: number;
  /** The run as it was. */
  readonly actual: {
    readonly policy: string;
    readonly metrics: Readonly<Record<RecordedMetric, number | null>>;
  } & Counted;
  /** How like the run its own policy's replications are: without that, no other policy's are worth anything. */
  readonly likeness: Likeness;
  /** The recorded policy first. */
  readonly policies: readonly PlayedPolicy[];
}

export interface Counted {
  readonly jobs: number;
  readonly transactions: TransactionCounts;
}

export interface PlayedPolicy {
  readonly policy: string;
  readonly metrics: Readonly<Record<RecordedMetric, Interval | null>>;
  /** This policy less the recorded one, replication by replication; `null` for the recorded one itself. */
  readonly differences: Readonly<Record<RecordedMetric, Interval | null>> | null;
}

/** A mean with its 95 % interval; no interval of a single replication. */
export interface Interval {
  readonly mean: number;
  readonly ci95: readonly [low: number, high: number] | null;
}

/** Resolves to the exit code. Rejects with SimRefused. */
export async function recordedReplay(
  options: RecordedOptions & { readonly policies: readonly string[] },
  signal: AbortSignal,
): Promise<number> {
  const { directory, replications, seed, json } = options;
  const asked = options.policies.map(policyOf);
  return orRefuse(async () => {
    const recording = await readRecording(directory);
    const fleet = fittedFleet(recording, {
      reportIntervalUs: 1_000 * NODE_LIMITS.reportIntervalMs,
      reportDelayUs: 1_000 * NODE_LIMITS.reportDelayMs,
    });
    const policies = ["recorded" as const, ...asked];
    const played = await playAll(
      recording,
      policies.map((policy) => ({ policy, fleet, replications, seed })),
      signal,
    );
    if (played === undefined) return EXIT.interrupted;
    const [baseline = []] = played;
    const { actual } = recording;
    const report: ReplayReport = {
      directory,
      replications,
      seed,
      actual: {
        policy: recordedPolicies(recording.config.policy, recording.given),
        jobs: actual.jobs.length,
        transactions: actual.transactions,
        metrics: byMetric((metric) => finite(RECORDED_METRICS[metric](actual))),
      },
      likeness: likenessOf(actual, baseline),
      policies: policies.map((policy, index) =>
        describePolicy(policy, played[index] ?? [], policy === "recorded" ? undefined : baseline),
      ),
    };
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : replayText(report));
    return EXIT.done;
  });
}

function describePolicy(
  policy: PolicySpec | "recorded",
  outcomes: readonly Outcome[],
  baseline: readonly Outcome[] | undefined,
): PlayedPolicy {
  return {
    policy: policy === "recorded" ? policy : formatPolicy(policy),
    metrics: byMetric((metric) => intervalOf(metricOver(outcomes, metric))),
    differences:
      baseline === undefined ? null : byMetric((metric) => intervalOf(differenceOver(baseline, outcomes, metric))),
  };
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

function policyOf(text: string): PolicySpec {
  try {
    return parsePolicy(text);
  } catch (error) {
    if (error instanceof RangeError) throw new SimRefused(`--policy: ${error.message}`, { cause: error });
    throw error;
  }
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
