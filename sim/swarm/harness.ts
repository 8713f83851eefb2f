import type { Violation } from "../checkers/checker.ts";
import type { Audit } from "../checkers/index.ts";
import type { MachineMaker, RecordedStep } from "../checkers/replay.ts";
import type { FaultCounts } from "./faults.ts";
import { challengeBlocksOf, type NodeDraw, type Action, BLOCK_US, type Scenario, type SubmitDraw } from "./scenario.ts";
import { transactionOf } from "./submissions.ts";
import { type PlayOptions, Stopped, System } from "./system.ts";

/** Blocks that it takes until every time to live has passed, and as many again. */
const HEALING_BLOCKS = 130;
/** Long enough for every lease, quarantine and late message. */
const REST_US = 600_000_000;

/** What a run leaves behind. */
export interface Outcome {
  readonly violations: readonly Violation[];
  readonly trace: readonly RecordedStep[];
  readonly audit: Audit;
  readonly faults: FaultCounts;
  /** Steps that the audit saw. */
  readonly steps: number;
}

/** Plays a scenario: does to the system what its actions say, then heals it, and asks whether it still works. */
class Harness {
  readonly #options: PlayOptions;
  readonly #scenario: Scenario;
  readonly #system: System;
  readonly #audit: Audit;
  #serial = 0;

  constructor(scenario: Scenario, maker: MachineMaker, options: PlayOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#system = new System(scenario, maker, options);
    this.#audit = this.#system.audit;
  }

