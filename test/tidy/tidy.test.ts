import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { INNOCENT, type Planted, VIOLATIONS } from "./planted.ts";
import { RULES } from "./rules.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What is made or fetched rather than written, as in .gitignore. */
const NOT_OURS = new Set([".git", "node_modules", "dist", "out", "coverage"]);
/** Text that people write. Other files (models, fixtures in binary) have no lines to judge. */
const TEXT = /(?:\.(?:ts|mjs|js|json|md|yml|yaml|html|css|csv|svg|txt)|\/run|\/[A-Z]+|^[A-Z]+|\.gitignore)$/;
/** The lockfile is npm's, and the planted violations are there to be found by the tests below. */
const NOT_JUDGED = new Set(["package-lock.json", "test/tidy/planted.ts"]);

function filesUnder(folder: string): string[] {
  const paths: string[] = [];
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isFile()) paths.push(path);
    else if (entry.isDirectory() && !NOT_OURS.has(entry.name)) paths.push(...filesUnder(path));
  }
  return paths;
}

/** Names a test by the beginning of its planted text, on one line. */
function titled(planted: readonly Planted[]): (Planted & { readonly title: string })[] {
  return planted.map((each) => ({ ...each, title: each.text.replaceAll("\n", "⏎").slice(0, 80) }));
}

describe("the tree", () => {
  const paths = filesUnder("");
  const judged = paths.filter((path) => TEXT.test(path) && !NOT_JUDGED.has(path));
  const texts = new Map(judged.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));

  it("is seen whole", () => {
    expect(judged).toEqual(
      expect.arrayContaining(["scheduler/engine/events.ts", "policies/policy.ts", ".ci/run", "LICENSE"]),
    );
  });

  it.each(Object.entries(RULES))("keeps the rule %s", (_name, rule) => {
    const found = [...texts].flatMap(([path, text]) => rule(path, text).map((violation) => `${path}: ${violation}`));
    expect(found).toEqual([]);
  });
});

describe("the rules", () => {
  it.each(titled(VIOLATIONS))("$rule finds in $path: $title", ({ rule, path, text }) => {
    expect(RULES[rule](path, text)).not.toEqual([]);
  });

  it.each(titled(INNOCENT))("$rule passes in $path: $title", ({ rule, path, text }) => {
    expect(RULES[rule](path, text)).toEqual([]);
  });

  it("each have a planted violation and an innocent likeness", () => {
    const names = Object.keys(RULES).sort();
    expect([...new Set(VIOLATIONS.map((planted) => planted.rule))].sort()).toEqual(names);
    expect([...new Set(INNOCENT.map((planted) => planted.rule))].sort()).toEqual(names);
  });
});
