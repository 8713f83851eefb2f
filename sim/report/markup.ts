/** HTML that is safe to put into a page: everything in it was either written here or escaped. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Markup | string | number | undefined | readonly Part[];

/** A template whose parts are escaped unless they are markup themselves; lists are joined, `undefined` is nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(
    strings.map((string, index) => string + (index < parts.length ? markupOf(parts[index]) : "")).join(""),
  );
}

function markupOf(part: Part): string {
  if (part === undefined) return "";
  if (part instanceof Markup) return part.text;
  if (typeof part === "object") return part.map(markupOf).join("");
  return escaped(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** Data for the page's program. No `<` is left, so that no text in it can end its element or begin another. */
export function embeddedJson(id: string, data: unknown): Markup {
  const text = JSON.stringify(data).replaceAll("<", "\\u003c");
  return html`<script type="application/json" id="${id}">${new Markup(text)}</script>`;
}

/** A program of ours or of a library, as it is. In JavaScript `<\/` means `</`, and only in literals can it stand. */
export function embeddedScript(program: string, kind: "classic" | "module"): Markup {
  const text = new Markup(program.replaceAll(/<\/(?=script)/gi, "<\\/"));
  return kind === "module" ? html`<script type="module">${text}</script>` : html`<script>${text}</script>`;
}