  /** The whole story: start, actions, healing, end. Stops at the first violation. */
  run(): Outcome {
    try {
      this.#start();
      for (const action of this.#scenario.actions) this.#act(action);
      this.#heal();
      this.#probe();
      this.#system.end();
    } catch (error) {
      if (!(error instanceof Stopped)) {
        this.#audit.report("sound", error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
    }
    const { trace, faults, steps } = this.#system;
    const { violations } = this.#audit;
    return { violations, trace, audit: this.#audit, faults: faults.counts, steps };
  }

  #start(): void {
    for (const [index, draw] of this.#scenario.nodes.entries()) this.#join(`n${index}`, draw);
    for (let sender = 0; sender < this.#scenario.senders; sender++) {
      this.#system.step({ kind: "deposited", account: `s${sender}`, amountGwei: this.#scenario.depositGwei });
    }
    this.#system.chain.open(1);
  }

  #join(node: string, draw: NodeDraw): void {
    this.#system.step(this.#system.world.join(node, draw));
    if (draw.bondGwei > 0) this.#system.step({ kind: "bond-changed", node, bondGwei: draw.bondGwei });
  }

  // ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #act(action: Action): void {
    switch (action.do) {
      case "submit":
        return this.#submit(action);
      case "flood":
        this.#system.faults.count("flood");
        for (let index = 0; index < action.count; index++) {
          this.#submit({ ...action.draw, sender: index % this.#scenario.senders });
        }
        return;
      case "wait":
        return this.#system.advance(this.#system.nowUs + action.ms * 1_000);
      case "withdraw": {
        const hashes = [...this.#audit.books.transactions.keys()];
        const hash = hashes[action.pick % Math.max(1, hashes.length)] ?? "unheard-of";
        return this.#system.step({ kind: "withdrawn", hash });
      }
      case "deposit":
        return this.#system.step({ kind: "deposited", account: `s${action.sender}`, amountGwei: action.amountGwei });
      case "change-state":
        this.#system.faults.count("state-change");
        for (const key of action.keys)
          this.#system.world.stateVersions[key] = (this.#system.world.stateVersions[key] ?? 0) + 1;
        return this.#system.step({ kind: "state-changed", keys: action.keys.map((key) => `key${key}`) });
      case "policy":
        if (this.#racing()) this.#system.faults.count("policy-change-mid-race");
        return this.#system.step({ kind: "policy-changed", policy: action.policy });
      case "slowdown":
        for (const index of this.#scenario.nodes.keys())
          this.#system.world.nodeSlows(`n${index}`, this.#system.nowUs + action.ms * 1_000, action.factor);
        return;
      case "spurious-wake":
        return this.#system.step({ kind: "woken" });
      case "block":
      case "skip-blocks":
      case "bad-seal":
      case "failed-seal":
      case "commit":
      case "revert":
        return this.#chainAct(action);
      case "crash":
      case "clock":
      case "suspend":
      case "verifier-crash":
        return this.#processAct(action);
      default:
        return this.#nodeAct(action);
    }
  }

  #submit(draw: SubmitDraw): void {
    const submission = transactionOf(draw, this.#serial++, this.#audit.books);
    if (submission === undefined) return;
    const { terms, program } = submission;
    if (!this.#system.programs.has(terms.hash)) this.#system.programs.set(terms.hash, program);
    this.#system.step({ kind: "submitted", transaction: terms });
  }

  #racing(): boolean {
    const { books } = this.#audit;
    for (const copy of books.copies.values()) if (books.running(copy)) return true;
    return false;
  }

  #chainAct(action: Action & { do: "block" | "skip-blocks" | "bad-seal" | "failed-seal" | "commit" | "revert" }): void {
    switch (action.do) {
      case "block":
        this.#system.advance(Math.max(this.#system.nowUs, this.#system.chain.sealAtUs));
        return this.#system.chain.produce(action.maxTransactions, action.order, action.commit);
      case "failed-seal":
        this.#system.advance(Math.max(this.#system.nowUs, this.#system.chain.sealAtUs));
        return this.#system.chain.produceInVain(action.maxTransactions);
      case "skip-blocks":
        this.#system.faults.count("skipped-block");
        this.#system.advance(this.#system.nowUs + action.count * BLOCK_US);
        return this.#system.chain.open(this.#system.chain.openHeight + action.count);
      case "bad-seal": {
        const { offset, maxTransactions } = action;
        if (offset === 0 && maxTransactions > 0) return;
        const height = this.#system.chain.openHeight + offset;
        return this.#system.step({ kind: "seal-requested", height, maxTransactions, order: "gas" });
      }
      case "commit":
        return this.#system.chain.commit();
      default:
        return this.#system.chain.revert(action.depth);
    }
  }

  #processAct(action: Action & { do: "crash" | "clock" | "suspend" | "verifier-crash" }): void {
    switch (action.do) {
      case "crash":
        return this.#system.beginToDie(action);
      case "verifier-crash":
        return this.#system.world.verifierDies(action.silent);
      case "suspend":
        return this.#system.standStill(action.ms * 1_000);
      default:
        if (action.byMs < 0) return this.#system.setBack(-action.byMs * 1_000);
        return this.#system.jumpAhead(action.byMs * 1_000);
    }
  }

  #nodeAct(
    action: Action & {
      do: "join" | "leave" | "bond" | "report" | "stray" | "node-crash" | "node-stall" | "node-grey" | "partition";
    },
  ): void {
    const { nodes } = this.#scenario;
    const nameOf = (index: number): string => `n${index % nodes.length}`;
    if (action.do === "partition") {
      return this.#system.world.network.partition(
        action.nodes.map(nameOf),
        this.#system.nowUs + action.ms * 1_000,
        action.buffered,
      );
    }
    const node = nameOf(action.node);
    const draw = nodes[action.node % nodes.length];
    if (draw === undefined) return;
    switch (action.do) {
      case "join":
        this.#system.faults.count("fleet-change");
        return this.#join(node, action.as ?? draw);
      case "bond":
        this.#system.faults.count("bond-change");
        return this.#system.step({ kind: "bond-changed", node, bondGwei: action.bondGwei });
      case "leave":
        this.#system.faults.count("fleet-change");
        return this.#system.step(this.#system.world.leave(node));
      case "stray":
        return this.#stray(action.what, this.#copyBefore(action.pick), node);
      case "report":
        return this.#system.step({ kind: "node-reported", node, running: draw.slots, queued: 0, warm: ["m0"] });
      case "node-crash":
        this.#system.world.nodeDies(node, this.#system.nowUs, action.downMs * 1_000);
        if (action.noticed) this.#system.step({ kind: "node-left", node });
        return;
      case "node-stall":
        return this.#system.world.nodeStalls(node, this.#system.nowUs, action.ms * 1_000);
      default:
        return this.#system.world.nodeSlows(node, this.#system.nowUs + action.ms * 1_000, action.factor);
    }
  }

