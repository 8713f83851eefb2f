import { decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import { assert } from "../../scheduler/shared/assert.ts";
import { losesCopies } from "./faults.ts";
import { estimate } from "./statistics.ts";
import type { BlockSeries, Experiment, RaceSample, ReplicationResult } from "./types.ts";

/** What an experiment measured over its replications: what `--json` prints. `null` where nothing was measured. */
export interface ExperimentResult {
  readonly metrics: Metrics;
  /** Jobs simulated, warm-up included, and events (kernel and engine), per second of the clock on the wall, all workers together. */
  readonly jobsPerS: number;
  readonly eventsPerS: number;
}

export interface Metrics {
  /** From arrival to decision, in milliseconds. Percentiles of all replications' jobs together. */
  readonly responseMs: ResponseMetric;
  /** Share of jobs decided by the deadline; `null` without one. */
  readonly onTime: Metric | null;
  /** Machine-time of all copies of a job, in milliseconds. */
  readonly workMsPerJob: Metric;
  readonly copiesPerJob: Metric;
  readonly cancelledPerJob: Metric;
  /** Copies that ended without an answer, and those whose proof was rejected; `null` where nothing can be lost. */
  readonly lostPerJob: Metric | null;
  readonly rejectedProofsPerJob: Metric | null;
  /** What winners were paid; `null` where all nodes ask the same. */
  readonly feesGweiPerJob: Metric | null;
  /** Blocks that a sealed job's transaction came after the first possible one; `null` without blocks. */
  readonly sealedBlocksLate: Metric | null;
  /** Shares of jobs that were never sealed, or not even admitted; `null` without blocks. */
  readonly refunded: Metric | null;
  readonly refused: Metric | null;
  /** Times that a job's transaction was taken back with its block; `null` without reorgs. */
  readonly reorgedPerJob: Metric | null;
}

/** A mean over replications and its 95 % interval (Student's t); `null` with a single replication. */
export interface Metric {
  readonly mean: number;
  readonly ci95: readonly [low: number, high: number] | null;
}

export interface ResponseMetric extends Metric {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
}

export const PERCENTILES = { p50: 50, p95: 95, p99: 99, p999: 99.9 } as const;

/** A measured run with what pictures need: the merged histogram and sampled races. */
export interface MeasuredExperiment {
  readonly result: ExperimentResult;
  /** Response times in microseconds of all replications, HDR, base64 of its compressed encoding. */
  readonly responseHistogram: string;
  readonly samples: readonly RaceSample[];
  /** Of the first replication; `null` without blocks. */
  readonly blockSeries: BlockSeries | null;
  readonly replications: readonly ReplicationResult[];
}

/** Puts replications together; `wallMs` is how long they took by the clock on the wall. */
export function measured(
  experiment: Experiment,
  replications: readonly ReplicationResult[],
  wallMs: number,
): MeasuredExperiment {
  assert(replications.length > 0, "an experiment has replications");
  const ordered = [...replications].sort((a, b) => a.replication - b.replication);
  const histogram = mergedHistogram(ordered);
  const seconds = Math.max(wallMs, 1e-3) / 1_000;
  const sum = (of: (one: ReplicationResult) => number): number => ordered.reduce((total, one) => total + of(one), 0);
  return {
    result: {
      metrics: metricsOf(experiment, ordered, histogram),
      jobsPerS: (ordered.length * (experiment.jobs + experiment.warmup)) / seconds,
      eventsPerS: sum((one) => one.events + one.engineEvents) / seconds,
    },
    responseHistogram: encodeIntoCompressedBase64(histogram),
    samples: ordered.flatMap((one) => one.samples),
    blockSeries: ordered[0]?.blockSeries ?? null,
    replications: ordered,
  };
}

/** What one replication says of each metric: what intervals and paired differences are made of. */
export const PER_REPLICATION = {
  responseMs: (one: ReplicationResult) => one.responseSumUs / 1_000 / one.decided,
  onTime: (one: ReplicationResult) => one.onTime / one.jobs,
  workMsPerJob: (one: ReplicationResult) => one.workUs / 1_000 / one.jobs,
  copiesPerJob: (one: ReplicationResult) => one.copies / one.jobs,
  cancelledPerJob: (one: ReplicationResult) => one.cancelled / one.jobs,
  lostPerJob: (one: ReplicationResult) => one.lost / one.jobs,
  rejectedProofsPerJob: (one: ReplicationResult) => one.rejectedProofs / one.jobs,
  feesGweiPerJob: (one: ReplicationResult) => one.feesGwei / one.jobs,
  sealedBlocksLate: (one: ReplicationResult) => one.blocksLate / one.sealed,
  refunded: (one: ReplicationResult) => one.refunded / one.jobs,
  refused: (one: ReplicationResult) => one.refused / one.jobs,
  reorgedPerJob: (one: ReplicationResult) => one.reorged / one.jobs,
} as const satisfies { readonly [M in keyof Metrics]: (one: ReplicationResult) => number };

function metricsOf(experiment: Experiment, replications: readonly ReplicationResult[], histogram: Histogram): Metrics {
  const metric = (name: keyof Metrics): Metric => metricOf(replications.map(PER_REPLICATION[name]));
  const { blocks, fleet } = experiment;
  const only = (when: boolean, name: keyof Metrics): Metric | null => (when ? metric(name) : null);
  const chain = blocks !== "none";
  const loses = chain || losesCopies(experiment);
  return {
    responseMs: { ...metric("responseMs"), ...percentilesMs(histogram) },
    onTime: only(experiment.deadlineMs !== undefined, "onTime"),
    workMsPerJob: metric("workMsPerJob"),
    copiesPerJob: metric("copiesPerJob"),
    cancelledPerJob: metric("cancelledPerJob"),
    lostPerJob: only(loses, "lostPerJob"),
    rejectedProofsPerJob: only(loses, "rejectedProofsPerJob"),
    feesGweiPerJob: only(fleet.classes !== "none", "feesGweiPerJob"),
    sealedBlocksLate: only(chain, "sealedBlocksLate"),
    refunded: only(chain, "refunded"),
    refused: only(chain, "refused"),
    reorgedPerJob: only(chain && blocks.reorgs !== "none", "reorgedPerJob"),
  };
}

/** Replications in which nothing was measured (no job decided, no block sealed) are left out. */
export function metricOf(values: readonly number[]): Metric {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return { mean: Number.NaN, ci95: null };
  const { mean, interval } = estimate(finite, 0.95);
  return { mean, ci95: interval ?? null };
}

export function percentilesMs(histogram: Histogram): { readonly [P in keyof typeof PERCENTILES]: number } {
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1_000;
  return { p50: at(PERCENTILES.p50), p95: at(PERCENTILES.p95), p99: at(PERCENTILES.p99), p999: at(PERCENTILES.p999) };
}

export function histogramOf(replication: ReplicationResult): Histogram {
  return decodeFromCompressedBase64(replication.responseHistogram);
}

function mergedHistogram(replications: readonly ReplicationResult[]): Histogram {
  const [first, ...rest] = replications as [ReplicationResult, ...ReplicationResult[]];
  const merged = histogramOf(first);
  merged.autoResize = true;
  for (const one of rest) merged.add(histogramOf(one));
  return merged;
}
