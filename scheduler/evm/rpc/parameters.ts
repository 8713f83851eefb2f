import type { CallRequest } from "../../../mempool/evm/trial.ts";
import type { Decoded, Decoder, Parameter } from "./method.ts";

/** How the method's parameters are read. What is not written as JSON-RPC writes it is refused, with what was expected. */

export function valid<T>(value: T): Decoded<T> {
  return { ok: true, value };
}

export function unexpected<T>(expected: string): Decoded<T> {
  return { ok: false, expected };
}

export function needed<T>(name: string, decode: Decoder<T>): Parameter<T> {
  return { name, decode };
}

export function optional<T>(name: string, decode: Decoder<T>, value: T): Parameter<T> {
  return { name, decode, absent: { value } };
}

export const anAddress: Decoder<string> = (value) =>
  typeof value === "string" && /^0x[0-9a-fA-F]{40}$/.test(value)
    ? valid(value.toLowerCase())
    : unexpected("an address: 0x and 40 hexadecimal digits");

/** Gives it without the prefix. */
export const aHash: Decoder<string> = (value) =>
  typeof value === "string" && /^0x[0-9a-fA-F]{64}$/.test(value)
    ? valid(value.slice(2).toLowerCase())
    : unexpected("a hash: 0x and 64 hexadecimal digits");

export const aQuantity: Decoder<bigint> = (value) => {
  const isQuantity = typeof value === "string" && /^0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})$/.test(value);
  return isQuantity
    ? valid(BigInt(value))
    : unexpected("a quantity: 0x and up to 64 hexadecimal digits without leading zeros");
};

/** A quantity that is no more than a position or a block number can be. */
export const aNumber: Decoder<number> = (value) => {
  const quantity = aQuantity(value);
  return quantity.ok && quantity.value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? valid(Number(quantity.value))
    : unexpected("a quantity below 2^53: 0x and hexadecimal digits without leading zeros");
};

/** A count that some clients write as a JSON number. */
export const aCount: Decoder<number> = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? valid(value as number) : aNumber(value);

/** A storage slot: a quantity, or up to 32 bytes with their zeros. */
export const aSlot: Decoder<bigint> = (value) =>
  typeof value === "string" && /^0x[0-9a-fA-F]{1,64}$/.test(value)
    ? valid(BigInt(value))
    : unexpected("a storage slot: 0x and 1 to 64 hexadecimal digits");

export const someBytes: Decoder<Uint8Array> = (value) =>
  typeof value === "string" && value.length % 2 === 0 && /^0x[0-9a-fA-F]*$/.test(value)
    ? valid(new Uint8Array(Buffer.from(value.slice(2), "hex")))
    : unexpected("bytes: 0x and an even number of hexadecimal digits");

export const aBoolean: Decoder<boolean> = (value) =>
  typeof value === "boolean" ? valid(value) : unexpected("true or false");

export const aText: Decoder<string> = (value) =>
  typeof value === "string" && value.length <= 256 ? valid(value) : unexpected("a string of at most 256 characters");

export const anything: Decoder<unknown> = (value) => valid(value);

/** Percentiles that rise, of 0 to 100. */
export function somePercentiles(limit: number): Decoder<readonly number[]> {
  return (value) => {
    const expected = `at most ${limit} percentiles between 0 and 100, in rising order`;
    if (!Array.isArray(value) || value.length > limit) return unexpected(expected);
    let last = 0;
    for (const percentile of value) {
      if (typeof percentile !== "number" || !(percentile >= last && percentile <= 100)) return unexpected(expected);
      last = percentile;
    }
    return valid(value as readonly number[]);
  };
}

export type BlockTag = "latest" | "earliest" | "pending" | "safe" | "finalized";
export type BlockReference =
  | { readonly by: "tag"; readonly tag: BlockTag }
  | { readonly by: "number"; readonly number: number }
  | { readonly by: "hash"; readonly hash: string };

const TAGS: ReadonlySet<unknown> = new Set<BlockTag>(["latest", "earliest", "pending", "safe", "finalized"]);
export const LATEST: BlockReference = { by: "tag", tag: "latest" };
const BLOCK_EXPECTED = "a block number (0x…) or latest, earliest, pending, safe or finalized";

export const aBlockNumber: Decoder<BlockReference> = (value) => {
  if (TAGS.has(value)) return valid({ by: "tag", tag: value as BlockTag });
  const number = aNumber(value);
  return number.ok ? valid({ by: "number", number: number.value }) : unexpected(BLOCK_EXPECTED);
};