  /** Handle of the copy launched so many copies ago; one that was never given out if there are not so many. */
  #copyBefore(count: number): number {
    return [...this.#audit.books.copies.keys()].at(-1 - count) ?? count;
  }

  #stray(what: (Action & { do: "stray" })["what"], copy: number, node: string): void {
    if (what === "accepted") return this.#system.step({ kind: "copy-accepted", copy, node });
    if (what === "progressed") return this.#system.step({ kind: "copy-progressed", copy, node, tokens: 1 });
    if (what === "failed") return this.#system.step({ kind: "copy-failed", copy, node, reason: "drained" });
    if (what === "verdict") {
      // About an answer that the verifier was never shown.
      if (this.#audit.books.copies.get(copy)?.asked !== undefined) return;
      return this.#system.step({ kind: "verdict", copy, accepted: true, reason: "valid" });
    }
    // In somebody else's name only: in the copy's own it would be that node's answer.
    if (this.#system.world.copySent(copy)?.node.id === node) return;
    this.#system.step({ kind: "copy-answered", copy, node, outputHash: "stray", answerHash: "stray" });
  }

  // ── healing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everybody behaves from now on, and blocks go on until every time to live has passed. Then nothing may be left. */
  #heal(): void {
    this.#system.die();
    this.#system.world.heal();
    this.#plainBlock();
    for (let blocks = 0; blocks < HEALING_BLOCKS && this.#unfinished(); blocks++) this.#plainBlock();
    this.#closeWindows();
    this.#system.advance(this.#system.nowUs + REST_US);
    this.#audit.end();
    this.#system.stopOnViolation();
  }

  #plainBlock(): void {
    const maxTransactions = Math.min(50, this.#scenario.maxTransactionsPerBlock);
    this.#act({ do: "block", maxTransactions, order: "arrival", commit: true });
  }

  /** Confirms what is sealed, and lets as many blocks go by as the last challenge may take. */
  #closeWindows(): void {
    this.#system.chain.commit();
    for (let blocks = 0; blocks <= 2 * challengeBlocksOf(this.#scenario); blocks++) this.#plainBlock();
    this.#system.chain.commit();
  }

  #unfinished(): boolean {
    for (const { stage } of this.#audit.books.transactions.values())
      if (stage === "pending" || stage === "sealed") return true;
    return false;
  }

  /** Whatever happened before: with every node back and honest, a question is answered and sealed (P1, P4). */
  #probe(): void {
    const { nodes, senders } = this.#scenario;
    if (this.#options.probes === 0) return;
    for (const [index, draw] of nodes.entries()) this.#join(`n${index}`, draw);
    this.#plainBlock();
    const first = this.#serial;
    for (let probe = 0; probe < this.#options.probes; probe++) {
      this.#system.step({ kind: "deposited", account: `s${senders + probe}`, amountGwei: 1_000 });
      this.#submit({ ...PROBE, sender: senders + probe });
    }
    for (let blocks = 0; blocks < PROBE.ttlBlocks && this.#unfinished(); blocks++) this.#plainBlock();
    this.#closeWindows();
    for (let serial = first; serial < this.#serial; serial++) {
      const stage = this.#audit.books.transactions.get(`tx${serial}`)?.stage ?? "refused";
      if (stage !== "committed") this.#audit.report("P1", `after healing, tx${serial} is ${stage}`);
    }
    this.#system.advance(this.#system.nowUs + REST_US);
    this.#audit.end();
    this.#system.stopOnViolation();
  }
}

const PROBE: SubmitDraw = {
  do: "submit",
  kind: "next",
  sender: 0,
  gasPriceGwei: 10,
  ttlBlocks: 64,
  declared: true,
  calls: [
    {
      model: 0,
      mode: "vanilla",
      conflict: { kind: "first-valid" },
      maxFeeGwei: 100,
      validityBlocks: 64,
      tokensOut: 16,
      reads: -1,
    },
  ],
  later: [],
  reads: [],
};

export const SMALL_RUN: PlayOptions = { keepTrace: true, checkReplay: false, probes: 0 };

/** Plays one scenario on one kind of machine. */
export function play(scenario: Scenario, maker: MachineMaker, options: PlayOptions = SMALL_RUN): Outcome {
  return new Harness(scenario, maker, options).run();
}
