import type { BlockSeries } from "../experiment/types.ts";
import { coarser, type Curve, type Race, racesOf, survivalOf } from "./curves.ts";
import { loadText, measuredBy, type Point, type Sweep } from "./points.ts";
import { ReportRefused } from "./records.ts";
import { type Group, measured, type Target, targetOf } from "./target.ts";
import { isShare, metricLabel, PERCENTILE_LABELS } from "./wording.ts";

/** What the page's program draws from. Plain data; `null` for what was not measured. */
export interface ReportData {
  readonly series: readonly string[];
  readonly loads: readonly { readonly value: number | null; readonly name: string }[];
  readonly loadUnit: string | null;
  readonly settings: readonly string[];
  readonly deadlineMs: number | null;
  /** What is drawn against work. */
  readonly target: { readonly metric: string; readonly label: string; readonly higher: boolean };
  /** Metrics that can be drawn against the load. */
  readonly measures: readonly { readonly metric: string; readonly label: string; readonly share: boolean }[];
  readonly points: readonly ReportPoint[];
}

export interface ReportPoint {
  readonly number: number;
  readonly name: string;
  readonly series: number;
  readonly load: number;
  readonly setting: number;
  readonly onFrontier: boolean;
  /** By metric: mean and the ends of its interval. */
  readonly metrics: Readonly<Record<string, readonly [mean: number | null, low: number | null, high: number | null]>>;
  readonly curve: Curve;
  readonly races: readonly Race[];
  readonly blocks: BlockSeries | null;
}

/** What is kept of races and blocks for all points together: a page of some megabytes at the most. */
const RACES = 20_000;
const STRETCHES = 40_000;
/** Of one point: more races than anybody looks through, a picture wider than a screen. */
const RACES_OF_POINT = 100;
const STRETCHES_OF_POINT = 128;

/** Races kept of each point. */
export function racesPerPoint(sweep: Sweep): number {
  return Math.max(5, Math.min(RACES_OF_POINT, Math.floor(RACES / sweep.points.length)));
}

/** Throws `ReportRefused` for a histogram that is none. */
export function reportData(sweep: Sweep, groups: readonly Group[], target: Target): ReportData {
  const frontier = new Set(groups.flatMap((group) => group.frontier));
  const races = racesPerPoint(sweep);
  const stretches = Math.max(16, Math.min(STRETCHES_OF_POINT, Math.floor(STRETCHES / sweep.points.length)));
  const label = targetOf(sweep).higher ? "share of jobs in time" : "mean response";
  return {
    series: sweep.series,
    loads: sweep.loads.map((value) => ({ value, name: loadText(value, sweep.loadUnit) })),
    loadUnit: sweep.loadUnit ?? null,
    settings: sweep.settings,
    deadlineMs: sweep.deadlineMs ?? null,
    target: { ...target, label },
    measures: measuresOf(sweep),
    points: sweep.points.map((point) => ({
      number: point.number,
      name: point.name,
      series: point.series,
      load: point.load,
      setting: point.setting,
      onFrontier: frontier.has(point),
      metrics: metricsOf(point, sweep),
      curve: curveOf(point),
      races: racesOf(point.record.samples, races),
      blocks: point.record.blockSeries == null ? null : coarser(point.record.blockSeries, stretches),
    })),
  };
}

function measuresOf(sweep: Sweep): ReportData["measures"] {
  const responses = Object.entries(PERCENTILE_LABELS).map(([name, label]) => ({
    metric: `responseMs.${name}`,
    label: `response ${label}, ms`,
    share: false,
  }));
  return sweep.metrics.flatMap((metric) => [
    { metric, label: labelOf(metric), share: isShare(metric) },
    ...(metric === "responseMs" ? responses : []),
  ]);
}

function labelOf(metric: string): string {
  if (metric === "responseMs") return "response mean, ms";
  return isShare(metric) ? `${metricLabel(metric)}, %` : metricLabel(metric);
}

function metricsOf(point: Point, sweep: Sweep): ReportPoint["metrics"] {
  const metrics: Record<string, readonly [number | null, number | null, number | null]> = {};
  for (const metric of sweep.metrics) {
    const found = measured(point, metric);
    metrics[metric] = [found?.mean ?? null, found?.ci95?.[0] ?? null, found?.ci95?.[1] ?? null];
  }
  const response = measuredBy(point, "responseMs");
  for (const name of Object.keys(PERCENTILE_LABELS) as (keyof typeof PERCENTILE_LABELS)[]) {
    metrics[`responseMs.${name}`] = [response?.[name] ?? null, null, null];
  }
  return metrics;
}

function curveOf({ record, name }: Point): Curve {
  try {
    return survivalOf(record.responseHistogram);
  } catch (error) {
    throw new ReportRefused(`the response times of the point “${name}” cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
