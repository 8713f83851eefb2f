import { html, type Markup } from "../report/markup.ts";
import { policyName } from "../report/wording.ts";
import type { Cell, Row, Verdict } from "./summary.ts";

/** What became of the subject against one peer, for a square of the matrix. */
export type Standing = "ahead" | "behind" | "dearer" | "fewer" | "better" | "even" | "unknown";

/** From the subject's side; the row's verdict is from the peer's. */
const STANDINGS: { readonly [V in Verdict]: Standing } = {
  dominated: "ahead",
  worse: "better",
  "more in time": "fewer",
  "less work": "dearer",
  dominates: "behind",
  "no difference seen": "even",
};

export const STANDING_WORDS: { readonly [S in Standing]: string } = {
  ahead: "more in time for less work",
  better: "better in one, no difference seen in the other",
  dearer: "at least as many in time, but more work",
  fewer: "fewer in time, for less or the same work",
  even: "no difference seen",
  behind: "dominated: fewer in time for more work",
  unknown: "not measured",
};

/** Peers at their tuned settings, or at their only one. */
export function peersOf(cells: readonly Cell[], subject: string): readonly string[] {
  const names = new Set(cells.flatMap(({ rows }) => rows.map(({ contender }) => contender)));
  return [...names].filter((name) => name !== subject && name !== "clairvoyant" && name !== "single copy");
}

export function tunedRow({ rows }: Cell, contender: string): Row | undefined {
  const own = rows.filter((row) => row.contender === contender);
  return own.find(({ setting }) => setting === "tuned") ?? own[0];
}

/** Where the subject stands against a row. A fleet that never recovers is behind whatever does. */
export function standingOf(row: Row | undefined, subject: Row | undefined): Standing {
  if (row === undefined || subject === undefined) return "unknown";
  if (row.endless) return subject.endless ? "even" : "ahead";
  if (subject.endless) return "behind";
  return row.versus === null ? "unknown" : STANDINGS[row.versus.verdict];
}

/** Workloads by peers; in each field a square per load, from the lowest to the highest. */
export function matrixOf(cells: readonly Cell[], subject: string): Markup {
  const peers = peersOf(cells, subject);
  const byWorkload = [...Map.groupBy(cells, ({ workload }) => workload)];
  const rows = byWorkload.map(([workload, own]) => {
    const fields = peers.map((peer) => html`<td>${stripOf(own, peer, subject)}</td>`);
    return html`<tr><th scope="row">${workload}</th>${fields}</tr>\n`;
  });
  const keys = Object.keys(STANDING_WORDS) as Standing[];
  const legend = keys.map(
    (standing) => html`<span class="series"><i class="square ${standing}"></i>${STANDING_WORDS[standing]}</span>`,
  );
  return html`<div class="legend">${legend}</div>
<div class="scroll" role="region" aria-label="Verdicts" tabindex="0"><table class="matrix">
<thead><tr><th></th>${peers.map((peer) => html`<th scope="col">${peer}</th>`)}</tr></thead>
<tbody>
${rows}</tbody></table></div>`;
}

function stripOf(cells: readonly Cell[], peer: string, subject: string): Markup {
  const squares = cells.map((cell) => {
    const row = tunedRow(cell, peer);
    const standing = standingOf(row, tunedRow(cell, subject));
    const load = cell.load === null ? "no queues" : `load ${cell.load}`;
    const policy = row?.policy == null ? "" : `, against ${policyName(row.policy)}`;
    const text = `${load}: ${STANDING_WORDS[standing]}${policy}`;
    return html`<i class="square ${standing}" role="img" title="${text}" aria-label="${text}"></i>`;
  });
  return html`<span class="strip">${squares}</span>`;
}
