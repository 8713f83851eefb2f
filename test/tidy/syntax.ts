import { parseAst } from "vitest/node";

/** A node of the syntax tree, as far as the rules look at it: its type, and whatever else it has by name. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly [property: string]: unknown;
}

/** One import or re-export; `typeOnly` ones leave nothing in the running program. */
export interface ImportStatement {
  readonly from: string;
  /** The names as the other module calls them; empty where everything is taken, or only the module's effects. */
  readonly names: readonly string[];
  readonly typeOnly: boolean;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** Parses TypeScript; comments and the contents of strings are no part of the tree. Throws where the text is not valid. */
export function parse(path: string, text: string): SyntaxNode {
  return parseAst(text, { lang: "ts" }, path) as unknown as SyntaxNode;
}

/** Visits each node before its children. */
export function walk(node: SyntaxNode, visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => void): void {
  descend(node, undefined, visit);
}

function descend(
  node: SyntaxNode,
  parent: SyntaxNode | undefined,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => void,
): void {
  visit(node, parent);
  for (const property of Object.values(node)) {
    const children: unknown[] = Array.isArray(property) ? property : [property];
    for (const child of children) if (isNode(child)) descend(child, node, visit);
  }
}

/** The name of an identifier, the text of a string literal, or `undefined` for any other node. */
export function wordOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  const word = node.type === "Identifier" ? node["name"] : node.type === "Literal" ? node["value"] : undefined;
  return typeof word === "string" ? word : undefined;
}

/** Whether this identifier only names a member (`x.name`, `{ name: … }`), so that it refers to nothing in scope. */
export function isMemberName(node: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  if (parent === undefined || parent["computed"] === true) return false;
  if (parent["shorthand"] === true) return false;
  return parent["property"] === node || parent["key"] === node;
}

/** Each static import, re-export, dynamic import and type import of a file. */
export function importsOf(program: SyntaxNode): ImportStatement[] {
  const imports: ImportStatement[] = [];
  walk(program, (node) => {
    const from = wordOf(node["source"]);
    if (from === undefined) return;
    const inTypes = node.type === "TSImportType";
    if (!inTypes && !/^(?:Import|Export)/.test(node.type)) return;
    const specifiers = (node["specifiers"] ?? []) as SyntaxNode[];
    const names = specifiers.map((each) => wordOf(each["imported"] ?? each["local"]) ?? "");
    const takesAll = specifiers.some((each) => each.type === "ImportNamespaceSpecifier");
    imports.push({ from, names: takesAll ? [] : names, typeOnly: inTypes || isTypeOnly(node, specifiers) });
  });
  return imports;
}

function isTypeOnly(node: SyntaxNode, specifiers: readonly SyntaxNode[]): boolean {
  if (node["importKind"] === "type" || node["exportKind"] === "type") return true;
  if (specifiers.length === 0) return false;
  return specifiers.every((each) => each["importKind"] === "type" || each["exportKind"] === "type");
}
