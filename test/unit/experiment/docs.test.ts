import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { EXPERIMENT_FIELDS } from "../../../sim/experiment/format.ts";
import { formatTable } from "../../../sim/experiment/format-table.ts";
import { parseExperimentFile } from "../../../sim/experiment/parse.ts";

const docs = fileURLToPath(new URL("../../../docs/", import.meta.url));

describe("docs/SIMULATOR.md", () => {
  it("has the table of keys that the parser checks", () => {
    const page = readFileSync(`${docs}SIMULATOR.md`, "utf8");
    const table = page.slice(page.indexOf("| Key | Value"), page.indexOf("\n\n## What is modelled"));
    expect(table).toBe(formatTable(EXPERIMENT_FIELDS));
  });

  it.each(readdirSync(`${docs}experiments`))("docs/experiments/%s is an experiment", (name) => {
    const parsed = parseExperimentFile(readFileSync(`${docs}experiments/${name}`, "utf8"), `${docs}experiments`);
    expect(parsed).toMatchObject({ ok: true });
  });
});
