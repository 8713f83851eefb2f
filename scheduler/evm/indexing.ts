import { KECCAK256_RLP_S } from "@ethereumjs/util";
import type { EvmHead, EvmReceipt } from "../../mempool/evm/block.ts";
import type { EvmGenesis } from "../../mempool/evm/genesis.ts";
import { ZERO_HASH } from "../proofs/digest.ts";
import type { IndexedBlock, IndexedReceipt } from "./rpc/indexed.ts";

export function indexedReceipts(receipts: readonly EvmReceipt[]): IndexedReceipt[] {
  return receipts.map(({ succeeded, gasUsed, logs, logsBloom, contractAddress }) => {
    return { succeeded, gasUsed, logs, logsBloom, contractAddress };
  });
}

/** Root of a trie that has nothing in it. */
const EMPTY_TRIE = KECCAK256_RLP_S.slice(2);

/** The block that a chain begins with, as the index keeps it. */
export function genesisBlock(head: EvmHead, genesis: EvmGenesis): IndexedBlock {
  return {
    number: head.number,
    hash: head.hash,
    parentHash: ZERO_HASH,
    timestamp: head.timestamp,
    coinbase: genesis.coinbase,
    gasUsed: 0n,
    gasLimit: head.gasLimit,
    baseFeePerGas: head.baseFeePerGas,
    stateRoot: head.stateRoot,
    transactionsRoot: EMPTY_TRIE,
    receiptsRoot: EMPTY_TRIE,
    mixHash: ZERO_HASH,
    extraData: new Uint8Array(0),
    logsBloom: new Uint8Array(256),
    withdrawalsRoot: EMPTY_TRIE,
    parentBeaconBlockRoot: undefined,
    requestsHash: undefined,
    blobGasUsed: undefined,
    excessBlobGas: undefined,
    size: 0,
    transactions: [],
    receipts: [],
    inference: undefined,
  };
}
