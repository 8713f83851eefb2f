/** Pictures of a sweep's figures: trade-off, load, response times, blocks. */
import { domainOf, figureText, legend, lookOf, make, PLAIN, Plot, shareAxis, unitOf } from "./frame.mjs";

/** @import { ReportData, ReportPoint } from "../report-data.ts" */
/** @typedef {{ load: number, setting: number, shown: Set<number>, measure: string, blocks: string, races: { series: number, order: string, rows: string } }} View */

/** Pictures side by side at the most: a page of more of them is not compared. */
const MOST_PICTURES = 12;

/**
 * @param {ReportData} data
 * @param {View} view
 * @returns {ReportPoint[]} of the chosen load and setting, and of the series shown
 */
function chosen(data, view) {
  return data.points.filter(
    ({ load, setting, series }) => load === view.load && setting === view.setting && view.shown.has(series),
  );
}

/**
 * @param {ReportPoint} point
 * @param {string} metric
 */
function measureOf(point, metric) {
  const [mean = null, low = null, high = null] = point.metrics[metric] ?? [];
  return { point, mean, low, high };
}

/**
 * As many of a list as can be compared, the ends among them.
 *
 * @template T
 * @param {readonly T[]} list
 */
function some(list) {
  if (list.length <= MOST_PICTURES) return list;
  return Array.from(
    { length: MOST_PICTURES },
    (_, index) => /** @type {T} */ (list[Math.round((index * (list.length - 1)) / (MOST_PICTURES - 1))]),
  );
}

/**
 * @param {ReportData} data
 * @param {View} view
 * @param {number} width
 */
export function tradeoffCharts(data, view, width) {
  const { metric, higher } = data.target;
  const all = data.points
    .filter(({ setting }) => setting === view.setting)
    .map((point) => ({ point, work: measureOf(point, "workMsPerJob"), gain: measureOf(point, metric) }))
    .filter(({ work, gain }) => work.mean !== null && gain.mean !== null);
  const works = all.flatMap(({ work }) => [work.mean, work.low, work.high]);
  const gains = all.flatMap(({ gain }) => [gain.mean, gain.low, gain.high]);
  const unit = unitOf(Math.max(0, ...works.map((one) => one ?? 0)));
  const gainUnit = unitOf(Math.max(0, ...gains.map((one) => one ?? 0)));
  const axis = higher
    ? shareAxis(
        `${deadlineText(data)}, %`,
        all.map(({ gain }) => gain.mean),
        all.flatMap(({ gain }) => [gain.low, gain.high]),
      )
    : {
        of: gainUnit.of,
        scale: {
          domain: domainOf(gains, [0, Infinity]).map(gainUnit.of),
          label: `${data.target.label}, ${gainUnit.name}`,
          grid: true,
          ticks: 6,
        },
        marks: [],
      };
  const x = domainOf(works, [0, Infinity]).map(unit.of);
  const loads = some(data.loads.map((load, index) => ({ ...load, index })));
  // Four are two and two, not three and one.
  const columns = Math.min(loads.length, width < 520 ? 1 : width < 860 || loads.length === 4 ? 2 : 3);
  const each = Math.min(720, (width - (columns - 1) * 20) / columns);
  const charts = loads.map((load) => {
    const here = all.filter(({ point }) => point.load === load.index);
    return chartOf(here, load.name);
  });
  const thinned =
    loads.length < data.loads.length
      ? [make("p", { class: "note" }, [`${loads.length} of ${data.loads.length} loads.`])]
      : [];
  const seen = new Set(all.map(({ point }) => point.series));
  return [
    legend(data.series, seen),
    make("div", { class: "multiples", style: `--columns: ${columns}` }, charts),
    ...thinned,
  ];

  /**
   * @param {typeof all} here
   * @param {string} title
   */
  function chartOf(here, title) {
    const rows = here.map(({ point, work, gain }) => ({
      point,
      x: unit.of(/** @type {number} */ (work.mean)),
      y: axis.of(/** @type {number} */ (gain.mean)),
      x1: unit.of(work.low ?? /** @type {number} */ (work.mean)),
      x2: unit.of(work.high ?? /** @type {number} */ (work.mean)),
      y1: axis.of(gain.low ?? /** @type {number} */ (gain.mean)),
      y2: axis.of(gain.high ?? /** @type {number} */ (gain.mean)),
    }));
    const frontier = rows.filter(({ point }) => point.onFrontier).sort((a, b) => a.x - b.x);
    const colour = (/** @type {typeof rows[number]} */ { point }) => lookOf(point.series).colour;
    const clip = /** @type {const} */ ("frame");
    const plot = Plot.plot({
      ...PLAIN,
      width: each,
      height: Math.min(320, Math.max(220, each * 0.75)),
      marginTop: 28,
      marginLeft: 46,
      marginBottom: 36,
      x: { domain: x, label: `work per job, ${unit.name}`, ticks: 5, nice: true },
      y: axis.scale,
      color: { type: "identity" },
      marks: [
        ...axis.marks,
        Plot.line(frontier, { x: "x", y: "y", stroke: "var(--faint)", strokeWidth: 1.5, ariaDescription: "frontier" }),
        Plot.ruleX(rows, {
          x: "x",
          y1: "y1",
          y2: "y2",
          stroke: colour,
          strokeWidth: 1.5,
          clip,
          ariaDescription: "intervals",
        }),
        Plot.ruleY(rows, {
          y: "y",
          x1: "x1",
          x2: "x2",
          stroke: colour,
          strokeWidth: 1.5,
          clip,
          ariaDescription: "intervals",
        }),
        ...rows.map((row) =>
          Plot.dot([row], {
            x: "x",
            y: "y",
            r: 5,
            symbol: lookOf(row.point.series).symbol,
            fill: row.point.onFrontier ? colour : "var(--paper)",
            stroke: colour,
            strokeWidth: 2,
            ariaDescription: row.point.onFrontier ? "on the frontier" : "behind the frontier",
            ariaLabel: () => row.point.name,
          }),
        ),
        Plot.tip(rows, Plot.pointer({ x: "x", y: "y", title: (row) => tradeoffText(row.point) })),
      ],
    });
    plot.setAttribute("data-title", title);
    return make("div", {}, [...(title === "" ? [] : [make("h4", {}, [title])]), plot]);
  }

  /** @param {ReportPoint} point */
  function tradeoffText(point) {
    const gain = measureOf(point, metric);
    const work = measureOf(point, "workMsPerJob");
    const shown = higher
      ? `${deadlineText(data)}: ${percentText(gain.mean)} ${spanText(gain, (one) => percentText(one))}`
      : `${data.target.label}: ${figureText(gain.mean)} ms ${spanText(gain, figureText)}`;
    return `${data.series[point.series]}\n${shown}\nwork: ${figureText(work.mean)} ms ${spanText(work, figureText)}\n${
      point.onFrontier ? "on the frontier" : "behind the frontier"
    }`;
  }
}

