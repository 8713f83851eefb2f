/**
 * What pages with charts have in common, in the browser: the page's data, colours, controls, and figures that are drawn
 * again when their width changes. The programs of a page run as one module, this one first.
 */

/** @typedef {typeof import("@observablehq/plot")} PlotLibrary */
/** @type {PlotLibrary} */
export const Plot = /** @type {any} */ (globalThis).Plot;
/** Shapes of the charting library's own kernel, for legends. */
const d3 = /** @type {any} */ (globalThis).d3;

/** Series shown at one time: more lines cannot be told apart. */
export const MOST_SERIES = 8;
const COLOURS = 7;
/** Pixels below which no axis has room. */
const NARROWEST = 200;
const DASHES = ["none", "6 3", "2 3", "8 3 2 3"];
/** @type {readonly ("circle" | "square" | "triangle" | "diamond" | "star" | "cross" | "wye")[]} */
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "cross", "wye"];

/** @returns {any} the data that the page carries */
export function pageData() {
  return JSON.parse(element("data").textContent ?? "null");
}

/** @param {string} id */
export function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * A series looks the same in every chart: by colour and shape, and by dashes and other shapes where colours are used again.
 *
 * @param {number} series
 */
export function lookOf(series) {
  const round = Math.floor(series / COLOURS);
  return {
    colour: `var(--series-${(series % COLOURS) + 1})`,
    dashes: /** @type {string} */ (DASHES[round % DASHES.length]),
    symbol: /** @type {(typeof SYMBOLS)[number]} */ (SYMBOLS[(series + 3 * round) % SYMBOLS.length]),
  };
}

/**
 * A new element with attributes and contents; text is text, never markup.
 *
 * @param {string} name
 * @param {Readonly<Record<string, string>>} attributes
 * @param {readonly (Node | string)[]} contents
 */
export function make(name, attributes, contents) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...contents);
  return made;
}

/**
 * The line and shape of a series, for legends.
 *
 * @param {number} series
 */
export function swatch(series) {
  const { colour, dashes, symbol } = lookOf(series);
  const name = `symbol${symbol[0]?.toUpperCase()}${symbol.slice(1)}`;
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({
    viewBox: "-12 -6 24 12",
    width: "24",
    height: "12",
    "aria-hidden": "true",
  }))
    picture.setAttribute(key, value);
  for (const attributes of [
    { d: "M-12,0H12", stroke: colour, "stroke-width": "2", "stroke-dasharray": dashes },
    { d: d3.symbol(d3[name], 40)(), fill: colour },
  ]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const [key, value] of Object.entries(attributes)) path.setAttribute(key, value);
    picture.append(path);
  }
  return picture;
}

/** Puts the looks of their series beside names in tables. */
export function fillSwatches() {
  for (const place of document.querySelectorAll("i.swatch")) {
    place.replaceChildren(swatch(Number(place.getAttribute("data-series"))));
  }
}

/**
 * A labelled list to choose from; nothing where there is no choice.
 *
 * @param {Element} place
 * @param {{ label: string, options: readonly { value: string, name: string }[], value: string }} what
 * @param {(value: string) => void} onChange
 */
export function choice(place, { label, options, value }, onChange) {
  if (options.length < 2) return;
  const list = /** @type {HTMLSelectElement} */ (make("select", {}, []));
  for (const option of options) list.append(make("option", { value: option.value }, [option.name]));
  list.value = value;
  list.addEventListener("change", () => onChange(list.value));
  place.append(make("label", {}, [`${label} `, list]));
}

/**
 * Boxes to tick, one per series, at most `MOST_SERIES` of them ticked. They are the legend, too.
 *
 * @param {Element} place
 * @param {readonly string[]} names by series
 * @param {Set<number>} shown changed in place
 * @param {() => void} onChange
 */
export function seriesBoxes(place, names, shown, onChange) {
  const boxes = names.map((name, series) => {
    const box = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox" }, []));
    box.checked = shown.has(series);
    box.addEventListener("change", () => {
      if (box.checked) shown.add(series);
      else shown.delete(series);
      limit();
      onChange();
    });
    place.append(make("label", { class: "series" }, [box, swatch(series), name]));
    return box;
  });
  const limit = () => {
    for (const box of boxes) box.disabled = !box.checked && shown.size >= MOST_SERIES;
  };
  limit();
}

