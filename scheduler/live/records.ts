import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { CallView, ChallengeOutcome, Equivocation, SealedBlock, Support } from "../engine/commands.ts";
import type { Command } from "../engine/recorder.ts";
import type { ChallengeTerms } from "../proofs/challenge-sample.ts";
import { ZERO_HASH } from "../proofs/digest.ts";
import type { EquivocationEvidence } from "../proofs/evidence.ts";
import { provesEquivocation } from "../proofs/evidence-check.ts";
import type { SignedHeader } from "../proofs/header.ts";
import { signHeader } from "../proofs/header.ts";
import type { SigningKey } from "../proofs/keys.ts";
import { receiptTree } from "../proofs/merkle.ts";
import type { AnswerInFull, Receipt, SignedAnswer } from "../proofs/receipt.ts";
import { receiptFeesGwei, receiptLeaf, receiptOf, signedAnswerOf } from "../proofs/receipt.ts";
import type { RegistryEntry } from "../proofs/registry-log.ts";
import { assert } from "../shared/assert.ts";
import type { NodeTerms } from "../shared/vocabulary.ts";
import type { Answer } from "../proofs/answer.ts";
import type { Custody } from "./custody.ts";
import { RecordFile } from "./records-file.ts";
import type { ChainedLog, ChainHead, LogBodies, ReceiptRecord, RecordLog } from "./records-lines.ts";
import { CHAINED_LOGS, chainLine, EMPTY_CHAIN, fileOf, RECORD_LOGS, receiptLine } from "./records-lines.ts";
import { MANIFEST_FILE } from "./records-manifest.ts";
import type { EpochSeeds } from "./records-registry.ts";
import { RegistryWriter } from "./records-registry.ts";

export { RecordsTooShort } from "./records-file.ts";
export { writeManifest } from "./records-manifest.ts";

export interface RecordsOptions {
  /** Where the files stand; `undefined` keeps none, and only blocks and receipts are made. */
  readonly directory: string | undefined;
  readonly chainId: string;
  /** The scheduler's key, which signs block headers. */
  readonly key: SigningKey;
  /** Where answers, inputs and documents are kept: those that a block or a piece of evidence needs are at hand when it is told. */
  readonly custody: Custodian;
  readonly challenges: ChallengeTerms;
  readonly seeds: EpochSeeds;
  /** How many blocks a reorg can take back. */
  readonly maxReorgDepth: number;
  /** Where to go on: the position of the snapshot that the engine goes on from, `undefined` to begin from nothing. */
  readonly position: RecordsPosition | undefined;
}

/** What the records take from custody. */
export type Custodian = Pick<Custody, "answer" | "input" | "document" | "signerOf" | "suspicion">;

/** When the event came that a command follows from. */
export interface Told {
  readonly atUs: number;
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
  readonly #registry: RegistryWriter;
  #canonical: CanonicalBlock[];
  #base: string;

  private constructor(options: RecordsOptions, files: ReadonlyMap<RecordLog, RecordFile>) {
    this.#options = options;
    this.#files = files;
    const { chainId, key, challenges, seeds } = options;
    this.#registry = new RegistryWriter({ chainId, key: key.publicKeyHex, challenges, seeds });
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
    const files = new Map<RecordLog, RecordFile>();
    const records = new Records(options, files);
    if (directory !== undefined) await records.#registry.requireBegunAlike(join(directory, fileOf("registry")));
    if (directory !== undefined) await rm(join(directory, MANIFEST_FILE), { force: true });
    try {
      for (const log of RECORD_LOGS) {
        const path = directory === undefined ? undefined : join(directory, fileOf(log));
        files.set(log, await RecordFile.open(path, position?.bytes[log] ?? 0));
      }
    } catch (error) {
      await Promise.all([...files.values()].map((file) => file.close()));
      throw error;
    }
    if (position === undefined) records.#append("registry", records.#registry.begin());
    else if (directory !== undefined) await records.#registry.recall(join(directory, fileOf("registry")));
    return records;
  }

  /** A node joined. Its document, where it has one, is at hand. */
  registered(terms: NodeTerms, atUs: number): void {
    const { attestation } = terms;
    const document = attestation === undefined ? undefined : this.#options.custody.document(attestation.hash);
    this.#appendAll(this.#registry.registered(terms, document, atUs));
  }

