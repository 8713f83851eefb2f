import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemText } from "../../../../scheduler/files/problems.ts";
import { NODE_FIELDS } from "../../../../scheduler/node/file/node-fields.ts";
import { readNodeText } from "../../../../scheduler/node/file/node-file.ts";
import { formatTable } from "../../../../sim/experiment/format-table.ts";

const page = readFileSync(fileURLToPath(new URL("../../../../docs/NODE.md", import.meta.url)), "utf8");
const example = /^```yaml\n(.*?)^```$/ms.exec(page)?.[1] ?? "";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "pipe-node-docs-"));
  for (const name of ["node.key", "alder-1.creds"]) writeFileSync(join(directory, name), "");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("docs/NODE.md", () => {
  it("has the table of keys that the parser checks", () => {
    const table = page.slice(page.indexOf("| Key | Value"), page.indexOf("\n\nA node's models must"));
    expect(table).toBe(formatTable(NODE_FIELDS));
  });

  it("shows a file that can be followed", () => {
    expect(readNodeText(example, directory)).toMatchObject({ ok: true, sections: { id: "alder-1" } });
  });

  it("shows what is said of a mistake", () => {
    const read = readNodeText(example.replace("kind: openai", "kind: opanai"), directory);
    expect(read.ok ? "" : read.problems.map((problem) => problemText("pipe.node.yaml", problem)).join("\n")).not.toBe(
      "",
    );
    for (const problem of read.ok ? [] : read.problems) expect(page).toContain(problemText("pipe.node.yaml", problem));
  });
});
