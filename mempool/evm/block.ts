import { createBlockHeader } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import { encodeReceipt, type RunTxResult } from "@ethereumjs/vm";
import { keccak256 } from "./keccak.ts";
import { addressOf, type BlockEnvironment } from "./machine.ts";
import { hexOf } from "./recording-state.ts";
import { type RlpItem, rlpBytes, rlpDecode, rlpEncode, rlpList, rlpNumber } from "./rlp.ts";
import type { EvmTransaction } from "./transaction.ts";
import { Trie } from "./trie.ts";

/** A block's header as others need it. Hashes are 64 hexadecimal digits without prefix. Plain data. */
export interface EvmHead extends BlockEnvironment {
  readonly hash: string;
  readonly parentHash: string;
  readonly gasUsed: bigint;
  readonly stateRoot: string;
}

export interface EvmLog {
  /** "0x" and 40 lower-case hexadecimal digits. */
  readonly address: string;
  /** 64 hexadecimal digits each, without prefix. */
  readonly topics: readonly string[];
  readonly data: Uint8Array;
}

/** What a transaction did in its block. */
export interface EvmReceipt {
  readonly transactionHash: string;
  readonly index: number;
  readonly type: number;
  /** Whether it succeeded; one that failed is in the block all the same, and pays. */
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  readonly cumulativeGasUsed: bigint;
  /** Wei for a unit of gas: base fee and tip. */
  readonly effectiveGasPrice: bigint;
  readonly contractAddress: string | undefined;
  readonly logs: readonly EvmLog[];
  readonly logsBloom: Uint8Array;
}

/** One transaction of a block that is being made. */
export interface Executed {
  readonly transaction: EvmTransaction;
  readonly type: number;
  readonly result: RunTxResult;
}

export interface EncodedBlock {
  readonly head: EvmHead;
  /** The whole block in Ethereum's RLP. */
  readonly raw: Uint8Array;
  readonly receipts: readonly EvmReceipt[];
  /** What the header says besides: hexadecimal, without prefix. */
  readonly fields: HeaderFields;
}

/** Of a header all that a validator compares, as hexadecimal. */
export interface HeaderFields {
  readonly parentHash: string;
  readonly stateRoot: string;
  readonly transactionsTrie: string;
  readonly receiptTrie: string;
  readonly logsBloom: string;
  readonly gasUsed: string;
  readonly extraData: string;
}

const ELASTICITY = 2n;
const MAX_CHANGE_DENOMINATOR = 8n;
/** A block's gas limit may differ from its parent's by less than one part of so many, as on Ethereum. */
const GAS_LIMIT_DIVISOR = 1024n;
const MIN_GAS_LIMIT = 5_000n;

/** EIP-1559: what a unit of gas burns in the block after this one. */
export function nextBaseFee({
  gasLimit,
  gasUsed,
  baseFeePerGas,
}: Pick<EvmHead, "gasLimit" | "gasUsed" | "baseFeePerGas">): bigint {
  const target = gasLimit / ELASTICITY;
  if (gasUsed === target) return baseFeePerGas;
  if (gasUsed > target) {
    const rise = (baseFeePerGas * (gasUsed - target)) / target / MAX_CHANGE_DENOMINATOR;
    return baseFeePerGas + (rise > 1n ? rise : 1n);
  }
  const fall = (baseFeePerGas * (target - gasUsed)) / target / MAX_CHANGE_DENOMINATOR;
  return baseFeePerGas - fall;
}

export type EnvironmentFault = "parent" | "timestamp" | "gas-limit" | "base-fee";

/** What of a block does not follow from its parent. */
export function environmentFaults(parent: EvmHead, env: BlockEnvironment): EnvironmentFault[] {
  const faults: EnvironmentFault[] = [];
  if (env.number !== parent.number + 1) faults.push("parent");
  if (env.timestamp < parent.timestamp) faults.push("timestamp");
  const change = env.gasLimit > parent.gasLimit ? env.gasLimit - parent.gasLimit : parent.gasLimit - env.gasLimit;
  if (env.gasLimit < MIN_GAS_LIMIT || (change > 0n && change >= parent.gasLimit / GAS_LIMIT_DIVISOR))
    faults.push("gas-limit");
  if (env.baseFeePerGas !== nextBaseFee(parent)) faults.push("base-fee");
  return faults;
}

