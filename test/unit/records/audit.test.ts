import { appendFile, cp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { auditOrder } from "../../../scheduler/cli/order.ts";
import { formatReport, verifyReceipts } from "../../../scheduler/cli/receipts.ts";
import { fileOf } from "../../../scheduler/live/records-lines.ts";
import { checkManifest, MANIFEST_FILE, writeManifest } from "../../../scheduler/live/records-manifest.ts";
import { cleanUp, keyOf, makeDirectory, schedulerKey, temporaryDirectory } from "./producer.ts";

let source: string;

beforeAll(async () => {
  source = (await makeDirectory()).directory;
});
afterAll(cleanUp);

async function copyOfSource(): Promise<string> {
  const directory = await temporaryDirectory();
  await cp(source, directory, { recursive: true });
  return directory;
}

const verify = (directory: string) => verifyReceipts(directory, { key: schedulerKey.publicKeyHex });

describe("the audits of an honest directory", () => {
  it("find nothing and say how much they checked", async () => {
    const receipts = await verify(source);
    expect(receipts).toMatchObject({ exitCode: 0, findingsTotal: 0, manifest: false });
    expect(receipts.counts).toMatchObject({ blocks: 5, "blocks on the chain": 4, receipts: 11, payments: 7, nodes: 3 });
    const order = await auditOrder(source);
    expect(order).toMatchObject({ exitCode: 0, findingsTotal: 0 });
    expect(order.counts).toMatchObject({ "transactions admitted": 6, "jobs launched": 8, "jobs waiting": 0 });
    expect(formatReport(receipts)).toContain("all is well");
  });

  it("find nothing before the first block either", async () => {
    const directory = await copyOfSource();
    for (const log of ["blocks", "receipts", "ledger", "order", "evidence"] as const)
      await truncate(join(directory, fileOf(log)), 0);
    expect((await verify(directory)).exitCode).toBe(0);
    expect((await auditOrder(directory)).exitCode).toBe(0);
  });
});

describe("one changed byte", () => {
  const RECEIPT_FILES = ["registry", "blocks", "ledger", "receipts", "evidence"] as const;
  const ORDER_FILES = ["order", "blocks"] as const;
  const SAMPLES = 60;

  /** Changes one byte at a time, at many places, and gives the places at which the audit still found nothing. */
  async function undetected(
    name: string,
    run: (directory: string) => Promise<{ readonly exitCode: number }>,
    seal: boolean,
  ) {
    const directory = await copyOfSource();
    if (seal) await writeManifest(directory);
    const path = join(directory, name);
    const bytes = await readFile(path);
    const missed: string[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      // First and last byte, and places between them spread evenly; another bit each time.
      const at = Math.round((sample / (SAMPLES - 1)) * (bytes.length - 1));
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << (sample % 8));
      await writeFile(path, changed);
      if ((await run(directory)).exitCode !== 1) missed.push(`byte ${at}, bit ${sample % 8}`);
    }
    return missed;
  }

  it.each(RECEIPT_FILES)("in %s.jsonl is found by receipts verify", async (log) => {
    expect(await undetected(fileOf(log), verify, false)).toEqual([]);
  });
  it.each(ORDER_FILES)("in %s.jsonl is found by order audit", async (log) => {
    expect(await undetected(fileOf(log), auditOrder, false)).toEqual([]);
  });
  it("in the manifest is found by both", async () => {
    expect(await undetected(MANIFEST_FILE, verify, true)).toEqual([]);
    expect(await undetected(MANIFEST_FILE, auditOrder, true)).toEqual([]);
  });
  it("in a file that only the manifest covers is found by both", async () => {
    expect(await undetected(fileOf("order"), verify, true)).toEqual([]);
    expect(await undetected(fileOf("receipts"), auditOrder, true)).toEqual([]);
  });
});

