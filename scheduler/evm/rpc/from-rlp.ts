import { createBlockFromRLP } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import { createTxFromRLP, type TypedTransaction } from "@ethereumjs/tx";
import { bytesToBigInt, bytesToUnprefixedHex } from "@ethereumjs/util";
import type { BlockRecord } from "../../index.ts";
import { assert } from "../../shared/assert.ts";
import type { IndexedAuthorization, IndexedBlock, IndexedReceipt, IndexedTransaction } from "./indexed.ts";

/** What is known of a transaction beside its bytes: finding a sender costs a millisecond, and it was found before. */
export interface KnownTransaction {
  readonly raw: Uint8Array;
  /** "0x" and 40 lower-case digits. */
  readonly sender: string;
}

/**
 * A sealed block for the index, from its RLP. Throws what the reader of the RLP throws: the block is one that this process made,
 * or has checked.
 */
export function indexedBlock(sealed: {
  readonly rlp: Uint8Array;
  readonly common: Common;
  /** In block order, as are the receipts. */
  readonly senders: readonly string[];
  readonly receipts: readonly IndexedReceipt[];
  readonly inference: BlockRecord | undefined;
}): IndexedBlock {
  const { rlp, common, senders, receipts, inference } = sealed;
  const { header, transactions } = createBlockFromRLP(rlp, { common, setHardfork: false });
  assert(transactions.length === senders.length, "each transaction has its sender");
  return {
    number: Number(header.number),
    hash: bytesToUnprefixedHex(header.hash()),
    parentHash: bytesToUnprefixedHex(header.parentHash),
    timestamp: Number(header.timestamp),
    coinbase: header.coinbase.toString(),
    gasUsed: header.gasUsed,
    gasLimit: header.gasLimit,
    baseFeePerGas: header.baseFeePerGas ?? 0n,
    stateRoot: bytesToUnprefixedHex(header.stateRoot),
    transactionsRoot: bytesToUnprefixedHex(header.transactionsTrie),
    receiptsRoot: bytesToUnprefixedHex(header.receiptTrie),
    mixHash: bytesToUnprefixedHex(header.mixHash),
    extraData: header.extraData,
    logsBloom: header.logsBloom,
    withdrawalsRoot: optionalHash(header.withdrawalsRoot),
    parentBeaconBlockRoot: optionalHash(header.parentBeaconBlockRoot),
    requestsHash: optionalHash(header.requestsHash),
    blobGasUsed: header.blobGasUsed,
    excessBlobGas: header.excessBlobGas,
    size: rlp.length,
    transactions: transactions.map((transaction, position) => fieldsOf(transaction, senders[position] ?? "")),
    receipts,
    inference,
  };
}

/** A transaction that waits, for `pendingTransaction` and events. Throws what the reader of the RLP throws. */
export function indexedTransaction({ raw, sender }: KnownTransaction, common: Common): IndexedTransaction {
  return fieldsOf(createTxFromRLP(raw, { common }), sender);
}

function fieldsOf(transaction: TypedTransaction, sender: string): IndexedTransaction {
  const { v, r, s } = transaction;
  assert(v !== undefined && r !== undefined && s !== undefined, "a transaction in a block is signed");
  const type = typeOf(transaction);
  return {
    hash: bytesToUnprefixedHex(transaction.hash()),
    raw: transaction.serialize(),
    sender,
    type,
    // EIP-155: v is twice the chain id and 35 or 36; before it 27 or 28.
    chainId: type === 0 ? (v >= 35n ? (v - 35n) / 2n : undefined) : transaction.common.chainId(),
    nonce: Number(transaction.nonce),
    to: transaction.to?.toString(),
    value: transaction.value,
    input: transaction.data,
    gasLimit: transaction.gasLimit,
    ...feesOf(transaction),
    accessList:
      "accessList" in transaction
        ? transaction.accessList.map(([address, keys]) => ({
            address: `0x${bytesToUnprefixedHex(address)}`,
            storageKeys: keys.map(bytesToUnprefixedHex),
          }))
        : [],
    authorizations: "authorizationList" in transaction ? transaction.authorizationList.map(authorizationOf) : [],
    v,
    r,
    s,
  };
}

function typeOf(transaction: TypedTransaction): IndexedTransaction["type"] {
  const { type } = transaction;
  assert(type === 0 || type === 1 || type === 2 || type === 4, "blobs have no place on this chain");
  return type;
}

function feesOf(transaction: TypedTransaction): Pick<IndexedTransaction, "maxFeePerGas" | "maxPriorityFeePerGas"> {
  if ("maxFeePerGas" in transaction) {
    const { maxFeePerGas, maxPriorityFeePerGas } = transaction;
    return { maxFeePerGas, maxPriorityFeePerGas };
  }
  return { maxFeePerGas: transaction.gasPrice, maxPriorityFeePerGas: transaction.gasPrice };
}

type AuthorizationBytes = readonly Uint8Array[];

function authorizationOf(entry: AuthorizationBytes): IndexedAuthorization {
  const [chainId, address, nonce, yParity, r, s] = entry;
  const number = (bytes: Uint8Array | undefined): bigint =>
    bytes === undefined || bytes.length === 0 ? 0n : bytesToBigInt(bytes);
  return {
    chainId: number(chainId),
    address: `0x${bytesToUnprefixedHex(address ?? new Uint8Array(20))}`,
    nonce: number(nonce),
    yParity: number(yParity),
    r: number(r),
    s: number(s),
  };
}

function optionalHash(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : bytesToUnprefixedHex(bytes);
}
