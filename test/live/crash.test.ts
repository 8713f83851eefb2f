import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { auditOrder } from "../../scheduler/cli/order.ts";
import { verifyReceipts } from "../../scheduler/cli/receipts.ts";
import { replayStepper, runReplay } from "../../scheduler/cli/replay.ts";

const CHILD = new URL("./workers/crash-child.ts", import.meta.url).pathname;
const ROUNDS = 6;

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pipe-crash-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

interface Run {
  readonly accepted: readonly string[];
  readonly lines: readonly string[];
  readonly errors: string;
  readonly code: number | null;
}

/** Runs the child; `killAfterMs` after its start (or after it is up) it is killed without warning. */
async function run(
  task: "serve" | "drain",
  kill?: { readonly afterMs: number; readonly from: "start" | "up" },
): Promise<Run> {
  const child = spawn(process.execPath, [CHILD, directory, task], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  const arm = (): void => {
    if (kill !== undefined) setTimeout(() => child.kill("SIGKILL"), kill.afterMs);
  };
  if (kill?.from === "start") arm();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (kill?.from === "up" && output === "") arm();
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const lines = output.split("\n").slice(0, -1);
  const accepted = lines.filter((line) => line.startsWith("accepted ")).map((line) => line.slice("accepted ".length));
  return { accepted, lines, errors, code };
}

interface Movement {
  readonly kind: string;
  readonly amountGwei: number;
  readonly txHash: string;
  readonly callIndex: number;
}

async function readLines<A>(name: string): Promise<A[]> {
  const text = await readFile(join(directory, name), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as A);
}

/** Transactions of blocks that no reorg took back, by the block file alone. */
async function sealedTransactions(): Promise<string[]> {
  const onChain = new Map<string, readonly string[]>();
  type Line = { entry: string; block: string; header: { transactions: readonly string[] } };
  for (const line of await readLines<Line>("blocks.jsonl")) {
    if (line.entry === "sealed") onChain.set(line.block, line.header.transactions);
    else if (line.entry === "reverted") onChain.delete(line.block);
  }
  return [...onChain.values()].flat();
}

test("killed at random points, it loses no accepted transaction and pays none twice", {
  timeout: 180_000,
}, async () => {
  const accepted: string[] = [];
  const delays: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Some kills hit the recovery, most of them the service at work.
    const from = round === 2 ? "start" : "up";
    const afterMs = Math.round(from === "start" ? 200 + Math.random() * 1_000 : 100 + Math.random() * 1_500);
    delays.push(`${afterMs} ms from ${from}`);
    const ended = await run("serve", { afterMs, from });
    expect(ended.code, `round ${round} (${delays.join(", ")}): ${ended.errors}`).toBeNull();
    accepted.push(...ended.accepted);
  }
  const last = await run("drain");
  expect(last.lines.at(-1), `${delays.join(", ")}: ${last.errors}`).toBe("closed");
  expect(accepted.length).toBeGreaterThan(50);
  expect(new Set(accepted).size).toBe(accepted.length);

  const movements = await readLines<Movement>("ledger.jsonl");
  const sum = (kind: string, hash: string): number =>
    movements.filter((m) => m.txHash === hash && m.kind === kind).reduce((total, m) => total + m.amountGwei, 0);
  const sealed = await sealedTransactions();
  expect(new Set(sealed).size).toBe(sealed.length);
  const onChain = new Set(sealed);
  for (const hash of accepted) {
    const escrowed = sum("escrowed", hash);
    const paid = sum("paid", hash) - sum("unpaid", hash);
    expect(sum("refunded", hash) + paid, `money of ${hash}`).toBe(escrowed);
    if (!onChain.has(hash)) expect(paid, `${hash} is in no block`).toBe(0);
  }
  expect(accepted.filter((hash) => onChain.has(hash)).length).toBeGreaterThan(accepted.length / 2);
  expect(netPayments(movements).filter((count) => count !== 0 && count !== 1)).toEqual([]);

  expect(await verifyReceipts(directory, { key: undefined })).toMatchObject({ exitCode: 0 });
  expect(await auditOrder(directory)).toMatchObject({ exitCode: 0 });
  const write = (): void => undefined;
  expect(await runReplay({ directory, json: true, stepper: replayStepper, program: "test", write })).toBe(0);
});

/** Payments less their reversals, for each call that was ever paid. */
function netPayments(movements: readonly Movement[]): number[] {
  const net = new Map<string, number>();
  for (const { kind, txHash, callIndex } of movements) {
    const job = `${txHash}/${callIndex}`;
    if (kind === "paid") net.set(job, (net.get(job) ?? 0) + 1);
    if (kind === "unpaid") net.set(job, (net.get(job) ?? 0) - 1);
  }
  return [...net.values()];
}
