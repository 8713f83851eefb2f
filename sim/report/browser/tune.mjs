/** The page of `pipe tune`: what settings cost and what they give. */
import {
  domainOf,
  figure,
  figureText,
  fillSwatches,
  legend,
  lookOf,
  PLAIN,
  Plot,
  pageData,
  shareAxis,
  unitOf,
} from "./frame.mjs";

/** @import { TuneData, TunePoint } from "../../tune/page.ts" */

/** @type {TuneData} */
const data = pageData();

fillSwatches();
figure("frontier-chart", frontierChart);

/** @param {number} width */
function frontierChart(width) {
  const { finalists, tried, bound } = data;
  const works = [...finalists, ...tried].map(({ work }) => work);
  const unit = unitOf(Math.max(0, ...works));
  const axis = shareAxis(
    "in time, %",
    [...finalists, ...tried].map(({ onTime }) => onTime),
    [...finalists.flatMap(({ ends }) => ends.onTime), data.target, bound.onTime],
  );
  const x = domainOf([...works, bound.work], [0, Infinity]).map(unit.of);
  const at = (/** @type {TunePoint} */ point) => ({ point, x: unit.of(point.work), y: axis.of(point.onTime) });
  const final = finalists.map((point) => ({
    ...at(point),
    x1: unit.of(point.ends.work[0]),
    x2: unit.of(point.ends.work[1]),
    y1: axis.of(point.ends.onTime[0]),
    y2: axis.of(point.ends.onTime[1]),
    shown: point,
  }));
  const colour = (/** @type {{ point: TunePoint }} */ { point }) => lookOf(point.series).colour;
  const symbol = (/** @type {{ point: TunePoint }} */ { point }) => lookOf(point.series).symbol;
  const title = (/** @type {{ point: TunePoint }} */ { point }) =>
    `${point.name}\nin time ${percent(point.onTime)}, work ${figureText(unit.of(point.work))} ${unit.name}`;
  const clip = /** @type {const} */ ("frame");
  const marked = final.filter(({ shown }) => shown.winner || shown.present);
  const plot = Plot.plot({
    ...PLAIN,
    width,
    height: Math.min(460, Math.max(280, width * 0.5)),
    marginTop: 28,
    marginLeft: 52,
    marginBottom: 36,
    marginRight: 24,
    x: { domain: x, label: `work per job, ${unit.name}`, ticks: width < 520 ? 5 : 10 },
    y: axis.scale,
    color: { type: "identity" },
    symbol: { type: "identity" },
    marks: [
      ...axis.marks,
      Plot.ruleY([axis.of(data.target)], { stroke: "var(--soft)", strokeDasharray: "4 3", ariaDescription: "target" }),
      Plot.ruleX([unit.of(bound.work)], {
        stroke: "var(--soft)",
        strokeDasharray: "2 3",
        ariaDescription: "clairvoyant",
      }),
      Plot.ruleY([axis.of(bound.onTime)], {
        stroke: "var(--soft)",
        strokeDasharray: "2 3",
        ariaDescription: "clairvoyant",
      }),
      Plot.line(frontierOf(final), {
        x: "x",
        y: "y",
        stroke: "var(--faint)",
        strokeWidth: 1.5,
        ariaDescription: "frontier",
      }),
      Plot.dot(tried.map(at), {
        x: "x",
        y: "y",
        fill: colour,
        fillOpacity: 0.45,
        symbol,
        r: 2.2,
        clip,
        ariaDescription: "tried",
      }),
      Plot.ruleX(final, {
        x: "x",
        y1: "y1",
        y2: "y2",
        stroke: colour,
        strokeWidth: 1.5,
        clip,
        ariaDescription: "intervals",
      }),
      Plot.ruleY(final, {
        y: "y",
        x1: "x1",
        x2: "x2",
        stroke: colour,
        strokeWidth: 1.5,
        clip,
        ariaDescription: "intervals",
      }),
      Plot.dot(final, {
        x: "x",
        y: "y",
        fill: colour,
        stroke: "var(--paper)",
        symbol,
        r: 5.5,
        ariaLabel: (/** @type {{ point: TunePoint }} */ { point }) => point.name,
        ariaDescription: "finalists",
      }),
      Plot.text(marked, {
        x: "x",
        y: "y",
        text: ({ shown }) => (shown.winner ? "winner" : "present"),
        dy: -13,
        fontWeight: 600,
        fill: "currentColor",
        stroke: "var(--paper)",
        strokeWidth: 4,
      }),
      Plot.tip([...tried.map(at), ...final], Plot.pointer({ x: "x", y: "y", title })),
    ],
  });
  return [legend(data.kinds, data.kinds.keys()), plot];
}

/**
 * Those of which none has as many in time for less work, by rising work.
 *
 * @template {{ point: TunePoint, x: number }} T
 * @param {readonly T[]} rows
 */
function frontierOf(rows) {
  /** @type {T[]} */
  const frontier = [];
  let most = -1;
  for (const row of [...rows].sort((a, b) => a.x - b.x)) {
    if (row.point.onTime <= most) continue;
    most = row.point.onTime;
    frontier.push(row);
  }
  return frontier;
}

/** @param {number} share */
function percent(share) {
  return `${Number((100 * share).toFixed(3))} %`;
}
