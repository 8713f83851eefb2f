/** The picture of sampled races: a bar for each copy. */
import { legend, lookOf, make, PLAIN, Plot, unitOf } from "./frame.mjs";

/** @import { ReportData } from "../report-data.ts" */
/** @import { View } from "./report-charts.mjs" */
/** @import { Race } from "../curves.ts" */

/** How a copy can end, and how that looks. A winner has its policy's colour; ends unknown here look like the last one. */
const ENDS = [
  { end: "won", name: "won", colour: "var(--won)" },
  { end: "cancelled", name: "cancelled", colour: "var(--cancelled)" },
  { end: "answered", name: "answered too late", colour: "var(--late)" },
  { end: "lost", name: "lost", colour: "var(--lost)" },
  { end: "other", name: "ended otherwise", colour: "var(--other)" },
];
/** Copies, or nodes, in one picture. */
const MOST_ROWS = 30;
/** Between two jobs, in heights of a row. */
const GAP = 0.7;
const ROW_PX = 17;

/** @typedef {{ race: Race, copy: Race["copies"][number], y: number, x0: number, x1: number, x2: number, decided: number }} Bar */
/** @typedef {{ y: number, text: string, dx: number }} Label */
/** @typedef {{ bars: Bar[], labels: Label[], height: number, x: string, unit: string, note: string }} Layout */

/** @param {string} end */
function endOf(end) {
  return ENDS.find((known) => known.end === end) ?? /** @type {(typeof ENDS)[number]} */ (ENDS.at(-1));
}

/**
 * @param {ReportData} data
 * @param {View} view
 * @param {number} width
 */
export function racesChart(data, view, width) {
  const { series, order, rows } = view.races;
  const point = data.points.find(
    (one) => one.load === view.load && one.setting === view.setting && one.series === series,
  );
  const races = (point?.races ?? []).filter(({ copies }) => copies.length > 0);
  if (races.length === 0) return [make("p", { class: "note" }, ["No races were sampled here."])];
  document.documentElement.style.setProperty("--won", lookOf(series).colour);
  const sorted = order === "slowest" ? [...races].sort((a, b) => b.decidedMs - a.decidedMs) : races;
  const layout = rows === "node" ? byNode(races) : byJob(sorted);
  const note = layout.note === "" ? [] : [make("p", { class: "note" }, [layout.note])];
  return [legendOf(layout.bars), plotOf(layout, width), ...note];
}

/**
 * Each job's copies below each other, from its arrival.
 *
 * @param {readonly Race[]} races
 * @returns {Layout}
 */
function byJob(races) {
  /** @type {Bar[]} */
  const bars = [];
  /** @type {Label[]} */
  const labels = [];
  const unit = unitOf(Math.max(...races.map(({ decidedMs }) => decidedMs)));
  let y = 0;
  let shown = 0;
  for (const race of races) {
    if (bars.length + race.copies.length > MOST_ROWS) break;
    labels.push({ y: y + 0.5, text: `job ${race.job}`, dx: -118 });
    for (const copy of race.copies) {
      labels.push({ y: y + 0.5, text: `node ${copy.node}`, dx: -58 });
      bars.push(barOf(race, copy, y, 0, unit.of));
      y++;
    }
    y += GAP;
    shown++;
  }
  const note = shown < races.length ? `${shown} of ${races.length} sampled races.` : "";
  return { bars, labels, height: y - GAP, x: "time since the job came", unit: unit.name, note };
}

/**
 * All sampled copies on the nodes that ran them.
 *
 * @param {readonly Race[]} races
 * @returns {Layout}
 */
function byNode(races) {
  const nodes = [...new Set(races.flatMap(({ copies }) => copies.map(({ node }) => node)))].sort((a, b) => a - b);
  const kept = nodes.slice(0, MOST_ROWS);
  const from = Math.min(...races.map(({ openedMs }) => openedMs));
  const unit = unitOf(Math.max(...races.map(({ openedMs, decidedMs }) => openedMs + decidedMs - from)));
  const bars = races.flatMap((race) =>
    race.copies
      .filter(({ node }) => kept.includes(node))
      .map((copy) => barOf(race, copy, kept.indexOf(copy.node), race.openedMs - from, unit.of)),
  );
  const labels = kept.map((node, index) => ({ y: index + 0.5, text: `node ${node}`, dx: -58 }));
  const note = kept.length < nodes.length ? `${kept.length} of ${nodes.length} nodes.` : "";
  return {
    bars,
    labels,
    height: kept.length,
    x: "simulated time since the first of these jobs",
    unit: unit.name,
    note,
  };
}

/**
 * @param {Race} race
 * @param {Race["copies"][number]} copy
 * @param {number} y
 * @param {number} sinceMs added to times since the job came
 * @param {(ms: number) => number} scaled
 * @returns {Bar}
 */
