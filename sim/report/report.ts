import type { PointRecord } from "../experiment/sweep.ts";
import { experimentText } from "./experiment-text.ts";
import { findings, lede } from "./findings.ts";
import { html, type Markup } from "./markup.ts";
import { figureOf, type PageParts, renderPage, type Section } from "./page.ts";
import { type Sweep, sweepOf } from "./points.ts";
import { racesPerPoint, reportData } from "./report-data.ts";
import { pointsTable } from "./tables.ts";
import { groupsOf, type Target, targetOf } from "./target.ts";
import { count, duration } from "./wording.ts";

/** Programs of this page, for `readPageParts`. */
export const REPORT_PROGRAMS = ["report-charts.mjs", "report-races.mjs", "report.mjs"];

export interface ReportOptions {
  readonly title: string;
  /** Where the points are, as the reader may type it. */
  readonly directory: string;
  /** The program and its version. */
  readonly program: string;
  /** An interruption tore the last point. */
  readonly torn: boolean;
}

/** The report of a sweep's points as one HTML page. Precondition: there are records. Throws `ReportRefused`. */
export function renderReport(records: readonly PointRecord[], options: ReportOptions, parts: PageParts): string {
  const sweep = sweepOf(records);
  const target = targetOf(sweep);
  const groups = groupsOf(sweep, target);
  const sections = [
    { id: "found", title: groups.length > 1 ? "What was found" : "", body: findings(sweep, groups, target) },
    { id: "tradeoff", title: "What it costs", body: tradeoff(sweep, target) },
    ...loadSection(sweep),
    { id: "detail", title: "In detail", body: detail(sweep) },
    { id: "points", title: "All points", body: pointsTable(sweep, groups) },
    { id: "experiment", title: "The experiment", body: experiment(sweep, options) },
  ].filter(({ body }) => body.text !== "");
  return renderPage(
    {
      title: options.title,
      lede: lede(sweep, groups, target),
      facts: factsOf(sweep, options),
      sections,
      footer: footer(options),
      data: reportData(sweep, groups, target),
    },
    parts,
  );
}

function factsOf({ points }: Sweep, options: ReportOptions): string[] {
  const distinct = (of: (point: Sweep["points"][number]) => number): string => {
    const values = [...new Set(points.map(of))].sort((a, b) => a - b);
    return values.length > 3
      ? `${count(values[0] as number)} to ${count(values.at(-1) as number)}`
      : values.map(count).join(" or ");
  };
  const seeds = [...new Set(points.map(({ record }) => record.experiment.seed))].slice(0, 3).join(", ");
  return [
    `${count(points.length)} ${points.length === 1 ? "point" : "points"}`,
    `${distinct(({ record }) => record.experiment.replications)} replications × ${distinct(({ record }) => record.experiment.jobs)} jobs each`,
    `seed ${seeds}`,
    options.program,
    ...(options.torn ? ["the sweep is not finished: its last point is torn"] : []),
  ];
}

function tradeoff(sweep: Sweep, { higher }: Target): Markup {
  const what = higher
    ? html`Share of jobs decided within ${sweep.deadlineMs === undefined ? "their deadline" : duration(sweep.deadlineMs)}`
    : html`Mean response time`;
  const alike = sweep.loads.length > 1 ? ", one picture per load with the same scales" : "";
  return figureOf({
    id: "tradeoff-chart",
    title: "",
    means: `Scatter plot of ${what.text} against machine-time per job; the Pareto frontier is joined by a line. The figures are in the table of all points.`,
    caption: html`${what} against machine-time per job, all copies counted${alike}. Bars are 95 % intervals over replications. Where some points miss many times as many jobs as others, the upright axis is logarithmic in what they miss. Filled and joined: the Pareto frontier of the means, where nothing reaches as much for less work. Hollow: something does.`,
  });
}

