import { ascending, quantile } from "../../sim/recorded/distance.ts";
import { html, Markup } from "../../sim/report/markup.ts";
import { renderPage } from "../../sim/report/page.ts";
import { readPageParts } from "../../sim/report/page-parts.ts";
import { PROGRAM } from "../live/program.ts";
import type { TwinReport } from "./recorded-twin.ts";

/** Name of the page in the run's directory. */
export const TWIN_PAGE = "twin.html";

const WIDTH = 960;
const HEIGHT = 420;
const LEFT = 84;
const RIGHT = 24;
const TOP = 16;
const BOTTOM = 64;
/** Steps of a curve: more than there are pixels would not be seen. */
const MAX_STEPS = 600;

/** One HTML page: distribution functions of the job latencies of a live run and of each replication of its twin. */
export function twinPage(
  report: TwinReport,
  live: readonly number[],
  replications: readonly (readonly number[])[],
): string {
  const { likeness, quantiles, counts, modes, maxDistance, options, jobs } = report;
  const facts = [
    `${jobs.live} jobs, ${replications.length} replications`,
    `distance ${likeness.distance.toFixed(3)}, limit ${maxDistance}`,
    `seed ${options.seed}, policy ${options.policy}, ${options.blocks} blocks`,
    PROGRAM,
  ];
  return renderPage(
    {
      title: "A live run and its twin",
      lede: html`How long jobs took in a live run, and in simulations of it with the same users, blocks, node profiles and policy. ${inWords(report)}`,
      facts,
      sections: [
        {
          id: "distributions",
          title: "Job latencies",
          body: html`<figure>${chart(live, replications)}
<figcaption>Share of jobs decided within a time, from the opening of the race. Thick: the live run. Thin: all replications of the
twin together. Faint: single replications, which show what chance alone does.</figcaption></figure>
${tableOf(
  ["percentile", "live, ms", "twin, ms"],
  quantiles.map(({ p, liveMs, twinMs }) => [`p${+(100 * p).toFixed(1)}`, liveMs.toFixed(1), twinMs.toFixed(1)]),
)}`,
        },
        {
          id: "modes",
          title: "By mode of verification",
          body: tableOf(
            ["", "distance", "jobs live", "twin", "p50 live, ms", "twin"],
            modes.map(({ mode, jobs: decided, p50Ms, distance }) => [
              mode,
              distance.toFixed(3),
              ...[decided.live, decided.twin, p50Ms.live, p50Ms.twin].map((value) => String(+value.toFixed(1))),
            ]),
          ),
        },
        {
          id: "counts",
          title: "Counts",
          body: tableOf(
            ["", "live", "twin"],
            counts.map(({ what, live: real, twin }) => [what, String(+real.toFixed(1)), String(+twin.toFixed(1))]),
          ),
        },
      ],
      footer: html`Written by <code>pipe sim twin</code>. docs/SIMULATOR.md says what is the same in both and what is measured.`,
      data: report,
    },
    // The pictures are in the page already.
    { ...readPageParts([]), libraries: [], programs: [] },
  );
}

/** What the distance means, for who does not know it by name. */
function inWords({ verdict, likeness, maxDistance, jobs, maxMissing }: TwinReport): string {
  const points = (share: number): string => `${+(100 * share).toFixed(1)}`;
  const apart = `At no time do the shares of jobs decided by then differ by more than ${points(likeness.distance)} percentage points; ${points(maxDistance)} are allowed.`;
  const missing = Math.abs(jobs.twin / jobs.live - 1) > maxMissing ? " They do not decide as many jobs." : "";
  return `They are ${verdict}. ${apart}${missing}`;
}

function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): Markup {
  return html`<div class="scroll"><table>
<thead><tr>${header.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>${rows.map(([name, ...cells]) => html`<tr><th scope="row" class="words">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>\n`)}</tbody>
</table></div>`;
}

/** Distribution functions over a logarithmic time axis, as SVG. */
function chart(live: readonly number[], replications: readonly (readonly number[])[]): Markup {
  const all = ascending([...live, ...replications.flat()].map((value) => Math.max(value, 0.1)));
  const scale = logScale(quantile(all, 0.001) / 1.2, (all.at(-1) ?? 1) * 1.1);
  const label = "Distribution functions of job latencies: the live run's and the twin's";
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}" style="width:100%;height:auto" class="distributions">
<style>.distributions text{font:13px system-ui,sans-serif}@media(max-width:40rem){.distributions text{font-size:26px}.distributions .between{display:none}}</style>
${ticksOf(scale.from, scale.to).map(
  (ms) => html`<line x1="${scale.x(ms)}" x2="${scale.x(ms)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="var(--line)"/>
<text x="${scale.x(ms)}" y="${HEIGHT - BOTTOM + 26}" text-anchor="middle" fill="var(--soft)"${isPowerOfTen(ms) ? "" : new Markup(' class="between"')}>${ms.toLocaleString("en-US")}</text>\n`,
)}${[0, 0.25, 0.5, 0.75, 1].map(
  (share) => html`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(share)}" y2="${y(share)}" stroke="var(--line)"/>
<text x="${LEFT - 8}" y="${y(share) + 4}" text-anchor="end" fill="var(--soft)">${100 * share} %</text>\n`,
)}<text x="${WIDTH / 2}" y="${HEIGHT - 6}" text-anchor="middle" fill="var(--soft)">milliseconds</text>
${replications.map((latencies) => curve(latencies, scale, "stroke:var(--series-2);stroke-width:1;opacity:.18"))}
${curve(replications.flat(), scale, "stroke:var(--series-2);stroke-width:1.5")}
${curve(live, scale, "stroke:var(--series-1);stroke-width:3;opacity:.8")}
<text x="${LEFT + 12}" y="${TOP + 20}" fill="var(--series-1)">live</text>
<text x="${LEFT + 12}" y="${TOP + 46}" fill="var(--series-2)">twin</text>
</svg>`;
}

function y(share: number): number {
  return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
}

interface Scale {
  readonly from: number;
  readonly to: number;
  readonly x: (ms: number) => number;
}

function logScale(from: number, to: number): Scale {
  const span = Math.log(to / from);
  const within = (ms: number): number => Math.min(Math.max(ms, from), to);
  return {
    from,
    to,
    x: (ms) => round(LEFT + (Math.log(within(ms) / from) / span) * (WIDTH - LEFT - RIGHT)),
  };
}

function ticksOf(from: number, to: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(from)); 10 ** power <= to; power++) {
    for (const digit of [1, 2, 5]) ticks.push(+(digit * 10 ** power).toPrecision(1));
  }
  return ticks.filter((tick) => tick >= from && tick <= to);
}

function isPowerOfTen(ms: number): boolean {
  return Number.isInteger(Math.log10(ms));
}

function curve(latencies: readonly number[], scale: Scale, style: string): Markup {
  const sorted = ascending(latencies);
  const steps = Math.min(sorted.length, MAX_STEPS);
  let path = `M${LEFT},${y(0)}`;
  for (let step = 1; step <= steps; step++) {
    const share = step / steps;
    path += `H${scale.x(quantile(sorted, share))}V${round(y(share))}`;
  }
  return html`<path d="${path}H${WIDTH - RIGHT}" fill="none" style="${style}"/>\n`;
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}
