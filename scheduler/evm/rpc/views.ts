import type { NextBlock } from "./backend.ts";
import type { PlacedLog, PlacedTransaction } from "./chain-index.ts";
import { placed } from "./chain-index.ts";
import { dataHex, hashHex, quantity } from "./hex.ts";
import type { IndexedBlock, IndexedReceipt, IndexedTransaction } from "./indexed.ts";

/** What the index keeps, as JSON-RPC writes it. */

/** Hash of an empty list of uncles. */
const NO_UNCLES = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";

export function blockView(block: IndexedBlock, full: boolean): Record<string, unknown> {
  return {
    ...headView(block),
    size: quantity(block.size),
    transactions: block.transactions.map((transaction, position) =>
      full ? transactionView(transaction, { block, position }) : hashHex(transaction.hash),
    ),
    uncles: [],
    ...(block.withdrawalsRoot === undefined ? {} : { withdrawals: [] }),
  };
}

/** What subscribers to new heads get. */
export function headView(block: IndexedBlock): Record<string, unknown> {
  return {
    number: quantity(block.number),
    hash: hashHex(block.hash),
    parentHash: hashHex(block.parentHash),
    nonce: "0x0000000000000000",
    mixHash: hashHex(block.mixHash),
    sha3Uncles: NO_UNCLES,
    logsBloom: dataHex(block.logsBloom),
    transactionsRoot: hashHex(block.transactionsRoot),
    stateRoot: hashHex(block.stateRoot),
    receiptsRoot: hashHex(block.receiptsRoot),
    miner: block.coinbase,
    difficulty: "0x0",
    extraData: dataHex(block.extraData),
    gasLimit: quantity(block.gasLimit),
    gasUsed: quantity(block.gasUsed),
    timestamp: quantity(block.timestamp),
    baseFeePerGas: quantity(block.baseFeePerGas),
    ...given("withdrawalsRoot", block.withdrawalsRoot, hashHex),
    ...given("blobGasUsed", block.blobGasUsed, quantity),
    ...given("excessBlobGas", block.excessBlobGas, quantity),
    ...given("parentBeaconBlockRoot", block.parentBeaconBlockRoot, hashHex),
    ...given("requestsHash", block.requestsHash, hashHex),
  };
}

/** The block that is not there yet: what is known of it. It holds no transactions, since which ones it will is not fixed. */
export function pendingBlockView(head: IndexedBlock, next: NextBlock): Record<string, unknown> {
  return {
    ...blockView({ ...head, transactions: [], receipts: [] }, false),
    number: quantity(next.number),
    hash: null,
    parentHash: hashHex(head.hash),
    nonce: null,
    logsBloom: null,
    miner: next.coinbase,
    extraData: "0x",
    gasLimit: quantity(next.gasLimit),
    gasUsed: "0x0",
    timestamp: quantity(next.timestamp),
    baseFeePerGas: quantity(next.baseFeePerGas),
  };
}

/** Without a place it waits. */
export function transactionView(
  transaction: IndexedTransaction,
  place: { readonly block: IndexedBlock; readonly position: number } | undefined,
): Record<string, unknown> {
  const { type } = transaction;
  return {
    type: quantity(type),
    hash: hashHex(transaction.hash),
    from: transaction.sender,
    to: transaction.to ?? null,
    nonce: quantity(transaction.nonce),
    value: quantity(transaction.value),
    gas: quantity(transaction.gasLimit),
    input: dataHex(transaction.input),
    blockHash: place === undefined ? null : hashHex(place.block.hash),
    blockNumber: place === undefined ? null : quantity(place.block.number),
    transactionIndex: place === undefined ? null : quantity(place.position),
    gasPrice: quantity(
      place === undefined ? transaction.maxFeePerGas : effectiveGasPrice(transaction, place.block.baseFeePerGas),
    ),
    ...(type < 2
      ? {}
      : {
          maxFeePerGas: quantity(transaction.maxFeePerGas),
          maxPriorityFeePerGas: quantity(transaction.maxPriorityFeePerGas),
        }),
    ...given("chainId", transaction.chainId, quantity),
    ...(type === 0 ? {} : { accessList: accessListView(transaction), yParity: quantity(transaction.v) }),
    ...(type === 4 ? { authorizationList: authorizationsView(transaction) } : {}),
    v: quantity(transaction.v),
    r: quantity(transaction.r),
    s: quantity(transaction.s),
  };
}

