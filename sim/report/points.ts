import type { Plain, PlainSection } from "../../scheduler/fields/fields.ts";
import { isSection } from "../../scheduler/fields/fields.ts";
import type { Metric, ResponseMetric } from "../experiment/result.ts";
import type { PointRecord } from "../experiment/sweep.ts";
import { compareExperiments } from "./dimensions.ts";
import { figure, policyName, valueText } from "./wording.ts";

/**
 * A sweep as a report shows it. Each point has a place in three dimensions: its *series* (a policy where policies differ),
 * its *load* where the sweep varies it, and its *setting*, which is all else that differs.
 */
export interface Sweep {
  /** What all experiments share. */
  readonly common: PlainSection;
  readonly points: readonly Point[];
  readonly series: readonly string[];
  /** What the loads are measured in; `undefined` where the sweep has no load dimension. */
  readonly loadUnit: string | undefined;
  /** Rising; a single `null` without a load dimension. */
  readonly loads: readonly (number | null)[];
  /** One, named "", where nothing else differs. */
  readonly settings: readonly string[];
  /** All metrics that any point measured, the known ones first. */
  readonly metrics: readonly string[];
  /** Common to all points; `undefined` where they differ or have none. */
  readonly deadlineMs: number | undefined;
}

export interface Point {
  readonly record: PointRecord;
  /** From 1, in the table's order: by setting, load and series. */
  readonly number: number;
  readonly series: number;
  readonly load: number;
  readonly setting: number;
  /** In words, all that sets it apart. */
  readonly name: string;
  /** By dotted path, its values where the points differ. */
  readonly own: PlainSection;
}

/** A metric as it comes out of a file: without a mean where nothing was measured. */
export type Measured = Omit<Metric, "mean"> & { readonly mean: number | null } & Partial<
    Pick<ResponseMetric, "p50" | "p95" | "p99" | "p999">
  >;

/** Of a point; `undefined` where it was not measured. */
export function measuredBy({ record }: Pick<Point, "record">, metric: string): Measured | undefined {
  const metrics = record.result.metrics as unknown as Readonly<Record<string, Measured | null>>;
  return (Object.hasOwn(metrics, metric) ? metrics[metric] : undefined) ?? undefined;
}

/** Dotted paths that say how much there is to do, and in what. */
const LOADS: Readonly<Record<string, string>> = {
  "arrivals.ratePerS": "jobs/s",
  "arrivals.speedup": "× the trace's speed",
};

/** Precondition: there are records. */
export function sweepOf(records: readonly PointRecord[]): Sweep {
  const experiments = records.map(({ experiment }) => experiment as unknown as PlainSection);
  const { common, paths, differing } = compareExperiments(experiments);
  const loadPath = paths.find((path) => Object.hasOwn(LOADS, path));
  const others = paths.filter((path) => path !== loadPath);
  const policies = others.filter((path) => path === "policy" || path.startsWith("policy."));
  // Without different policies, what differs otherwise is what there is to compare.
  const seriesPaths = policies.length > 0 ? policies : others;
  const settingPaths = others.filter((path) => !seriesPaths.includes(path));

  const places = records.map((record, index) => {
    const values = differing[index] ?? {};
    const byPolicy = policies.length > 0 || seriesPaths.length === 0;
    const series = byPolicy ? policyName(record.experiment.policy) : valuesText(seriesPaths, values);
    const load = loadPath === undefined ? null : numberOf(values[loadPath]);
    return { record, own: values, series, load, setting: valuesText(settingPaths, values) };
  });
  const series = inOrder(places.map((place) => place.series));
  const loads = [...new Set(places.map((place) => place.load))].sort((a, b) => (a ?? 0) - (b ?? 0));
  const settings = inOrder(places.map((place) => place.setting));
  const loadUnit = loadPath === undefined ? undefined : LOADS[loadPath];
  const points = places
    .map((place) => ({
      record: place.record,
      own: place.own,
      series: series.indexOf(place.series),
      load: loads.indexOf(place.load),
      setting: settings.indexOf(place.setting),
      name: [place.series, loadText(place.load, loadUnit), place.setting].filter((part) => part !== "").join(", "),
    }))
    .sort((a, b) => a.setting - b.setting || a.load - b.load || a.series - b.series)
    .map((point, index) => ({ ...point, number: index + 1 }));
  return {
    common,
    points,
    series,
    loadUnit,
    loads,
    settings,
    metrics: metricsOf(records),
    deadlineMs: deadlineOf(records),
  };
}

/** Each once; numbers in them by size. The order in which points were finished is chance, and gives nobody a colour. */
function inOrder(names: readonly string[]): string[] {
  return [...new Set(names)].sort(BY_NUMBERS.compare);
}

const BY_NUMBERS = new Intl.Collator("en", { numeric: true });

export function loadText(load: number | null, unit: string | undefined): string {
  return load === null || unit === undefined ? "" : `${figure(load)} ${unit}`;
}

function valuesText(paths: readonly string[], values: PlainSection): string {
  return paths.map((path) => `${path} ${shortText(values[path])}`).join(", ");
}

/** Files by their names alone: folders say nothing about an experiment. */
function shortText(value: Plain | undefined): string {
  return isSection(value) || typeof value !== "string" ? valueText(value) : value.replace(/^.*[/\\]/, "");
}

function numberOf(value: Plain | undefined): number | null {
  return typeof value === "number" ? value : null;
}

function metricsOf(records: readonly PointRecord[]): readonly string[] {
  const names = new Set(records.flatMap((record) => Object.keys(record.result.metrics)));
  return [...names].filter((name) => records.some((record) => measuredBy({ record }, name) !== undefined));
}

function deadlineOf(records: readonly PointRecord[]): number | undefined {
  const deadlines = new Set(records.map(({ experiment }) => experiment.deadlineMs));
  return deadlines.size === 1 ? records[0]?.experiment.deadlineMs : undefined;
}
