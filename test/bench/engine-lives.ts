import type { Commands, CopyView, TransactionView } from "../../scheduler/engine/commands.ts";
import { DEFAULT_CONFIG, type EngineConfig } from "../../scheduler/engine/config.ts";
import { Engine } from "../../scheduler/engine/engine.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { CallTerms, TransactionTerms } from "../../scheduler/shared/vocabulary.ts";

/** A sink that keeps handles only, as the simulator's does: nothing is allocated per command. */
export class HandleSink implements Commands {
  readonly preExecutions: { id: number; round: number; hash: string; done: boolean }[] = [];
  readonly dispatched: { id: number; node: string }[] = [];
  readonly toVerify: number[] = [];
  sealedTransactions = 0;
  cancelled = 0;
  rejectedTransactions = 0;

  preExecute(tx: TransactionView): void {
    this.preExecutions.push({ id: tx.id, round: tx.round, hash: tx.hash, done: tx.calls.length > 0 });
  }
  dispatch(copy: CopyView): void {
    this.dispatched.push({ id: copy.id, node: copy.node.id });
  }
  verify(copy: CopyView): void {
    this.toVerify.push(copy.id);
  }
  sealed(block: { transactions: readonly unknown[] }): void {
    this.sealedTransactions += block.transactions.length;
  }
  cancel(): void {
    this.cancelled++;
  }
  rejected(): void {
    this.rejectedTransactions++;
  }
  accepted(): void {}
  ordered(): void {}
  decided(): void {}
  lost(): void {}
  moved(): void {}
  sealRefused(): void {}
  committed(): void {}
  reverted(): void {}
  notify(): void {}
  suspect(): void {}
  evidence(): void {}
  challengeEnded(): void {}
  alarm(): void {}
}

export const LIVES_CONFIG: EngineConfig = {
  ...DEFAULT_CONFIG,
  policy: { kind: "fixed", copies: 2 },
  budget: "unlimited",
};

/** The first copy of a race, and its node. */
export interface Launched {
  readonly first: number;
  readonly node: string;
}

/** Drives whole job lives through an engine: submission, two copies accepted, an answer, its verdict, stitching, sealing. */
export class LifeDriver {
  readonly engine: Engine;
  readonly sink = new HandleSink();
  nowUs = 1_000_000;
  height = 0;
  events = 0;
  #next = 0;
  #firstSender = 0;
  #lastSender: number;
  #sender = 0;
  readonly #nonces: number[];
  readonly #senders: string[];

  constructor(options: { nodes: number; senders: number; config?: EngineConfig }) {
    this.engine = new Engine(options.config ?? LIVES_CONFIG);
    for (let index = 0; index < options.nodes; index++) {
      this.#step({
        kind: "node-joined",
        node: {
          id: `node-${index}`,
          key: "",
          operator: `operator-${index}`,
          region: `region-${index % 3}`,
          hardware: "h100",
          slots: 1_000_000,
          queueLimit: 1_000_000,
          offers: [{ model: "m", mode: "vanilla", priceGwei: 10 }],
        },
      });
    }
    for (let index = 0; index < options.senders; index++) {
      this.#step({ kind: "deposited", account: `sender-${index}`, amountGwei: 1_000_000_000 });
    }
    this.#lastSender = options.senders - 1;
    this.#nonces = new Array(options.senders).fill(0);
    this.#senders = Array.from({ length: options.senders }, (_, index) => `sender-${index}`);
  }

  /** From now on only these senders submit; transactions of the others may stay pending without blocking them. */
  useSenders(first: number, last: number): void {
    this.#firstSender = first;
    this.#lastSender = last;
    this.#sender = first;
  }

  #nextSender(): number {
    const sender = this.#sender;
    this.#sender = sender < this.#lastSender ? sender + 1 : this.#firstSender;
    return sender;
  }

  #step(event: EngineEvent): void {
    this.events++;
    this.engine.step(this.nowUs, event, this.sink);
  }

  openBlock(): void {
    this.nowUs += 1_000;
    this.#step({ kind: "block-opened", height: this.height, sealAtUs: this.nowUs + 500_000 });
  }

  sealAndCommit(order: "arrival" | "gas" = "arrival"): void {
    this.seal(order);
    this.commit();
  }

  seal(order: "arrival" | "gas" = "arrival"): void {
    this.#step({ kind: "seal-requested", height: this.height, maxTransactions: 100_000, order });
  }

  commit(): void {
    this.#step({ kind: "block-committed", height: this.height++ });
  }

  /** The next transactions as the edge hands them over: its work, strings and records, is not the engine's. */
  prepare(count: number): TransactionTerms[] {
    return Array.from({ length: count }, () => {
      const index = this.#next++;
      const sender = this.#nextSender();
      const nonce = this.#nonces[sender] as number;
      this.#nonces[sender] = nonce + 1;
      const hash = `tx-${index}`;
      return {
        hash,
        sender: this.#senders[sender] as string,
        nonce,
        gasPriceGwei: 1 + (index % 97),
        ttlBlocks: 1_000,
        escrowGwei: 20,
        calls: [callOf(hash)],
      };
    });
  }

  /** Submits a transaction with one call; its race opens with two copies, both accepted. Returns the handles. */
  launch(transaction: TransactionTerms): Launched {
    const { sink } = this;
    this.#step({ kind: "submitted", transaction });
    const asked = sink.preExecutions.pop();
    if (asked === undefined) throw new Error(`${transaction.hash} was not admitted`);
    this.#step({ kind: "calls-discovered", tx: asked.id, round: asked.round, calls: transaction.calls ?? [] });
    const second = sink.dispatched.pop();
    const first = sink.dispatched.pop();
    if (first === undefined || second === undefined) throw new Error(`${transaction.hash} did not race`);
    this.#step({ kind: "copy-accepted", copy: first.id, node: first.node });
    this.#step({ kind: "copy-accepted", copy: second.id, node: second.node });
    return { first: first.id, node: first.node };
  }

  /** The first copy answers, is verified and wins; the transaction becomes ready. */
  finish(launched: Launched): void {
    const { sink } = this;
    this.#step({ kind: "copy-answered", copy: launched.first, node: launched.node, outputHash: "o", answerHash: "a" });
    const copy = sink.toVerify.pop() as number;
    this.#step({ kind: "verdict", copy, accepted: true, reason: "" });
    const again = sink.preExecutions.pop();
    if (again === undefined) throw new Error("no further pre-execution");
    this.#step({ kind: "pre-executed", tx: again.id, round: again.round, readSet: NO_KEYS });
  }
}

function callOf(hash: string): CallTerms {
  return {
    model: "m",
    mode: "vanilla",
    digest: hash,
    inputHash: hash,
    tokensIn: 100,
    tokensOut: 100,
    maxFeeGwei: 20,
    conflict: FIRST_VALID,
    validityBlocks: 1_000,
  };
}

const FIRST_VALID = { kind: "first-valid" } as const;
const NO_KEYS: readonly string[] = [];
