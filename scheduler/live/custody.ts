import type { CallResult, SealedBlock } from "../engine/commands.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { Command } from "../engine/recorder.ts";
import type { CallTerms, NodeTerms, TransactionState, TransactionTerms } from "../shared/vocabulary.ts";
import type { Answer } from "./answer.ts";
import { decodeAnswer } from "./answer.ts";
import type { BlobsSnapshot } from "./blob-store.ts";
import { BlobStore } from "./blob-store.ts";
import type { Blob } from "./inbox.ts";

/** A copy that may still be answered, or whose answer is at hand. */
interface HeldCopy {
  readonly node: string;
  /** The key under which the node was registered when it got the copy; it may leave before its answer is judged. */
  readonly nodeKey: string;
  readonly txHash: string;
  readonly callIndex: number;
  answerHash: string;
}

/** The winning copy's answer, and the key that it was checked with. */
interface Winner {
  readonly answerHash: string;
  readonly nodeKey: string;
}

interface HeldTransaction {
  readonly inputs: readonly string[];
  /** The calls that its sender declared; the engine knows them only as pre-execution names them. */
  readonly declared: readonly CallTerms[] | undefined;
  readonly copies: Set<number>;
  /** By call. */
  readonly winners: Map<number, Winner>;
}

/** A sealed block that a reorg may take back. */
interface HeldBlock {
  readonly height: number;
  readonly transactions: readonly string[];
  committed: boolean;
}

/** Plain JSON once it was written, for the snapshot. A copy: what custody notes later does not change it. */
export interface CustodySnapshot {
  readonly blocks: readonly HeldBlock[];
  readonly nodes: readonly NodeTerms[];
  readonly blobs: BlobsSnapshot;
  readonly copies: readonly (HeldCopy & { readonly id: number })[];
  readonly transactions: readonly {
    readonly hash: string;
    readonly inputs: readonly string[];
    readonly declared: readonly CallTerms[] | undefined;
    readonly winners: readonly (readonly [number, Winner])[];
  }[];
}

/** The engine has forgotten it. */
const GONE: ReadonlySet<TransactionState> = new Set(["refunded", "replaced", "withdrawn"]);

/**
 * What the shell keeps for the engine, which knows bytes only by their hashes: inputs until their transaction is gone for
 * good, answers until their race is over, the winning ones as long as the inputs. A function of the journalled batches
 * alone, so that a restart finds the same. Bounded by the engine's limits and by `blobBytes`, which intake looks at.
 */
export class Custody {
  readonly #maxReorgDepth: number;
  readonly #blobs = new BlobStore();
  readonly #nodes = new Map<string, NodeTerms>();
  readonly #copies = new Map<number, HeldCopy>();
  readonly #transactions = new Map<string, HeldTransaction>();
  /** Ascending. Follows the engine's own rule of what is final. */
  readonly #blocks: HeldBlock[] = [];

  /** `maxReorgDepth`: the engine's limit of the same name. */
  constructor(maxReorgDepth: number, snapshot?: CustodySnapshot) {
    this.#maxReorgDepth = maxReorgDepth;
    if (snapshot !== undefined) this.#restore(snapshot);
  }

  get blobBytes(): number {
    return this.#blobs.bytes;
  }

  input(hash: string): Uint8Array | undefined {
    return this.#blobs.get(hash);
  }

  /** Nodes that have joined. */
  get nodes(): ReadonlyMap<string, NodeTerms> {
    return this.#nodes;
  }

  /** The key that a copy's proof must be made with. */
  keyFor(copy: number): string | undefined {
    return this.#copies.get(copy)?.nodeKey;
  }

  /** The key that a call's winning answer was checked with. */
  winnerKey(txHash: string, callIndex: number): string | undefined {
    return this.#transactions.get(txHash)?.winners.get(callIndex)?.nodeKey;
  }

  declaredCalls(txHash: string): readonly CallTerms[] | undefined {
    return this.#transactions.get(txHash)?.declared;
  }

  /** Whether a block of this height is sealed and on the chain: sealing it again gives the same block. */
  isSealed(height: number): boolean {
    return this.#blocks.some((block) => block.height === height);
  }

  /** Heights of blocks that the chain has not confirmed, up to this one, ascending. */
  uncommittedThrough(height: number): readonly number[] {
    return this.#blocks.filter((block) => !block.committed && block.height <= height).map((block) => block.height);
  }

  /** Whether an answer of this node to this copy is still of use: known, the node's own, and the first. */
  awaits(copy: number, node: string): boolean {
    const held = this.#copies.get(copy);
    return held !== undefined && held.node === node && held.answerHash === "";
  }

  /** The answer that came in for a copy, as long as its race, or its stitching, may need it. */
  answerOf(copy: number): Answer | undefined {
    const held = this.#copies.get(copy);
    return held === undefined ? undefined : this.answer(held.answerHash);
  }

  answer(hash: string): Answer | undefined {
    const bytes = this.#blobs.get(hash);
    return bytes === undefined ? undefined : decodeAnswer(bytes);
  }

  /** An event with its bytes, before its commands. */
  noteEvent(event: EngineEvent, blobs: readonly Blob[]): void {
    switch (event.kind) {
      case "node-joined":
        this.#nodes.set(event.node.id, event.node);
        return;
      case "node-left":
        this.#nodes.delete(event.node);
        return;
      case "copy-answered":
        this.#holdAnswer(event.copy, event.node, event.answerHash, blobs);
        return;
      default:
        return;
    }
  }

