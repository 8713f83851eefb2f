import { type BlockHeaderBytes, createBlockHeader, valuesArrayToHeaderData } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import { RLP } from "@ethereumjs/rlp";
import { createAddressFromString } from "@ethereumjs/util";
import { Bloom, encodeReceipt, type RunTxResult } from "@ethereumjs/vm";
import { keccak256 } from "./keccak.ts";
import type { BlockEnvironment } from "./machine.ts";
import { hexOf } from "./recording-state.ts";
import { readRlp, type RlpItem } from "./rlp.ts";
import type { EvmTransaction } from "./transaction.ts";
import { Trie } from "./trie.ts";

/** A block's header as others need it. Hashes are 64 hexadecimal digits without prefix. Plain data. */
export interface EvmHead extends BlockEnvironment {
  readonly hash: string;
  readonly parentHash: string;
  readonly gasUsed: bigint;
  readonly stateRoot: string;
  /** EIP-1559: what a unit of gas burns in the block after this one, in wei. */
  readonly nextBaseFeePerGas: bigint;
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

/** A block's gas limit may differ from its parent's by less than one part of so many, as on Ethereum. */
const GAS_LIMIT_DIVISOR = 1024n;
const MIN_GAS_LIMIT = 5_000n;

export type EnvironmentFault = "parent" | "timestamp" | "gas-limit" | "base-fee";

/** What of a block does not follow from its parent. */
export function environmentFaults(parent: EvmHead, env: BlockEnvironment): EnvironmentFault[] {
  const faults: EnvironmentFault[] = [];
  if (env.number !== parent.number + 1) faults.push("parent");
  if (env.timestamp < parent.timestamp) faults.push("timestamp");
  const change = env.gasLimit > parent.gasLimit ? env.gasLimit - parent.gasLimit : parent.gasLimit - env.gasLimit;
  if (env.gasLimit < MIN_GAS_LIMIT || (change > 0n && change >= parent.gasLimit / GAS_LIMIT_DIVISOR))
    faults.push("gas-limit");
  if (env.baseFeePerGas !== parent.nextBaseFeePerGas) faults.push("base-fee");
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
  const bloom = new Bloom();
  for (const { result } of executed) bloom.or(result.bloom);
  const parent = new Uint8Array(Buffer.from(parentHash, "hex"));
  const header = createBlockHeader(
    {
      number: env.number,
      timestamp: env.timestamp,
      coinbase: createAddressFromString(env.coinbase),
      gasLimit: env.gasLimit,
      baseFeePerGas: env.baseFeePerGas,
      parentHash: parent,
      mixHash: parent,
      stateRoot,
      transactionsTrie: listRoot(executed.map(({ transaction }) => transaction.raw)),
      receiptTrie: listRoot(
        executed.map(({ result, type }) => encodeReceipt(result.receipt, type as TransactionTypes)),
      ),
      logsBloom: bloom.bitvector,
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
    logsBloom: hexOf(header.logsBloom),
    gasUsed: header.gasUsed.toString(16),
    extraData: hexOf(extraData),
  };
  const [hash, nextBaseFeePerGas] = [hexOf(header.hash()), header.calcNextBaseFee()];
  // One of before EIP-2718 stands in a block as the list that it is, others as their bytes.
  const bodies = executed.map(({ transaction: { raw } }) => ((raw[0] ?? 0) < 0x80 ? raw : RLP.decode(raw)));
  const withdrawals = common.isActivatedEIP(4895) ? [[]] : [];
  return {
    head: { ...env, hash, parentHash, gasUsed: header.gasUsed, stateRoot: fields.stateRoot, nextBaseFeePerGas },
    raw: RLP.encode([header.raw(), bodies, [], ...withdrawals]),
    receipts: executed.map((one, index) => receiptOf(one, index)),
    fields,
  };
}

type TransactionTypes = Parameters<typeof encodeReceipt>[1];

function receiptOf({ transaction, type, result }: Executed, index: number): EvmReceipt {
  return {
    transactionHash: transaction.hash,
    index,
    type,
    succeeded: result.execResult.exceptionError === undefined,
    gasUsed: result.totalGasSpent,
    cumulativeGasUsed: result.receipt.cumulativeBlockGasUsed,
    effectiveGasPrice: result.amountSpent / result.totalGasSpent,
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
  for (const [index, item] of items.entries()) trie = trie.with(RLP.encode(index), item);
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

/** Fields that a header has at the least, after EIP-1559, and at the most, in any hard fork. */
const LEAST_FIELDS = 16;
const MOST_FIELDS = 23;

/** Never throws: `undefined` for what is no block of this chain's form. Bounded by the bytes, which the caller bounds. */
export function decodeBlock(raw: Uint8Array): ClaimedBlock | undefined {
  const block = readRlp(raw);
  if (!isList(block)) return undefined;
  const [header, transactions, uncles, withdrawals] = block;
  if (!isList(header) || !isList(transactions) || !isList(uncles) || uncles.length > 0) return undefined;
  if (withdrawals !== undefined && (!isList(withdrawals) || withdrawals.length > 0)) return undefined;
  const items = header.filter((item) => item instanceof Uint8Array);
  if (items.length !== header.length || items.length < LEAST_FIELDS || items.length > MOST_FIELDS || block.length > 4)
    return undefined;
  const said = valuesArrayToHeaderData(items as BlockHeaderBytes);
  const hex = (field: keyof typeof said): string => {
    const value = said[field];
    return value instanceof Uint8Array ? hexOf(value) : "";
  };
  const big = (field: keyof typeof said): bigint => BigInt(`0x0${hex(field)}`);
  const [number, timestamp] = [big("number"), big("timestamp")];
  if (number > BigInt(Number.MAX_SAFE_INTEGER) || timestamp > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  if (hex("coinbase").length !== 40 || hex("extraData").length > 64) return undefined;
  return {
    env: {
      number: Number(number),
      timestamp: Number(timestamp),
      coinbase: `0x${hex("coinbase")}`,
      gasLimit: big("gasLimit"),
      baseFeePerGas: big("baseFeePerGas"),
    },
    fields: {
      parentHash: hex("parentHash"),
      stateRoot: hex("stateRoot"),
      transactionsTrie: hex("transactionsTrie"),
      receiptTrie: hex("receiptTrie"),
      logsBloom: hex("logsBloom"),
      gasUsed: big("gasUsed").toString(16),
      extraData: hex("extraData"),
    },
    hash: hexOf(keccak256(RLP.encode(header))),
    transactions: transactions.map((item) => (item instanceof Uint8Array ? item : RLP.encode(item))),
  };
}

function isList(item: RlpItem | undefined): item is RlpItem[] {
  return Array.isArray(item);
}
