import { html, Markup } from "../report/markup.ts";
import { estimateText, figure, policyName } from "../report/wording.ts";
import { compareByGoal } from "../tune/objective.ts";
import { peersOf, STANDING_WORDS, standingOf, tunedRow } from "./matrix.ts";
import type { Domination, TournamentReport } from "./report.ts";
import type { Cell, Interval, Row } from "./summary.ts";

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
export function dominationsOf({ cells, dominated, subject, target }: TournamentReport): Markup {
  if (dominated.length === 0) return html`<p id="dominated">None.</p>`;
  const items = dominated.map((one) => {
    const cell = cells.find(({ workload, load }) => workload === one.workload && load === one.load) as Cell;
    const rows = one.by.map(({ contender }) => tunedRow(cell, contender) as Row);
    // What is told in full is the one that the tournament's goal puts first; the others are in the tables.
    const [first, ...others] = byGoal(rows, target) as [Row, ...Row[]];
    const rest = others.length === 0 ? "" : `, and also ${others.map(({ contender }) => contender).join(", ")}`;
    return html`<li><span class="where">${placeText(one)}</span> <span>by <strong>${nameOf(first)}</strong>${differenceOf(first, subject)}${rest}</span></li>\n`;
  });
  return html`<ol class="findings" id="dominated">${items}</ol>`;
}

function differenceOf({ versus }: Row, subject: string): Markup {
  if (versus === null) return html`, while under ${subject} the fleet never recovers`;
  return html`, ${signed(versus.onTime, 100)} points in time, ${signed(versus.workMs, 1e-3)} s of work per job`;
}

/** The subject beside a single copy and the best peer, workload by workload and load by load. */
export function standingsTable({ cells, subject, target }: TournamentReport): Markup {
  const rows = cells.map((cell, index) => {
    const first = cells[index - 1]?.workload !== cell.workload;
    const [own, single, best] = [
      tunedRow(cell, subject),
      tunedRow(cell, "single copy"),
      bestPeer(cell, subject, target),
    ];
    const standing = standingOf(best, own);
    return html`<tr><th scope="row">${first ? cell.workload : ""}</th><td>${cell.load ?? "–"}</td><td>${own?.endless === true ? "never recovers" : percent(own?.onTime)}</td><td>${ratio(own)}</td><td>${percent(single?.onTime)}</td><td class="words">${best?.policy == null ? "–" : policyName(best.policy)}</td><td>${percent(best?.onTime)}</td><td>${ratio(best)}</td><td class="words"><i class="square ${standing}"></i> ${STANDING_WORDS[standing]}</td></tr>\n`;
  });
  const words = new Set(["best peer, at its best", "verdict"]);
  const head = [
    "",
    "load",
    `${subject}, in time`,
    "work",
    "a single copy, in time",
    "best peer, at its best",
    "in time",
    "work",
    "verdict",
  ];
  return html`<div class="scroll" role="region" aria-label="Workload by workload" tabindex="0"><table class="matrix standings">
<caption>Best peer: the one with the least work among those that answer ${figure(100 * target)} % in time, or else the one with the most in time. Work is over that of a single copy. The verdict is ${subject}’s against that peer.</caption>
<thead><tr>${head.map((title) => html`<th scope="col"${words.has(title) ? WORDS : ""}>${title}</th>`)}</tr></thead>
<tbody>
${rows}</tbody></table></div>`;
}

const WORDS = new Markup(' class="words"');

/** The peer that comes first by the tournament's own goal. */
function bestPeer(cell: Cell, subject: string, target: number): Row | undefined {
  const rows = peersOf([cell], subject)
    .flatMap((peer) => tunedRow(cell, peer) ?? [])
    .filter(({ endless }) => !endless);
  return byGoal(rows, target)[0];
}

function byGoal(rows: readonly Row[], target: number): readonly Row[] {
  const value = (interval: Interval | null): number => interval?.mean ?? Number.NaN;
  const averages = rows.map((row) => ({ row, onTime: value(row.onTime), work: value(row.workMs) }));
  return averages.toSorted((a, b) => compareByGoal(a, b, target)).map(({ row }) => row);
}

function nameOf({ contender, policy }: Row): string {
  return policy === null ? contender : policyName(policy);
}

function ratio(row: Row | undefined): string {
  return row?.workRatio == null ? "–" : `× ${figure(round(row.workRatio.mean))}`;
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
