import type { Common } from "@ethereumjs/common";
import { createTxFromRLP, type TypedTransaction } from "@ethereumjs/tx";
import { Address, bytesToBigInt, SECP256K1_ORDER, SECP256K1_ORDER_DIV_2 } from "@ethereumjs/util";
import { commonOf, type EvmHardfork } from "./genesis.ts";
import { keccak256 } from "./keccak.ts";
import { type InferenceOptions, readOptions } from "./options.ts";
import { hexOf } from "./recording-state.ts";
import { readRlp, type RlpItem } from "./rlp.ts";

/** A signed Ethereum transaction, as far as a pool needs to know it. Amounts in wei. Plain data that another thread can be sent. */
export interface EvmTransaction {
  /** Keccak-256 of `raw`: 64 hexadecimal digits without prefix. */
  readonly hash: string;
  readonly raw: Uint8Array;
  /** "0x" and 40 lower-case hexadecimal digits. */
  readonly sender: string;
  readonly nonce: number;
  readonly gasLimit: bigint;
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  readonly value: bigint;
  /** `undefined` for one that creates a contract. */
  readonly to: string | undefined;
  readonly options: InferenceOptions;
}

/** What is wrong with a transaction; `message` is a sentence. */
export type TransactionProblem = { readonly message: string } & (
  | { readonly kind: "oversized" | "malformed" | "unsupported-type" | "bad-signature" | "bad-nonce" }
  /** It could be replayed on other chains: it does not say which it is for. */
  | { readonly kind: "unprotected" }
  | { readonly kind: "wrong-chain"; readonly signedFor: bigint }
  /** `minimum` is what it costs before it runs. */
  | { readonly kind: "gas-too-low"; readonly gas: bigint; readonly minimum: bigint }
  /** What its access list says of inference cannot be read. */
  | { readonly kind: "bad-options" }
);

type PlainKind = Exclude<TransactionProblem["kind"], "wrong-chain" | "gas-too-low">;

export type ParsedTransaction =
  | { readonly ok: true; readonly transaction: EvmTransaction }
  | { readonly ok: false; readonly problem: TransactionProblem };

export const TRANSACTION_LIMITS = {
  /** Four times 32 KiB, as Ethereum's pools have it. */
  maxBytes: 128 * 1024,
} as const;

/** Types of EIP-2718 that a chain without blobs takes: access lists, fees of two parts, delegations. */
const TYPES = [1, 2, 4];

/** Where a payload has what is looked at before the rest. */
const LEGACY = { fields: 9, chain: 6, nonce: 0, r: 7, s: 8 };
const TYPED: Readonly<Record<number, typeof LEGACY>> = {
  1: { fields: 11, chain: 0, nonce: 1, r: 9, s: 10 },
  2: { fields: 12, chain: 0, nonce: 1, r: 10, s: 11 },
  4: { fields: 13, chain: 0, nonce: 1, r: 11, s: 12 },
};

/** Machine's form of transactions that were parsed here, so that a signature is recovered once. Others are parsed when they are run. */
const machineForms = new WeakMap<EvmTransaction, TypedTransaction>();

/**
 * Takes a raw transaction from outside: cheap checks first, and the signature last. Never throws. `hardfork` says which types there
 * are; without, all.
 */
export function parseTransaction(
  raw: Uint8Array,
  { chainId, hardfork }: { readonly chainId: bigint; readonly hardfork?: EvmHardfork },
): ParsedTransaction {
  if (raw.length > TRANSACTION_LIMITS.maxBytes)
    return refuse("oversized", `It has ${raw.length} bytes, more than ${TRANSACTION_LIMITS.maxBytes}.`);
  const problem = firstLook(raw, chainId);
  if (problem !== undefined) return { ok: false, problem };
  let tx: TypedTransaction;
  try {
    tx = createTxFromRLP(raw, { common: sharedCommon(chainId, hardfork), freeze: false });
  } catch (cause) {
    return refuse("malformed", `It cannot be read: ${said(cause)}.`);
  }
  const sender = recoverSender(tx);
  if (sender === undefined) return refuse("bad-signature", "No account has signed it.");
  const minimum = tx.getIntrinsicGas();
  if (tx.gasLimit < minimum) {
    const message = `Its gas limit is below the ${minimum} that it costs before it runs.`;
    return { ok: false, problem: { kind: "gas-too-low", gas: tx.gasLimit, minimum, message } };
  }
  const read = readOptions(accessListOf(tx));
  if (!read.ok) return refuse("bad-options", `Its access list cannot be read as options: ${read.problem}.`);
  const price = "gasPrice" in tx ? { maxFeePerGas: tx.gasPrice, maxPriorityFeePerGas: tx.gasPrice } : tx;
  const transaction: EvmTransaction = {
    hash: hexOf(keccak256(raw)),
    raw,
    sender: sender.toString(),
    nonce: Number(tx.nonce),
    gasLimit: tx.gasLimit,
    maxFeePerGas: price.maxFeePerGas,
    maxPriorityFeePerGas: price.maxPriorityFeePerGas,
    value: tx.value,
    to: tx.to?.toString(),
    options: read.options,
  };
  machineForms.set(transaction, tx);
  return { ok: true, transaction };
}

