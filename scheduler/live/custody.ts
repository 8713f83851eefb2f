import type { CallResult, CopyView, Equivocation, SealedBlock, Support } from "../engine/commands.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { Command } from "../engine/recorder.ts";
import { MAX_SUSPICIONS_PER_COPY } from "../engine/suspicions.ts";
import type { AttestationRef, CallTerms, NodeTerms, TransactionState, TransactionTerms } from "../shared/vocabulary.ts";
import { assert } from "../shared/assert.ts";
import type { Answer } from "../proofs/answer.ts";
import { decodeAnswer } from "../proofs/answer.ts";
import type { BlobsSnapshot } from "./blob-store.ts";
import { BlobStore } from "./blob-store.ts";
import type { Blob } from "./inbox.ts";
import { type KeyedDeposit, KeyedDeposits } from "./keyed-deposits.ts";

/** Under what a node was registered when it got a copy: it may leave, or join anew, before its answer is judged. */
export interface Signer {
  readonly key: string;
  /** Missing unless the copy is in mode `tee`. */
  readonly attestation?: AttestationRef;
}

/** A copy that may still be answered, or whose answer is at hand. */
export interface HeldCopy {
  readonly node: string;
  readonly signer: Signer;
  readonly nonce: number;
  readonly txHash: string;
  readonly callIndex: number;
  readonly call: Pick<CallTerms, "model" | "mode" | "inputHash">;
  /** Of the first answer; both "" before it. */
  readonly answerHash: string;
  readonly outputHash: string;
  /** Answers with other outputs that came after it with their bytes. */
  readonly contradictions: number;
}

/** Two answers to one assignment, until it is known whether its node signed both. */
export interface HeldSuspicion {
  readonly copy: number;
  readonly held: HeldCopy;
  readonly secondAnswerHash: string;
}

/** The answer of the winning copy, or of one that helped it to win, and what it was checked with. */
interface HeldAnswer {
  readonly copy: number;
  readonly answerHash: string;
  readonly signer: Signer;
}

interface HeldTransaction {
  /** Where no calls are declared, the payload first, then inputs of the calls that were found. */
  inputs: readonly string[];
  /** The calls that its sender declared; the engine knows them only as pre-execution names them. */
  readonly declared: readonly CallTerms[] | undefined;
  readonly copies: Set<number>;
  /** By call; the winner first. */
  readonly decided: Map<number, readonly HeldAnswer[]>;
  /** Calls whose result was challenged since the transaction was sealed. */
  readonly challenged: Set<number>;
}

/** A sealed block that a reorg may take back. */
export interface HeldBlock {
  readonly height: number;
  readonly transactions: readonly string[];
  committed: boolean;
}

/** Plain JSON once it was written, for the snapshot. A copy: what custody notes later does not change it. */
export interface CustodySnapshot {
  readonly blocks: readonly HeldBlock[];
  readonly nodes: readonly NodeTerms[];
  /** Digest of the model registry in force, "" for none. */
  readonly models: string;
  readonly blobs: BlobsSnapshot;
  readonly copies: readonly (HeldCopy & { readonly id: number })[];
  readonly suspicions: readonly HeldSuspicion[];
  /** Missing in snapshots of before there were keys. */
  readonly deposits?: readonly KeyedDeposit[];
  readonly transactions: readonly {
    readonly hash: string;
    readonly inputs: readonly string[];
    readonly declared: readonly CallTerms[] | undefined;
    readonly decided: readonly (readonly [number, readonly HeldAnswer[]])[];
    readonly challenged: readonly number[];
  }[];
}

type AnswerEvent = Extract<EngineEvent, { readonly kind: "copy-answered" }>;

/** The engine has forgotten it. */
const GONE: ReadonlySet<TransactionState> = new Set(["refunded", "replaced", "withdrawn"]);

/**
 * What the shell keeps for the engine, which knows bytes only by their hashes: inputs until their transaction is gone for
 * good, answers until their race is over, those that decided it as long as the inputs, attestation documents as long as their
 * node, or an answer made under them, is known. A function of the journalled batches alone, so that a restart finds the same.
 * Bounded by the engine's limits and by `blobBytes`, which intake looks at.
 */
export class Custody {
  readonly #maxReorgDepth: number;
  readonly #blobs = new BlobStore();
  readonly #nodes = new Map<string, NodeTerms>();
  #models = "";
  #deposits = new KeyedDeposits([]);
  readonly #copies = new Map<number, HeldCopy>();
  /** By copy. They outlive the race: what a node signed it has signed. */
  readonly #suspicions = new Map<number, HeldSuspicion>();
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

