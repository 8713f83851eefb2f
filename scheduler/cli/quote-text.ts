import type { ModeQuote, Quote } from "../live/quote.ts";

const LABEL_WIDTH = 24;
const COLUMN_WIDTH = 13;
/** Blocks from the open one whose probabilities are shown: where most changes comes first. */
const SHOWN_BLOCKS = [0, 1, 2, 4, 8, 16, 32, 64] as const;

/** A quote for people: one column per mode, from the cheapest guarantee to the strongest. Within 80 columns for four modes. */
export function formatQuote(quote: Quote, about: { readonly source: string }): string {
  const { modes } = quote;
  const row = (label: string, cell: (mode: ModeQuote) => string): string =>
    `  ${label.padEnd(LABEL_WIDTH)}${modes.map((mode) => cell(mode).padStart(COLUMN_WIDTH)).join("")}`.trimEnd();
  const fee = (which: "least" | "median" | "most") => (mode: ModeQuote) => count(mode.maxFeeGwei?.[which]);
  const height = (at: number | undefined) => (at === undefined ? "not in time" : `+${at - quote.height}`);
  const lines = [
    `${quote.model}, ${ruleText(quote)}; ${about.source}`,
    "",
    row("", ({ mode }) => mode),
    row("nodes (operators)", ({ nodes, operators }) => `${nodes} (${operators})`),
    row("max fee: lowest, gwei", fee("least")),
    row("  that half of them take", fee("median")),
    row("  that all of them take", fee("most")),
    row("answer of a copy, p50", (mode) => latencyText(mode, "p50Ms")),
    row("  p95", (mode) => latencyText(mode, "p95Ms")),
    ...sealRows(quote).map(([label, offset]) => row(label, (mode) => percent(mode.seal[offset]?.probability))),
    row("sealed, 90 % sure, by", ({ sealedBy }) => height(sealedBy.p90)),
    row("sealed, 99 % sure, by", ({ sealedBy }) => height(sealedBy.p99)),
    row("trust gap, blocks", ({ trustGapBlocks }) => String(trustGapBlocks)),
    "",
    ...modes.flatMap(wordsOf),
  ];
  return `${lines.join("\n")}\n`;
}

function ruleText({ conflict }: Quote): string {
  if (conflict.kind === "first-valid") return "the first valid answer wins";
  if (conflict.kind === "agree") return `${conflict.k} operators must agree`;
  return `the median of ${conflict.k} operators within ${conflict.tolerance}`;
}

function sealRows({ modes }: Quote): (readonly [string, number])[] {
  const blocks = modes[0]?.seal.length ?? 0;
  return SHOWN_BLOCKS.filter((offset) => offset < blocks).map((offset) => {
    const label = offset === 0 ? "sealed with this block" : `  ${offset} block${offset === 1 ? "" : "s"} later`;
    return [label, offset];
  });
}

function latencyText({ latency }: ModeQuote, which: "p50Ms" | "p95Ms"): string {
  if (latency.source === "prior") return which === "p50Ms" ? "unknown yet" : "";
  const ms = latency[which];
  if (ms === undefined) return "unknown";
  return ms < 1_000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}

function percent(probability: number | undefined): string {
  if (probability === undefined) return "";
  if (probability > 0 && probability < 0.001) return "< 0.1 %";
  // Nothing is certain before it has happened.
  if (probability > 0.999 && probability < 1) return "> 99.9 %";
  return `${(100 * probability).toFixed(1)} %`;
}

function count(value: number | undefined): string {
  return value === undefined ? "–" : value.toLocaleString("en-US");
}

function wordsOf({ mode, guarantee, caveat, advice, latency }: ModeQuote): string[] {
  const indent = " ".repeat(14);
  const learned = latency.source === "learned" ? [`${indent}Learned from ${count(latency.observations)} copies.`] : [];
  return [
    `  ${mode.padEnd(12)}${guarantee}`,
    ...(caveat === undefined ? [] : [`${indent}${caveat}`]),
    ...(advice === undefined ? learned : [`${indent}NOT AVAILABLE: ${advice}`]),
  ];
}
