import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import {
  createPipe,
  defaultFleet,
  type Pipe,
  type PreExecutionRequest,
  type PreExecutor,
} from "../../scheduler/index.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { jobDigest } from "../../scheduler/proofs/transaction-digest.ts";

const CHAIN = "opaque";
const HASH = sha256Hex(Buffer.from("a transaction in another format"));
const PAYLOAD = Buffer.from("its bytes");

/** Asks the risk model twice, the second time about its own first answer: no simulation without that answer finds it. */
class TwoSteps implements PreExecutor {
  readonly requests: PreExecutionRequest[] = [];

  async run(request: PreExecutionRequest) {
    this.requests.push(request);
    const [first, second] = request.outputs;
    const inputs = [features(0.25), ...(first === undefined ? [] : [features(Buffer.from(first).readFloatLE())])];
    const calls = inputs.map((input, callIndex) => {
      const question = { model: "risk-small", mode: "vanilla", conflict: { kind: "first-valid" } } as const;
      const inputHash = sha256Hex(input);
      const digest = jobDigest({ ...question, chainId: CHAIN, txHash: HASH, callIndex, inputHash });
      return { ...question, digest, inputHash, tokensIn: 16, tokensOut: 1, maxFeeGwei: 2_000, validityBlocks: 50 };
    });
    if (second !== undefined) return { kind: "pre-executed", readSet: ["slot"], calls } as const;
    return { kind: "calls-discovered", calls, inputs } as const;
  }
}

function features(value: number): Uint8Array {
  return new Uint8Array(new Float32Array(16).fill(value).buffer);
}

async function start(directory: string | undefined, preExecutor: PreExecutor): Promise<Pipe> {
  const nodes = defaultFleet({ count: 3, seedHex: "00".repeat(32), latency: "none", faults: "none" });
  return createPipe({ directory, chainId: CHAIN, fleet: { nodes }, preExecutor, logger: "error" });
}

async function readyOf(pipe: Pipe) {
  for (;;) {
    const ready = await pipe.ready(10);
    if (ready.length > 0) return ready;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

it("a transaction in the chain's own format runs to the fixpoint, and what it needs survives a restart", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pipe-opaque-"));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const executor = new TwoSteps();
  let pipe = await start(directory, executor);
  const account = `0x${"ab".repeat(20)}`;
  await pipe.deposit({ account, amountGwei: 10_000 });
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 60_000 });
  const terms = {
    hash: HASH,
    sender: account,
    nonce: 7,
    gasPriceGwei: 1,
    ttlBlocks: 50,
    escrowGwei: 5_000,
    chainNonce: 7,
  };
  expect(await pipe.submitOpaque(terms, PAYLOAD)).toEqual({ ok: true, hash: HASH });
  await readyOf(pipe);
  expect(executor.requests.map(({ outputs }) => outputs.filter((output) => output !== undefined).length)).toEqual([
    0, 1, 2,
  ]);
  expect(executor.requests.every(({ payload }) => Buffer.from(payload ?? []).equals(PAYLOAD))).toBe(true);
  await pipe.close();

  pipe = await start(directory, executor);
  cleanups.push(() => pipe.close());
  const [transaction] = await readyOf(pipe);
  expect(Buffer.from(transaction?.payload ?? []).equals(PAYLOAD)).toBe(true);
  const sealed = await pipe.seal({ height: 1, maxTransactions: 10, order: [HASH] });
  const receipts = sealed.ok ? sealed.block.receipts.map(({ receipt }) => receipt) : [];
  expect(receipts.map(({ output }) => output)).toEqual(
    transaction?.outputs.map(({ output }) => Buffer.from(output ?? []).toString("base64")),
  );
  expect(receipts[1]?.inputHash).toBe(
    sha256Hex(features(Buffer.from(transaction?.outputs[0]?.output ?? []).readFloatLE())),
  );
  await pipe.committed(1);
  expect((await pipe.statistics()).ledger).toMatchObject({ heldGwei: 0 });
});

it("terms that the journal could not hold are refused at once", async () => {
  const pipe = await start(undefined, new TwoSteps());
  cleanups.push(() => pipe.close());
  const terms = { hash: HASH, sender: "0xab", nonce: 0, gasPriceGwei: 1, ttlBlocks: 50, escrowGwei: 0 };
  await expect(pipe.submitOpaque({ ...terms, hash: "0xabc" }, PAYLOAD)).rejects.toThrow("64 hexadecimal digits");
  await expect(pipe.submitOpaque({ ...terms, nonce: -1 }, PAYLOAD)).rejects.toThrow("nonce must be");
  await expect(pipe.submitOpaque(terms, new Uint8Array(64 * 1024 * 1024))).rejects.toThrow("payload must have at most");
});
