import { RLP } from "@ethereumjs/rlp";
import { toHex } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import type { EvmChain } from "../../../mempool/evm/chain.ts";
import { type EvmBlock, type EvmFault, verifyEvmBlock } from "../../../mempool/evm/replay.ts";
import { readRlp, type RlpItem } from "../../../mempool/evm/rlp.ts";
import type { EvmTransaction } from "../../../mempool/evm/transaction.ts";
import type { BlockHeader } from "../../../scheduler/proofs/header.ts";
import { signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import { jobDigest } from "../../../scheduler/proofs/transaction-digest.ts";
import type { Receipt } from "../../../scheduler/proofs/receipt.ts";
import {
  ANY_TIME,
  answerTo,
  asking,
  COMPILING,
  lastRun,
  NO_RESULTS,
  newChain,
  senderAddress,
  solve,
  transaction,
} from "../../support/evm-chain.ts";
import {
  headerOf,
  type Part,
  REGISTRY,
  SCHEDULER,
  type SealedBlock,
  sealBlock,
  sectionOf,
} from "../../support/evm-sealer.ts";

const INPUT = toHex(Uint8Array.from({ length: 64 }, (_, i) => i));
const LONG_INPUT = toHex(Uint8Array.from({ length: 256 }, (_, i) => i % 60));

let validator: EvmChain;
let sealed: SealedBlock;

async function part(chain: EvmChain, tx: EvmTransaction): Promise<Part> {
  return { tx, results: (await solve(chain, tx)).results };
}

/** Ordinary transactions, some that ask, one that fails with its answers, and logs. */
beforeAll(async () => {
  const producer = await newChain();
  validator = await newChain();
  const transactions = await Promise.all([
    asking("TwoStep", "run", [LONG_INPUT]),
    transaction({ from: 1, to: senderAddress(2), value: 5n, gas: 21_000n }),
    asking("Tolerant", "announceThenAsk", [INPUT, LONG_INPUT], { from: 3 }),
    asking("ChainProbe", "write", [1n, 2n], { from: 4, type: "legacy" }),
    asking("RevertAfter", "run", [INPUT], { from: 5, type: "eip2930" }),
  ]);
  const parts: Part[] = [];
  for (const tx of transactions) parts.push(await part(producer, tx));
  sealed = await sealBlock(producer, parts);
}, COMPILING);

async function faultsOf(block: EvmBlock, chain = validator): Promise<EvmFault[]> {
  const { findings } = await verifyEvmBlock({ chain, block, registry: REGISTRY, schedulerKey: SCHEDULER.publicKeyHex });
  return findings.map(({ fault }) => fault);
}

// ── ways to tamper ───────────────────────────────────────────────────────────────────────────────────────────────────

const receipts = (): Receipt[] => sealed.block.inference.receipts.map(({ receipt }) => receipt);
const header = (): BlockHeader => sealed.block.inference.block.header;

/** The block with other receipts: signed by the scheduler, and named by the block, as if they were its own. */
function withReceipts(changed: readonly Receipt[], key = SCHEDULER): EvmBlock {
  const inference = sectionOf({ ...header(), ...coverOf(changed) }, changed, key);
  return { raw: withHeaderField(12, Buffer.from(inference.block.header.receiptsRoot, "hex")), inference };
}

function coverOf(changed: readonly Receipt[]) {
  const { transactions, height } = header();
  const { receiptsRoot, receiptCount, feesGwei } = headerOf({ height, transactions, receipts: changed });
  return { receiptsRoot, receiptCount, feesGwei };
}

function decoded(): [RlpItem[], RlpItem[], ...RlpItem[]] {
  const [head, transactions, ...rest] = readRlp(sealed.block.raw) as RlpItem[];
  return [[...(head as RlpItem[])], [...(transactions as RlpItem[])], ...rest];
}

function withHeaderField(place: number, value: Uint8Array): Uint8Array {
  const [head, ...rest] = decoded();
  head[place] = value;
  return RLP.encode([head, ...rest]);
}

const withField = (place: number, value: Uint8Array): EvmBlock => ({
  ...sealed.block,
  raw: withHeaderField(place, value),
});

function withTransactions(change: (transactions: RlpItem[]) => RlpItem[]): EvmBlock {
  const [head, transactions, ...rest] = decoded();
  return { ...sealed.block, raw: RLP.encode([head, change(transactions), ...rest]) };
}

function otherByte(text: string): string {
  const bytes = Buffer.from(text, "base64");
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return bytes.toString("base64");
}

const at = (index: number): Receipt => {
  const receipt = receipts()[index];
  if (receipt === undefined) throw new RangeError("there are not as many receipts");
  return receipt;
};
const FILL = new Uint8Array(32).fill(7);

describe("a sealed block", () => {
  it("is replayed without findings and without models, to the same block", async () => {
    const verdict = await verifyEvmBlock({
      chain: validator,
      block: sealed.block,
      registry: REGISTRY,
      schedulerKey: SCHEDULER.publicKeyHex,
    });
    expect(verdict.findings).toEqual([]);
    expect(verdict.executed?.head).toEqual(sealed.sealed.head);
    expect(verdict.executed?.diff).toEqual(sealed.sealed.diff);
    expect(sealed.sealed.receipts.map(({ succeeded }) => succeeded)).toEqual([true, true, true, true, false]);
    expect(sealed.block.inference.receipts).toHaveLength(5);
  });

  it.each<[string, () => EvmBlock, readonly EvmFault[]]>([
    [
      "an output with another byte",
      () => withReceipts([{ ...at(0), output: otherByte(at(0).output) }, ...receipts().slice(1)]),
      ["content"],
    ],
    [
      "two outputs exchanged",
      () =>
        withReceipts([{ ...at(0), output: at(1).output }, { ...at(1), output: at(0).output }, ...receipts().slice(2)]),
      ["content"],
    ],
    ["two receipts exchanged", () => withReceipts([at(1), at(0), ...receipts().slice(2)]), ["place"]],
    ["a result missing", () => withReceipts(receipts().slice(0, -1)), ["call-without-result"]],
    ["a result twice", () => withReceipts([...receipts(), { ...at(4), callIndex: 1 }]), ["unused-result", "content"]],
    [
      "a result too many",
      () => {
        const more = { ...at(4), callIndex: 1 };
        return withReceipts([...receipts(), { ...more, digest: jobDigest(more) }]);
      },
      ["unused-result", "proof"],
    ],
    [
      "a result of a transaction that asks nothing",
      () => withReceipts([{ ...at(0), txHash: "ab".repeat(32) }, ...receipts()]),
      ["unused-result"],
    ],
    [
      "a proof of nobody",
      () =>
        withReceipts([{ ...at(0), proof: { kind: "vanilla", signature: "00".repeat(64) } }, ...receipts().slice(1)]),
      ["proof"],
    ],
    ["another scheduler's key", () => withReceipts(receipts(), signingKeyFromSeed(FILL)), ["header"]],
    ["other extra data", () => withField(12, FILL), ["extra-data"]],
    ["another state root", () => withField(3, FILL), ["state-root"]],
    ["another root of transactions", () => withField(4, FILL), ["transactions-root"]],
    ["another root of receipts", () => withField(5, FILL), ["receipts-root"]],
    ["another filter of logs", () => withField(6, new Uint8Array(256)), ["logs-bloom"]],
    ["other gas", () => withField(10, Uint8Array.of(7)), ["gas-used"]],
    ["another base fee", () => withField(15, Uint8Array.of(7)), ["base-fee"]],
    ["another gas limit", () => withField(9, Uint8Array.of(1, 0, 0, 0)), ["gas-limit"]],
    ["a time before its parent's", () => withField(11, Uint8Array.of(9)), ["timestamp"]],
    ["another parent", () => withField(0, FILL), ["parent"]],
    ["another number", () => withField(8, Uint8Array.of(2)), ["parent"]],
    ["other chance", () => withField(13, FILL), ["header-field"]],
    ["another difficulty", () => withField(7, Uint8Array.of(1)), ["header-field"]],
    [
      "transactions exchanged",
      () => withTransactions(([a, b, ...rest]) => [b, a, ...rest] as RlpItem[]),
      ["transactions-root"],
    ],
    [
      "asking transactions exchanged",
      () => withTransactions(([a, b, c, ...rest]) => [c, b, a, ...rest] as RlpItem[]),
      ["section"],
    ],
    ["a transaction twice", () => withTransactions(([a, ...rest]) => [a, a, ...rest] as RlpItem[]), ["transaction"]],
    ["a transaction less", () => withTransactions((all) => all.slice(0, -1)), ["unused-result"]],
    ["a transaction that is none", () => withTransactions((all) => [...all, Uint8Array.of(2, 0xc0)]), ["transaction"]],
    [
      "a section of another height",
      () => ({ ...sealed.block, inference: sectionOf({ ...header(), height: 9 }, receipts()) }),
      ["section"],
    ],
    [
      "a section that does not tell of a transaction",
      () => ({
        ...sealed.block,
        inference: sectionOf({ ...header(), transactions: header().transactions.slice(1) }, receipts()),
      }),
      ["section"],
    ],
    ["bytes that are no block", () => ({ ...sealed.block, raw: Uint8Array.of(1, 2, 3) }), ["malformed"]],
    [
      "bytes behind the block",
      () => ({ ...sealed.block, raw: Buffer.concat([sealed.block.raw, Uint8Array.of(0)]) }),
      ["malformed"],
    ],
  ])("is found out with %s", async (_what, tampered, faults) => {
    const found = await faultsOf(tampered());
    for (const fault of faults) expect(found).toContain(fault);
  });

  it("leaves the validator where it was, whatever it is", async () => {
    const before = validator.head;
    await faultsOf(withField(3, FILL));
    expect(validator.head).toEqual(before);
    expect(await faultsOf(sealed.block)).toEqual([]);
  });

  it("is followed by a validator that takes over what it executed", async () => {
    const own = await newChain();
    const verdict = await verifyEvmBlock({
      chain: own,
      block: sealed.block,
      registry: REGISTRY,
      schedulerKey: SCHEDULER.publicKeyHex,
    });
    if (verdict.executed === undefined) throw new Error("it was not executed");
    await own.apply(verdict.executed.diff, verdict.executed.head);
    expect(own.head).toEqual(sealed.sealed.head);
    expect(await faultsOf(sealed.block, own)).toContain("parent");
  });
});

describe("a transaction whose question depends on the block", () => {
  it("has another digest in the next block, and is left out there until it is run again", async () => {
    const chain = await newChain();
    const tx = await asking("BlockReader", "askNumber");
    const solved = await solve(chain, tx);
    expect(lastRun(solved).kind).toBe("completed");
    await sealBlock(chain, []);
    await chain.begin(chain.nextEnvironment(2_000));
    const added = await chain.add(tx, solved.results, ANY_TIME);
    if (added.kind !== "asks") throw new Error(`it is ${added.kind}`);
    expect(added.calls.map(({ digest }) => solved.results.has(digest))).toEqual([false]);
    expect(await chain.add(tx, (await solve(chain, tx)).results, ANY_TIME)).toMatchObject({ kind: "included" });
  });

  it("may depend on another one's state within one block", async () => {
    const chain = await newChain();
    const [one, two] = await Promise.all([0, 1].map((from) => asking("SharedState", "askAndIncrement", [], { from })));
    if (one === undefined || two === undefined) throw new Error("there are two");
    const [first, second] = [await part(chain, one), await part(chain, two)];
    await chain.begin(chain.nextEnvironment(2_000));
    expect(await chain.add(one, first.results, ANY_TIME)).toMatchObject({ kind: "included" });
    const refused = await chain.add(two, second.results, ANY_TIME);
    if (refused.kind !== "asks") throw new Error(`it is ${refused.kind}`);
    const results = new Map(refused.calls.map((call) => [call.digest, answerTo(call)]));
    expect(await chain.add(two, results, ANY_TIME)).toMatchObject({ kind: "included" });
    await chain.abandon();
    const both = await sealBlock(chain, [first, { tx: two, results }]);
    expect(await faultsOf(both.block, await newChain())).toEqual([]);
  });

  it("is not included with a result that it does not ask for", async () => {
    const chain = await newChain();
    const { tx, results } = await part(chain, await asking("Tolerant", "run", [INPUT]));
    await chain.begin(chain.nextEnvironment(2_000));
    const more = new Map([...results, ["ab".repeat(32), FILL]]);
    expect(await chain.add(tx, more, ANY_TIME)).toMatchObject({ kind: "asks" });
    expect(await chain.add(tx, NO_RESULTS, ANY_TIME)).toMatchObject({ kind: "asks" });
    expect(await chain.add(tx, results, ANY_TIME)).toMatchObject({ kind: "included" });
  });
});
