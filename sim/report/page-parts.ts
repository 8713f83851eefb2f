import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { PageParts } from "./page.ts";

const require = createRequire(import.meta.url);

/** Charting libraries as their packages ship them for a `<script>`, and what they say of themselves. */
const LIBRARIES = [
  { name: "d3", entry: require.resolve("d3"), file: "dist/d3.min.js" },
  { name: "@observablehq/plot", entry: require.resolve("@observablehq/plot"), file: "dist/plot.umd.min.js" },
] as const;

/** What every page with charts has; its own programs come after `frame.mjs`, by their names in `browser/`. */
export function readPageParts(programs: readonly string[]): PageParts {
  const ours = (file: string): string => readFileSync(new URL(`./browser/${file}`, import.meta.url), "utf8");
  return {
    style: ours("page.css"),
    libraries: LIBRARIES.map((library) => readFileSync(join(folderOf(library), library.file), "utf8")),
    programs: ["frame.mjs", ...programs].map(ours),
  };
}

/** Where a package is installed. Its files need not be among what it exports, so it is found by what it does export. */
function folderOf({ name, entry }: { readonly name: string; readonly entry: string }): string {
  let folder = dirname(entry);
  while (manifestName(folder) !== name) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`${name} is not where it was resolved to`);
    folder = parent;
  }
  return folder;
}

function manifestName(folder: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string }).name;
  } catch {
    return undefined;
  }
}