function accessListView({ accessList }: IndexedTransaction): unknown {
  return accessList.map(({ address, storageKeys }) => ({ address, storageKeys: storageKeys.map(hashHex) }));
}

function authorizationsView({ authorizations }: IndexedTransaction): unknown {
  return authorizations.map((each) => ({
    chainId: quantity(each.chainId),
    address: each.address,
    nonce: quantity(each.nonce),
    yParity: quantity(each.yParity),
    r: quantity(each.r),
    s: quantity(each.s),
  }));
}

/** What a unit of gas costs in a block: the base fee and the tip, within the cap. */
export function effectiveGasPrice(transaction: IndexedTransaction, baseFeePerGas: bigint): bigint {
  const offered = baseFeePerGas + transaction.maxPriorityFeePerGas;
  return offered < transaction.maxFeePerGas ? offered : transaction.maxFeePerGas;
}

export function receiptView(at: PlacedTransaction): Record<string, unknown> {
  return receiptAfter(at, usedBefore(at.block.receipts.slice(0, at.position)));
}

/** All of the block, in one pass. */
export function receiptViews(block: IndexedBlock): unknown[] {
  const views: unknown[] = [];
  let before: UsedBefore = { gas: 0n, logs: 0 };
  for (const position of block.receipts.keys()) {
    const at = placed(block, position);
    if (at === undefined) break;
    views.push(receiptAfter(at, before));
    before = { gas: before.gas + at.receipt.gasUsed, logs: before.logs + at.receipt.logs.length };
  }
  return views;
}

interface UsedBefore {
  readonly gas: bigint;
  readonly logs: number;
}

function usedBefore(receipts: readonly IndexedReceipt[]): UsedBefore {
  let gas = 0n;
  let logs = 0;
  for (const receipt of receipts) {
    gas += receipt.gasUsed;
    logs += receipt.logs.length;
  }
  return { gas, logs };
}

function receiptAfter({ block, position, transaction, receipt }: PlacedTransaction, before: UsedBefore) {
  return {
    type: quantity(transaction.type),
    status: receipt.succeeded ? "0x1" : "0x0",
    transactionHash: hashHex(transaction.hash),
    transactionIndex: quantity(position),
    blockHash: hashHex(block.hash),
    blockNumber: quantity(block.number),
    from: transaction.sender,
    to: transaction.to ?? null,
    contractAddress: receipt.contractAddress ?? null,
    gasUsed: quantity(receipt.gasUsed),
    cumulativeGasUsed: quantity(before.gas + receipt.gasUsed),
    effectiveGasPrice: quantity(effectiveGasPrice(transaction, block.baseFeePerGas)),
    logs: receipt.logs.map((log, index) =>
      logView({ block, transaction, position, logIndex: before.logs + index, log }, false),
    ),
    logsBloom: dataHex(receipt.logsBloom),
  };
}

/** `removed`: a reorg took it back. */
export function logView({ block, transaction, position, logIndex, log }: PlacedLog, removed: boolean) {
  return {
    address: log.address,
    topics: log.topics.map(hashHex),
    data: dataHex(log.data),
    blockNumber: quantity(block.number),
    blockHash: hashHex(block.hash),
    blockTimestamp: quantity(block.timestamp),
    transactionHash: hashHex(transaction.hash),
    transactionIndex: quantity(position),
    logIndex: quantity(logIndex),
    removed,
  };
}

/** A member that is there only where there is a value. */
function given<T>(name: string, value: T | undefined, view: (value: T) => string): Record<string, string> {
  return value === undefined ? {} : { [name]: view(value) };
}