function loadSection(sweep: Sweep): Section[] {
  if (sweep.loads.length < 2) return [];
  const body = figureOf({
    id: "load-chart",
    title: "",
    means:
      "Line chart of a chosen metric against the load, a line per policy. The figures are in the table of all points.",
    caption: html`Bars are 95 % intervals over replications; percentiles, taken of all replications’ jobs together, have none.`,
  });
  return [{ id: "load", title: "As load rises", body }];
}

function detail(sweep: Sweep): Markup {
  const blocks = sweep.points.some(({ record }) => record.blockSeries != null);
  return html`<div id="view" class="controls"></div>
${figureOf({
  id: "response-chart",
  title: "How long jobs wait",
  means: "Complementary cumulative distribution of response times on a logarithmic axis, a curve per policy.",
  caption: html`Share of jobs still undecided so long after they came, of all replications together; logarithmic, so that the tail can be read. A curve ends where fewer than ten jobs are left.${sweep.deadlineMs === undefined ? "" : html` The upright line is the deadline.`}`,
})}
${figureOf({
  id: "races-chart",
  title: "Races",
  means: "Timeline of sampled races: a bar for each copy from its launch to its end, coloured by how it ended.",
  caption: html`The first ${racesPerPoint(sweep)} counted jobs of the first replication at the most, and what became of their copies. Thin: on the way, or waiting in the node’s queue. A mark shows when the race was decided.`,
})}
${
  blocks
    ? html`${figureOf({
        id: "lateness-chart",
        title: "By which block",
        means:
          "Cumulative share of sealed transactions by the number of blocks after the first that could have carried them.",
        caption: html`Share of sealed transactions that were in a block by then; block 0 is the first that could have carried them. First replication. Refunded transactions are not among them; 64 stands for 64 and more.`,
      })}
${figureOf({
  id: "blocks-chart",
  title: "Blocks over time",
  means: "What blocks carried over simulated time, a line per policy.",
  caption: html`First replication, warm-up included; each value is over a stretch of simulated time.`,
})}`
    : html`<p class="note" id="no-blocks">${noBlocks(sweep)}</p>`
}`;
}

function noBlocks(sweep: Sweep): string {
  const bare = sweep.points.every(({ record }) => (record.experiment.blocks ?? "none") === "none");
  return bare
    ? "There is no picture of blocks: this experiment has none (blocks: none), its races stand alone."
    : "There is no picture of blocks: an earlier version measured these points and did not keep what blocks carried. Measure them again to have it.";
}

function experiment(sweep: Sweep, { directory }: ReportOptions): Markup {
  const commands = ["pipe sim sweep experiment.yaml --out again", "pipe sim report again"];
  if (sweep.points.length === 1) commands[0] = "pipe sim run experiment.yaml --out again";
  return html`<p>Saved as <code>experiment.yaml</code>, this gives the same figures again, digit by digit but for the simulator’s speed:</p>
<pre id="commands"><code>${commands.map((command) => html`npx ${command}\n`)}</code></pre>
<div class="scroll" role="region" aria-label="Experiment file" tabindex="0"><pre id="yaml"><code>${experimentText(sweep)}</code></pre></div>
<p class="note">The points of this page are in <code>${directory}</code>. Keys are explained in docs/SIMULATOR.md; what a file leaves out has been filled in here.</p>`;
}

function footer({ program }: ReportOptions): Markup {
  return html`<dl>
<div><dt>Response</dt><dd>from a job’s arrival to its decision</dd></div>
<div><dt>On time</dt><dd>share of jobs decided by the deadline</dd></div>
<div><dt>Work</dt><dd>machine-time of all copies of a job</dd></div>
<div><dt>Blocks late</dt><dd>blocks between the first that could have carried a transaction and the one that did</dd></div>
<div><dt>Intervals</dt><dd>95 %, Student’s, over replications; two that overlap do not prove that there is no difference: <code>pipe sim compare</code> pairs them</dd></div>
</dl>
<p>Made by ${program}, without any network. Pictures: Observable Plot and D3, ISC licence.</p>`;
}
