import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { ATTESTATION_FAULTS } from "../../../scheduler/proofs/nitro/faults.ts";

const run = promisify(execFile);
const root = new URL("../../../", import.meta.url);
const page = await readFile(new URL("docs/ATTESTATION.md", root), "utf8");

it("the program of docs/ATTESTATION.md runs and says what it says", async () => {
  const program = /^```ts\n(.*?)^```$/ms.exec(page)?.[1] ?? "";
  await mkdir(new URL("out/", root), { recursive: true });
  const place = await mkdtemp(fileURLToPath(new URL("out/attestation-", root)));
  try {
    const path = join(place, "program.ts");
    await writeFile(path, program.replaceAll('"./scheduler/', `"${root.href}scheduler/`));
    const { stdout, stderr } = await run(process.execPath, [path], { timeout: 15_000 });
    expect(stderr).toBe("");
    expect(stdout.trimEnd().split("\n")).toEqual([
      "signature: true",
      "emulated: true, holds for 60 minutes",
      expect.stringMatching(/^too-old: The document is older .*\.$/),
    ]);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
});

it("docs/ATTESTATION.md names every reason once, in the order in which faults are looked for", () => {
  const rows = page
    .split("\n")
    .filter((line) => /^\| (?:bytes|message|payload|chain|signature|time|image|binding) \|/.test(line));
  const named = rows.flatMap((row) =>
    [...(row.split("|")[3] ?? "").matchAll(/`([a-z0-9-]+)`/g)].map(([, reason]) => reason),
  );
  expect(named).toEqual(ATTESTATION_FAULTS);
});