/**
 * Names of series beside their looks.
 *
 * @param {readonly string[]} names by series
 * @param {Iterable<number>} shown
 */
export function legend(names, shown) {
  const entries = [...shown].map((series) => make("span", { class: "series" }, [swatch(series), names[series] ?? ""]));
  return make("div", { class: "legend" }, entries);
}

/**
 * Fills the figure's picture with what `draw` makes for its width, now, whenever that changes, and when told to.
 *
 * @param {string} id of the figure
 * @param {(width: number) => readonly Element[]} draw
 * @returns {() => void} draws again
 */
export function figure(id, draw) {
  const place = /** @type {HTMLElement} */ (element(id).querySelector(".chart"));
  let drawn = 0;
  const redraw = () => {
    drawn = place.clientWidth;
    // As while the page is not shown.
    if (drawn < NARROWEST) return;
    place.replaceChildren(...draw(drawn));
    for (const picture of place.querySelectorAll("svg:not([aria-hidden])")) {
      const means = [place.dataset["means"], picture.getAttribute("data-title")].filter(Boolean).join(" ");
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", means);
    }
  };
  redraw();
  new ResizeObserver(() => {
    if (Math.abs(place.clientWidth - drawn) > 1) redraw();
  }).observe(place);
  return redraw;
}

/** @param {string} id */
export function controlsOf(id) {
  return /** @type {HTMLElement} */ (element(id).querySelector(".controls"));
}

/** @param {string} id */
export function has(id) {
  return document.getElementById(id) !== null;
}

/** What every plot starts from. */
export const PLAIN = { style: { background: "none", color: "inherit", fontFamily: "inherit", fontSize: "12px" } };

/**
 * Milliseconds as a scale's unit.
 *
 * @param {number} largestMs
 */
export function unitOf(largestMs) {
  return largestMs >= 2000
    ? { name: "s", of: (/** @type {number} */ ms) => ms / 1000 }
    : { name: "ms", of: (/** @type {number} */ ms) => ms };
}

/**
 * Four significant digits.
 *
 * @param {number | null | undefined} value
 */
export function figureText(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return Math.abs(value) >= 10000 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(4)));
}

/**
 * A domain around values, with a little room; `undefined` for none.
 *
 * @param {readonly (number | null | undefined)[]} values
 * @param {readonly [number, number]} within
 */
export function domainOf(values, within) {
  const known = /** @type {number[]} */ (values.filter((value) => Number.isFinite(value)));
  if (known.length === 0) return [...within];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const room = high > low ? (high - low) * 0.08 : Math.abs(high) * 0.1 || 1;
  return [Math.max(within[0], low - room), Math.min(within[1], high + room)];
}

/** Shares missing to the whole at which a logarithmic axis has its ticks. */
const MISSES = [0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4, 1e-5, 1e-6];

/**
 * An axis for shares of a whole, in percent. Where some miss the whole by many times as much as others, what is missing is
 * drawn on a logarithmic scale, so that 99 and 99.9 % are as far apart as 90 and 99 %; the whole itself is at its edge.
 *
 * @param {string} label
 * @param {readonly (number | null)[]} means
 * @param {readonly (number | null)[]} ends of their intervals
 */
export function shareAxis(label, means, ends) {
  const missing = means.flatMap((mean) => (mean === null || mean >= 1 ? [] : [1 - mean]));
  const [least, most] = [Math.min(...missing), Math.max(...missing)];
  if (missing.length === 0 || most < 8 * least) {
    const domain = domainOf([...means, ...ends], [0, 1]).map((share) => 100 * share);
    return {
      of: (/** @type {number} */ share) => 100 * share,
      scale: { domain, label, grid: true, ticks: 6 },
      marks: [],
    };
  }
  const edge = least / 2;
  const furthest = Math.min(1, Math.max(most, ...ends.map((end) => (end === null ? 0 : 1 - end))) * 1.15);
  const ticks = MISSES.filter((miss) => miss <= furthest && miss >= edge);
  const text = (/** @type {number} */ miss) => String(Number((100 * (1 - miss)).toPrecision(8)));
  return {
    of: (/** @type {number} */ share) => Math.max(edge, 1 - share),
    scale: { type: /** @type {const} */ ("log"), domain: [furthest, edge], axis: null },
    // An axis of a logarithmic scale would leave out the text of some ticks.
    marks: [Plot.gridY(ticks), Plot.axisY(ticks, { text, label, labelArrow: "up" })],
  };
}
