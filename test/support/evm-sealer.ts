import { assert } from "../../scheduler/shared/assert.ts";
import type { EvmChain, SealedEvmBlock } from "../../mempool/evm/chain.ts";
import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { EvmBlock } from "../../mempool/evm/replay.ts";
import type { EvmTransaction } from "../../mempool/evm/transaction.ts";
import { answerHash } from "../../scheduler/proofs/answer.ts";
import { sha256Hex, ZERO_HASH } from "../../scheduler/proofs/digest.ts";
import { type BlockHeader, signHeader } from "../../scheduler/proofs/header.ts";
import { type SigningKey, signingKeyFromSeed } from "../../scheduler/proofs/keys.ts";
import { receiptTree } from "../../scheduler/proofs/merkle.ts";
import { type Receipt, receiptFeesGwei, receiptLeaf } from "../../scheduler/proofs/receipt.ts";
import { RegistryView } from "../../scheduler/proofs/registry-view.ts";
import { signStatement } from "../../scheduler/proofs/statement.ts";
import { PIPE_CHAIN } from "./evm-chain.ts";

/** Seals EVM blocks with one node's signed answers and a scheduler's signed header, as the scheduler would. */
export const SCHEDULER = signingKeyFromSeed(new Uint8Array(32).fill(1));
const NODE = signingKeyFromSeed(new Uint8Array(32).fill(2));
const SEALED_US = 1_000_000;

export const REGISTRY = RegistryView.of([
  {
    entry: "scheduler",
    chainId: PIPE_CHAIN,
    key: SCHEDULER.publicKeyHex,
    perMillion: 1,
    epochBlocks: 8,
    revealBlocks: 8,
  },
  {
    entry: "node",
    atUs: 0,
    id: "node-a",
    key: NODE.publicKeyHex,
    operator: "operator-a",
    region: "r",
    hardware: "cpu",
    slots: 1,
    queueLimit: 0,
    offers: [],
  },
]);

/** A transaction of a block with the results of its calls. */
export interface Part {
  readonly tx: EvmTransaction;
  readonly results: ReadonlyMap<string, Uint8Array>;
}

export interface SealedBlock {
  readonly block: EvmBlock;
  readonly sealed: SealedEvmBlock;
}

/** Builds the next block of these, all of which must fit, and seals it. */
export async function sealBlock(chain: EvmChain, parts: readonly Part[]): Promise<SealedBlock> {
  const env = chain.nextEnvironment(chain.head.timestamp + 1);
  await chain.begin(env);
  const asked: { readonly tx: EvmTransaction; readonly call: DiscoveredCall; readonly output: Uint8Array }[] = [];
  for (const { tx, results } of parts) {
    const added = await chain.add(tx, results, Number.POSITIVE_INFINITY);
    assert(added.kind === "included", `a test's transaction is not included: ${added.kind}`);
    for (const call of added.calls) asked.push({ tx, call, output: results.get(call.digest) ?? new Uint8Array(0) });
  }
  const transactions = [...new Set(asked.map(({ tx }) => tx.hash))];
  const receipts = asked.map(({ tx, call, output }, index) => {
    const { txHash, position, callIndex } = placeOf(tx, transactions, asked.slice(0, index));
    return receiptOf({ txHash, position, callIndex, height: env.number, call, output });
  });
  const header = headerOf({ height: env.number, transactions, receipts });
  const sealed = await chain.seal(Buffer.from(header.receiptsRoot, "hex"));
  return { sealed, block: { raw: sealed.raw, inference: sectionOf(header, receipts) } };
}

export function sectionOf(header: BlockHeader, receipts: readonly Receipt[], key = SCHEDULER): EvmBlock["inference"] {
  const signed = signHeader({ ...header, key: key.publicKeyHex }, key);
  return { block: signed, receipts: receipts.map((receipt) => ({ receipt })) };
}

export function headerOf(terms: {
  readonly height: number;
  readonly transactions: readonly string[];
  readonly receipts: readonly Receipt[];
}): BlockHeader {
  const { height, transactions, receipts } = terms;
  const none = { orderCount: 0, ledgerCount: 0, registryCount: 0, evidenceCount: 0 };
  const heads = { orderHead: ZERO_HASH, ledgerHead: ZERO_HASH, registryHead: ZERO_HASH, evidenceHead: ZERO_HASH };
  return {
    ...none,
    ...heads,
    chainId: PIPE_CHAIN,
    height,
    sealedUs: SEALED_US,
    parent: ZERO_HASH,
    receiptsRoot: receiptTree(receipts.map(receiptLeaf)).root,
    receiptCount: receipts.length,
    transactions,
    feesGwei: receipts.reduce((sum, receipt) => sum + receiptFeesGwei(receipt), 0),
    key: SCHEDULER.publicKeyHex,
  };
}

function placeOf(
  tx: EvmTransaction,
  transactions: readonly string[],
  before: readonly { readonly tx: EvmTransaction }[],
) {
  const callIndex = before.filter((one) => one.tx === tx).length;
  return { txHash: tx.hash, position: transactions.indexOf(tx.hash), callIndex };
}

/** What an honest node's answer becomes. */
export function receiptOf(terms: {
  readonly txHash: string;
  readonly position: number;
  readonly callIndex: number;
  readonly height: number;
  readonly call: DiscoveredCall;
  readonly output: Uint8Array;
  readonly node?: SigningKey;
}): Receipt {
  const { txHash, position, callIndex, height, call, output, node = NODE } = terms;
  const { model, mode, inputHash, digest, conflict, maxFeeGwei } = call;
  assert(mode === "vanilla", "only signatures are made here");
  const outputHash = sha256Hex(output);
  const nonce = 1 + position * 16 + callIndex;
  const asked = { chainId: PIPE_CHAIN, txHash, callIndex, model, inputHash, mode };
  const signature = signStatement({ ...asked, node: "node-a", nonce, outputHash }, node);
  const proof = { kind: "vanilla", signature } as const;
  return {
    ...asked,
    height,
    sealedUs: SEALED_US,
    position,
    digest,
    conflict,
    input: "",
    lane: "fast",
    copy: nonce,
    node: "node-a",
    nodeKey: node.publicKeyHex,
    nonce,
    speculative: false,
    outputHash,
    answerHash: answerHash({ output, proof }),
    maxFeeGwei,
    feeGwei: 10,
    openedUs: 1,
    launchedUs: 2,
    answeredUs: 3,
    decidedUs: 4,
    decidedHeight: height,
    validUntilHeight: height + 5,
    bondGwei: 0,
    challengeBlocks: 0,
    supporters: [],
    rivals: [],
    output: Buffer.from(output).toString("base64"),
    proof,
  };
}
