import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { CallResult, CopyView, SealedBlock, TransactionView } from "../../scheduler/engine/commands.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import type { CallTerms, Lane, RefundReason, TransactionTerms } from "../../scheduler/shared/vocabulary.ts";

/** A transaction as the stream tells its story. */
export interface TransactionRecord {
  readonly id: number;
  readonly hash: string;
  readonly sender: string;
  readonly nonce: number;
  readonly seq: number;
  readonly terms: TransactionTerms;
  readonly escrowGwei: number;
  /** The step that accepted it. */
  readonly acceptedStep: number;
  expiryHeight: number;
  /** The calls that the transaction is known to need: declared at first, then what the last pre-execution said. */
  calls: readonly CallTerms[];
  stage: "pending" | "sealed" | "committed" | "ended";
  endReason: RefundReason | undefined;
  /** The step in which it ended. */
  endedStep: number;
  sealedHeight: number;
  lane: Lane;
  /** The slow lane was announced together with a reason. */
  slowAnnounced: boolean;
  /** Round of the last pre-execution asked for, and whether its answer is still due. */
  round: number;
  roundOpen: boolean;
  /** The last decision for each call index. */
  readonly results: Map<number, CallResult>;
}

/** An answer as its node gave it. */
export interface AnswerRecord {
  readonly outputHash: string;
  readonly answerHash: string;
  readonly value: number;
}

/** A copy as the stream tells its story. */
export interface CopyRecord {
  readonly id: number;
  readonly nonce: number;
  readonly node: string;
  readonly race: number;
  readonly txHash: string;
  readonly txId: number;
  readonly callIndex: number;
  readonly digest: string;
  /** `model/mode`. */
  readonly queue: string;
  readonly speculative: boolean;
  readonly launchedUs: number;
  readonly leaseUs: number;
  /** It was sent to check a sealed result. */
  readonly challenge: boolean;
  /** Operator of its node when it was sent. */
  readonly operator: string;
  /** What the copy's own node answered, in order. */
  readonly answers: AnswerRecord[];
  /** What was last handed to the verifier. */
  asked: AnswerRecord | undefined;
  /** The answer that the verifier accepted. */
  verified: AnswerRecord | undefined;
  failed: boolean;
  cancelled: boolean;
  /** When its machine-time ended as far as anybody was told: answer, failure, cancel; the lease bounds it anyway. */
  endedUs: number | undefined;
}

/**
 * What an attentive outsider writes down about the stream: transactions, copies and blocks. It judges nothing. Shared by the
 * checkers, and independent of the engine's own records.
 */
export class Books {
  nowUs = 0;
  step = -1;
  /** Height of the block that is or was last open; −1 before the first. */
  openHeight = -1;
  /** The open block was sealed. */
  openSealed = false;
  /** Hashes in each sealed block that was not taken back. */
  readonly blocks = new Map<number, readonly string[]>();
  /** The `sealed` command at hand gives a block again that was sealed before. */
  sealedAgain = false;
  readonly transactions = new Map<string, TransactionRecord>();
  readonly transactionsById = new Map<number, TransactionRecord>();
  readonly copies = new Map<number, CopyRecord>();
  /** Copies by race, in launch order. */
  readonly races = new Map<number, CopyRecord[]>();
  /** By node, as it registered last. */
  readonly operators = new Map<string, string>();
  #submitted: TransactionTerms | undefined;

  event(nowUs: number, event: EngineEvent): void {
    this.nowUs = nowUs;
    this.step++;
    this.#submitted = event.kind === "submitted" ? event.transaction : undefined;
    switch (event.kind) {
      case "calls-discovered":
      case "pre-executed":
      case "pre-execution-failed":
        return this.#preExecuted(event);
      case "copy-answered":
      case "copy-failed":
        return this.#copyEnded(event);
      case "node-joined":
        this.operators.set(event.node.id, event.node.operator);
        return;
      case "verdict": {
        const copy = this.copies.get(event.copy);
        if (copy !== undefined && event.accepted && copy.asked !== undefined) copy.verified ??= copy.asked;
        return;
      }
      case "block-opened":
        this.openHeight = event.height;
        this.openSealed = false;
        return;
      default:
        return;
    }
  }

  command(command: Command): void {
    switch (command.kind) {
      case "accepted":
        return this.#accepted(command.transaction);
      case "notify":
        return this.#notified(command.transaction);
      case "preExecute":
        return this.#roundOpened(command.transaction);
      case "dispatch":
        return this.#dispatched(command.copy);
      case "verify": {
        const { outputHash, answerHash } = command.copy;
        const copy = this.copies.get(command.copy.id);
        const said = copy?.answers.find((answer) => answer.answerHash === answerHash);
        if (copy !== undefined) copy.asked = { outputHash, answerHash, value: said?.value ?? Number.NaN };
        return;
      }
      case "cancel": {
        const copy = this.copies.get(command.copy.id);
        if (copy === undefined) return;
        copy.cancelled = true;
        copy.endedUs ??= this.nowUs;
        return;
      }
      case "decided":
        this.transactions.get(command.result.txHash)?.results.set(command.result.callIndex, command.result);
        return;
      case "sealed":
        return this.#sealed(command.block);
      case "committed":
        for (const record of this.transactions.values()) {
          if (record.stage === "sealed" && record.sealedHeight === command.height) record.stage = "committed";
        }
        return;
      case "reverted":
        return this.#reverted(command.height);
      default:
        return;
    }
  }

