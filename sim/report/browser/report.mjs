/** The page of `pipe sim report`: what can be chosen on it, and its pictures. */
import {
  choice,
  controlsOf,
  element,
  figure,
  fillSwatches,
  has,
  MOST_SERIES,
  pageData,
  seriesBoxes,
} from "./frame.mjs";
import {
  BLOCK_MEASURES,
  blocksChart,
  latenessChart,
  loadChart,
  responseChart,
  tradeoffCharts,
} from "./report-charts.mjs";
import { defineHatchings, racesChart } from "./report-races.mjs";

/** @import { ReportData } from "../report-data.ts" */
/** @import { View } from "./report-charts.mjs" */

/** @type {ReportData} */
const data = pageData();
const firstShown = data.series.map((_, series) => series).slice(0, MOST_SERIES);

/** @type {View} */
const view = {
  // In the middle, where policies differ most.
  load: Math.floor((data.loads.length - 1) / 2),
  setting: 0,
  shown: new Set(firstShown),
  measure: data.target.metric,
  blocks: "sealed",
  races: { series: data.series.length - 1, order: "came", rows: "job" },
};

defineHatchings();
fillSwatches();

/** @type {(() => void)[]} */
const redraws = [];
const redrawAll = () => {
  for (const redraw of redraws) redraw();
};

/**
 * @param {string} id
 * @param {(data: ReportData, view: View, width: number) => readonly Element[]} draw
 */
function show(id, draw) {
  if (has(id)) redraws.push(figure(id, (width) => draw(data, view, width)));
}

/** @param {readonly string[]} names */
const numbered = (names) => names.map((name, index) => ({ value: String(index), name: name || "all" }));

const controls = element("view");
choice(
  controls,
  { label: "Load", options: numbered(data.loads.map(({ name }) => name)), value: String(view.load) },
  (value) => {
    view.load = Number(value);
    redrawAll();
  },
);
const settings = { label: "Setting", options: numbered(data.settings), value: "0" };
choice(controls, settings, (value) => {
  view.setting = Number(value);
  redrawAll();
});
if (data.series.length > 1) seriesBoxes(controls, data.series, view.shown, redrawAll);

show("tradeoff-chart", tradeoffCharts);
show("load-chart", loadChart);
show("response-chart", responseChart);
show("races-chart", racesChart);
show("lateness-chart", latenessChart);
show("blocks-chart", blocksChart);

if (has("load-chart")) {
  const options = data.measures.map(({ metric, label }) => ({ value: metric, name: label }));
  choice(controlsOf("load-chart"), { label: "Show", options, value: view.measure }, (value) => {
    view.measure = value;
    redrawAll();
  });
}
const races = controlsOf("races-chart");
choice(races, { label: "Of", options: numbered(data.series), value: String(view.races.series) }, (value) => {
  view.races.series = Number(value);
  redrawAll();
});
const rows = [
  { value: "job", name: "job by job" },
  { value: "node", name: "node by node" },
];
choice(races, { label: "Rows", options: rows, value: view.races.rows }, (value) => {
  view.races.rows = value;
  redrawAll();
});
const orders = [
  { value: "came", name: "as they came" },
  { value: "slowest", name: "slowest first" },
];
choice(races, { label: "Order", options: orders, value: view.races.order }, (value) => {
  view.races.order = value;
  redrawAll();
});
if (has("blocks-chart")) {
  choice(controlsOf("blocks-chart"), { label: "Show", options: BLOCK_MEASURES, value: view.blocks }, (value) => {
    view.blocks = value;
    redrawAll();
  });
}
