import type { CopyView } from "../../../scheduler/engine/commands.ts";
import { DEFAULT_CONFIG, type EngineConfig, type RaceConfig } from "../../../scheduler/engine/config.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { BlockOrder, EngineEvent } from "../../../scheduler/engine/events.ts";
import { type Command, Recorder } from "../../../scheduler/engine/recorder.ts";
import type { MempoolLimits } from "../../../mempool/limits.ts";
import type { CallTerms, NodeTerms, TransactionTerms } from "../../../scheduler/shared/vocabulary.ts";

const OFFER = { model: "m", mode: "vanilla", priceGwei: 10 } as const;

/** A node with an operator and region of its own. */
export function node(id: string, changes: Partial<NodeTerms> = {}): NodeTerms {
  const base = { key: "", operator: id, region: id, hardware: "h", slots: 8, queueLimit: 0, offers: [OFFER] };
  return { id, ...base, ...changes };
}

export function call(digest: string, changes: Partial<CallTerms> = {}): CallTerms {
  const base = { model: "m", mode: "vanilla", inputHash: "i", tokensIn: 1, tokensOut: 1, maxFeeGwei: 10 } as const;
  return { digest, conflict: { kind: "first-valid" }, validityBlocks: 8, ...base, ...changes };
}

/** The commands of one kind, in order. */
export function said<K extends Command["kind"]>(commands: readonly Command[], kind: K): (Command & { kind: K })[] {
  return commands.filter((command): command is Command & { kind: K } => command.kind === kind);
}

export function dispatched(commands: readonly Command[]): CopyView[] {
  return said(commands, "dispatch").map(({ copy }) => copy);
}

export function kindsOf(commands: readonly Command[]): string[] {
  return commands.map(({ kind }) => kind);
}

export interface BenchConfig extends Partial<Omit<EngineConfig, "races" | "limits">> {
  readonly races?: Partial<RaceConfig>;
  readonly limits?: Partial<MempoolLimits>;
  /** Ids of the nodes that are there from the beginning. */
  readonly nodes?: readonly string[];
}

/** Blocks seal each half second; this is when block 0 would have. */
const GENESIS_US = 1_000_000;

/** An engine on the bench: told one thing at a time, with two copies per race and three nodes unless the test says otherwise. */
export class Bench {
  engine: Engine;
  nowUs = GENESIS_US;
  readonly #recorder = new Recorder();

  constructor({ races, limits, nodes = ["a", "b", "c"], ...rest }: BenchConfig = {}) {
    const { maxReorgDepth = DEFAULT_CONFIG.limits.maxReorgDepth } = limits ?? {};
    const { challengeBlocks } = DEFAULT_CONFIG.optimistic;
    const window = Math.min(challengeBlocks, Math.floor((maxReorgDepth - 1) / 2));
    this.engine = new Engine({
      ...DEFAULT_CONFIG,
      optimistic: { ...DEFAULT_CONFIG.optimistic, challengeBlocks: window },
      policy: { kind: "fixed", copies: 2 },
      budget: "unlimited",
      ...rest,
      races: { ...DEFAULT_CONFIG.races, ...races },
      limits: { ...DEFAULT_CONFIG.limits, ...limits },
    });
    for (const id of nodes) this.join(id);
    this.tell({ kind: "deposited", account: "alice", amountGwei: 100_000 });
    this.openBlock(1);
  }

