import { html, type Markup } from "../report/markup.ts";
import { figureOf, type PageParts, renderPage } from "../report/page.ts";
import { count, duration, estimateText, figure, policyName } from "../report/wording.ts";
import { matrixOf } from "./matrix.ts";
import type { TournamentReport } from "./report.ts";
import type { Cell, Interval, Row } from "./summary.ts";
import { dominationsOf, ledeOf, placeText, standingsTable } from "./words.ts";
import type { Workload } from "./workloads.ts";

/** Programs of this page, for `readPageParts`. */
export const TOURNAMENT_PROGRAMS = ["tournament.mjs"];

export interface TournamentAbout {
  readonly workloads: readonly Workload[];
  /** The program and its version. */
  readonly program: string;
  /** Whether all that was asked for is measured. */
  readonly finished: boolean;
  /** Gives the same figures again. */
  readonly command: string;
}

/** What the page's program draws from. Plain data. */
export interface TournamentData {
  readonly contenders: readonly string[];
  readonly subject: string;
  readonly workloads: readonly { readonly name: string; readonly deadlineMs: number }[];
  readonly cells: readonly {
    readonly workload: string;
    readonly load: number | null;
    readonly points: readonly TournamentPoint[];
  }[];
}

export interface TournamentPoint {
  /** Among the contenders. */
  readonly series: number;
  readonly name: string;
  readonly setting: "documented" | "tuned";
  readonly onTime: Span;
  readonly workRatio: Span;
}

type Span = readonly [mean: number, low: number, high: number];

export function renderTournament(report: TournamentReport, about: TournamentAbout, parts: PageParts): string {
  const { cells, subject, seed, replications, jobs } = report;
  const contenders = contendersOf(cells);
  return renderPage(
    {
      title: "Tournament of redundancy policies",
      lede: ledeOf(report),
      facts: [
        `${count(cells.length)} workloads and loads`,
        `${replications} replications × ${count(jobs)} jobs each`,
        `seed ${seed}`,
        about.program,
        ...(about.finished ? [] : ["not finished: the same command goes on"]),
      ],
      sections: [
        { id: "where-dominated", title: `Where ${subject} is dominated`, body: dominationsOf(report) },
        { id: "verdicts", title: `${subject} against each peer at its best`, body: verdicts(report) },
        { id: "tradeoff", title: "What it costs", body: tradeoff() },
        { id: "found", title: "Workload by workload", body: standingsTable(report) },
        { id: "figures", title: "All figures", body: figures(report, contenders) },
        { id: "measured", title: "How it was measured", body: measured(report, about) },
      ],
      footer: footer(about),
      data: dataOf(report, contenders, about.workloads),
    },
    parts,
  );
}

function contendersOf(cells: readonly Cell[]): readonly string[] {
  return [...new Set(cells.flatMap(({ rows }) => rows.map(({ contender }) => contender)))];
}

function verdicts({ cells, subject }: TournamentReport): Markup {
  return html`<p class="note">A square for each load, from the lowest on the left to the highest. Each says how <strong>${subject}</strong>, at its documented setting, does against the peer at the best setting that was found for that very workload and load. Differences count when their 95 % interval, paired under common random numbers, leaves out zero.</p>
${matrixOf(cells, subject)}`;
}

function tradeoff(): Markup {
  return figureOf({
    id: "pareto-chart",
    title: "",
    means:
      "Scatter plots of the share of jobs in time against work over that of a single copy, one per load. The figures are in the tables.",
    caption: html`Share of jobs in time against work, as a multiple of a single copy’s; each load has scales of its own. Filled: at its best setting; hollow: as documented. Bars are 95 % intervals over replications. The line joins policies of which none reaches as much for less work; the clairvoyant, who knows all durations beforehand and queues for none, is no policy and bounds them all.`,
  });
}

function figures({ cells, subject }: TournamentReport, contenders: readonly string[]): Markup {
  const parts = [...Map.groupBy(cells, ({ workload }) => workload)].map(
    ([workload, own]) => html`<details><summary>${workload}</summary>
<div class="scroll" role="region" aria-label="${workload}" tabindex="0"><table class="points">
<caption>Means with 95 % intervals over replications. <em>Less ${subject}</em>: paired differences of the same replications.</caption>
<thead><tr>${HEAD.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>
<tbody>
${own.flatMap((cell) => cell.rows.map((row) => rowMarkup(cell, row, contenders)))}</tbody></table></div></details>\n`,
  );
  return html`${parts}`;
}

const HEAD = [
  "load",
  "contender",
  "setting",
  "in time, %",
  "work ratio",
  "p99.9, s",
  "blocks late",
  "gap closed, %",
  "in time less subject’s, points",
  "work less subject’s, s",
  "verdict",
];