/** The transaction as the machine takes it. It was parsed before, on this thread or another; throws for one that was not. */
export function machineForm(transaction: EvmTransaction, common: Common): TypedTransaction {
  const known = machineForms.get(transaction);
  if (known !== undefined && known.common === common) return known;
  const tx = createTxFromRLP(transaction.raw, { common, freeze: false });
  withSender(tx, new Address(new Uint8Array(Buffer.from(transaction.sender.slice(2), "hex"))));
  machineForms.set(transaction, tx);
  return tx;
}

/** Has the machine take this account for the sender, whatever the signature is. */
export function withSender(tx: TypedTransaction, sender: Address): void {
  Object.defineProperty(tx, "getSenderAddress", { value: () => sender });
}

function firstLook(raw: Uint8Array, chainId: bigint): TransactionProblem | undefined {
  const type = raw[0] ?? 0;
  const typed = type < 0x80;
  const places = typed ? TYPED[type] : LEGACY;
  if (raw.length === 0) return malformed("It is empty.");
  if (places === undefined || (typed && !TYPES.includes(type)))
    return { kind: "unsupported-type", message: `Transactions of type ${type} are not taken here.` };
  const payload = readRlp(typed ? raw.subarray(1) : raw);
  if (!Array.isArray(payload) || payload.length !== places.fields) return malformed("It is not the RLP of its type.");
  const at = (index: number): bigint | undefined => numberOf(payload[index]);
  const [chain, nonce, r, s] = [at(places.chain), at(places.nonce), at(places.r), at(places.s)];
  if (chain === undefined || nonce === undefined || r === undefined || s === undefined)
    return malformed("One of its numbers is none.");
  if (!typed && (chain === 27n || chain === 28n))
    return { kind: "unprotected", message: "It does not say which chain it is for (EIP-155)." };
  const signedFor = typed ? chain : (chain - 35n) / 2n;
  if (signedFor !== chainId || (!typed && chain < 35n))
    return { kind: "wrong-chain", signedFor, message: `It is for the chain ${signedFor}, and this is ${chainId}.` };
  if (nonce >= BigInt(Number.MAX_SAFE_INTEGER)) return { kind: "bad-nonce", message: "Its nonce is out of range." };
  if (r === 0n || s === 0n || r >= SECP256K1_ORDER || s > SECP256K1_ORDER_DIV_2)
    return { kind: "bad-signature", message: "Its signature is none, or not the canonical one of the two (EIP-2)." };
  return undefined;
}

/** The number that a field holds, without leading zeros and of 32 bytes at the most. */
function numberOf(item: RlpItem | undefined): bigint | undefined {
  if (!(item instanceof Uint8Array) || item.length > 32 || item[0] === 0) return undefined;
  return bytesToBigInt(item);
}

function recoverSender(tx: TypedTransaction): Address | undefined {
  try {
    const sender = new Address(keccak256(tx.getSenderPublicKey()).slice(-20));
    withSender(tx, sender);
    return sender;
  } catch {
    return undefined;
  }
}

function accessListOf(tx: TypedTransaction) {
  if (!("accessList" in tx)) return [];
  return tx.accessList.map(([address, keys]) => {
    return { address: `0x${hexOf(address)}`, storageKeys: keys.map((key) => `0x${hexOf(key)}`) };
  });
}

const commons = new Map<string, Common>();

/** One for all transactions of a chain: the machine's library would make one for each. */
export function sharedCommon(chainId: bigint, hardfork: EvmHardfork = "prague"): Common {
  const name = `${chainId} ${hardfork}`;
  const known = commons.get(name);
  if (known !== undefined) return known;
  const common = commonOf({ chainId, hardfork });
  common.copy = () => common;
  commons.set(name, common);
  return common;
}

/** The first words of what the library says, which goes on with all of its state. */
function said(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return (text.split(" (")[0] ?? "").slice(0, 160);
}

function malformed(message: string): TransactionProblem {
  return { kind: "malformed", message };
}

function refuse(kind: PlainKind, message: string): ParsedTransaction {
  return { ok: false, problem: { kind, message } };
}