  /** A command that was carried out, with its event and what came with that. */
  noteCommand(command: Command, event: EngineEvent, blobs: readonly Blob[]): void {
    switch (command.kind) {
      case "accepted":
        if (event.kind === "submitted") this.#holdTransaction(event.transaction, blobs);
        return;
      case "dispatch": {
        const { id, node, race } = command.copy;
        const nodeKey = this.#nodes.get(node.id)?.key;
        if (nodeKey === undefined) return;
        const { tx, callIndex } = race;
        this.#holdCopy(id, { node: node.id, nodeKey, txHash: tx.hash, callIndex, answerHash: "" });
        return;
      }
      // What a node says of its copy does not end it here: the engine may be waiting for the verdict on its answer.
      case "cancel":
      case "lost":
        this.#dropCopy(command.copy.id);
        return;
      case "decided":
        this.#holdWinner(command.result);
        return;
      case "notify":
        if (GONE.has(command.transaction.state)) this.#release(command.transaction.hash);
        return;
      case "sealed":
        this.#holdBlock(command.block);
        return;
      case "committed":
        this.#commit(command.height);
        return;
      case "reverted":
        this.#revert(command.height);
        return;
      default:
        return;
    }
  }

  snapshot(): CustodySnapshot {
    return {
      blocks: this.#blocks.map((block) => ({ ...block })),
      nodes: [...this.#nodes.values()],
      blobs: this.#blobs.snapshot(),
      copies: [...this.#copies].map(([id, held]) => ({ id, ...held })),
      transactions: [...this.#transactions].map(([hash, { inputs, declared, winners }]) => ({
        hash,
        inputs,
        declared,
        winners: [...winners],
      })),
    };
  }

  #restore(snapshot: CustodySnapshot): void {
    for (const block of snapshot.blocks) this.#blocks.push({ ...block });
    for (const node of snapshot.nodes) this.#nodes.set(node.id, node);
    this.#blobs.restore(snapshot.blobs);
    for (const { hash, inputs, declared, winners } of snapshot.transactions) {
      this.#transactions.set(hash, { inputs, declared, winners: new Map(winners), copies: new Set() });
    }
    for (const { id, ...held } of snapshot.copies) {
      this.#copies.set(id, held);
      this.#transactions.get(held.txHash)?.copies.add(id);
    }
  }

  #holdTransaction({ hash, calls }: TransactionTerms, blobs: readonly Blob[]): void {
    this.#release(hash);
    for (const blob of blobs) this.#blobs.hold(blob);
    const inputs = blobs.map((blob) => blob.hash);
    this.#transactions.set(hash, { inputs, declared: calls, copies: new Set(), winners: new Map() });
  }

  /** Given again after a restart, a dispatch finds its copy held already, maybe with its answer. */
  #holdCopy(id: number, copy: HeldCopy): void {
    if (this.#copies.has(id)) return;
    this.#copies.set(id, copy);
    this.#transactions.get(copy.txHash)?.copies.add(id);
  }

  #holdAnswer(copy: number, node: string, answerHash: string, blobs: readonly Blob[]): void {
    const held = this.#copies.get(copy);
    const blob = blobs.find(({ hash }) => hash === answerHash);
    if (held === undefined || blob === undefined || !this.awaits(copy, node)) return;
    held.answerHash = answerHash;
    this.#blobs.hold(blob);
  }

  #holdWinner({ txHash, callIndex, copy, answerHash }: CallResult): void {
    const transaction = this.#transactions.get(txHash);
    const bytes = this.#blobs.get(answerHash);
    const nodeKey = this.keyFor(copy);
    if (transaction === undefined) return;
    if (bytes !== undefined && nodeKey !== undefined) {
      this.#blobs.hold({ hash: answerHash, bytes });
      const earlier = transaction.winners.get(callIndex);
      if (earlier !== undefined) this.#blobs.release(earlier.answerHash);
      transaction.winners.set(callIndex, { answerHash, nodeKey });
    }
    for (const id of transaction.copies) if (this.#copies.get(id)?.callIndex === callIndex) this.#dropCopy(id);
  }

  #dropCopy(id: number): void {
    const held = this.#copies.get(id);
    if (held === undefined) return;
    this.#copies.delete(id);
    this.#transactions.get(held.txHash)?.copies.delete(id);
    if (held.answerHash !== "") this.#blobs.release(held.answerHash);
  }

  #holdBlock({ height, transactions }: SealedBlock): void {
    if (this.isSealed(height)) return;
    this.#blocks.push({ height, transactions: transactions.map(({ hash }) => hash), committed: false });
  }

  #commit(height: number): void {
    for (const block of this.#blocks) if (block.height === height) block.committed = true;
    while (this.#blocks.length > this.#maxReorgDepth && this.#blocks[0]?.committed === true) {
      for (const hash of this.#blocks.shift()?.transactions ?? []) this.#release(hash);
    }
  }

  #revert(height: number): void {
    while ((this.#blocks.at(-1)?.height ?? -1) >= height) this.#blocks.pop();
  }

  #release(hash: string): void {
    const transaction = this.#transactions.get(hash);
    if (transaction === undefined) return;
    for (const id of [...transaction.copies]) this.#dropCopy(id);
    for (const input of transaction.inputs) this.#blobs.release(input);
    for (const { answerHash } of transaction.winners.values()) this.#blobs.release(answerHash);
    this.#transactions.delete(hash);
  }
}