  /** Transactions that are neither in a block nor ended. */
  *pending(): Iterable<TransactionRecord> {
    for (const record of this.transactions.values()) if (record.stage === "pending") yield record;
  }

  /** Whether the copy's node may still be computing, as far as anybody was told. */
  running(copy: CopyRecord): boolean {
    return copy.endedUs === undefined && this.nowUs < copy.leaseUs;
  }

  #preExecuted(event: EngineEvent & { kind: "calls-discovered" | "pre-executed" | "pre-execution-failed" }): void {
    const record = this.transactionsById.get(event.tx);
    if (record === undefined || event.round !== record.round || !record.roundOpen) return;
    record.roundOpen = false;
    if (event.kind === "calls-discovered") record.calls = event.calls;
  }

  #copyEnded(event: EngineEvent & { kind: "copy-answered" | "copy-failed" }): void {
    const copy = this.copies.get(event.copy);
    if (copy === undefined || copy.node !== event.node) return;
    if (event.kind === "copy-failed") copy.failed = true;
    else {
      const { outputHash, answerHash, value = Number.NaN } = event;
      copy.answers.push({ outputHash, answerHash, value });
    }
    copy.endedUs ??= this.nowUs;
  }

  #accepted(view: TransactionView): void {
    const terms = this.#submitted;
    if (terms === undefined || terms.hash !== view.hash) return;
    const record: TransactionRecord = {
      id: view.id,
      hash: view.hash,
      sender: view.sender,
      nonce: view.nonce,
      seq: view.seq,
      terms,
      escrowGwei: view.escrowGwei,
      acceptedStep: this.step,
      expiryHeight: view.expiryHeight,
      calls: terms.calls ?? [],
      stage: "pending",
      endReason: undefined,
      endedStep: -1,
      sealedHeight: -1,
      lane: view.lane,
      slowAnnounced: false,
      round: -1,
      roundOpen: false,
      results: new Map(),
    };
    this.transactions.set(view.hash, record);
    this.transactionsById.set(view.id, record);
  }

  #notified(view: TransactionView): void {
    const record = this.transactionsById.get(view.id);
    if (record === undefined) return;
    record.lane = view.lane;
    record.slowAnnounced = view.lane === "slow" && view.slowReason !== undefined;
    if (view.state === "refunded" || view.state === "replaced" || view.state === "withdrawn") {
      record.stage = "ended";
      record.endReason = view.refundReason;
      record.endedStep = this.step;
    }
  }

  #roundOpened(view: TransactionView): void {
    const record = this.transactionsById.get(view.id);
    if (record === undefined) return;
    record.round = view.round;
    record.roundOpen = true;
  }

  #dispatched(view: CopyView): void {
    // After a restart the same copy is dispatched again: that is the same copy.
    if (this.copies.has(view.id)) return;
    const copy: CopyRecord = {
      id: view.id,
      nonce: view.nonce,
      node: view.node.id,
      race: view.race.id,
      txHash: view.race.tx.hash,
      txId: view.race.tx.id,
      callIndex: view.race.callIndex,
      digest: view.race.call.digest,
      queue: `${view.race.call.model}/${view.race.call.mode}`,
      speculative: view.speculative,
      launchedUs: view.launchedUs,
      leaseUs: view.leaseUs,
      challenge: this.transactions.get(view.race.tx.hash)?.stage !== "pending",
      operator: this.operators.get(view.node.id) ?? "",
      answers: [],
      asked: undefined,
      verified: undefined,
      failed: false,
      cancelled: false,
      endedUs: undefined,
    };
    this.copies.set(copy.id, copy);
    const race = this.races.get(copy.race);
    if (race === undefined) this.races.set(copy.race, [copy]);
    else race.push(copy);
  }

  #reverted(height: number): void {
    for (const sealed of [...this.blocks.keys()]) if (sealed >= height) this.blocks.delete(sealed);
    for (const record of this.transactions.values()) {
      const inBlock = record.stage === "sealed" || record.stage === "committed";
      if (inBlock && record.sealedHeight >= height) {
        record.stage = "pending";
        record.sealedHeight = -1;
      }
    }
  }

  #sealed({ height, transactions }: SealedBlock): void {
    this.sealedAgain = this.blocks.has(height);
    if (this.sealedAgain) return;
    this.blocks.set(
      height,
      transactions.map(({ hash }) => hash),
    );
    if (height === this.openHeight) this.openSealed = true;
    for (const { hash } of transactions) {
      const record = this.transactions.get(hash);
      if (record === undefined) continue;
      record.stage = "sealed";
      record.sealedHeight = height;
    }
  }
}
