import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { Violation } from "../checkers/checker.ts";
import { Audit } from "../checkers/index.ts";
import type { MachineMaker, RecordedStep } from "../checkers/replay.ts";
import { Chain } from "./chain.ts";
import { type Draw, drawer } from "./draw.ts";
import { type FaultCounts, FaultTally } from "./faults.ts";
import { type Action, agreementOf, BLOCK_US, type CrashDraw, type Scenario, type SubmitDraw } from "./scenario.ts";
import { Shell, type Step } from "./shell.ts";
import { type Program, transactionOf } from "./submissions.ts";
import { World } from "./world.ts";

/** No run of these sizes comes near this many steps unless the engine chases its own tail. */
const MAX_STEPS = 200_000;
/** Wake-ups at one and the same moment. */
const MAX_IDLE_WAKES = 50;
/** Blocks that it takes until every time to live has passed, and as many again. */
const HEALING_BLOCKS = 130;
/** Long enough for every lease, quarantine and late message. */
const REST_US = 600_000_000;
/** Steps during which a clock that was set back shows too little. */
const STEPS_BEHIND = 20;

/** Ends a run at its first violation. */
class Stopped extends Error {}

/** What a run leaves behind. */
export interface Outcome {
  readonly violations: readonly Violation[];
  readonly trace: readonly RecordedStep[];
  readonly audit: Audit;
  readonly faults: FaultCounts;
  /** Steps that the audit saw. */
  readonly steps: number;
}

export interface PlayOptions {
  /** Called with every durable step; a run of thousands of jobs keeps no trace. */
  readonly onStep?: (step: Step) => void;
  /** Keep what is needed to play the run again. */
  readonly keepTrace: boolean;
  /** Take every step twice (P13). */
  readonly checkReplay: boolean;
  /** After healing, strangers ask something; it must be answered. */
  readonly probes: number;
}

/** A process that is about to die. */
interface Dying {
  readonly crash: CrashDraw;
  stepsLeft: number;
  begun: boolean;
}

/**
 * Plays a scenario in virtual time: actions, the world's answers and the timer's wake-ups go into the machine; what is
 * durable goes to the auditors, and what is durable and carried out goes back to the world.
 */
export class Harness {
  readonly audit: Audit;
  readonly trace: RecordedStep[] = [];
  readonly #options: PlayOptions;
  readonly #scenario: Scenario;
  readonly #shell: Shell;
  readonly #world: World;
  readonly #chain: Chain;
  readonly #faults = new FaultTally();
  readonly #programs = new Map<string, Program>();
  readonly #draw: Draw;
  #nowUs = 1_000_000;
  /** How much too little the clock shows, and for how many steps more. */
  #behindUs = 0;
  #stepsBehind = 0;
  #serial = 0;
  #steps = 0;
  #idleWakes = 0;
  #dying: Dying | undefined;