/** As EIP-1898 has it: also `{"blockNumber": …}` or `{"blockHash": …}`. A hash is found on the canonical chain only. */
export const aBlock: Decoder<BlockReference> = (value) => {
  if (!isRecord(value)) {
    const hash = aHash(value);
    return hash.ok ? valid({ by: "hash", hash: hash.value }) : aBlockNumber(value);
  }
  const { blockNumber, blockHash, requireCanonical } = value;
  const expected = `${BLOCK_EXPECTED}, or an object with either blockNumber or blockHash`;
  if ((blockNumber === undefined) === (blockHash === undefined)) return unexpected(expected);
  if (requireCanonical !== undefined && typeof requireCanonical !== "boolean")
    return unexpected("a boolean requireCanonical");
  if (blockHash === undefined) return aBlockNumber(blockNumber);
  const hash = aHash(blockHash);
  return hash.ok ? valid({ by: "hash", hash: hash.value }) : unexpected(`blockHash to be ${hash.expected}`);
};

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a tried call may hold that would change its result, and that is not there. */
const NOT_TAKEN = ["blobVersionedHashes", "blobs", "maxFeePerBlobGas", "sidecars", "authorizationList"];
const MAX_ACCESS_LIST = 1_024;

/** A call as `eth_call` and `eth_estimateGas` take it. Keys that mean nothing here are ignored, as elsewhere. */
export function aCall(chainId: bigint): Decoder<CallRequest> {
  return (value) => {
    if (!isRecord(value)) return unexpected("a call: an object with to, data, from, value or gas");
    const strange = NOT_TAKEN.find((key) => value[key] !== undefined && value[key] !== null);
    if (strange !== undefined) return unexpected(`a call without ${strange}, which this chain does not have here`);
    const fields = new Fields(value);
    const from = fields.read("from", anAddress);
    const to = fields.read("to", anAddress);
    const amount = fields.read("value", aQuantity) ?? 0n;
    const gas = fields.read("gas", aQuantity);
    const gasPrice = fields.read("gasPrice", aQuantity);
    const maxFeePerGas = fields.read("maxFeePerGas", aQuantity);
    const maxPriorityFeePerGas = fields.read("maxPriorityFeePerGas", aQuantity);
    const data = fields.read("data", someBytes);
    const input = fields.read("input", someBytes);
    const accessList = fields.read("accessList", anAccessList) ?? [];
    const chain = fields.read("chainId", aQuantity);
    if (fields.trouble !== undefined) return unexpected(fields.trouble);
    if (chain !== undefined && chain !== chainId) return unexpected(`chainId to be 0x${chainId.toString(16)}`);
    if (data !== undefined && input !== undefined && Buffer.compare(data, input) !== 0) {
      return unexpected("data and input to be the same, or one of them only");
    }
    if (gasPrice !== undefined && (maxFeePerGas !== undefined || maxPriorityFeePerGas !== undefined)) {
      return unexpected("either gasPrice, or maxFeePerGas and maxPriorityFeePerGas");
    }
    const cap = gasPrice ?? maxFeePerGas ?? maxPriorityFeePerGas;
    const tip = gasPrice ?? maxPriorityFeePerGas ?? (cap === undefined ? undefined : 0n);
    if (cap !== undefined && tip !== undefined && tip > cap)
      return unexpected("maxPriorityFeePerGas to be at most maxFeePerGas");
    return valid({
      from,
      to,
      data: input ?? data ?? new Uint8Array(),
      value: amount,
      gas,
      maxFeePerGas: cap,
      maxPriorityFeePerGas: tip,
      accessList,
    });
  };
}

/** Reads the keys of an object and keeps the first trouble. */
class Fields {
  readonly #record: Readonly<Record<string, unknown>>;
  trouble: string | undefined;

  constructor(record: Readonly<Record<string, unknown>>) {
    this.#record = record;
  }

  read<T>(key: string, decode: Decoder<T>): T | undefined {
    const value = this.#record[key];
    if (value === undefined || value === null) return undefined;
    const decoded = decode(value);
    if (decoded.ok) return decoded.value;
    this.trouble ??= `${key} to be ${decoded.expected}`;
    return undefined;
  }
}

const anAccessList: Decoder<CallRequest["accessList"]> = (value) => {
  const expected = `an access list of at most ${MAX_ACCESS_LIST} addresses and storage keys`;
  if (!Array.isArray(value)) return unexpected(expected);
  const entries: { readonly address: string; readonly storageKeys: readonly string[] }[] = [];
  let count = 0;
  for (const entry of value) {
    if (!isRecord(entry) || !Array.isArray(entry["storageKeys"])) return unexpected(expected);
    count += 1 + entry["storageKeys"].length;
    if (count > MAX_ACCESS_LIST) return unexpected(expected);
    const address = anAddress(entry["address"]);
    const keys = entry["storageKeys"].map(aHash);
    const storageKeys = keys.filter((key) => key.ok).map((key) => key.value);
    if (!address.ok || storageKeys.length < keys.length) return unexpected(expected);
    entries.push({ address: address.value, storageKeys });
  }
  return valid(entries);
};
