import { assert } from "../../shared/assert.ts";
import type { IndexedBlock, IndexedLog, IndexedReceipt, IndexedTransaction } from "./indexed.ts";

/** Where a transaction stands. */
export interface PlacedTransaction {
  readonly block: IndexedBlock;
  readonly position: number;
  readonly transaction: IndexedTransaction;
  readonly receipt: IndexedReceipt;
}

/** A log with where it stands. `logIndex` counts over the whole block. */
export interface PlacedLog {
  readonly block: IndexedBlock;
  readonly transaction: IndexedTransaction;
  readonly position: number;
  readonly logIndex: number;
  readonly log: IndexedLog;
}

/** Which logs are asked for. An empty set of addresses takes all; so does an empty set at a place of `topics`. */
export interface LogMatch {
  readonly addresses: ReadonlySet<string>;
  readonly topics: readonly ReadonlySet<string>[];
}

export type LogSearch =
  | { readonly ok: true; readonly logs: PlacedLog[] }
  /** More than `maxLogs` match; or more than `maxLookedAt` had to be looked at, or they hold more than `maxDataBytes`. */
  | { readonly ok: false; readonly reason: "results" | "work" };

/** A change of the chain. One that takes back gives the blocks from the highest down. */
export type ChainChange =
  | { readonly kind: "appended"; readonly block: IndexedBlock }
  | { readonly kind: "taken-back"; readonly blocks: readonly IndexedBlock[] };

interface Entry {
  readonly block: IndexedBlock;
  /** What occurs in the block's logs: without one of these it need not be looked through. */
  readonly addresses: ReadonlySet<string>;
  readonly topics: ReadonlySet<string>;
  readonly logs: number;
}

export interface ChainIndexOptions {
  /** Blocks that are kept; of older ones nothing is known any more. */
  readonly keptBlocks: number;
}

/** At 500 ms a block, an hour. */
export const DEFAULT_KEPT_BLOCKS = 8_192;

/**
 * The latest blocks of the canonical chain with their transactions, receipts and logs, for the JSON-RPC face. It keeps this:
 *
 * 1. Blocks are consecutive, each the parent of the next.
 * 2. A hash of a block or a transaction finds something only while it is on the chain and kept: what is taken back is forgotten.
 * 3. Never more than `keptBlocks`.
 */
export class ChainIndex {
  readonly #kept: number;
  readonly #entries = new Map<number, Entry>();
  readonly #numbers = new Map<string, number>();
  readonly #transactions = new Map<string, { readonly number: number; readonly position: number }>();
  readonly #listeners = new Set<(change: ChainChange) => void>();
  #first: number;
  #head: IndexedBlock;
  #final: number;

  /** The first block is the chain's own first, or the one that the index goes on from; it counts as final. */
  constructor(first: IndexedBlock, options: ChainIndexOptions = { keptBlocks: DEFAULT_KEPT_BLOCKS }) {
    assert(options.keptBlocks > 0, "an index keeps at least its head");
    this.#kept = options.keptBlocks;
    this.#first = first.number;
    this.#final = first.number;
    this.#head = first;
    this.#put(first);
  }

  get head(): IndexedBlock {
    return this.#head;
  }

  /** Number of the oldest block that is kept. */
  get first(): number {
    return this.#first;
  }

  /** The highest block that no reorg takes back; when it is no more kept, the oldest one stands for it. */
  get finalBlock(): IndexedBlock {
    const entry = this.#entries.get(Math.max(this.#final, this.#first));
    assert(entry !== undefined, "a final block is on the chain");
    return entry.block;
  }