describe("missing pieces", () => {
  it("a torn last line is told as such, with its file and line", async () => {
    const directory = await copyOfSource();
    await appendFile(join(directory, "ledger.jsonl"), '{"n":25,"prev":"');
    const { exitCode, findings } = await verify(directory);
    expect(exitCode).toBe(1);
    expect(findings).toEqual([{ file: "ledger.jsonl", line: 26, message: expect.stringContaining("torn") }]);
  });

  it.each([
    ["ledger", 1, verify, "lines of ledger.jsonl, which has fewer"],
    // The very last entry, that a sealed transaction left, comes after the last header and is covered by the next one.
    ["order", 2, auditOrder, "lines of order.jsonl, which has fewer"],
    ["receipts", 1, verify, "receipts, of which"],
    ["blocks", 1, verify, "belongs to no block"],
    ["registry", 3, verify, "lines of registry.jsonl, which has fewer"],
  ] as const)("the last lines of %s.jsonl are missed", async (log, count, run, message) => {
    const directory = await copyOfSource();
    const path = join(directory, fileOf(log));
    const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
    await writeFile(path, `${lines.slice(0, -count).join("\n")}\n`);
    const { exitCode, findings } = await run(directory);
    expect(exitCode).toBe(1);
    expect(findings.map((finding) => finding.message).join("\n")).toContain(message);
  });

  it("a line that is gone from the middle is missed", async () => {
    const directory = await copyOfSource();
    const path = join(directory, "order.jsonl");
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, lines.toSpliced(5, 1).join("\n"));
    const { findings } = await auditOrder(directory);
    expect(findings[0]).toEqual({
      file: "order.jsonl",
      line: 6,
      message: expect.stringContaining("lines are missing"),
    });
  });

  it("a directory that cannot be read gives exit code 2", async () => {
    const directory = await copyOfSource();
    await rm(join(directory, "blocks.jsonl"));
    for (const report of [
      await verify(directory),
      await auditOrder(directory),
      await verify(join(directory, "nowhere")),
    ]) {
      expect(report.exitCode).toBe(2);
      expect(formatReport(report)).toContain("cannot read");
    }
    expect((await verifyReceipts(source, { key: "0xAB" })).exitCode).toBe(2);
  });

  it("a name that no statement can hold is a finding, not the end of the audit", async () => {
    const directory = await copyOfSource();
    const path = join(directory, "receipts.jsonl");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(/"node":"node-.",/, '"node":"\\ud800",'));
    const { exitCode, findings } = await verify(directory);
    expect(exitCode).toBe(1);
    expect(findings[0]?.message).toContain("UTF-8");
  });

  it("another scheduler's key than the one expected is told", async () => {
    const { exitCode, findings } = await verifyReceipts(source, { key: keyOf("another").publicKeyHex });
    expect(exitCode).toBe(1);
    expect(findings[0]?.message).toContain("not the one expected");
  });
});

describe("the manifest", () => {
  it("leaves keys out and is checked first", async () => {
    const directory = await copyOfSource();
    await writeFile(join(directory, "secret.key"), "secret");
    await writeManifest(directory);
    expect(await readFile(join(directory, MANIFEST_FILE), "utf8")).not.toContain("secret.key");
    expect(await checkManifest(directory)).toEqual([]);
    expect(await verify(directory)).toMatchObject({ exitCode: 0, manifest: true });
    await writeFile(join(directory, "secret.key"), "changed");
    expect(await checkManifest(directory)).toEqual([]);
  });

  it("tells files that are missing, changed or new", async () => {
    const directory = await copyOfSource();
    await writeFile(join(directory, "journal"), "1");
    await writeManifest(directory);
    await rm(join(directory, "evidence.jsonl"));
    await writeFile(join(directory, "journal"), "2");
    await writeFile(join(directory, "stranger"), "");
    const messages = (await checkManifest(directory)).map(({ message }) => message);
    expect(messages).toHaveLength(3);
    expect(messages.join("\n")).toMatch(
      /evidence\.jsonl cannot be read[\s\S]*journal is not the file[\s\S]*stranger is not listed/,
    );
    expect((await verify(directory)).exitCode).toBe(1);
  });

  it("does not lead outside the directory", async () => {
    const directory = await copyOfSource();
    await writeFile(join(directory, MANIFEST_FILE), `${"0".repeat(64)}  ../secret\n`);
    expect((await checkManifest(directory))[0]?.message).toContain("outside");
  });
});