  get deposits(): KeyedDeposits {
    return this.#deposits;
  }

  /** Nodes that have joined. */
  get nodes(): ReadonlyMap<string, NodeTerms> {
    return this.#nodes;
  }

  /** Digest of the model registry that the last event named; "" before the first. */
  get models(): string {
    return this.#models;
  }

  /** A copy that may still be answered, or whose answer may still be needed. */
  copy(id: number): HeldCopy | undefined {
    return this.#copies.get(id);
  }

  /** What is needed to find out whether a node contradicted itself; `undefined` when the bytes are not at hand. */
  suspicion(copy: number): HeldSuspicion | undefined {
    return this.#suspicions.get(copy);
  }

  /** Who gave an answer that counted for a call's decision, or that is held for another reason. */
  signerOf(txHash: string, callIndex: number, copy: number): Signer | undefined {
    const answers = this.#transactions.get(txHash)?.decided.get(callIndex);
    return (answers?.find((held) => held.copy === copy) ?? this.#copies.get(copy))?.signer;
  }

  /** Whether this call's result was challenged already in the block that carries it. */
  wasChallenged(txHash: string, callIndex: number): boolean {
    return this.#transactions.get(txHash)?.challenged.has(callIndex) === true;
  }

  /** Blocks that a reorg can take back, ascending. */
  get blocks(): readonly HeldBlock[] {
    return this.#blocks;
  }

  /** An attestation document by its SHA-256. */
  document(hash: string): Uint8Array | undefined {
    return this.#blobs.get(hash);
  }

  /** What was submitted in place of declared calls. */
  payload(txHash: string): Uint8Array | undefined {
    const transaction = this.#transactions.get(txHash);
    if (transaction === undefined || transaction.declared !== undefined) return undefined;
    return this.#blobs.get(transaction.inputs[0] ?? "");
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

  /**
   * Whether the bytes of this answer are still of use: the copy is known and the node's own, and the answer is its first, or
   * has another output, which may be evidence.
   */
  awaits(copy: number, node: string, outputHash: string): boolean {
    const held = this.#copies.get(copy);
    if (held === undefined || held.node !== node) return false;
    return held.outputHash !== outputHash && held.contradictions < MAX_SUSPICIONS_PER_COPY;
  }

  answer(hash: string): Answer | undefined {
    const bytes = this.#blobs.get(hash);
    return bytes === undefined ? undefined : decodeAnswer(bytes);
  }

  /** An event with its bytes, before its commands. */
  noteEvent(event: EngineEvent, blobs: readonly Blob[]): void {
    switch (event.kind) {
      case "node-joined":
        this.#holdNode(event.node, blobs);
        return;
      case "node-left":
        this.#dropNode(event.node);
        return;
      case "registry-changed":
        this.#models = event.hash;
        return;
      case "challenged":
        this.#transactions.get(event.txHash)?.challenged.add(event.callIndex);
        return;
      case "copy-answered":
        this.#holdAnswer(event, blobs);
        return;
      default:
        return;
    }
  }

  /** A command that was carried out, with its event and what came with that. */
  noteCommand(command: Command, event: EngineEvent, blobs: readonly Blob[]): void {
    switch (command.kind) {
      case "moved":
        // Only what was credited: who is refused may ask again.
        if (event.kind === "deposited" && event.key !== undefined) this.#deposits.note({ ...event, key: event.key });
        return;
      case "accepted":
        if (event.kind === "submitted") this.#holdTransaction(event.transaction, blobs);
        return;
      case "dispatch":
        this.#holdCopy(command.copy);
        return;
      // What a node says of its copy does not end it here: the engine may be waiting for the verdict on its answer.
      case "cancel":
      case "lost":
        this.#dropCopy(command.copy.id);
        return;
      case "suspect":
        this.#holdSuspicion(command.suspicion, blobs);
        return;
      case "decided":
        this.#holdResult(command.result);
        return;
      case "challengeEnded":
        this.#dropCopies(command.outcome.txHash, command.outcome.callIndex);
        return;
      case "notify":
        if (GONE.has(command.transaction.state)) this.#release(command.transaction.hash);
        else if (event.kind === "calls-discovered") this.#holdInputs(command.transaction.hash, blobs);
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

  /** An event whose commands were all carried out. Only now: what becomes final may have ended with a word about its answers. */
  noteEnd(event: EngineEvent): void {
    if (event.kind === "block-opened" || event.kind === "block-committed") this.#forgetFinal();
    if (event.kind === "suspicion-judged") this.#dropSuspicion(event.copy);
  }

  snapshot(): CustodySnapshot {
    return {
      blocks: this.#blocks.map((block) => ({ ...block })),
      nodes: [...this.#nodes.values()],
      models: this.#models,
      blobs: this.#blobs.snapshot(),
      copies: [...this.#copies].map(([id, held]) => ({ id, ...held })),
      suspicions: [...this.#suspicions.values()],
      deposits: this.#deposits.snapshot(),
      transactions: [...this.#transactions].map(([hash, { inputs, declared, decided, challenged }]) => ({
        hash,
        inputs,
        declared,
        decided: [...decided],
        challenged: [...challenged],
      })),
    };
  }

  #restore(snapshot: CustodySnapshot): void {
    for (const block of snapshot.blocks) this.#blocks.push({ ...block });
    for (const node of snapshot.nodes) this.#nodes.set(node.id, node);
    this.#models = snapshot.models;
    this.#deposits = new KeyedDeposits(snapshot.deposits ?? []);
    this.#blobs.restore(snapshot.blobs);
    for (const { hash, inputs, declared, decided, challenged } of snapshot.transactions) {
      const calls = { decided: new Map(decided), challenged: new Set(challenged) };
      this.#transactions.set(hash, { inputs, declared, copies: new Set(), ...calls });
    }
    for (const suspicion of snapshot.suspicions) this.#suspicions.set(suspicion.copy, suspicion);
    for (const { id, ...held } of snapshot.copies) {
      this.#copies.set(id, held);
      this.#transactions.get(held.txHash)?.copies.add(id);
    }
  }

  #holdTransaction({ hash, calls }: TransactionTerms, blobs: readonly Blob[]): void {
    this.#release(hash);
    for (const blob of blobs) this.#blobs.hold(blob);
    const inputs = blobs.map((blob) => blob.hash);
    const fresh = { copies: new Set<number>(), decided: new Map(), challenged: new Set<number>() };
    this.#transactions.set(hash, { inputs, declared: calls, ...fresh });
  }

  /** Inputs of all calls that are known by now, in place of those of the round before. */
  #holdInputs(hash: string, blobs: readonly Blob[]): void {
    const transaction = this.#transactions.get(hash);
    if (transaction === undefined || transaction.declared !== undefined) return;
    const [payload = "", ...before] = transaction.inputs;
    for (const blob of blobs) this.#blobs.hold(blob);
    for (const input of before) this.#blobs.release(input);
    transaction.inputs = [payload, ...blobs.map((blob) => blob.hash)];
  }

  #holdNode(node: NodeTerms, blobs: readonly Blob[]): void {
    const document = blobs.find(({ hash }) => hash === node.attestation?.hash);
    if (document !== undefined) this.#blobs.hold(document);
    this.#dropNode(node.id);
    const { attestation: _, ...unattested } = node;
    this.#nodes.set(node.id, document === undefined ? unattested : node);
  }

  #dropNode(id: string): void {
    this.#letGo(this.#nodes.get(id)?.attestation);
    this.#nodes.delete(id);
  }