  constructor(scenario: Scenario, maker: MachineMaker, options: PlayOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.audit = new Audit(agreementOf(scenario));
    this.#shell = new Shell(maker, options.checkReplay ? (message) => this.audit.report("P13", message) : undefined);
    this.#world = new World(scenario, this.#programs, this.#faults);
    this.#draw = drawer(scenario.seed);
    this.#chain = new Chain({
      tell: (event) => this.#step(event),
      nowUs: () => this.#nowUs,
      draw: this.#draw,
      faults: this.#faults,
      maxReorgDepth: scenario.maxReorgDepth,
    });
  }

  /** The whole story: start, actions, healing, end. Stops at the first violation. */
  run(): Outcome {
    try {
      this.#start();
      for (const action of this.#scenario.actions) this.#act(action);
      this.#heal();
      this.#probe();
      this.#end();
    } catch (error) {
      if (!(error instanceof Stopped)) {
        this.audit.report("sound", error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
    }
    const { violations } = this.audit;
    return { violations, trace: this.trace, audit: this.audit, faults: this.#faults.counts, steps: this.#steps };
  }

  #start(): void {
    for (const [index, draw] of this.#scenario.nodes.entries()) this.#step(this.#world.join(`n${index}`, draw));
    for (let sender = 0; sender < this.#scenario.senders; sender++) {
      this.#step({ kind: "deposited", account: `s${sender}`, amountGwei: this.#scenario.depositGwei });
    }
    this.#chain.open(1);
  }

  // ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #act(action: Action): void {
    switch (action.do) {
      case "submit":
        return this.#submit(action);
      case "flood":
        this.#faults.count("flood");
        for (let index = 0; index < action.count; index++) {
          this.#submit({ ...action.draw, sender: index % this.#scenario.senders });
        }
        return;
      case "wait":
        return this.#advance(this.#nowUs + action.ms * 1_000);
      case "withdraw": {
        const hashes = [...this.audit.books.transactions.keys()];
        const hash = hashes[action.pick % Math.max(1, hashes.length)] ?? "unheard-of";
        return this.#step({ kind: "withdrawn", hash });
      }
      case "deposit":
        return this.#step({ kind: "deposited", account: `s${action.sender}`, amountGwei: action.amountGwei });
      case "change-state":
        this.#faults.count("state-change");
        for (const key of action.keys) this.#world.stateVersions[key] = (this.#world.stateVersions[key] ?? 0) + 1;
        return this.#step({ kind: "state-changed", keys: action.keys.map((key) => `key${key}`) });
      case "policy":
        if (this.#racing()) this.#faults.count("policy-change-mid-race");
        return this.#step({ kind: "policy-changed", policy: action.policy });
      case "spurious-wake":
        return this.#step({ kind: "woken" });
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
    const submission = transactionOf(draw, this.#serial++, this.audit.books);
    if (submission === undefined) return;
    const { terms, program } = submission;
    if (!this.#programs.has(terms.hash)) this.#programs.set(terms.hash, program);
    this.#step({ kind: "submitted", transaction: terms });
  }

  #racing(): boolean {
    const { books } = this.audit;
    for (const copy of books.copies.values()) if (books.running(copy)) return true;
    return false;
  }

  #chainAct(
    action: Action & { do: "block" | "skip-blocks" | "bad-seal" | "failed-seal" | "commit" | "revert" },
  ): void {
    switch (action.do) {
      case "block":
        this.#advance(Math.max(this.#nowUs, this.#chain.sealAtUs));
        return this.#chain.produce(action.maxTransactions, action.order, action.commit);
      case "failed-seal":
        this.#advance(Math.max(this.#nowUs, this.#chain.sealAtUs));
        return this.#chain.produceInVain(action.maxTransactions);
      case "skip-blocks":
        this.#faults.count("skipped-block");
        this.#advance(this.#nowUs + action.count * BLOCK_US);
        return this.#chain.open(this.#chain.openHeight + action.count);
      case "bad-seal": {
        const { offset, maxTransactions } = action;
        if (offset === 0 && maxTransactions > 0) return;
        const height = this.#chain.openHeight + offset;
        return this.#step({ kind: "seal-requested", height, maxTransactions, order: "gas" });
      }
      case "commit":
        return this.#chain.commit();
      case "revert":
        return this.#chain.revert(action.depth);
    }
  }

  #processAct(action: Action & { do: "crash" | "clock" | "suspend" | "verifier-crash" }): void {
    switch (action.do) {
      case "crash":
        this.#die();
        this.#dying = { crash: action, stepsLeft: action.steps, begun: false };
        if (action.steps === 0) this.#die();
        return;
      case "verifier-crash":
        return this.#world.verifierDies(action.silent);
      case "suspend":
        this.#faults.count("suspended");
        this.#nowUs += action.ms * 1_000;
        return;
      case "clock":
        if (action.byMs < 0) {
          this.#behindUs = -action.byMs * 1_000;
          this.#stepsBehind = STEPS_BEHIND;
          return;
        }
        this.#faults.count("clock-forward");
        this.#world.network.postpone(action.byMs * 1_000);
        this.#nowUs += action.byMs * 1_000;
        return;
    }
  }

  #nodeAct(
    action: Action & {
      do: "join" | "leave" | "report" | "stray" | "node-crash" | "node-stall" | "node-grey" | "partition";
    },
  ): void {
    const { nodes } = this.#scenario;
    const nameOf = (index: number): string => `n${index % nodes.length}`;
    if (action.do === "partition") {
      return this.#world.network.partition(
        action.nodes.map(nameOf),
        this.#nowUs + action.ms * 1_000,
        action.buffered,
      );
    }
    const node = nameOf(action.node);
    const draw = nodes[action.node % nodes.length];
    if (draw === undefined) return;
    switch (action.do) {
      case "join":
        this.#faults.count("fleet-change");
        return this.#step(this.#world.join(node, draw));
      case "leave":
        this.#faults.count("fleet-change");
        return this.#step(this.#world.leave(node));
      case "stray":
        return this.#stray(action.what, action.pick, node);
      case "report":
        return this.#step({ kind: "node-reported", node, running: draw.slots, queued: 0, warm: ["m0"] });
      case "node-crash":
        this.#world.nodeDies(node, this.#nowUs, action.downMs * 1_000);
        if (action.noticed) this.#step({ kind: "node-left", node });
        return;
      case "node-stall":
        return this.#world.nodeStalls(node, this.#nowUs, action.ms * 1_000);
      case "node-grey":
        return this.#world.nodeSlows(node, this.#nowUs + action.ms * 1_000, action.factor);
    }
  }

  #stray(what: "answered" | "accepted" | "failed" | "progressed", copy: number, node: string): void {
    if (what === "accepted") return this.#step({ kind: "copy-accepted", copy, node });
    if (what === "progressed") return this.#step({ kind: "copy-progressed", copy, node, tokens: 1 });
    if (what === "failed") return this.#step({ kind: "copy-failed", copy, node, reason: "drained" });
    // In somebody else's name only: in the copy's own it would be that node's answer.
    if (this.#world.copySent(copy)?.node.id === node) return;
    this.#step({ kind: "copy-answered", copy, node, outputHash: "stray", answerHash: "stray" });
  }

  // ── healing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everybody behaves from now on, and blocks go on until every time to live has passed. Then nothing may be left. */
  #heal(): void {
    this.#die();
    this.#world.heal();
    this.#plainBlock();
    for (let blocks = 0; blocks < HEALING_BLOCKS && this.#unfinished(); blocks++) this.#plainBlock();
    this.#chain.commit();
    this.#advance(this.#nowUs + REST_US);
    this.audit.end();
    this.#stopOnViolation();
  }

  #plainBlock(): void {
    const maxTransactions = Math.min(50, this.#scenario.maxTransactionsPerBlock);
    this.#act({ do: "block", maxTransactions, order: "arrival", commit: true });
  }

  #unfinished(): boolean {
    for (const { stage } of this.audit.books.transactions.values())
      if (stage === "pending" || stage === "sealed") return true;
    return false;
  }

  /** Whatever happened before: with every node back and honest, a question is answered and sealed (P1, P4). */
  #probe(): void {
    const { nodes, senders } = this.#scenario;
    if (this.#options.probes === 0) return;
    for (const [index, draw] of nodes.entries()) this.#step(this.#world.join(`n${index}`, draw));
    this.#plainBlock();
    const first = this.#serial;
    for (let probe = 0; probe < this.#options.probes; probe++) {
      this.#step({ kind: "deposited", account: `s${senders + probe}`, amountGwei: 1_000 });
      this.#submit({ ...PROBE, sender: senders + probe });
    }
    for (let blocks = 0; blocks < PROBE.ttlBlocks && this.#unfinished(); blocks++) this.#plainBlock();
    this.#chain.commit();
    for (let serial = first; serial < this.#serial; serial++) {
      const stage = this.audit.books.transactions.get(`tx${serial}`)?.stage ?? "refused";
      if (stage !== "committed") this.audit.report("P1", `after healing, tx${serial} is ${stage}`);
    }
    this.#advance(this.#nowUs + REST_US);
    this.audit.end();
    this.#stopOnViolation();
  }

  /** With nothing left to do, nothing may keep the timer going. */
  #end(): void {
    const wakeUs = this.#shell.nextWakeUs();
    if (wakeUs !== NEVER)
      this.audit.report("sound", `with nothing left to do, the next wake-up is in ${wakeUs - this.#nowUs} µs`);
    if (this.#options.checkReplay) this.#shell.takeSnapshot();
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets time pass: answers and wake-ups in the order of their times, an answer before a wake-up. */
  #advance(untilUs: number): void {
    const { network } = this.#world;
    for (;;) {
      const answerUs = network.nextAtUs ?? NEVER;
      const wakeUs = this.#wakeUs();
      const nextUs = Math.min(answerUs, wakeUs);
      if (nextUs > untilUs) break;
      this.#nowUs = Math.max(this.#nowUs, nextUs);
      if (answerUs > wakeUs) this.#wake();
      else {
        const event = network.take();
        if (event !== undefined) this.#step(event);
      }
    }
    this.#nowUs = Math.max(this.#nowUs, untilUs);
  }

  /** When the shell's timer goes off: never early, and late by as much as was drawn. */
  #wakeUs(): number {
    const dueUs = this.#shell.nextWakeUs();
    const latenessUs = Math.floor(this.#draw("late", dueUs) * this.#scenario.wakeLatenessMs * 1_000);
    return dueUs === NEVER ? NEVER : Math.max(dueUs, this.#nowUs) + latenessUs;
  }

  #wake(): void {
    if (this.#nowUs > this.#shell.nextWakeUs()) this.#faults.count("late-timer");
    this.#step({ kind: "woken" });
    this.#idleWakes = this.#shell.nextWakeUs() <= this.#nowUs ? this.#idleWakes + 1 : 0;
    if (this.#idleWakes > MAX_IDLE_WAKES) {
      this.audit.report("sound", "woken again and again at the same moment");
      throw new Stopped();
    }
  }

  /** What the clock shows: after it was set back, less than before for a while. */
  #shownUs(): number {
    if (this.#stepsBehind === 0) return this.#nowUs;
    this.#stepsBehind--;
    this.#faults.count("clock-back");
    return Math.max(0, this.#nowUs - this.#behindUs);
  }

  // ── steps and crashes ────────────────────────────────────────────────────────────────────────────────────────────

  #step(event: EngineEvent): void {
    const step = this.#shell.step(this.#shownUs(), event);
    const dying = this.#dying;
    if (dying === undefined) {
      this.#shell.acknowledge();
      this.#durable(step);
      this.#carryOut(step, step.commands.length);
      if (this.#draw("snapshot", this.#steps) < this.#scenario.snapshots) this.#snapshot();
      return;
    }
    if (!dying.begun) this.#begunDying(dying, step);
    dying.stepsLeft--;
    // A producer waits for its block, so that nothing else happens until the scheduler is back.
    if (dying.stepsLeft <= 0 || event.kind === "seal-requested") this.#die();
  }

  #snapshot(): void {
    if (this.#dying !== undefined) return;
    this.#shell.takeSnapshot();
    this.#stopOnViolation();
  }

  /** The last step that the disk acknowledges; the process dies amid its commands, or soon after. */
  #begunDying(dying: Dying, step: Step): void {
    dying.begun = true;
    this.#shell.acknowledge();
    this.#durable(step);
    const count = Math.min(step.commands.length, Math.floor(dying.crash.carriedOut * (step.commands.length + 1)));
    if (count < step.commands.length) this.#faults.count("commands-cut-short");
    this.#carryOut(step, count);
  }

  /** The process dies, if it was about to, and comes back. */
  #die(): void {
    const dying = this.#dying;
    if (dying === undefined) return;
    this.#dying = undefined;
    this.#stepsBehind = 0;
    this.#faults.count("engine-crash");
    const { durable, torn, lose } = dying.crash;
    const held = dying.begun ? Math.max(0, dying.crash.steps - Math.max(0, dying.stepsLeft) - 1) : 0;
    const { kept, lost } = this.#shell.crash(Math.floor(durable * (held + 1)), torn);
    if (torn && lost.length > 0) this.#faults.count("record-torn");
    for (const step of kept) {
      if (step.commands.length > 0) this.#faults.count("recovered-unexecuted");
      this.#durable(step);
    }
    this.#world.network.crash(lose);
    this.#stopOnViolation();
    this.#step({ kind: "restarted" });
    for (const { event } of lost) {
      this.#faults.count("record-lost");
      if (this.#toldAgain(event)) this.#step(event);
    }
  }

  /** Chain, fleet and operators tell again what was not acknowledged; users do at times; the rest is lost. */
  #toldAgain(event: EngineEvent): boolean {
    switch (event.kind) {
      case "deposited":
      case "state-changed":
      case "block-opened":
      case "block-committed":
      case "block-reverted":
      case "node-joined":
      case "node-left":
      case "policy-changed":
        return true;
      case "submitted":
        return this.#draw("told-again", event.transaction.hash) < 0.5;
      default:
        return false;
    }
  }

  /** It is in the journal, whether or not anybody hears of it. */
  #durable(step: Step): void {
    this.audit.observe(step.atUs, step.event, step.commands);
    this.#steps++;
    this.#options.onStep?.(step);
    if (this.#options.keepTrace) {
      const { nowUs, event, text, nextWakeUs } = step;
      this.trace.push({ nowUs, event, commands: text, nextWakeUs });
    }
    this.#stopOnViolation();
    if (this.#steps > MAX_STEPS) {
      this.audit.report("sound", `not at its end after ${MAX_STEPS} steps`);
      throw new Stopped();
    }
  }

  #carryOut({ commands }: Step, count: number): void {
    for (const command of commands.slice(0, count)) {
      this.#chain.note(command);
      this.#world.receive(this.#nowUs, command);
    }
  }

  #stopOnViolation(): void {
    if (this.audit.violations.length > 0) throw new Stopped();
  }
}

const PROBE: SubmitDraw = {
  do: "submit",
  kind: "next",
  sender: 0,
  gasPriceGwei: 10,
  ttlBlocks: 64,
  declared: true,
  calls: [{ model: 0, mode: "vanilla", maxFeeGwei: 100, validityBlocks: 64, tokensOut: 16, reads: -1 }],
  later: [],
  reads: [],
};

const SMALL_RUN: PlayOptions = { keepTrace: true, checkReplay: false, probes: 0 };

/** Plays one scenario on one kind of machine. */
export function play(scenario: Scenario, maker: MachineMaker, options: PlayOptions = SMALL_RUN): Outcome {
  return new Harness(scenario, maker, options).run();
}
