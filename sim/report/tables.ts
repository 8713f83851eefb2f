import { html, Markup } from "./markup.ts";
import { type Measured, measuredBy, type Point, type Sweep } from "./points.ts";
import type { Group } from "./target.ts";
import { estimateText, figure, isShare, metricLabel, PERCENTILE_LABELS } from "./wording.ts";

type Percentile = keyof typeof PERCENTILE_LABELS;
/** Columns of words, to the left. */
const WORDS = new Set(["what", "setting"]);
const PERCENTILES = Object.keys(PERCENTILE_LABELS) as Percentile[];

/** All points with all that was measured of them; figures in full in the `data` elements. */
export function pointsTable(sweep: Sweep, groups: readonly Group[]): Markup {
  const frontier = new Set(groups.flatMap((group) => group.frontier));
  const settings = sweep.settings.length > 1;
  const head = [
    "",
    sweep.loadUnit === undefined ? undefined : html`load, ${sweep.loadUnit}`,
    "what",
    settings ? "setting" : undefined,
    ...sweep.metrics.flatMap((metric) => [
      isShare(metric) ? `${metricLabel(metric)}, %` : metricLabel(metric),
      ...(metric === "responseMs" ? PERCENTILES.map((percentile) => PERCENTILE_LABELS[percentile]) : []),
    ]),
    "frontier",
  ].filter((title) => title !== undefined);
  const rows = sweep.points.map((point) => rowOf(point, sweep, { settings, onFrontier: frontier.has(point) }));
  return html`<div class="scroll" role="region" aria-label="All points" tabindex="0"><table class="points">
<caption>Means with 95 % intervals over replications (Student’s); percentiles of all replications’ jobs together, in milliseconds. <em>Frontier</em>: nothing at the same load reaches as much for less work.</caption>
<thead><tr>${head.map((title) => html`<th scope="col"${WORDS.has(String(title)) ? new Markup(' class="words"') : ""}>${title}</th>`)}</tr></thead>
<tbody>
${rows}</tbody></table></div>`;
}

function rowOf(
  point: Point,
  sweep: Sweep,
  { settings, onFrontier }: { settings: boolean; onFrontier: boolean },
): Markup {
  const load = sweep.loadUnit === undefined ? undefined : html`<td>${figure(sweep.loads[point.load])}</td>`;
  const cells = sweep.metrics.flatMap((metric) => {
    const found = measuredBy(point, metric);
    const mean = html`<td data-metric="${metric}">${withInterval(found, isShare(metric) ? 100 : 1)}</td>`;
    if (metric !== "responseMs") return [mean];
    return [
      mean,
      ...PERCENTILES.map((name) => html`<td data-metric="${`${metric}.${name}`}">${number(found?.[name])}</td>`),
    ];
  });
  return html`<tr id="point-${point.number}"><th scope="row">${point.number}</th>${load}<td class="words"><i class="swatch" data-series="${point.series}"></i>${sweep.series[point.series]}</td>${settings ? html`<td class="words">${sweep.settings[point.setting]}</td>` : undefined}${cells}<td>${onFrontier ? "yes" : ""}</td></tr>
`;
}

/** The mean in full as the element's value; what is seen is `times` as much. */
function withInterval(found: Measured | undefined, times: number): Markup {
  if (found?.mean == null) return html`–`;
  const ci95 = found.ci95 === null ? null : ([times * found.ci95[0], times * found.ci95[1]] as const);
  const { mean, ends } = estimateText(times * found.mean, ci95);
  const interval = found.ci95?.map(
    (end, index) => html`${index === 0 ? "" : ", "}<data value="${String(end)}">${ends[index]}</data>`,
  );
  return html`<data value="${String(found.mean)}">${mean}</data>${interval === undefined ? "" : html` <span class="ci">[${interval}]</span>`}`;
}

function number(value: number | null | undefined): Markup {
  return value == null ? html`–` : html`<data value="${String(value)}">${figure(Number(value.toPrecision(4)))}</data>`;
}