  /** Adds the next block. */
  append(block: IndexedBlock): void {
    assert(block.number === this.#head.number + 1, `block ${block.number} does not follow ${this.#head.number}`);
    assert(block.parentHash === this.#head.hash, `block ${block.number} has another parent`);
    this.#put(block);
    this.#head = block;
    while (this.#entries.size > this.#kept) this.#drop(this.#first++);
    this.#tell({ kind: "appended", block });
  }

  /** Takes back all blocks above this one. Does nothing when there are none. */
  rollback(toNumber: number): void {
    if (toNumber >= this.#head.number) return;
    assert(toNumber >= this.#final && toNumber >= this.#first, `block ${toNumber} is final, or no more kept`);
    const blocks: IndexedBlock[] = [];
    for (let number = this.#head.number; number > toNumber; number--) blocks.push(this.#drop(number));
    this.#head = this.#at(toNumber);
    this.#tell({ kind: "taken-back", blocks });
  }

  /** This block and those before it are final. One that is so already, or not there yet, changes nothing. */
  finalize(number: number): void {
    if (number > this.#final && number <= this.#head.number) this.#final = number;
  }

  blockAt(number: number): IndexedBlock | undefined {
    return this.#entries.get(number)?.block;
  }

  blockOf(hash: string): IndexedBlock | undefined {
    const number = this.#numbers.get(hash);
    return number === undefined ? undefined : this.#at(number);
  }

  transaction(hash: string): PlacedTransaction | undefined {
    const place = this.#transactions.get(hash);
    return place === undefined ? undefined : placed(this.#at(place.number), place.position);
  }

  /** Logs of these blocks that match, in the chain's order. The range is within what is kept. */
  search(
    range: { readonly from: number; readonly to: number },
    match: LogMatch,
    limits: { readonly maxLogs: number; readonly maxLookedAt: number; readonly maxDataBytes: number },
  ): LogSearch {
    const found: PlacedLog[] = [];
    let lookedAt = 0;
    let bytes = 0;
    for (let number = range.from; number <= range.to; number++) {
      const entry = this.#entries.get(number);
      if (entry === undefined || !mayMatch(entry, match)) continue;
      lookedAt += entry.logs;
      if (lookedAt > limits.maxLookedAt) return { ok: false, reason: "work" };
      for (const log of matchingLogs(entry.block, match)) {
        if (found.length >= limits.maxLogs) return { ok: false, reason: "results" };
        bytes += log.log.data.length;
        if (bytes > limits.maxDataBytes) return { ok: false, reason: "work" };
        found.push(log);
      }
    }
    return { ok: true, logs: found };
  }

  /** Calls the listener at each change, in order, until the function that it returns is called. A listener must not throw. */
  onChange(listener: (change: ChainChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(change: ChainChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #at(number: number): IndexedBlock {
    const entry = this.#entries.get(number);
    assert(entry !== undefined, `block ${number} is kept`);
    return entry.block;
  }

  #put(block: IndexedBlock): void {
    assert(block.transactions.length === block.receipts.length, "each transaction has its receipt");
    assert(HASH.test(block.hash), "hashes have 64 hexadecimal digits and no prefix");
    const addresses = new Set<string>();
    const topics = new Set<string>();
    let logs = 0;
    for (const receipt of block.receipts) {
      for (const log of receipt.logs) {
        logs++;
        addresses.add(log.address);
        for (const topic of log.topics) topics.add(topic);
      }
    }
    this.#entries.set(block.number, { block, addresses, topics, logs });
    this.#numbers.set(block.hash, block.number);
    for (const [position, { hash }] of block.transactions.entries()) {
      this.#transactions.set(hash, { number: block.number, position });
    }
  }

  #drop(number: number): IndexedBlock {
    const block = this.#at(number);
    this.#entries.delete(number);
    this.#numbers.delete(block.hash);
    for (const { hash } of block.transactions) this.#transactions.delete(hash);
    return block;
  }
}

const HASH = /^[0-9a-f]{64}$/;

function mayMatch(entry: Entry, { addresses, topics }: LogMatch): boolean {
  if (entry.logs === 0) return false;
  return anyOf(addresses, entry.addresses) && topics.every((asked) => anyOf(asked, entry.topics));
}

function anyOf(asked: ReadonlySet<string>, there: ReadonlySet<string>): boolean {
  for (const value of asked) if (there.has(value)) return true;
  return asked.size === 0;
}

/** The block's logs that match, in order. */
export function* matchingLogs(block: IndexedBlock, match: LogMatch): Generator<PlacedLog> {
  let logIndex = 0;
  for (const [position, receipt] of block.receipts.entries()) {
    const transaction = block.transactions[position];
    assert(transaction !== undefined, "each receipt has its transaction");
    for (const log of receipt.logs) {
      if (isMatch(log, match)) yield { block, transaction, position, logIndex, log };
      logIndex++;
    }
  }
}

function isMatch(log: IndexedLog, { addresses, topics }: LogMatch): boolean {
  if (addresses.size > 0 && !addresses.has(log.address)) return false;
  if (topics.length > log.topics.length) return false;
  return topics.every((asked, place) => asked.size === 0 || asked.has(log.topics[place] ?? ""));
}

/** A transaction of the block by its position; `undefined` beyond the last one. */
export function placed(block: IndexedBlock, position: number): PlacedTransaction | undefined {
  const transaction = block.transactions[position];
  const receipt = block.receipts[position];
  return transaction === undefined || receipt === undefined ? undefined : { block, position, transaction, receipt };
}