/** @param {ReportData} data */
function deadlineText({ deadlineMs }) {
  if (deadlineMs === null) return "decided in time";
  return `decided within ${deadlineMs >= 1000 ? `${deadlineMs / 1000} s` : `${deadlineMs} ms`}`;
}

/** @param {number | null} share */
function percentText(share) {
  return share === null ? "–" : `${Number((100 * share).toPrecision(5))} %`;
}

/**
 * @param {{ low: number | null, high: number | null }} ends
 * @param {(value: number) => string} text
 */
function spanText({ low, high }, text) {
  return low === null || high === null ? "" : `[${text(low)}, ${text(high)}]`;
}

/**
 * @param {ReportData} data
 * @param {View} view
 * @param {number} width
 */
export function loadChart(data, view, width) {
  const { label = view.measure, share = false } = data.measures.find(({ metric }) => metric === view.measure) ?? {};
  const measured = data.points
    .filter(({ setting, series }) => setting === view.setting && view.shown.has(series))
    .map((point) => ({ ...measureOf(point, view.measure), x: data.loads[point.load]?.value ?? 0 }))
    .filter(({ mean }) => mean !== null);
  const axis = share
    ? shareAxis(
        label,
        measured.map(({ mean }) => mean),
        measured.flatMap(({ low, high }) => [low, high]),
      )
    : { of: (/** @type {number} */ value) => value, scale: { label, grid: true, nice: true }, marks: [] };
  const at = (/** @type {number | null} */ value) => (value === null ? null : axis.of(value));
  const rows = measured.map((one) => ({ ...one, y: at(one.mean), y1: at(one.low), y2: at(one.high) }));
  const valueText = (/** @type {number | null} */ value) => (share ? percentText(value) : figureText(value));
  const marks = [...view.shown].flatMap((series, index) => {
    const { colour, dashes, symbol } = lookOf(series);
    const own = rows.filter(({ point }) => point.series === series);
    // A little beside each other, so that intervals do not hide each other.
    const dx = 4 * (index - (view.shown.size - 1) / 2);
    const line = { x: "x", y: "y", dx, stroke: colour, strokeWidth: 2, strokeDasharray: dashes };
    return [
      Plot.line(own, { ...line, ariaDescription: "series" }),
      Plot.ruleX(
        own.filter(({ low }) => low !== null),
        { x: "x", y1: "y1", y2: "y2", dx, stroke: colour, strokeWidth: 1.5, ariaDescription: "intervals" },
      ),
      Plot.dot(own, { x: "x", y: "y", dx, fill: colour, symbol, r: 4, ariaDescription: "means" }),
    ];
  });
  const plot = Plot.plot({
    ...PLAIN,
    width,
    height: Math.min(380, Math.max(260, width * 0.45)),
    marginTop: 28,
    marginLeft: 56,
    marginBottom: 36,
    x: {
      label: data.loadUnit === null ? null : `load, ${data.loadUnit}`,
      inset: 14,
      ticks:
        data.loads.length <= (width < 520 ? 6 : 12) ? data.loads.map(({ value }) => value ?? 0) : width < 520 ? 5 : 10,
      tickFormat: (/** @type {number} */ load) => String(load),
    },
    y: axis.scale,
    color: { type: "identity" },
    marks: [
      ...axis.marks,
      ...marks,
      Plot.tip(
        rows,
        Plot.pointer({
          x: "x",
          y: "y",
          title: ({ point, mean, low, high }) =>
            `${point.name}\n${label}: ${valueText(mean)} ${spanText({ low, high }, valueText)}`,
        }),
      ),
    ],
  });
  return [legend(data.series, view.shown), plot];
}

