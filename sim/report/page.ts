import { embeddedJson, embeddedScript, html, Markup } from "./markup.ts";

/** What a page is made of beside its contents; `readPageParts` finds it on disk. */
export interface PageParts {
  readonly style: string;
  /** Programs of libraries, in the order in which they are to run. */
  readonly libraries: readonly string[];
  /** Our programs, as modules of which each may import those before it. */
  readonly programs: readonly string[];
}

export interface Page {
  readonly title: string;
  readonly lede: Markup;
  /** A line of facts below the lede. */
  readonly facts: readonly string[];
  readonly sections: readonly Section[];
  readonly footer: Markup;
  /** For the page's programs, under the id `data`. Plain data. */
  readonly data: unknown;
}

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Markup;
}

/**
 * One HTML page that needs nothing but itself: style, programs and data are inside, and its security policy keeps it from
 * loading anything else. Light or dark as the reader's system is.
 */
export function renderPage({ title, lede, facts, sections, footer, data }: Page, parts: PageParts): string {
  const listed = sections.filter((section) => section.title !== "");
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<link rel="icon" href="data:,">
<title>${title} · PIPE</title>
<style>${new Markup(parts.style.replaceAll("</", "<\\/"))}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="lede">${lede}</p>
<ul class="facts">${facts.map((fact) => html`<li>${fact}</li>`)}</ul>
</header>
<nav aria-label="Sections">${listed.map(({ id, title: name }) => html`<a href="#${id}">${name}</a> `)}</nav>
<main>
<noscript><p class="note">The pictures are drawn by a program in this page, which is switched off here. All figures are in the tables.</p></noscript>
${sections.map(
  ({ id, title: name, body }) => html`<section id="${id}">${name === "" ? "" : html`<h2>${name}</h2>`}
${body}
</section>
`,
)}</main>
<footer>${footer}</footer>
${embeddedJson("data", data)}
${parts.libraries.map((library) => html`${embeddedScript(library, "classic")}\n`)}${embeddedScript(joined(parts.programs), "module")}
</body>
</html>
`;
  return page.text;
}

/** Nothing from anywhere else: a report of one's own experiments tells nobody that it is read. */
const POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

/** A place for a picture, which the page's program fills. `means` is what those hear who do not see it. */
export function figureOf(options: {
  readonly id: string;
  /** Empty where the section has no other figure. */
  readonly title: string;
  readonly means: string;
  readonly caption: Markup;
}): Markup {
  const { id, title, means, caption } = options;
  return html`<figure id="${id}">
${title === "" ? "" : html`<h3>${title}</h3>`}
<div class="controls"></div>
<div class="chart" data-means="${means}"></div>
<figcaption>${caption}</figcaption>
</figure>`;
}

/** Modules as one: each sees what those before it export, so that imports and the word `export` can go. */
function joined(programs: readonly string[]): string {
  return programs
    .map((program) =>
      program.replaceAll(/^import\b[^;]*;\n/gm, "").replaceAll(/^export (?=const|function|class)/gm, ""),
    )
    .join("\n");
}
