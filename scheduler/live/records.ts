import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { CallResult, SealedBlock } from "../engine/commands.ts";
import type { Command } from "../engine/recorder.ts";
import { ZERO_HASH } from "../proofs/digest.ts";
import type { SignedHeader } from "../proofs/header.ts";
import { signHeader } from "../proofs/header.ts";
import type { SigningKey } from "../proofs/keys.ts";
import { receiptTree } from "../proofs/merkle.ts";
import type { Receipt } from "../proofs/receipt.ts";
import { receiptLeaf, receiptOf } from "../proofs/receipt.ts";
import { assert } from "../shared/assert.ts";
import type { NodeTerms } from "../shared/vocabulary.ts";
import type { Answer } from "./answer.ts";
import { RecordFile } from "./records-file.ts";
import type { ChainedLog, ChainHead, LogBodies, ReceiptRecord, RecordLog } from "./records-lines.ts";
import {
  CHAINED_LOGS,
  chainLine,
  EMPTY_CHAIN,
  fileOf,
  orderNodeKeys,
  RECORD_LOGS,
  receiptLine,
} from "./records-lines.ts";
import { MANIFEST_FILE } from "./records-manifest.ts";

export { RecordsTooShort } from "./records-file.ts";
export { writeManifest } from "./records-manifest.ts";

export interface RecordsOptions {
  /** Where the files stand; `undefined` keeps none, and only blocks and receipts are made. */
  readonly directory: string | undefined;
  readonly chainId: string;
  /** The scheduler's key, which signs block headers. */
  readonly key: SigningKey;
  /**
   * The winning answer by its hash. Asked when a block is sealed; who answers keeps it from the decision until no reorg can
   * bring the transaction back.
   */
  readonly answers: (answerHash: string) => Answer | undefined;
  /** The key that the winning answer was checked with; kept as long as that. The node may have joined under others since. */
  readonly keyOf: (result: CallResult) => string | undefined;
  /** How many blocks a reorg can take back. */
  readonly maxReorgDepth: number;
  /** Where to go on: the position of the snapshot that the engine goes on from, `undefined` to begin from nothing. */
  readonly position: RecordsPosition | undefined;
}

/** Where the records stood. Plain JSON, for the snapshot. */
export interface RecordsPosition {
  readonly bytes: { readonly [L in RecordLog]: number };
  readonly heads: { readonly [L in ChainedLog]: ChainHead };
  readonly canonical: readonly CanonicalBlock[];
  /** Header hash of the block before the first of `canonical`. */
  readonly base: string;
}

/** A block on the chain that may still be committed or taken back. */
interface CanonicalBlock {
  readonly height: number;
  readonly block: string;
  readonly committed: boolean;
}

/** A sealed block as outsiders get it. */
export interface BlockRecord extends SignedHeader {
  /** In block order. */
  readonly receipts: readonly ReceiptRecord[];
}

/**
 * What outsiders can check afterwards: the ordering log, the ledger, blocks, receipts, registry and evidence, as files of
 * canonical JSON lines. The files are a function of the commands, the registrations and the key alone, so that a restart that
 * steps the journal's tail again writes the very same bytes (P13).
 */
export class Records {
  readonly #options: RecordsOptions;
  readonly #files: ReadonlyMap<RecordLog, RecordFile>;
  readonly #heads = new Map<ChainedLog, ChainHead>();
  /** Each node's terms as they were last written. */
  readonly #nodeLines = new Map<string, string>();
  #canonical: CanonicalBlock[];
  #base: string;

  private constructor(options: RecordsOptions, files: ReadonlyMap<RecordLog, RecordFile>) {
    this.#options = options;
    this.#files = files;
    this.#canonical = [...(options.position?.canonical ?? [])];
    this.#base = options.position?.base ?? ZERO_HASH;
    for (const log of CHAINED_LOGS) this.#heads.set(log, options.position?.heads[log] ?? EMPTY_CHAIN);
  }

  /**
   * Opens the files and cuts them back to the position. Rejects with `RecordsTooShort` when a file ends before it, or with
   * the system's error. An old manifest is removed: it describes what is about to change.
   */
  static async open(options: RecordsOptions): Promise<Records> {
    const { directory, position } = options;
    if (directory !== undefined) await rm(join(directory, MANIFEST_FILE), { force: true });
    const files = new Map<RecordLog, RecordFile>();
    try {
      for (const log of RECORD_LOGS) {
        const path = directory === undefined ? undefined : join(directory, fileOf(log));
        files.set(log, await RecordFile.open(path, position?.bytes[log] ?? 0));
      }
    } catch (error) {
      await Promise.all([...files.values()].map((file) => file.close()));
      throw error;
    }
    const records = new Records(options, files);
    if (position === undefined) {
      records.#append("registry", { entry: "scheduler", chainId: options.chainId, key: options.key.publicKeyHex });
    } else if (directory !== undefined) {
      await records.#recallNodes(join(directory, fileOf("registry")));
    }
    return records;
  }

