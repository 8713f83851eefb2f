import { html, type Markup } from "./markup.ts";
import { loadText, type Point, type Sweep } from "./points.ts";
import { type Best, type Group, measured, type Target } from "./target.ts";
import { duration, estimateText, figure } from "./wording.ts";

/** Sentences at the most; the table has the rest. */
const MOST = 24;

/** What the sweep found, in one sentence. */
export function lede(sweep: Sweep, groups: readonly Group[], target: Target): Markup {
  const found = groups.flatMap(({ best }) => (best === undefined ? [] : [best]));
  const [first] = found;
  if (first === undefined) return html`Nothing was measured: no job was decided.`;
  if (sweep.points.length === 1) return html`${reached(first.point, target, sweep)}, ${work(first.point)}.`;
  if (groups.length === 1) return finding(first, sweep, target);
  const winners = new Set(found.map(({ point }) => point.series));
  const subject = target.higher ? "most jobs in time" : "soonest on average";
  const where = [sweep.loads.length > 1 ? "loads" : "", sweep.settings.length > 1 ? "settings" : ""];
  const places = `${found.length} ${where.filter((part) => part !== "").join(" and ")}`;
  const winner = html`<strong>${name(first.point, sweep)}</strong>`;
  if (sweep.series.length === 1) {
    const answers = target.higher ? "answers jobs in time:" : "answers on average after a time";
    return html`Over ${places}, ${winner} ${answers} ${range(found, target)}.`;
  }
  if (winners.size === 1) return html`At all ${places}, ${winner} answers ${subject}: ${range(found, target)}.`;
  const short = sweep.settings.length === 1 && found.length <= 8;
  const listed = [...winners]
    .map((series) => found.filter(({ point }) => point.series === series).map(({ point }) => point))
    .toSorted((a, b) => b.length - a.length)
    .slice(0, 4)
    .map((points, index) => {
      const at = short
        ? points.map(({ load }) => figure(sweep.loads[load])).join(", ")
        : `${points.length} of ${places}`;
      return html`${index === 0 ? "" : ", "}<strong>${name(points[0] as Point, sweep)}</strong> at ${at}`;
    });
  const unit = short ? ` (${sweep.loadUnit})` : "";
  const rest = winners.size > 4 ? ", others at the rest" : "";
  return html`Which policy answers ${subject} depends on the load${unit}: ${listed}${rest}.`;
}

/** The same load by load. */
export function findings(sweep: Sweep, groups: readonly Group[], target: Target): Markup {
  const shown = groups.filter(({ best }) => best !== undefined).slice(0, MOST);
  if (groups.length < 2) return html``;
  const items = shown.map(({ best, load, setting }) => {
    const where = [loadText(sweep.loads[load] ?? null, sweep.loadUnit), sweep.settings[setting] ?? ""];
    const text = where.filter((part) => part !== "").join(", ");
    return html`<li><span class="where">${text}</span> <span>${finding(best as Best, sweep, target)}</span></li>\n`;
  });
  const rest = groups.length - shown.length;
  const more = rest > 0 ? html`<p class="note">${rest} more are in the table of all points.</p>` : html``;
  return html`<ol class="findings">${items}</ol>${more}`;
}

function finding({ point, cheaper }: Best, sweep: Sweep, target: Target): Markup {
  const first = html`<strong>${name(point, sweep)}</strong> ${reaches(point, target, sweep)}, ${work(point)}`;
  if (cheaper === undefined) return html`${first}.`;
  return html`${first}. <strong>${name(cheaper, sweep)}</strong> is as close as these intervals can tell, ${value(cheaper, target)}, ${work(cheaper)}.`;
}

function name({ series }: Point, sweep: Sweep): string {
  return sweep.series[series] ?? "";
}

/** "answers 98.1 % [97.9, 98.3] of jobs within 6 s". */
function reaches(point: Point, target: Target, sweep: Sweep): Markup {
  const within = sweep.deadlineMs === undefined ? "in time" : `within ${duration(sweep.deadlineMs)}`;
  if (target.higher) return html`answers ${value(point, target)} of jobs ${within}`;
  return html`answers after ${value(point, target)} on average`;
}

function reached(point: Point, target: Target, sweep: Sweep): Markup {
  return html`The fleet ${reaches(point, target, sweep)}`;
}

/** "98.12 % [97.95, 98.29]". */
function value(point: Point, { metric, higher }: Target): Markup {
  const found = measured(point, metric);
  if (found === undefined) return html`–`;
  const unit = higher
    ? { name: "%", of: 0.01 }
    : Math.abs(found.mean) < 1_000
      ? { name: "ms", of: 1 }
      : { name: "s", of: 1_000 };
  const ci95 = found.ci95 === null ? null : ([found.ci95[0] / unit.of, found.ci95[1] / unit.of] as const);
  const { mean, ends } = estimateText(found.mean / unit.of, ci95);
  const interval = ci95 === null ? "one replication, no interval" : ends.join(", ");
  return html`${mean} ${unit.name} <span class="ci">[${interval}]</span>`;
}

function work(point: Point): Markup {
  const found = measured(point, "workMsPerJob");
  return html`for ${duration(Number((found?.mean ?? Number.NaN).toPrecision(3)))} of machine-time per job`;
}

function range(found: readonly Best[], { metric, higher }: Target): string {
  const values = found.map(({ point }) => measured(point, metric)?.mean ?? Number.NaN);
  const ends = [Math.min(...values), Math.max(...values)].map((end) =>
    higher ? `${Number((100 * end).toPrecision(4))} %` : duration(Number(end.toPrecision(3))),
  );
  return `between ${ends.join(" and ")}${higher ? " of them" : ""}`;
}