function barOf(race, copy, y, sinceMs, scaled) {
  const [x0, x1, x2] = [copy.launchedMs, copy.startedMs, copy.endedMs].map((ms) => scaled(sinceMs + ms));
  return { race, copy, y, x0: x0 ?? 0, x1: x1 ?? 0, x2: x2 ?? 0, decided: scaled(sinceMs + race.decidedMs) };
}

/**
 * @param {Layout} layout
 * @param {number} width
 */
function plotOf({ bars, labels, height, x, unit }, width) {
  const colour = (/** @type {Bar} */ { copy }) => endOf(copy.end).colour;
  const body = {
    x1: "x1",
    x2: "x2",
    y1: (/** @type {Bar} */ { y }) => y + 0.12,
    y2: (/** @type {Bar} */ { y }) => y + 0.88,
  };
  const middle = (/** @type {Bar} */ { y }) => y + 0.5;
  // One mark of the decision per race, across its copies' rows; by node, across the winner's.
  const decisions = bars.filter(({ copy }) => copy.end === "won");
  return Plot.plot({
    ...PLAIN,
    width,
    height: 56 + height * ROW_PX,
    marginTop: 8,
    marginLeft: labels.some(({ dx }) => dx < -70) ? 124 : 64,
    marginBottom: 36,
    x: { label: `${x}, ${unit}`, grid: true, nice: true, ticks: width < 520 ? 4 : 10 },
    y: { domain: [0, height], reverse: true, axis: null },
    color: { type: "identity" },
    marks: [
      ...[...new Set(labels.map(({ dx }) => dx))].map((dx) =>
        Plot.text(
          labels.filter((label) => label.dx === dx),
          {
            frameAnchor: "left",
            y: "y",
            text: "text",
            dx,
            textAnchor: "start",
            fill: dx < -70 ? "currentColor" : "var(--soft)",
          },
        ),
      ),
      Plot.ruleY(
        bars.filter(({ x0, x1 }) => x1 > x0),
        { y: middle, x1: "x0", x2: "x1", stroke: colour, strokeWidth: 2, ariaDescription: "waiting" },
      ),
      Plot.rect(
        bars.filter(({ copy }) => !copy.speculative),
        { ...body, fill: colour, ariaDescription: "primary copies" },
      ),
      Plot.rect(
        bars.filter(({ copy }) => copy.speculative),
        {
          ...body,
          fill: ({ copy }) => `url(#hatch-${endOf(copy.end).end})`,
          stroke: colour,
          ariaDescription: "speculative copies",
        },
      ),
      Plot.ruleX(decisions, {
        x: "decided",
        y1: "y",
        y2: ({ y }) => y + 1,
        strokeWidth: 2.5,
        ariaDescription: "decided",
      }),
      Plot.tip(bars, Plot.pointer({ x: "x2", y: middle, title: (bar) => barText(bar, unit) })),
    ],
  });
}

/**
 * @param {Bar} bar
 * @param {string} unit
 */
function barText({ race, copy, x0, x1, x2 }, unit) {
  return [
    `job ${race.job} on node ${copy.node}`,
    `${copy.speculative ? "speculative" : "primary"} copy, ${endOf(copy.end).end === "other" ? copy.end : endOf(copy.end).name}`,
    `launched ${x0.toFixed(2)}, ran ${x1.toFixed(2)} to ${x2.toFixed(2)} ${unit}`,
  ].join("\n");
}

/** @param {readonly Bar[]} bars */
function legendOf(bars) {
  const seen = new Set(bars.map(({ copy }) => endOf(copy.end)));
  const place = legend([], []);
  for (const end of ENDS) {
    if (seen.has(end)) place.append(patch(end.name, { class: "patch", style: `background: ${end.colour}` }));
  }
  if (bars.some(({ copy }) => copy.speculative))
    place.append(patch("hatched: speculative", { class: "patch hatched" }));
  place.append(patch("decided", { class: "mark" }));
  return place;
}

/**
 * @param {string} name
 * @param {Readonly<Record<string, string>>} look
 */
function patch(name, look) {
  return make("span", { class: "series" }, [make("i", look, []), name]);
}

/** Hatchings by how a copy ended, for speculative ones; once per page. */
export function defineHatchings() {
  const place = make("div", { class: "hatchings", "aria-hidden": "true" }, []);
  const patterns = ENDS.map(
    ({
      end,
      colour,
    }) => `<pattern id="hatch-${end}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <rect width="5" height="5" fill="var(--paper)"/><rect width="2.5" height="5" fill="${colour}"/></pattern>`,
  );
  place.innerHTML = `<svg width="0" height="0" aria-hidden="true">${patterns.join("")}</svg>`;
  document.body.append(place);
}
