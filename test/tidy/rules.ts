import { importTrouble, isPure } from "./layers.ts";
import { importsOf, isMemberName, parse, type SyntaxNode, walk, wordOf } from "./syntax.ts";

/**
 * What prose cannot keep. A rule is a function of a file's path (from the root, with slashes) and its text, and returns one
 * sentence per violation, so that a rule is tested by feeding it violations.
 */
export type Rule = (path: string, text: string) => string[];

/** Lines after which a file has more than one subject. */
export const MAX_LINES = 500;

const TOP_FOLDERS = [".ci", "docs", "mempool", "policies", "scheduler", "sim", "test"];

/** Names whose mere use makes a result depend on the time, the machine, or the order in which promises settle. */
const IMPURE_GLOBALS = new Set(
  (
    "Date performance setTimeout setInterval setImmediate queueMicrotask process Promise PromiseLike fetch crypto console " +
    "globalThis Intl Atomics FinalizationRegistry WeakRef"
  ).split(" "),
);
/** Methods whose result depends on the machine's language settings. */
const LOCALE_METHODS = new Set(["localeCompare", "toLocaleString", "toLocaleLowerCase", "toLocaleUpperCase"]);

const isTypeScript = (path: string): boolean => path.endsWith(".ts");

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** The pure parts have no clock, chance, timer, promise, process or locale. */
export const pureIsPure: Rule = (path, text) => {
  if (!isTypeScript(path) || !isPure(path)) return [];
  const violations: string[] = [];
  walk(parse(path, text), (node, parent) => {
    const what = impurity(node, parent);
    if (what !== undefined) violations.push(`line ${lineOf(text, node.start)}: ${what} in a pure part`);
  });
  return violations;
};

function impurity(node: SyntaxNode, parent: SyntaxNode | undefined): string | undefined {
  if (node.type === "AwaitExpression" || node["await"] === true) return "await";
  if (node["async"] === true) return "async";
  if (node.type === "ImportExpression") return "import()";
  if (node.type === "MemberExpression") {
    const member = wordOf(node["property"]) ?? "";
    if (wordOf(node["object"]) === "Math" && member === "random") return "Math.random";
    return LOCALE_METHODS.has(member) ? member : undefined;
  }
  const name = node.type === "Identifier" ? wordOf(node) : undefined;
  if (name === undefined || !IMPURE_GLOBALS.has(name)) return undefined;
  return isMemberName(node, parent) ? undefined : name;
}

/** Imports point in one direction, and packages stay where they belong. */
export const importsPointDown: Rule = (path, text) => {
  if (!isTypeScript(path)) return [];
  const troubles = importsOf(parse(path, text)).map((statement) => importTrouble(path, statement));
  return troubles.filter((trouble) => trouble !== undefined);
};

export const filesAreShort: Rule = (path, text) => {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return isTypeScript(path) && lines > MAX_LINES ? [`${lines} lines, more than ${MAX_LINES}`] : [];
};

/** Whoever silences a tool says why, in at least a few words. */
export const silencingIsExplained: Rule = (path, text) => {
  if (!/\.(?:ts|mjs|js)$/.test(path)) return [];
  return eachLine(text, (line) => {
    if (/@ts-(?:ignore|nocheck)\b/.test(line))
      return "silences the compiler without noticing when there is nothing to silence";
    const silenced = /(?:biome-ignore(?:-\w+)?|@ts-expect-error)\b(.*)/.exec(line);
    if (silenced === null) return undefined;
    return /:\s*[^<\s].{9,}/.test(silenced[1] ?? "") ? undefined : "silences a tool without saying why";
  });
};

/** A path of the machine on which something was written means nothing on any other. */
export const noMachinePaths: Rule = (_path, text) =>
  eachLine(text, (line) =>
    /(?<![\w.~-])\/(?:work|root|tmp)\//.test(line) ? "holds a path of one machine" : undefined,
  );

/** Work is finished or not begun. The brackets keep this pattern from finding itself. */
export const nothingLeftToDo: Rule = (path, text) => {
  if (!/\.(?:ts|mjs|js|md)$/.test(path)) return [];
  return eachLine(text, (line) => (/\b(?:[T]ODO|[F]IXME|[X]XX)\b/.test(line) ? "leaves work undone" : undefined));
};

/** The root holds these folders and plain files. */
export const knownFolders: Rule = (path) => {
  const folder = path.includes("/") ? path.slice(0, path.indexOf("/")) : undefined;
  return folder === undefined || TOP_FOLDERS.includes(folder) ? [] : [`${folder}/ is not a folder of this repository`];
};

function eachLine(text: string, trouble: (line: string) => string | undefined): string[] {
  const violations: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const what = trouble(line);
    if (what !== undefined) violations.push(`line ${index + 1}: ${what}`);
  }
  return violations;
}

export const RULES = {
  pureIsPure,
  importsPointDown,
  filesAreShort,
  silencingIsExplained,
  noMachinePaths,
  nothingLeftToDo,
  knownFolders,
} as const satisfies Record<string, Rule>;