  /** A node joined. Written when its terms are not those last written for it. */
  registered(terms: NodeTerms): void {
    const line = JSON.stringify(orderNodeKeys(terms));
    if (this.#nodeLines.get(terms.id) === line) return;
    this.#nodeLines.set(terms.id, line);
    this.#append("registry", { entry: "node", ...terms });
  }

  /**
   * Writes down what the command says. For `sealed` gives the block with its receipts; nothing for every other command, and
   * for a `sealed` that repeats a block which is on the chain, since that is written already.
   */
  consume(command: Command): BlockRecord | undefined {
    switch (command.kind) {
      case "ordered":
        this.#append("order", command.entry);
        return undefined;
      case "moved":
        this.#append("ledger", command.movement);
        return undefined;
      case "sealed":
        if (this.#canonical.some(({ height }) => height === command.block.height)) return undefined;
        return this.#seal(command.block);
      case "committed":
        this.#commit(command.height);
        return undefined;
      case "reverted":
        this.#revert(command.height);
        return undefined;
      case "evidence":
        this.#append("evidence", command.evidence);
        return undefined;
      default:
        return undefined;
    }
  }

  /** Where the records stand after the last command. The bytes are durable once a `sync` called now has resolved. */
  position(): RecordsPosition {
    const bytes = Object.fromEntries(RECORD_LOGS.map((log) => [log, this.#file(log).bytes]));
    const heads = Object.fromEntries(CHAINED_LOGS.map((log) => [log, this.#head(log)]));
    return {
      bytes: bytes as RecordsPosition["bytes"],
      heads: heads as RecordsPosition["heads"],
      canonical: [...this.#canonical],
      base: this.#base,
    };
  }

  /** Writes what was appended; a crash of the process no longer loses it. Rejects with the system's error. */
  async flush(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.flush()));
  }

  /** Writes what was appended so that a crash of the machine does not lose it. Rejects with the system's error. */
  async sync(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.sync()));
  }

  /** Flushes and closes the files. `writeManifest` comes after, when the directory's other files are closed too. */
  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()));
  }

  #seal(block: SealedBlock): BlockRecord {
    const receipts = this.#receiptsOf(block);
    const leaves = receipts.map(receiptLeaf);
    const tree = receiptTree(leaves);
    const signed = signHeader(
      {
        chainId: this.#options.chainId,
        height: block.height,
        sealedUs: block.sealedUs,
        parent: this.#canonical.at(-1)?.block ?? this.#base,
        receiptsRoot: tree.root,
        receiptCount: receipts.length,
        transactions: block.transactions.map(({ hash }) => hash),
        feesGwei: receipts.reduce((sum, { feeGwei }) => sum + feeGwei, 0),
        orderCount: this.#head("order").count,
        orderHead: this.#head("order").hash,
        ledgerCount: this.#head("ledger").count,
        ledgerHead: this.#head("ledger").hash,
        key: this.#options.key.publicKeyHex,
      },
      this.#options.key,
    );
    const records = receipts.map((receipt, i): ReceiptRecord => {
      return { block: signed.block, receipt, leaf: leaves[i] ?? "", path: tree.proofs[i] ?? [] };
    });
    for (const record of records) this.#file("receipts").append(receiptLine(record));
    this.#append("blocks", { entry: "sealed", ...signed });
    this.#extend({ height: block.height, block: signed.block, committed: false });
    return { ...signed, receipts: records };
  }

  #receiptsOf({ height, sealedUs, transactions }: SealedBlock): Receipt[] {
    const { chainId } = this.#options;
    return transactions.flatMap(({ calls }, position) =>
      calls.map(({ result }) => {
        assert(result !== undefined, "P10: a transaction was sealed without all of its results");
        const answer = this.#options.answers(result.answerHash);
        assert(answer !== undefined, "the winning answer of a sealed call is not at hand");
        const nodeKey = this.#options.keyOf(result);
        assert(nodeKey !== undefined, "the key of a sealed call's winner is not at hand");
        return receiptOf(result, { chainId, height, sealedUs, position, nodeKey, ...answer });
      }),
    );
  }

  #extend(block: CanonicalBlock): void {
    this.#canonical.push(block);
    // As many may wait to be committed, and before them as many committed ones may be taken back.
    while (this.#canonical.length > 2 * this.#options.maxReorgDepth + 1) {
      this.#base = this.#canonical.shift()?.block ?? this.#base;
    }
  }

  /** The chain took back this block and every later one; each gets its mark, latest first. */
  #revert(height: number): void {
    for (
      let last = this.#canonical.at(-1);
      last !== undefined && last.height >= height;
      last = this.#canonical.at(-1)
    ) {
      this.#mark("reverted", last);
      this.#canonical.pop();
    }
  }

  #commit(height: number): void {
    const index = this.#canonical.findLastIndex((block) => block.height === height);
    const found = this.#canonical[index];
    assert(found !== undefined, "the engine committed a block that is not on the chain any more");
    if (found.committed) return;
    this.#canonical[index] = { ...found, committed: true };
    this.#mark("committed", found);
  }

  #mark(entry: "committed" | "reverted", { height, block }: CanonicalBlock): void {
    this.#append("blocks", { entry, height, block });
  }

  #append<L extends ChainedLog>(log: L, body: LogBodies[L]): void {
    const { text, head } = chainLine(log, this.#head(log), body);
    this.#file(log).append(text);
    this.#heads.set(log, head);
  }

  #head(log: ChainedLog): ChainHead {
    return this.#heads.get(log) ?? EMPTY_CHAIN;
  }

  #file(log: RecordLog): RecordFile {
    const file = this.#files.get(log);
    assert(file !== undefined, `the file of the log ${log} is not open`);
    return file;
  }

  /** Our own lines, cut back to a position: a line that cannot be read is a bug or a broken disk, and stops the start. */
  async #recallNodes(path: string): Promise<void> {
    // Line by line: nodes that change their terms all the time make it longer than one string can be.
    for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const { n, prev, hash, entry, ...terms } = JSON.parse(text);
      assert(Number.isInteger(n) && prev !== hash, "a registry line without its chain");
      if (entry === "scheduler" && terms.key !== this.#options.key.publicKeyHex) {
        throw new Error(`${path} names another key than secret.key holds; restore the one that belongs to it`);
      }
      if (entry === "node") this.#nodeLines.set(terms.id, JSON.stringify(terms));
    }
  }
}
