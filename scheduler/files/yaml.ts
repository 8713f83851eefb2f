import { isAlias, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml";
import type { Document, YAMLError, YAMLMap } from "yaml";

/** What YAML and JSON texts hold. */
export type Plain = null | boolean | number | string | readonly Plain[] | PlainSection;
export type PlainSection = { readonly [key: string]: Plain };

/** Keys and list positions from the top of a file. */
export type Path = readonly (string | number)[];

/** A text's value, and where its parts stand in the text. */
export interface YamlText {
  readonly value: Plain;
  /** Where the value at a path stands; where the nearest section around it stands when there is none. */
  placeOf(path: Path): TextPlace | undefined;
  /** The line of that place. */
  lineOf(path: Path): number | undefined;
}

/** A place in a text, both counted from 1. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

/** Something because of which a text is no YAML. */
export interface TextFault {
  readonly place: TextPlace | undefined;
  readonly message: string;
}

export type ReadYaml =
  | { readonly ok: true; readonly text: YamlText }
  /** What is wrong, as sentences with their places and the lines meant, and the same as data. */
  | { readonly ok: false; readonly troubles: readonly string[]; readonly faults: readonly TextFault[] };

/** References to anchors could make a small text into a huge value. */
const MAX_ALIASES = 100;

/** Reads YAML, of which JSON is a part, into plain data. Never throws. */
export function readYaml(text: string, maxBytes: number): ReadYaml {
  if (Buffer.byteLength(text) > maxBytes) return failed(`the file is longer than ${maxBytes} bytes`);
  const lines = new LineCounter();
  // Its own check compares each key with all before it: minutes, for a section as long as a file may be.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: true,
    uniqueKeys: false,
    logLevel: "error",
  });
  if (document.errors.length > 0) {
    const { errors } = document;
    return { ok: false, troubles: errors.map(({ message }) => message.trimEnd()), faults: errors.map(faultOf) };
  }
  let aliases = 0;
  const twice: number[] = [];
  visit(document, { Alias: () => void aliases++, Map: (_, map) => void twice.push(...givenTwice(map)) });
  if (twice.length > 0) {
    const places = twice.map((start) => lines.linePos(start));
    return {
      ok: false,
      troubles: places.map(({ line, col }) => `${TWICE} at line ${line}, column ${col}`),
      faults: places.map(({ line, col }) => ({ place: { line, column: col }, message: TWICE })),
    };
  }
  if (aliases > MAX_ALIASES) return failed(`the file has more than ${MAX_ALIASES} references to anchors (*name)`);
  try {
    // Through JSON, which refuses sections within themselves and leaves plain data only.
    const value = JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES })) ?? "null") as Plain;
    const place = (path: Path) => placeOf(document, lines, path);
    return { ok: true, text: { value, placeOf: place, lineOf: (path) => place(path)?.line } };
  } catch (error) {
    return failed(`the file is not plain data: ${(error as Error).message}`);
  }
}

const TWICE = "Map keys must be unique";

/** Where keys stand that stand in this section before, too. */
function givenTwice({ items }: YAMLMap): number[] {
  const seen = new Set<unknown>();
  return items.flatMap(({ key }) => {
    if (!isScalar(key)) return [];
    const again = seen.has(key.value);
    seen.add(key.value);
    return again ? [key.range?.[0] ?? 0] : [];
  });
}

function failed(message: string): ReadYaml {
  return { ok: false, troubles: [message], faults: [{ place: undefined, message }] };
}

/** The first line of the message says it, and ends with the place; the lines of the text follow. */
function faultOf({ message, linePos }: YAMLError): TextFault {
  const place = linePos === undefined ? undefined : { line: linePos[0].line, column: linePos[0].col };
  const [sentence = message] = message.split("\n");
  return { place, message: sentence.replace(/ at line \d+, column \d+:?$/, "") };
}

function placeOf(document: Document.Parsed, lines: LineCounter, path: Path): TextPlace | undefined {
  for (let length = path.length; length > 0; length--) {
    const start = startOf(document, path.slice(0, length));
    if (start === undefined) continue;
    const { line, col } = lines.linePos(start);
    return { line, column: col };
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