/**
 * @param {ReportData} data
 * @param {View} view
 * @param {number} width
 */
export function responseChart(data, view, width) {
  const points = chosen(data, view);
  const largest = Math.max(0, ...points.map(({ curve }) => curve.ms.at(-1) ?? 0), data.deadlineMs ?? 0);
  const unit = unitOf(largest);
  const lowest = Math.min(0.1, ...points.map(({ curve }) => curve.share.at(-1) ?? 1));
  const rows = points.flatMap((point) =>
    point.curve.ms.map((ms, index) => ({ point, x: unit.of(ms), y: point.curve.share[index] ?? 0 })),
  );
  const middle = Math.min(...points.map(({ metrics }) => metrics["responseMs.p50"]?.[0] ?? Infinity));
  // Where the tail is many times the middle, a linear axis shows only the tail.
  const wide = largest > 50 * middle && rows.every(({ x }) => x > 0);
  const plot = Plot.plot({
    ...PLAIN,
    width,
    height: Math.min(420, Math.max(280, width * 0.48)),
    marginTop: 28,
    marginLeft: 52,
    marginBottom: 36,
    x: {
      type: wide ? "log" : "linear",
      label: `response time, ${unit.name}`,
      ticks: width < 520 ? 5 : 10,
      ...(wide ? { tickFormat: figureText } : { domain: [0, unit.of(largest) * 1.02] }),
    },
    y: {
      type: "log",
      domain: [lowest, 1],
      label: "jobs still undecided",
      grid: true,
      ticks: [1, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6].filter((share) => share >= lowest),
      tickFormat: (/** @type {number} */ share) => `${Number((100 * share).toPrecision(1))} %`,
    },
    color: { type: "identity" },
    marks: [
      ...(data.deadlineMs === null
        ? []
        : [
            Plot.ruleX([unit.of(data.deadlineMs)], {
              stroke: "var(--soft)",
              strokeDasharray: "3 3",
              ariaDescription: "deadline",
            }),
            Plot.text([unit.of(data.deadlineMs)], {
              text: () => "deadline",
              frameAnchor: "top",
              dx: 5,
              dy: 4,
              x: (us) => us,
              textAnchor: "start",
              fill: "var(--soft)",
            }),
          ]),
      ...points.map((point) => {
        const { colour, dashes } = lookOf(point.series);
        return Plot.line(
          rows.filter((row) => row.point === point),
          { x: "x", y: "y", stroke: colour, strokeWidth: 2, strokeDasharray: dashes, ariaDescription: "curve" },
        );
      }),
      Plot.tip(
        rows,
        Plot.pointer({
          x: "x",
          y: "y",
          title: ({ point, x, y }) =>
            `${data.series[point.series]}\n${Number((100 * y).toPrecision(3))} % of jobs take longer than ${figureText(x)} ${unit.name}`,
        }),
      ),
    ],
  });
  // The boxes to choose series are right above.
  return [plot];
}

