import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { cleanUp, liveThroughChallenges, makeDirectory, schedulerKey } from "../unit/records/producer.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
afterAll(cleanUp);

test("the example validator finds every block valid, and a foreign key out", { timeout: 120_000 }, async () => {
  const { directory } = await makeDirectory(liveThroughChallenges);
  await mkdir(join(root, "out"), { recursive: true });
  const place = await mkdtemp(join(root, "out", "docs-"));
  try {
    const program = await readFile(join(root, "docs", "examples", "verify-block.ts"), "utf8");
    const entry = new URL("../../scheduler/index.ts", import.meta.url).href;
    const path = join(place, "program.ts");
    await writeFile(path, program.replaceAll('"pipe-scheduler"', JSON.stringify(entry)));
    const run = async (key: string) => (await promisify(execFile)(process.execPath, [path, directory, key])).stdout;
    const blocks = Array.from({ length: 40 }, (_, i) => `block ${i + 1}: `);
    expect(await run(schedulerKey.publicKeyHex)).toBe(blocks.map((block) => `${block}valid\n`).join(""));
    expect(await run("00".repeat(32))).toBe(
      blocks.map((block) => `${block}is not signed with the scheduler's key\n`).join(""),
    );
  } finally {
    await rm(place, { recursive: true, force: true });
  }
});