function rowMarkup({ load }: Cell, row: Row, contenders: readonly string[]): Markup {
  const { contender, setting, policy, versus, endless } = row;
  const what = policy === null || contender === "single copy" ? "" : `${setting}: ${policyName(policy)}`;
  const cells = endless
    ? html`<td colspan="8" class="words">the fleet never recovers under it</td>`
    : html`${cell("onTime", row.onTime, 100)}${cell("workRatio", row.workRatio, 1)}${cell("p999Ms", row.p999Ms, 1e-3)}${cell("blocksLate", row.blocksLate, 1)}${cell("gapClosed", row.gapClosed, 100)}${cell("onTimeDifference", versus?.onTime ?? null, 100)}${cell("workDifference", versus?.workMs ?? null, 1e-3)}<td class="words">${versus?.verdict ?? ""}</td>`;
  return html`<tr><td>${load ?? "–"}</td><td class="words"><i class="swatch" data-series="${contenders.indexOf(contender)}"></i>${contender}</td><td class="words">${what}</td>${cells}</tr>\n`;
}

function cell(metric: string, interval: Interval | null, times: number): Markup {
  if (interval === null) return html`<td data-metric="${metric}">–</td>`;
  const { mean, ci95 } = interval;
  const text = estimateText(times * mean, ci95 === null ? null : [times * ci95[0], times * ci95[1]]);
  const ends = text.ends.length === 0 ? "" : html` <span class="ci">[${text.ends.join(", ")}]</span>`;
  return html`<td data-metric="${metric}"><data value="${String(mean)}">${text.mean}</data>${ends}</td>`;
}

function measured({ target, skipped, subject }: TournamentReport, { workloads, command }: TournamentAbout): Markup {
  const rows = workloads.map(
    ({ name, about, deadlineMs }) =>
      html`<div><dt>${name}</dt><dd>${about}; deadline ${duration(deadlineMs)}</dd></div>\n`,
  );
  const missing = skipped.map(({ workload, because }) => html`<li>${workload} was not measured: ${because}.</li>`);
  return html`<pre id="commands"><code>npx ${command}</code></pre>
<p class="note">Load is the share of what the fleet can serve with a single copy of each job. Settings are searched for the least work that answers ${figure(100 * target)} % of jobs in time, or else for the most in time, by racing elimination with other random numbers than those of these figures. ${subject} is taken as documented. All policies place copies on the least loaded node and have no budget but their own. The 99.9th percentile is the mean of the replications’. Blocks late are from smaller runs with blocks of 500 ms, where what is not sealed by its deadline counts as late by its whole time to live.</p>
<dl class="workloads">
${rows}</dl>
${missing.length === 0 ? "" : html`<ul>${missing}</ul>`}`;
}

function dataOf(
  { cells, subject }: TournamentReport,
  contenders: readonly string[],
  workloads: readonly Workload[],
): TournamentData {
  const known = new Set(cells.map(({ workload }) => workload));
  return {
    contenders,
    subject,
    workloads: workloads.filter(({ name }) => known.has(name)).map(({ name, deadlineMs }) => ({ name, deadlineMs })),
    cells: cells.map((one) => ({
      workload: one.workload,
      load: one.load,
      points: one.rows.flatMap((row) => pointOf(row, one, contenders)),
    })),
  };
}

function pointOf(row: Row, cell: Cell, contenders: readonly string[]): TournamentPoint[] {
  if (row.onTime === null || row.workRatio === null) return [];
  const { contender, setting, policy } = row;
  const name = policy === null || contender === "single copy" ? contender : `${contender}: ${policyName(policy)}`;
  return [
    {
      series: contenders.indexOf(contender),
      name: `${name} (${placeText(cell)})`,
      setting,
      onTime: spanOf(row.onTime),
      workRatio: spanOf(row.workRatio),
    },
  ];
}

function spanOf({ mean, ci95 }: Interval): Span {
  return [mean, ci95?.[0] ?? mean, ci95?.[1] ?? mean];
}

function footer({ program }: TournamentAbout): Markup {
  return html`<dl>
<div><dt>In time</dt><dd>share of jobs decided by their deadline</dd></div>
<div><dt>Work ratio</dt><dd>machine-time of all copies of a job over that of a single copy’s</dd></div>
<div><dt>Gap closed</dt><dd>of the gap between a single copy and the clairvoyant, the share that is closed; nothing where there is no gap</dd></div>
<div><dt>Dominated</dt><dd>some peer has both more in time and less work, and both differences are beyond their 95 % intervals</dd></div>
</dl>
<p>Made by ${program}, without any network. Pictures: Observable Plot and D3, ISC licence.</p>`;
}