  tell(event: EngineEvent): Command[] {
    this.engine.step(this.nowUs, event, this.#recorder);
    return this.#recorder.take();
  }

  /** Lets time pass and wakes the engine, as its timer asks, up to the new moment. */
  wait(ms: number): Command[] {
    const untilUs = this.nowUs + 1_000 * ms;
    const commands: Command[] = [];
    while (this.engine.nextWakeUs() <= untilUs) {
      this.nowUs = Math.max(this.nowUs, this.engine.nextWakeUs());
      commands.push(...this.tell({ kind: "woken" }));
    }
    this.nowUs = untilUs;
    return commands;
  }

  join(id: string, changes: Partial<NodeTerms> = {}): Command[] {
    return this.tell({ kind: "node-joined", node: node(id, changes) });
  }

  leave(id: string): Command[] {
    return this.tell({ kind: "node-left", node: id });
  }

  // ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────

  submit(changes: Partial<TransactionTerms> = {}): Command[] {
    const { sender = "alice", nonce = 0, calls = [] } = changes;
    const escrowGwei = calls.reduce((sum, { maxFeeGwei }) => sum + maxFeeGwei, 0);
    const base = { hash: `${sender}/${nonce}`, sender, nonce, gasPriceGwei: 100, ttlBlocks: 20, escrowGwei };
    return this.tell({ kind: "submitted", transaction: { ...base, calls, ...changes } });
  }

  /** The pre-executor's answer to the round under way: these calls are needed. */
  discover(hash: string, calls: readonly CallTerms[]): Command[] {
    return this.tell({ kind: "calls-discovered", ...this.#round(hash), calls });
  }

  /** The pre-executor's answer to the round under way: it came to its end, having read these keys. */
  complete(hash: string, readSet: readonly string[] = []): Command[] {
    return this.tell({ kind: "pre-executed", ...this.#round(hash), readSet });
  }

  #round(hash: string): { tx: number; round: number } {
    const tx = this.engine.status(hash);
    if (tx === undefined) throw new Error(`${hash} is not known`);
    return { tx: tx.id, round: tx.round };
  }

  /** Submits and discovers one call (with the transaction's hash as digest), so that it races; gives the copies sent. */
  race(changes: Partial<TransactionTerms> = {}, callChanges: Partial<CallTerms> = {}): CopyView[] {
    const { sender = "alice", nonce = 0 } = changes;
    const { hash = `${sender}/${nonce}` } = changes;
    const calls = [call(hash, callChanges)];
    this.submit({ ...changes, calls });
    return dispatched(this.discover(hash, calls));
  }

  /** Has one call raced, answered, and its transaction ready, all in this moment. */
  ready(changes: Partial<TransactionTerms> = {}, callChanges: Partial<CallTerms> = {}): void {
    const { sender = "alice", nonce = 0 } = changes;
    const [copy] = this.race(changes, callChanges);
    if (copy === undefined) throw new Error("no copy was sent");
    this.win(copy);
    this.complete(changes.hash ?? `${sender}/${nonce}`);
  }

  // ── copies ───────────────────────────────────────────────────────────────────────────────────────────────────────

  accept({ id: copy, node: { id } }: CopyView): Command[] {
    return this.tell({ kind: "copy-accepted", copy, node: id });
  }

  answer({ id: copy, node: { id } }: CopyView, proof = `answer of ${id}`, outputHash = "o"): Command[] {
    return this.tell({ kind: "copy-answered", copy, node: id, outputHash, answerHash: proof });
  }

  fail({ id: copy, node: { id } }: CopyView): Command[] {
    return this.tell({ kind: "copy-failed", copy, node: id, reason: "error" });
  }

  judge({ id: copy }: CopyView, accepted: boolean, reason = ""): Command[] {
    return this.tell({ kind: "verdict", copy, accepted, reason });
  }

  win(copy: CopyView): Command[] {
    return [...this.answer(copy), ...this.judge(copy, true)];
  }

  // ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────

  openBlock(height: number): Command[] {
    return this.tell({ kind: "block-opened", height, sealAtUs: GENESIS_US + height * 500_000 });
  }

  seal(height: number, changes: { maxTransactions?: number; order?: BlockOrder } = {}): Command[] {
    return this.tell({ kind: "seal-requested", height, maxTransactions: 100, order: "arrival", ...changes });
  }

  /** Hashes in the block that is sealed now. */
  sealed(height: number, changes: { maxTransactions?: number; order?: BlockOrder } = {}): string[] {
    return said(this.seal(height, changes), "sealed").flatMap(({ block }) =>
      block.transactions.map(({ hash }) => hash),
    );
  }

  commit(height: number): Command[] {
    return this.tell({ kind: "block-committed", height });
  }

  revert(height: number): Command[] {
    return this.tell({ kind: "block-reverted", height });
  }
}
