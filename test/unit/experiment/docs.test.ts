import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { EXPERIMENT_FIELDS } from "../../../sim/experiment/format.ts";
import { formatTable } from "../../../sim/experiment/format-table.ts";
import { parseExperimentFile } from "../../../sim/experiment/parse.ts";

const docs = fileURLToPath(new URL("../../../docs/", import.meta.url));

/** Traces need not be there for a file to be right: in their place any file does, since only running one reads it. */
function withFiles(text: string): string {
  return text.replaceAll(/(?<=\bfile: )[^\s,}]+/g, (file) =>
    existsSync(resolve(docs, "experiments", file)) ? file : fileURLToPath(import.meta.url),
  );
}

describe("docs/SIMULATOR.md", () => {
  it("has the table of keys that the parser checks", () => {
    const page = readFileSync(`${docs}SIMULATOR.md`, "utf8");
    const table = page.slice(page.indexOf("| Key | Value"), page.indexOf("\n\n## What is modelled"));
    expect(table).toBe(formatTable(EXPERIMENT_FIELDS));
  });

  it.each(readdirSync(`${docs}experiments`))("docs/experiments/%s is an experiment", (name) => {
    const text = readFileSync(`${docs}experiments/${name}`, "utf8");
    const parsed = parseExperimentFile(withFiles(text), `${docs}experiments`);
    expect(parsed).toMatchObject({ ok: true });
  });
});