  /** The model registry is another; `text` is its canonical lines. */
  modelsChanged(text: Uint8Array, atUs: number): void {
    this.#appendAll(this.#registry.modelsChanged(text, atUs));
  }

  /**
   * Writes down what the command says. For `sealed` gives the block with its receipts; nothing for every other command, and
   * for a `sealed` that repeats a block which is on the chain, since that is written already.
   */
  consume(command: Command, told: Told): BlockRecord | undefined {
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
        this.#equivocated(command.evidence, told);
        return undefined;
      case "challengeEnded":
        this.#append("evidence", { entry: "challenge", ...this.#challenge(command.outcome) });
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
    this.#appendAll(this.#registry.sealing(block.height));
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
        feesGwei: receipts.reduce((sum, receipt) => sum + receiptFeesGwei(receipt), 0),
        orderCount: this.#head("order").count,
        orderHead: this.#head("order").hash,
        ledgerCount: this.#head("ledger").count,
        ledgerHead: this.#head("ledger").hash,
        registryCount: this.#head("registry").count,
        registryHead: this.#head("registry").hash,
        evidenceCount: this.#head("evidence").count,
        evidenceHead: this.#head("evidence").hash,
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
    return transactions.flatMap(({ calls }, position) =>
      calls.map((call) => this.#receiptOf(call, { height, sealedUs, position })),
    );
  }

  #receiptOf({ terms, result }: CallView, place: Pick<Receipt, "height" | "sealedUs" | "position">): Receipt {
    assert(result !== undefined, "P10: a transaction was sealed without all of its results");
    const { chainId, custody } = this.#options;
    const input = custody.input(result.inputHash) ?? new Uint8Array();
    const supporters = result.supporters.map((support) => this.#signedAnswer(result, support));
    const { conflict } = terms;
    return receiptOf(result, { chainId, ...place, conflict, input, supporters, ...this.#inFull(result, result) });
  }

  #signedAnswer(asked: CallResultKey, support: Support): SignedAnswer {
    return signedAnswerOf(support, this.#inFull(asked, support));
  }

  #inFull(
    { txHash, callIndex }: CallResultKey,
    { copy, answerHash }: Pick<Support, "copy" | "answerHash">,
  ): AnswerInFull {
    const { custody } = this.#options;
    const answer = custody.answer(answerHash);
    assert(answer !== undefined, "an answer that counted is not at hand");
    const signer = custody.signerOf(txHash, callIndex, copy);
    assert(signer !== undefined, "the key of an answer that counted is not at hand");
    return { nodeKey: signer.key, ...answer };
  }

  #challenge(
    outcome: ChallengeOutcome,
  ): Omit<ChallengeOutcome, "answers"> & { readonly answers: readonly SignedAnswer[] } {
    return { ...outcome, answers: outcome.answers.map((answer) => this.#signedAnswer(outcome, answer)) };
  }

  /** Writes down what a third party can check, and nothing that only we would believe. */
  #equivocated({ copy, node, firstAnswerHash, secondAnswerHash }: Equivocation, { atUs }: Told): void {
    const { custody, chainId, seeds } = this.#options;
    const held = custody.suspicion(copy)?.held;
    const first = custody.answer(firstAnswerHash);
    const second = custody.answer(secondAnswerHash);
    if (held === undefined || first === undefined || second === undefined) return;
    const { txHash, callIndex, call, nonce, signer } = held;
    const evidence: EquivocationEvidence = {
      entry: "equivocation",
      txHash,
      callIndex,
      ...call,
      copy,
      node,
      nodeKey: signer.key,
      nonce,
      atUs,
      first: { answerHash: firstAnswerHash, ...written(first) },
      second: { answerHash: secondAnswerHash, ...written(second) },
    };
    const document = signer.attestation && custody.document(signer.attestation.hash);
    const epochSeed = signer.attestation && seeds.registration(signer.attestation.epoch);
    const attestation = document === undefined || epochSeed === undefined ? undefined : { document, epochSeed };
    const context = { chainId, models: this.#registry.models, attestation };
    if (provesEquivocation(evidence, context)) this.#append("evidence", evidence);
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

  #appendAll(entries: readonly RegistryEntry[]): void {
    for (const entry of entries) this.#append("registry", entry);
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
}

type CallResultKey = Pick<Receipt, "txHash" | "callIndex">;

function written({ output, proof }: Answer): { readonly output: string; readonly proof: Answer["proof"] } {
  return { output: Buffer.from(output).toString("base64"), proof };
}
