import type { PolicySpec } from "../../policies/policy.ts";
import { html, type Markup } from "../report/markup.ts";
import { figureOf, type PageParts, renderPage } from "../report/page.ts";
import { count, duration, estimateText, figure, policyName } from "../report/wording.ts";
import type { Finalist, Span, Tried, TuneResult } from "./tune.ts";

/** Programs of this page, for `readPageParts`. */
export const TUNE_PROGRAMS = ["tune.mjs"];

export interface TuneAbout {
  /** What was tuned for, such as an experiment's file. */
  readonly title: string;
  /** The policy file's text, and where it is. */
  readonly file: { readonly path: string; readonly text: string };
  readonly deadlineMs: number;
  readonly replications: number;
  /** What one replication is, in words. */
  readonly size: string;
  readonly seed: number;
  /** The program and its version. */
  readonly program: string;
  readonly command: string;
  /** Of a recorded run: how like the run its own replications are, in a sentence. */
  readonly caution: string | undefined;
}

/** What the page's program draws from. Plain data. Work in milliseconds. */
export interface TuneData {
  readonly kinds: readonly string[];
  readonly target: number;
  readonly deadlineMs: number;
  readonly tried: readonly TunePoint[];
  readonly finalists: readonly (TunePoint & {
    readonly ends: Ends;
    readonly winner: boolean;
    readonly present: boolean;
  })[];
  readonly bound: { readonly onTime: number; readonly work: number };
}

export interface TunePoint {
  /** Among the kinds. */
  readonly series: number;
  readonly name: string;
  readonly onTime: number;
  readonly work: number;
}

interface Ends {
  readonly onTime: readonly [number, number];
  readonly work: readonly [number, number];
}

export function renderTuning(result: TuneResult, about: TuneAbout, parts: PageParts): string {
  const { finalists, tried, target } = result;
  const kinds = [
    ...new Set([...finalists.map(({ policy }) => kindOf(policy)), ...tried.map(({ policy }) => policy.kind)]),
  ];
  return renderPage(
    {
      title: about.title,
      lede: ledeOf(result),
      facts: [
        `${count(tried.length)} settings tried in ${count(result.searched)} replications`,
        `measured over ${about.replications} others of ${about.size}`,
        `target ${figure(100 * target)} % in time`,
        about.program,
      ],
      sections: [
        { id: "frontier", title: "What it costs", body: frontier() },
        { id: "finalists", title: "The best of each kind", body: finalistsTable(finalists, kinds) },
        { id: "file", title: "The policy file", body: fileOf(about) },
        { id: "tried", title: "All that was tried", body: triedTable(tried, kinds) },
        { id: "how", title: "How it was found", body: how(result, about) },
      ],
      footer: html`<p>Made by ${about.program}, without any network. Pictures: Observable Plot and D3, ISC licence.</p>`,
      data: dataOf(result, kinds, about),
    },
    parts,
  );
}

function ledeOf({ finalists, target, winner }: TuneResult): Markup {
  const best = finalists.find(({ roles }) => roles.includes("winner"));
  const present = finalists.find(({ roles }) => roles.includes("present"));
  if (best?.onTime == null || best.work === null) {
    return html`<strong>${policyName(winner)}</strong> came out best of the search, but did not come to an end when it was measured again.`;
  }
  const reaches =
    best.onTime.ci95[0] >= target
      ? "surely reaches"
      : best.onTime.mean >= target
        ? "probably reaches"
        : "does not reach";
  const first = html`<strong>${policyName(winner)}</strong> answers ${share(best.onTime)} in time for ${work(best.work)} of machine-time per job, which ${reaches} ${figure(100 * target)} %`;
  if (best.effect === null) {
    return present === best ? html`${first}. It is the present policy: nothing better was found.` : html`${first}.`;
  }
  return html`${first}. Against the present policy that is ${signed(best.effect.onTime, 100)} points in time and ${signed(best.effect.work, 1e-3)} s of work.`;
}

function frontier(): Markup {
  return figureOf({
    id: "frontier-chart",
    title: "",
    means: "Scatter plot of the share of jobs in time against machine-time per job. The figures are in the tables.",
    caption: html`Share of jobs in time against machine-time per job, all copies counted. Small: what the search saw of each setting, over as few replications as it took to drop it. Large, with 95 % intervals: the best of each kind, documented settings and the present policy, measured with other random numbers. The line joins those of which none reaches as much for less work. The dashed lines are the target, and the clairvoyant, who knows all durations beforehand and never queues.`,
  });
}

