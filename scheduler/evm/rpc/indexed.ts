import type { BlockRecord } from "../../index.ts";

/**
 * Blocks as the JSON-RPC face keeps them: plain data. Hashes and topics are 64 lower-case hexadecimal digits without a prefix, as
 * everywhere in PIPE; addresses are "0x" and 40 lower-case digits; amounts are wei.
 */
export interface IndexedBlock {
  readonly number: number;
  readonly hash: string;
  readonly parentHash: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly coinbase: string;
  readonly gasUsed: bigint;
  readonly gasLimit: bigint;
  readonly baseFeePerGas: bigint;
  readonly stateRoot: string;
  readonly transactionsRoot: string;
  readonly receiptsRoot: string;
  readonly mixHash: string;
  readonly extraData: Uint8Array;
  /** 256 bytes. */
  readonly logsBloom: Uint8Array;
  /** What the header has since later forks; `undefined` where the chain's fork has no such field. */
  readonly withdrawalsRoot: string | undefined;
  readonly parentBeaconBlockRoot: string | undefined;
  readonly requestsHash: string | undefined;
  readonly blobGasUsed: bigint | undefined;
  readonly excessBlobGas: bigint | undefined;
  /** Bytes of the block's RLP. */
  readonly size: number;
  readonly transactions: readonly IndexedTransaction[];
  /** Of the transaction at the same place. */
  readonly receipts: readonly IndexedReceipt[];
  /** The inference section: signed header and receipts. `undefined` for a block without one, such as the first. */
  readonly inference: BlockRecord | undefined;
}

export interface IndexedTransaction {
  readonly hash: string;
  /** As it was sent. */
  readonly raw: Uint8Array;
  readonly sender: string;
  readonly type: 0 | 1 | 2 | 4;
  /** `undefined` only for a legacy transaction that is not bound to a chain. */
  readonly chainId: bigint | undefined;
  readonly nonce: number;
  /** `undefined` makes a contract. */
  readonly to: string | undefined;
  readonly value: bigint;
  readonly input: Uint8Array;
  readonly gasLimit: bigint;
  /** Of types 0 and 1 these are both the gas price. */
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
  readonly accessList: readonly { readonly address: string; readonly storageKeys: readonly string[] }[];
  readonly authorizations: readonly IndexedAuthorization[];
  /** Of type 0 as EIP-155 writes it, otherwise the parity. */
  readonly v: bigint;
  readonly r: bigint;
  readonly s: bigint;
}

/** An entry of a type 4 transaction's list. */
export interface IndexedAuthorization {
  readonly chainId: bigint;
  readonly address: string;
  readonly nonce: bigint;
  readonly yParity: bigint;
  readonly r: bigint;
  readonly s: bigint;
}

export interface IndexedReceipt {
  /** False: it was reverted, and paid for its gas. */
  readonly succeeded: boolean;
  /** By this transaction alone. */
  readonly gasUsed: bigint;
  readonly logs: readonly IndexedLog[];
  /** 256 bytes. */
  readonly logsBloom: Uint8Array;
  /** Of the contract that the transaction made. */
  readonly contractAddress: string | undefined;
}

export interface IndexedLog {
  readonly address: string;
  /** At most four. */
  readonly topics: readonly string[];
  readonly data: Uint8Array;
}
