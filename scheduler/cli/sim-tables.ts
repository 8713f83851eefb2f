import type { PairedDifference } from "../../sim/experiment/compare.ts";
import type { ExperimentResult, Metric, Metrics } from "../../sim/experiment/result.ts";
import type { PointRecord } from "../../sim/experiment/sweep.ts";
import type { Experiment } from "../../sim/experiment/types.ts";
import type { ValidationRow } from "../../sim/theory/validate.ts";
import { count, figure, METRIC_LABELS, PERCENTILE_LABELS, valueText } from "../../sim/report/wording.ts";
import { formatPolicy } from "../../policies/short-form.ts";

export function runTable(experiment: Experiment, { metrics, jobsPerS, eventsPerS }: ExperimentResult): string {
  const { responseMs } = metrics;
  const rows = (Object.keys(METRIC_LABELS) as (keyof Metrics)[]).flatMap((name) => {
    const metric: Metric | null = metrics[name];
    return metric === null ? [] : [[METRIC_LABELS[name], figure(metric.mean), intervalText(metric.ci95)]];
  });
  const percentiles = [
    Object.values(PERCENTILE_LABELS),
    [responseMs.p50, responseMs.p95, responseMs.p99, responseMs.p999].map(figure),
  ].map((cells, index) => [index === 0 ? "" : METRIC_LABELS.responseMs, ...cells]);
  return [
    `${describe(experiment)}\n`,
    table([["", "mean", "95 % interval"], ...rows]),
    table(percentiles),
    `${count(jobsPerS)} jobs/s, ${count(eventsPerS)} events/s\n`,
  ].join("\n");
}

export function sweepTable(records: readonly PointRecord[]): string {
  const keys = [...new Set(records.flatMap(({ overrides }) => Object.keys(overrides)))];
  const [onTime, late] = (["onTime", "sealedBlocksLate"] as const).map((name) =>
    records.some(({ result }) => result.metrics[name] !== null),
  );
  const header = [...keys, "response, ms", "± 95 %", "p99, ms"];
  if (onTime) header.push("on time", "± 95 %");
  header.push("work, ms", "copies");
  if (late) header.push("blocks late");
  const rows = records.map(({ overrides, result: { metrics } }) => {
    const row = keys.map((key) => valueText(overrides[key]));
    row.push(figure(metrics.responseMs.mean), halfWidth(metrics.responseMs), figure(metrics.responseMs.p99));
    if (onTime) row.push(figure(metrics.onTime?.mean), halfWidth(metrics.onTime));
    row.push(figure(metrics.workMsPerJob.mean), figure(metrics.copiesPerJob.mean));
    if (late) row.push(figure(metrics.sealedBlocksLate?.mean));
    return row;
  });
  return table([header, ...rows]);
}

export function compareTable(
  names: { readonly a: string; readonly b: string },
  differences: readonly PairedDifference[],
): string {
  const rows = differences.map(({ metric, a, b, difference, ci95, verdict }) => {
    const [name = "", percentile] = metric.split(".");
    const label = METRIC_LABELS[name as keyof Metrics];
    const shown =
      percentile === undefined ? label : `${label}, ${PERCENTILE_LABELS[percentile as keyof typeof PERCENTILE_LABELS]}`;
    return [shown, figure(a), figure(b), figure(difference), intervalText(ci95), verdict];
  });
  return table([["", `A: ${names.a}`, `B: ${names.b}`, "B − A", "95 % interval", `B is`], ...rows]);
}

export function validationTable(rows: readonly ValidationRow[]): string {
  const cells = rows.map((row) => [
    row.group,
    row.case,
    row.quantity,
    row.expected.toPrecision(5),
    row.measured.toPrecision(5),
    row.interval.map((end) => end.toPrecision(5)).join(" … "),
    row.through,
    `${row.verdict === "holds" ? "holds" : "FAILS"}${row.measurement === 2 ? " (measured again)" : ""}`,
  ]);
  const header = ["", "case", "quantity", "expected", "measured", "99 % interval", "through", "verdict"];
  const failed = rows.filter(({ verdict }) => verdict === "fails").length;
  return `${table([header, ...cells])}\n${rows.length - failed} of ${rows.length} hold\n`;
}

/** The experiment in one line. */
function describe({ replications, jobs, warmup, policy, fleet, seed }: Experiment): string {
  const nodes = `${fleet.nodes} ${fleet.nodes === 1 ? "node" : "nodes"}`;
  return `${formatPolicy(policy)} on ${nodes}: ${replications} × ${count(jobs)} jobs after ${count(warmup)}, seed ${seed}`;
}

function intervalText(ci95: readonly [number, number] | null): string {
  return ci95 === null ? "–" : `${figure(ci95[0])} … ${figure(ci95[1])}`;
}

function halfWidth(metric: Metric | null): string {
  if (metric === null || metric.ci95 === null) return "–";
  return Number(((metric.ci95[1] - metric.ci95[0]) / 2).toPrecision(2)).toString();
}

/** Columns aligned, text to the left, figures to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const cells = (column: number): string[] => rows.map((row) => row[column] ?? "");
  const widths = Array.from({ length: columns }, (_, column) => Math.max(...cells(column).map((cell) => cell.length)));
  const numeric = widths.map((_, column) =>
    cells(column)
      .slice(1)
      .every((cell) => /^[-–\d]/.test(cell)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return numeric[column] === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return `${rows.map(line).join("\n")}\n`;
}