function finalistsTable(finalists: readonly Finalist[], kinds: readonly string[]): Markup {
  const rows = finalists.map(
    ({ policy, roles, onTime, work: spent, effect }) =>
      html`<tr><td class="words"><i class="swatch" data-series="${kinds.indexOf(kindOf(policy))}"></i>${nameOf(policy)}</td><td class="words">${roles.join(", ")}</td>${cell("onTime", onTime, 100)}${cell("work", spent, 1e-3)}${cell("onTimeEffect", effect?.onTime ?? null, 100)}${cell("workEffect", effect?.work ?? null, 1e-3)}</tr>\n`,
  );
  const head = ["policy", "", "in time, %", "work per job, s", "less the present: in time, points", "work, s"];
  return tableOf("The best of each kind", head, 2, rows);
}

function triedTable(tried: readonly Tried[], kinds: readonly string[]): Markup {
  const rows = tried.map(
    ({ policy, replications, average, dropped }) =>
      html`<tr><td class="words"><i class="swatch" data-series="${kinds.indexOf(policy.kind)}"></i>${policyName(policy)}</td><td class="words">${dropped === null ? "stayed" : `dropped: ${dropped}`}</td><td>${replications}</td><td>${average === null ? "–" : figure(Number((100 * average.onTime).toFixed(2)))}</td><td>${average === null ? "–" : figure(Number((average.work / 1_000).toPrecision(4)))}</td></tr>\n`,
  );
  return tableOf("All that was tried", ["policy", "", "replications", "in time, %", "work per job, s"], 2, rows);
}

function tableOf(label: string, head: readonly string[], words: number, rows: readonly Markup[]): Markup {
  const titles = head.map((title, index) =>
    index < words ? html`<th scope="col" class="words">${title}</th>` : html`<th scope="col">${title}</th>`,
  );
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table class="points">
<thead><tr>${titles}</tr></thead>
<tbody>
${rows}</tbody></table></div>`;
}

function fileOf({ file }: TuneAbout): Markup {
  return html`<p class="note">Written to <code>${file.path}</code>.</p>
<pre id="policy"><code>${file.text}</code></pre>`;
}

function how({ target }: TuneResult, { command, caution, seed, deadlineMs }: TuneAbout): Markup {
  return html`<pre id="commands"><code>npx ${command}</code></pre>
<p class="note">In time means within ${duration(deadlineMs)}. Sought is the least work that answers ${figure(100 * target)} % in time, or else the most in time. All settings meet the same luck, replication by replication (seed ${seed}); at each look those leave of which paired intervals say, corrected for how many are compared, that they cannot be the best (racing elimination). What is told of those that are left was measured with other random numbers than the search had.</p>
${caution === undefined ? "" : html`<p class="note">${caution}</p>`}`;
}

function dataOf({ finalists, tried, bound, target }: TuneResult, kinds: readonly string[], about: TuneAbout): TuneData {
  return {
    kinds,
    target,
    deadlineMs: about.deadlineMs,
    tried: tried.flatMap(({ policy, average }) =>
      average === null ? [] : [{ series: kinds.indexOf(policy.kind), name: policyName(policy), ...average }],
    ),
    finalists: finalists.flatMap(({ policy, roles, onTime, work: spent }) =>
      onTime === null || spent === null
        ? []
        : [
            {
              series: kinds.indexOf(kindOf(policy)),
              name: nameOf(policy),
              onTime: onTime.mean,
              work: spent.mean,
              ends: { onTime: onTime.ci95, work: spent.ci95 },
              winner: roles.includes("winner"),
              present: roles.includes("present"),
            },
          ],
    ),
    bound: { onTime: bound.onTime.mean, work: bound.work.mean },
  };
}

function kindOf(policy: PolicySpec | "recorded"): string {
  return typeof policy === "string" ? policy : policy.kind;
}

function nameOf(policy: PolicySpec | "recorded"): string {
  return typeof policy === "string" ? "as recorded" : policyName(policy);
}

function cell(metric: string, span: Span | null, times: number): Markup {
  if (span === null) return html`<td data-metric="${metric}">–</td>`;
  const { mean, ends } = estimateText(times * span.mean, [times * span.ci95[0], times * span.ci95[1]]);
  return html`<td data-metric="${metric}"><data value="${String(span.mean)}">${mean}</data> <span class="ci">[${ends.join(", ")}]</span></td>`;
}

function share({ mean, ci95 }: Span): Markup {
  const text = estimateText(100 * mean, [100 * ci95[0], 100 * ci95[1]]);
  return html`${text.mean} % <span class="ci">[${text.ends.join(", ")}]</span>`;
}

function work({ mean, ci95 }: Span): Markup {
  const text = estimateText(mean / 1_000, [ci95[0] / 1_000, ci95[1] / 1_000]);
  return html`${text.mean} s <span class="ci">[${text.ends.join(", ")}]</span>`;
}

function signed({ mean, ci95 }: Span, times: number): Markup {
  const text = estimateText(times * mean, [times * ci95[0], times * ci95[1]]);
  return html`${mean > 0 ? "+" : ""}${text.mean} <span class="ci">[${text.ends.join(", ")}]</span>`;
}
