/** The page of `pipe sim tournament`: what policies cost, workload by workload. */
import {
  choice,
  controlsOf,
  domainOf,
  figure,
  figureText,
  fillSwatches,
  legend,
  lookOf,
  make,
  PLAIN,
  Plot,
  pageData,
  shareAxis,
} from "./frame.mjs";

/** @import { TournamentData, TournamentPoint } from "../../tournament/page.ts" */

/** @type {TournamentData} */
const data = pageData();
const view = { workload: 0 };
const bound = data.contenders.indexOf("clairvoyant");

fillSwatches();
const redraw = figure("pareto-chart", paretoCharts);
choice(
  controlsOf("pareto-chart"),
  {
    label: "Workload",
    options: data.workloads.map(({ name }, index) => ({ value: String(index), name })),
    value: String(view.workload),
  },
  (value) => {
    view.workload = Number(value);
    redraw();
  },
);

/** @param {number} width */
function paretoCharts(width) {
  const workload = data.workloads[view.workload];
  const cells = data.cells.filter((cell) => cell.workload === workload?.name);
  const columns = Math.min(cells.length, width < 520 ? 1 : width < 860 ? 2 : 3);
  const each = Math.min(720, (width - (columns - 1) * 20) / Math.max(1, columns));
  const charts = cells.map(({ load, points: here }) =>
    chartOf(here, load === null ? "no queues" : `load ${load}`, { ...scalesOf(here, workload?.deadlineMs ?? 0), each }),
  );
  const seen = new Set(cells.flatMap((cell) => cell.points.map(({ series }) => series)));
  return [legend(data.contenders, seen), make("div", { class: "multiples", style: `--columns: ${columns}` }, charts)];
}

/**
 * Scales of one picture. Loads have their own, since what is much at one of them is nothing at another.
 *
 * @param {readonly TournamentPoint[]} points
 * @param {number} deadlineMs
 */
function scalesOf(points, deadlineMs) {
  const policies = points.filter(({ series }) => series !== bound);
  const x = domainOf(
    points.map(({ workRatio }) => workRatio[0]),
    [0, Infinity],
  );
  const axis = shareAxis(
    `in time (within ${figureText(deadlineMs / 1000)} s), %`,
    policies.map(({ onTime }) => onTime[0]),
    policies.flatMap(({ onTime }) => [onTime[1], onTime[2]]),
  );
  return { x, axis };
}

/**
 * @param {readonly TournamentPoint[]} points
 * @param {string} title
 * @param {{ x: number[], axis: ReturnType<typeof shareAxis>, each: number }} frame
 */
function chartOf(points, title, { x, axis, each }) {
  const rows = points.map((point) => ({
    point,
    x: point.workRatio[0],
    x1: point.workRatio[1],
    x2: point.workRatio[2],
    y: axis.of(point.onTime[0]),
    y1: axis.of(point.onTime[1]),
    y2: axis.of(point.onTime[2]),
  }));
  const colour = (/** @type {typeof rows[number]} */ { point }) => lookOf(point.series).colour;
  const symbol = (/** @type {typeof rows[number]} */ { point }) => lookOf(point.series).symbol;
  const tuned = rows.filter(({ point }) => isBest(point, points));
  const documented = rows.filter((row) => !tuned.includes(row));
  const clip = /** @type {const} */ ("frame");
  const dot = { x: "x", y: "y", symbol, stroke: colour, r: 4.5, ariaLabel: nameOf };
  const plot = Plot.plot({
    ...PLAIN,
    width: each,
    height: Math.min(340, Math.max(230, each * 0.78)),
    marginTop: 28,
    marginLeft: 46,
    marginBottom: 36,
    x: { domain: x, label: "work / that of a single copy", ticks: 5 },
    y: axis.scale,
    color: { type: "identity" },
    symbol: { type: "identity" },
    marks: [
      ...axis.marks,
      Plot.line(frontierOf(rows), {
        x: "x",
        y: "y",
        stroke: "var(--faint)",
        strokeWidth: 1.5,
        clip,
        ariaDescription: "frontier",
      }),
      Plot.ruleX(rows, {
        x: "x",
        y1: "y1",
        y2: "y2",
        stroke: colour,
        strokeWidth: 1.2,
        clip,
        ariaDescription: "intervals",
      }),
      Plot.ruleY(rows, {
        y: "y",
        x1: "x1",
        x2: "x2",
        stroke: colour,
        strokeWidth: 1.2,
        clip,
        ariaDescription: "intervals",
      }),
      Plot.dot(documented, { ...dot, fill: "var(--paper)", ariaDescription: "as documented" }),
      Plot.dot(tuned, { ...dot, fill: colour, ariaDescription: "at its best" }),
      Plot.tip(
        rows,
        Plot.pointer({
          x: "x",
          y: "y",
          title: ({ point }) =>
            `${point.name}\n${point.setting}\nin time ${percent(point.onTime[0])} [${percent(point.onTime[1])}, ${percent(point.onTime[2])}]\nwork × ${figureText(point.workRatio[0])} [${figureText(point.workRatio[1])}, ${figureText(point.workRatio[2])}]`,
        }),
      ),
    ],
  });
  plot.setAttribute("data-title", title);
  return make("div", {}, [make("h4", {}, [title]), plot]);
}

/**
 * Tuned, or the only setting that there is.
 *
 * @param {TournamentPoint} point
 * @param {readonly TournamentPoint[]} points
 */
function isBest(point, points) {
  return point.setting === "tuned" || points.filter(({ series }) => series === point.series).length === 1;
}

/**
 * Policies of which none has as many in time for less work, by rising work.
 *
 * @template {{ point: TournamentPoint, x: number }} T
 * @param {readonly T[]} rows
 */
function frontierOf(rows) {
  /** @type {T[]} */
  const frontier = [];
  let most = -1;
  for (const row of rows.filter(({ point }) => point.series !== bound).sort((a, b) => a.x - b.x)) {
    if (row.point.onTime[0] <= most) continue;
    most = row.point.onTime[0];
    frontier.push(row);
  }
  return frontier;
}

/** @param {{ point: TournamentPoint }} row */
function nameOf({ point }) {
  return point.name;
}

/** @param {number} share */
function percent(share) {
  return `${Number((100 * share).toFixed(3))} %`;
}