/** Header and body of a block with its state's root. `extraData` has 32 bytes at the most. */
export function encodeBlock(terms: {
  readonly env: BlockEnvironment;
  readonly parentHash: string;
  readonly stateRoot: Uint8Array;
  readonly executed: readonly Executed[];
  readonly extraData: Uint8Array;
  readonly common: Common;
}): EncodedBlock {
  const { env, parentHash, stateRoot, executed, extraData, common } = terms;
  const bloom = new Uint8Array(256);
  for (const { result } of executed)
    for (const [i, byte] of result.bloom.bitvector.entries()) bloom[i] = (bloom[i] ?? 0) | byte;
  const parent = new Uint8Array(Buffer.from(parentHash, "hex"));
  const header = createBlockHeader(
    {
      number: env.number,
      timestamp: env.timestamp,
      coinbase: addressOf(env.coinbase),
      gasLimit: env.gasLimit,
      baseFeePerGas: env.baseFeePerGas,
      parentHash: parent,
      mixHash: parent,
      stateRoot,
      transactionsTrie: listRoot(executed.map(({ transaction }) => transaction.raw)),
      receiptTrie: listRoot(
        executed.map(({ result, type }) => encodeReceipt(result.receipt, type as TransactionTypes)),
      ),
      logsBloom: bloom,
      gasUsed: executed.at(-1)?.result.receipt.cumulativeBlockGasUsed ?? 0n,
      extraData,
    },
    { common, freeze: false },
  );
  const fields = {
    parentHash,
    stateRoot: hexOf(stateRoot),
    transactionsTrie: hexOf(header.transactionsTrie),
    receiptTrie: hexOf(header.receiptTrie),
    logsBloom: hexOf(bloom),
    gasUsed: header.gasUsed.toString(16),
    extraData: hexOf(extraData),
  };
  const encodedHeader = rlpEncode(header.raw() as RlpItem);
  const hash = hexOf(keccak256(encodedHeader));
  const bodies = executed.map(({ transaction: { raw } }) => ((raw[0] ?? 0) < 0x80 ? rlpBytes(raw) : raw));
  const parts = [encodedHeader, rlpList(bodies), rlpList([])];
  if (common.isActivatedEIP(4895)) parts.push(rlpList([]));
  return {
    head: { ...env, hash, parentHash, gasUsed: header.gasUsed, stateRoot: fields.stateRoot },
    raw: rlpList(parts),
    receipts: executed.map((one, index) => receiptOf(one, index, env.baseFeePerGas)),
    fields,
  };
}

type TransactionTypes = Parameters<typeof encodeReceipt>[1];

function receiptOf({ transaction, type, result }: Executed, index: number, baseFeePerGas: bigint): EvmReceipt {
  const { maxFeePerGas, maxPriorityFeePerGas } = transaction;
  const dearest = baseFeePerGas + maxPriorityFeePerGas;
  return {
    transactionHash: transaction.hash,
    index,
    type,
    succeeded: result.execResult.exceptionError === undefined,
    gasUsed: result.totalGasSpent,
    cumulativeGasUsed: result.receipt.cumulativeBlockGasUsed,
    effectiveGasPrice: dearest < maxFeePerGas ? dearest : maxFeePerGas,
    contractAddress: transaction.to === undefined ? result.createdAddress?.toString() : undefined,
    logs: result.receipt.logs.map(([address, topics, data]) => {
      return { address: `0x${hexOf(address)}`, topics: topics.map(hexOf), data };
    }),
    logsBloom: result.bloom.bitvector,
  };
}

/** Root of the trie over a list, by the places of its items. */
function listRoot(items: readonly Uint8Array[]): Uint8Array {
  let trie = Trie.empty<Uint8Array>((item) => item);
  for (const [index, item] of items.entries()) trie = trie.with(rlpNumber(index), item);
  return trie.rootHash;
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A block as it comes from outside: what it claims, nothing of it checked. */
export interface ClaimedBlock {
  readonly env: BlockEnvironment;
  readonly fields: HeaderFields;
  readonly hash: string;
  readonly transactions: readonly Uint8Array[];
}

/** Places of a header's items. */
const HEADER = {
  parentHash: 0,
  coinbase: 2,
  stateRoot: 3,
  transactionsTrie: 4,
  receiptTrie: 5,
  logsBloom: 6,
  number: 8,
  gasLimit: 9,
  gasUsed: 10,
  timestamp: 11,
  extraData: 12,
  baseFeePerGas: 15,
} as const;

/** Never throws: `undefined` for what is no block of this chain's form. Bounded by the bytes, which the caller bounds. */
export function decodeBlock(raw: Uint8Array): ClaimedBlock | undefined {
  const block = rlpDecode(raw);
  if (!isList(block)) return undefined;
  const [header, transactions, uncles, withdrawals] = block;
  if (!isList(header) || !isList(transactions) || !isList(uncles) || uncles.length > 0) return undefined;
  if (withdrawals !== undefined && (!isList(withdrawals) || withdrawals.length > 0)) return undefined;
  const items: Uint8Array[] = [];
  for (const item of header) if (item instanceof Uint8Array) items.push(item);
  if (items.length !== header.length || items.length < 16 || block.length > 4) return undefined;
  const hex = (place: number): string => hexOf(items[place] ?? new Uint8Array(0));
  const big = (place: number): bigint => BigInt(`0x0${hex(place)}`);
  const [number, timestamp] = [big(HEADER.number), big(HEADER.timestamp)];
  if (number > BigInt(Number.MAX_SAFE_INTEGER) || timestamp > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  if (hex(HEADER.coinbase).length !== 40 || hex(HEADER.extraData).length > 64) return undefined;
  return {
    env: {
      number: Number(number),
      timestamp: Number(timestamp),
      coinbase: `0x${hex(HEADER.coinbase)}`,
      gasLimit: big(HEADER.gasLimit),
      baseFeePerGas: big(HEADER.baseFeePerGas),
    },
    fields: {
      parentHash: hex(HEADER.parentHash),
      stateRoot: hex(HEADER.stateRoot),
      transactionsTrie: hex(HEADER.transactionsTrie),
      receiptTrie: hex(HEADER.receiptTrie),
      logsBloom: hex(HEADER.logsBloom),
      gasUsed: big(HEADER.gasUsed).toString(16),
      extraData: hex(HEADER.extraData),
    },
    hash: hexOf(keccak256(rlpEncode(header))),
    transactions: transactions.map((item) => (item instanceof Uint8Array ? item : rlpEncode(item))),
  };
}

function isList(item: RlpItem | undefined): item is readonly RlpItem[] {
  return Array.isArray(item);
}
