import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { DEFAULT_EVM_LIMITS } from "../../mempool/evm/chain.ts";
import { REQUEST_LIMITS } from "../../mempool/evm/requests.ts";
import { TRANSACTION_LIMITS } from "../../mempool/evm/transaction.ts";
import { DEFAULT_POOL_LIMITS } from "../../mempool/evm/transaction-pool.ts";
import { DEFAULT_MEMPOOL_LIMITS } from "../../mempool/limits.ts";
import { DEFAULT_PRODUCER_LIMITS } from "../../scheduler/evm/limits.ts";
import { DEFAULT_TIMES } from "../../scheduler/evm/producer.ts";
import { EvmProcess } from "../support/evm-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = await readFile(join(root, "docs", "EVM.md"), "utf8");

/** It takes seconds on an idle machine. */
const PATIENCE_MS = 110_000;

test("the program of docs/EVM.md asks a question of `pipe evm`, and says what it says", {
  timeout: PATIENCE_MS + 10_000,
}, async () => {
  const [, program = ""] = /^```ts\n(.*?)^```$/ms.exec(page) ?? [];
  const [, expected = ""] = /^```\n(tried out: .*?)^```$/ms.exec(page) ?? [];
  const chain = new EvmProcess(["--nodes", "3"]);
  await mkdir(join(root, "out"), { recursive: true });
  const place = await mkdtemp(join(root, "out", "docs-"));
  try {
    const { url } = await chain.next("url");
    const path = join(place, "program.ts");
    await writeFile(path, program.replace("http://127.0.0.1:8545", String(url)));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [path], { timeout: PATIENCE_MS });
    const unnamed = (text: string) => text.replace(/by \S+ in/, "by a node in");
    expect(stderr).toBe("");
    expect(unnamed(stdout)).toBe(unnamed(expected));
    chain.kill("SIGTERM");
    expect(await chain.ended).toEqual([0, null]);
  } finally {
    chain.kill("SIGKILL");
    await rm(place, { recursive: true, force: true });
  }
});

test("docs/EVM.md names limits as they are", () => {
  const numbers = new Set([...page.matchAll(/\b\d[\d,]*\b/g)].map(([text]) => Number(text.replaceAll(",", ""))));
  const { maxTransactionGas, maxFirstRuns, maxInferencePerBlock, defaultCapGwei, defaultTtlBlocks } =
    DEFAULT_PRODUCER_LIMITS;
  const { maxOrdinary, maxPerSender, maxAgeBlocks, replacementPercent } = DEFAULT_POOL_LIMITS;
  const limits = [
    ...[Number(maxTransactionGas), maxFirstRuns, maxInferencePerBlock, defaultCapGwei, defaultTtlBlocks],
    ...[maxOrdinary, maxPerSender, maxAgeBlocks, replacementPercent - 100],
    ...[TRANSACTION_LIMITS.maxBytes, DEFAULT_EVM_LIMITS.runMs, DEFAULT_EVM_LIMITS.keptBlocks],
    ...[REQUEST_LIMITS.maxRequests, DEFAULT_MEMPOOL_LIMITS.maxRounds],
    ...[DEFAULT_TIMES.intervalMs, DEFAULT_TIMES.buildMs, DEFAULT_TIMES.confirmations],
  ];
  for (const limit of limits) expect(numbers).toContain(limit);
});
