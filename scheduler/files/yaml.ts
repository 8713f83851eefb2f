import { isAlias, isMap, isNode, LineCounter, parseDocument, visit } from "yaml";
import type { Document } from "yaml";

/** What YAML and JSON texts hold. */
export type Plain = null | boolean | number | string | readonly Plain[] | PlainSection;
export type PlainSection = { readonly [key: string]: Plain };

/** Keys and list positions from the top of a file. */
export type Path = readonly (string | number)[];

/** A text's value, and where its parts stand in the text. */
export interface YamlText {
  readonly value: Plain;
  /** The line of the value at a path, counted from 1; of the nearest section around it when there is none. */
  lineOf(path: Path): number | undefined;
}

export type ReadYaml =
  | { readonly ok: true; readonly text: YamlText }
  /** What is wrong, each with its place where it has one. */
  | { readonly ok: false; readonly troubles: readonly string[] };

/** References to anchors could make a small text into a huge value. */
const MAX_ALIASES = 100;

/** Reads YAML, of which JSON is a part, into plain data. Never throws. */
export function readYaml(text: string, maxBytes: number): ReadYaml {
  if (Buffer.byteLength(text) > maxBytes) return failed([`the file is longer than ${maxBytes} bytes`]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true, uniqueKeys: true, logLevel: "error" });
  if (document.errors.length > 0) return failed(document.errors.map((error) => error.message.trimEnd()));
  let aliases = 0;
  visit(document, { Alias: () => void aliases++ });
  if (aliases > MAX_ALIASES) return failed([`the file has more than ${MAX_ALIASES} references to anchors (*name)`]);
  try {
    // Through JSON, which refuses sections within themselves and leaves plain data only.
    const value = JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES })) ?? "null") as Plain;
    return { ok: true, text: { value, lineOf: (path) => lineOf(document, lines, path) } };
  } catch (error) {
    return failed([`the file is not plain data: ${(error as Error).message}`]);
  }
}

function failed(troubles: readonly string[]): ReadYaml {
  return { ok: false, troubles };
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: Path): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const start = startOf(document, path.slice(0, length));
    if (start !== undefined) return lines.linePos(start).line;
  }
  return undefined;
}

function startOf(document: Document.Parsed, path: Path): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const map = isAlias(parent) ? parent.resolve(document) : parent;
  if (isMap(map)) {
    // The key's line, not the value's: a section begins on the line after its key.
    const pair = map.items.find((item) => isNode(item.key) && String(item.key) === String(path.at(-1)));
    if (isNode(pair?.key)) return pair.key.range?.[0];
    return undefined;
  }
  const node = document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}