/**
 * @param {ReportData} data
 * @param {View} view
 * @param {number} width
 */
export function latenessChart(data, view, width) {
  const points = chosen(data, view).filter(({ blocks }) => blocks !== null);
  const rows = points.flatMap((point) => {
    const counts = point.blocks?.lateness ?? [];
    const total = counts.reduce((sum, count) => sum + count, 0);
    let sum = 0;
    return counts.map((count, late) => {
      sum += count;
      return { point, late, share: sum / total };
    });
  });
  const plot = Plot.plot({
    ...PLAIN,
    width,
    height: Math.min(320, Math.max(240, width * 0.4)),
    marginTop: 28,
    marginLeft: 46,
    marginBottom: 36,
    x: {
      label: "blocks after the first possible one",
      ticks: width < 520 ? 6 : 12,
      tickFormat: (/** @type {number} */ late) => (Number.isInteger(late) ? String(late) : ""),
    },
    y: { label: "sealed by then, %", percent: true, domain: [0, 100], grid: true },
    color: { type: "identity" },
    marks: [
      ...points.map((point) => {
        const { colour, dashes } = lookOf(point.series);
        return Plot.line(
          rows.filter((row) => row.point === point),
          {
            x: "late",
            y: "share",
            curve: "step-after",
            stroke: colour,
            strokeWidth: 2,
            strokeDasharray: dashes,
            ariaDescription: "curve",
          },
        );
      }),
      Plot.tip(
        rows,
        Plot.pointer({
          x: "late",
          y: "share",
          title: ({ point, late, share }) =>
            `${data.series[point.series]}\nat most ${late} blocks late: ${percentText(share)}`,
        }),
      ),
    ],
  });
  return [
    legend(
      data.series,
      points.map(({ series }) => series),
    ),
    plot,
  ];
}

/** What can be drawn of blocks over time, per stretch. */
export const BLOCK_MEASURES = [
  { value: "sealed", name: "transactions sealed per block" },
  { value: "blocksLate", name: "blocks late, mean" },
  { value: "refunded", name: "refunded per block" },
];

/**
 * @param {ReportData} data
 * @param {View} view
 * @param {number} width
 */
export function blocksChart(data, view, width) {
  const points = chosen(data, view).filter(({ blocks }) => blocks !== null);
  const longestS = Math.max(
    0,
    ...points.map(({ blocks }) => ((blocks?.stretchUs ?? 0) * (blocks?.blocks.length ?? 0)) / 1e6),
  );
  const unit =
    longestS >= 7200 ? { name: "h", s: 3600 } : longestS >= 300 ? { name: "min", s: 60 } : { name: "s", s: 1 };
  const rows = points.flatMap((point) => {
    const series = point.blocks;
    if (series === null) return [];
    const over = view.blocks === "blocksLate" ? series.sealed : series.blocks;
    const values = /** @type {readonly number[]} */ (series[/** @type {"sealed"} */ (view.blocks)]);
    return values.map((value, index) => ({
      point,
      x: ((index + 0.5) * series.stretchUs) / 1e6 / unit.s,
      // The last stretch may have no block yet.
      y: over[index] ? value / /** @type {number} */ (over[index]) : Number.NaN,
    }));
  });
  const plot = Plot.plot({
    ...PLAIN,
    width,
    height: Math.min(320, Math.max(240, width * 0.36)),
    marginTop: 28,
    marginLeft: 46,
    marginBottom: 36,
    x: { label: `simulated time, ${unit.name}`, ticks: width < 520 ? 5 : 10 },
    y: {
      label: BLOCK_MEASURES.find(({ value }) => value === view.blocks)?.name ?? "",
      grid: true,
      zero: true,
      nice: true,
    },
    color: { type: "identity" },
    marks: [
      ...points.map((point) => {
        const { colour, dashes } = lookOf(point.series);
        return Plot.line(
          rows.filter((row) => row.point === point),
          { x: "x", y: "y", stroke: colour, strokeWidth: 1.5, strokeDasharray: dashes, ariaDescription: "curve" },
        );
      }),
      Plot.tip(
        rows.filter(({ y }) => Number.isFinite(y)),
        Plot.pointer({
          x: "x",
          y: "y",
          title: ({ point, x, y }) =>
            `${data.series[point.series]}\nat ${figureText(x)} ${unit.name}: ${figureText(y)}`,
        }),
      ),
    ],
  });
  return [
    legend(
      data.series,
      points.map(({ series }) => series),
    ),
    plot,
  ];
}
