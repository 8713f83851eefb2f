import { html, type Markup } from "../report/markup.ts";
import { duration, estimateText, figure, policyName } from "../report/wording.ts";
import { peersOf, standingOf, tunedRow } from "./matrix.ts";
import type { Domination, TournamentReport } from "./report.ts";
import type { Cell, Interval, Row } from "./summary.ts";
import type { Workload } from "./workloads.ts";

/** What the tournament found, in a sentence or two. */
export function ledeOf({ cells, dominated, subject }: TournamentReport): Markup {
  const judged = cells.filter(({ dominatedBy }) => dominatedBy !== null).length;
  if (judged === 0) return html`Nothing was measured of <strong>${subject}</strong> yet.`;
  const fields = judged === 1 ? "the one workload and load" : `any of ${judged} workloads and loads`;
  if (dominated.length === 0) {
    return html`No peer, at its best setting, answers more jobs in time than <strong>${subject}</strong> for less work in ${fields}.`;
  }
  return html`<strong>${subject}</strong> is dominated in ${dominated.length} of ${judged} workloads and loads: there some peer, at its best setting, answers more jobs in time for less work.`;
}

/** The dominated cells, each with whom it is dominated by and by how much. */
export function dominationsOf({ cells, dominated, subject }: TournamentReport): Markup {
  if (dominated.length === 0) return html`<p id="dominated">None.</p>`;
  const items = dominated.map((one) => {
    const cell = cells.find(({ workload, load }) => workload === one.workload && load === one.load) as Cell;
    const by = one.by.map(({ contender }, index) => {
      const row = tunedRow(cell, contender) as Row;
      return html`${index === 0 ? "" : "; "}<strong>${row.policy === null ? contender : policyName(row.policy)}</strong>${differenceOf(row, subject)}`;
    });
    return html`<li><span class="where">${placeText(one)}</span> <span>${by}</span></li>\n`;
  });
  return html`<ol class="findings" id="dominated">${items}</ol>`;
}

function differenceOf({ versus }: Row, subject: string): Markup {
  if (versus === null) return html`, while under ${subject} the fleet never recovers`;
  return html`, ${signed(versus.onTime, 100)} points in time, ${signed(versus.workMs, 1e-3)} s of work per job`;
}

/** What can be said of each workload. */
export function workloadFindings(report: TournamentReport, workloads: readonly Workload[]): Markup {
  const items = [...Map.groupBy(report.cells, ({ workload }) => workload)].map(([name, cells]) => {
    const workload = workloads.find((one) => one.name === name);
    return html`<li><span class="where">${name}</span> <span>${sentences(cells, report, workload)}</span></li>\n`;
  });
  return html`<ol class="findings">${items}</ol>`;
}

function sentences(
  cells: readonly Cell[],
  { subject, target }: TournamentReport,
  workload: Workload | undefined,
): Markup {
  const own = cells.map((cell) => ({ cell, row: tunedRow(cell, subject) }));
  const measured = own.filter(({ row }) => row !== undefined);
  if (measured.length === 0) return html`not measured yet.`;
  const within = workload === undefined ? "in time" : `within ${duration(workload.deadlineMs)}`;
  const shares = measured.map(({ cell, row }, index) => {
    const load = cell.load === null ? "" : ` at load ${cell.load}`;
    return html`${index === 0 ? "" : ", "}${percent(row?.onTime)}${load} (work × ${figure(round(row?.workRatio?.mean))}, single copy ${percent(tunedRow(cell, "single copy")?.onTime)}, best peer ${bestPeer(cell, subject, target)})`;
  });
  const standings = cells.flatMap((cell) =>
    peersOf(cells, subject).map((peer) => standingOf(tunedRow(cell, peer), tunedRow(cell, subject))),
  );
  const count = (standing: string): number => standings.filter((one) => one === standing).length;
  return html`<strong>${subject}</strong> answers ${within} ${shares}. Of ${standings.length} comparisons with tuned peers it is ahead in both in ${count("ahead")}, dominated in ${count("behind")}.`;
}

/** The peer that comes first by the tournament's own goal. */
function bestPeer(cell: Cell, subject: string, target: number): string {
  const rows = peersOf([cell], subject)
    .flatMap((peer) => tunedRow(cell, peer) ?? [])
    .filter(({ endless, policy }) => !endless && policy !== null);
  const value = (interval: Interval | null): number => interval?.mean ?? Number.NaN;
  const reaching = rows.filter(({ onTime }) => value(onTime) >= target);
  const [best] =
    reaching.length > 0
      ? reaching.toSorted((a, b) => value(a.workMs) - value(b.workMs))
      : rows.toSorted((a, b) => value(b.onTime) - value(a.onTime));
  if (best?.policy == null) return "none";
  return `${policyName(best.policy)} ${percent(best.onTime)}, × ${figure(round(best.workRatio?.mean))}`;
}

export function placeText({ workload, load }: Pick<Domination, "workload" | "load">): string {
  return load === null ? workload : `${workload}, load ${load}`;
}

function percent(interval: Interval | null | undefined): string {
  return interval == null ? "–" : `${Number((100 * interval.mean).toFixed(2))} %`;
}

function round(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toPrecision(3));
}

function signed({ mean, ci95 }: Interval, times: number): Markup {
  const scaled = ci95 === null ? null : ([times * ci95[0], times * ci95[1]] as const);
  const { mean: text, ends } = estimateText(times * mean, scaled);
  return html`${mean > 0 ? "+" : ""}${text}${ends.length === 0 ? "" : html` <span class="ci">[${ends.join(", ")}]</span>`}`;
}