  /** One more that needs the document of this attestation, which is at hand. */
  #keep(attestation: AttestationRef | undefined): void {
    if (attestation === undefined) return;
    const bytes = this.#blobs.get(attestation.hash);
    assert(bytes !== undefined, "the document of a registered attestation is at hand");
    this.#blobs.hold({ hash: attestation.hash, bytes });
  }

  #letGo(attestation: AttestationRef | undefined): void {
    if (attestation !== undefined) this.#blobs.release(attestation.hash);
  }

  /** Given again after a restart, a dispatch finds its copy held already, maybe with its answer. */
  #holdCopy({ id, node, nonce, race }: CopyView): void {
    const terms = this.#nodes.get(node.id);
    if (this.#copies.has(id) || terms === undefined) return;
    const { tx, callIndex } = race;
    const { model, mode, inputHash } = race.call;
    const { key, attestation } = terms;
    const signer: Signer = mode === "tee" && attestation !== undefined ? { key, attestation } : { key };
    this.#keep(signer.attestation);
    const call = { model, mode, inputHash };
    const asked = { node: node.id, signer, nonce, txHash: tx.hash, callIndex, call };
    this.#copies.set(id, { ...asked, answerHash: "", outputHash: "", contradictions: 0 });
    this.#transactions.get(tx.hash)?.copies.add(id);
  }

  #holdAnswer({ copy, node, answerHash, outputHash }: AnswerEvent, blobs: readonly Blob[]): void {
    const held = this.#copies.get(copy);
    const blob = blobs.find(({ hash }) => hash === answerHash);
    if (held === undefined || blob === undefined || held.node !== node) return;
    if (held.answerHash === "") {
      this.#copies.set(copy, { ...held, answerHash, outputHash });
      this.#blobs.hold(blob);
    } else if (held.outputHash !== outputHash) {
      this.#copies.set(copy, { ...held, contradictions: held.contradictions + 1 });
    }
  }

  /** Both answers and what they are judged by; none of it is kept when the second answer came without its bytes. */
  #holdSuspicion({ copy, firstAnswerHash, secondAnswerHash }: Equivocation, blobs: readonly Blob[]): void {
    const held = this.#copies.get(copy);
    const first = this.#blobs.get(firstAnswerHash);
    const second = blobs.find(({ hash }) => hash === secondAnswerHash);
    // Given again after a restart, it is held already.
    if (held === undefined || first === undefined || second === undefined || this.#suspicions.has(copy)) return;
    this.#blobs.hold({ hash: firstAnswerHash, bytes: first });
    this.#blobs.hold(second);
    this.#keep(held.signer.attestation);
    this.#suspicions.set(copy, { copy, held, secondAnswerHash });
  }

  #dropSuspicion(copy: number): void {
    const suspicion = this.#suspicions.get(copy);
    if (suspicion === undefined) return;
    this.#suspicions.delete(copy);
    this.#blobs.release(suspicion.held.answerHash);
    this.#blobs.release(suspicion.secondAnswerHash);
    this.#letGo(suspicion.held.signer.attestation);
  }

  #holdResult(result: CallResult): void {
    const { txHash, callIndex, supporters } = result;
    const transaction = this.#transactions.get(txHash);
    if (transaction === undefined) return;
    const counted = [result, ...supporters].flatMap((answer) => this.#heldAnswer(answer));
    const earlier = transaction.decided.get(callIndex);
    if (counted.length === 1 + supporters.length) transaction.decided.set(callIndex, counted);
    if (earlier !== undefined) this.#dropAnswers(earlier);
    this.#dropCopies(txHash, callIndex);
  }

  /** None when the answer is not at hand. */
  #heldAnswer({ copy, answerHash }: Pick<Support, "copy" | "answerHash">): readonly HeldAnswer[] {
    const bytes = this.#blobs.get(answerHash);
    const signer = this.#copies.get(copy)?.signer;
    if (bytes === undefined || signer === undefined) return [];
    this.#blobs.hold({ hash: answerHash, bytes });
    this.#keep(signer.attestation);
    return [{ copy, answerHash, signer }];
  }

  #dropAnswers(answers: readonly HeldAnswer[]): void {
    for (const { answerHash, signer } of answers) {
      this.#blobs.release(answerHash);
      this.#letGo(signer.attestation);
    }
  }

  /** Nobody asks this question any more. */
  #dropCopies(txHash: string, callIndex: number): void {
    for (const id of [...(this.#transactions.get(txHash)?.copies ?? [])]) {
      if (this.#copies.get(id)?.callIndex === callIndex) this.#dropCopy(id);
    }
  }

  #dropCopy(id: number): void {
    const held = this.#copies.get(id);
    if (held === undefined) return;
    this.#copies.delete(id);
    this.#transactions.get(held.txHash)?.copies.delete(id);
    if (held.answerHash !== "") this.#blobs.release(held.answerHash);
    this.#letGo(held.signer.attestation);
  }

  #holdBlock({ height, transactions }: SealedBlock): void {
    if (this.isSealed(height)) return;
    this.#blocks.push({ height, transactions: transactions.map(({ hash }) => hash), committed: false });
  }

  #forgetFinal(): void {
    while (this.#blocks.length > this.#maxReorgDepth && this.#blocks[0]?.committed === true) {
      for (const hash of this.#blocks.shift()?.transactions ?? []) this.#release(hash);
    }
  }

  #commit(height: number): void {
    for (const block of this.#blocks) if (block.height === height) block.committed = true;
  }

  #revert(height: number): void {
    while ((this.#blocks.at(-1)?.height ?? -1) >= height) {
      for (const hash of this.#blocks.pop()?.transactions ?? []) this.#transactions.get(hash)?.challenged.clear();
    }
  }

  #release(hash: string): void {
    const transaction = this.#transactions.get(hash);
    if (transaction === undefined) return;
    for (const id of [...transaction.copies]) this.#dropCopy(id);
    for (const input of transaction.inputs) this.#blobs.release(input);
    for (const answers of transaction.decided.values()) this.#dropAnswers(answers);
    this.#transactions.delete(hash);
  }
}
