import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { type Command, Recorder } from "../../scheduler/engine/recorder.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import { Audit } from "../checkers/index.ts";
import type { Violation } from "../checkers/checker.ts";
import type { Machine, MachineMaker, RecordedStep } from "../checkers/replay.ts";
import { drawer } from "./draw.ts";
import { type Action, agreementOf, BLOCK_US, type Scenario } from "./scenario.ts";
import { type Program, transactionOf } from "./submissions.ts";
import { World } from "./world.ts";

/** No run of these sizes comes near this many steps unless the engine chases its own tail. */
const MAX_STEPS = 40_000;
/** Wake-ups at one and the same moment. */
const MAX_IDLE_WAKES = 50;
/** Blocks that it takes until every time to live has passed, and as many again. */
const HEALING_BLOCKS = 130;

/** Ends a run at its first violation. */
class Stopped extends Error {}

/** What a run leaves behind. */
export interface Outcome {
  readonly violations: readonly Violation[];
  readonly trace: readonly RecordedStep[];
  readonly audit: Audit;
}

/**
 * Plays a scenario in virtual time: actions, the world's answers and the timer's wake-ups go into the machine, its commands
 * to the auditors and back to the world.
 */
export class Harness {
  readonly audit: Audit;
  readonly trace: RecordedStep[] = [];
  readonly #scenario: Scenario;
  readonly #maker: MachineMaker;
  readonly #world: World;
  readonly #recorder = new Recorder();
  readonly #programs = new Map<string, Program>();
  readonly #draw;
  #machine: Machine;
  #nowUs = 1_000_000;
  #serial = 0;
  #openHeight = 0;
  #sealAtUs = 0;
  #openSealed = false;
  /** Sealed heights that can still be committed or reverted, ascending. */
  #sealed: { readonly height: number; committed: boolean }[] = [];
  #idleWakes = 0;

  constructor(scenario: Scenario, maker: MachineMaker) {
    this.#scenario = scenario;
    this.#maker = maker;
    this.#machine = maker.make();
    this.#world = new World(scenario, this.#programs);
    this.audit = new Audit(agreementOf(scenario));
    this.#draw = drawer(scenario.seed);
  }

  /** The whole story: start, actions, healing, end. Stops at the first violation. */
  run(): Outcome {
    try {
      this.#start();
      for (const action of this.#scenario.actions) this.#act(action);
      this.#heal();
    } catch (error) {
      if (!(error instanceof Stopped)) {
        this.audit.report("sound", error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
    }
    return { violations: this.audit.violations, trace: this.trace, audit: this.audit };
  }

  #start(): void {
    for (const [index, draw] of this.#scenario.nodes.entries()) this.#step(this.#world.join(`n${index}`, draw));
    for (let sender = 0; sender < 4; sender++) {
      this.#step({ kind: "deposited", account: `s${sender}`, amountGwei: 5_000 });
    }
    this.#open(1);
  }

  #act(action: Action): void {
    switch (action.do) {
      case "submit": {
        const submission = transactionOf(action, this.#serial++, this.audit.books);
        if (submission === undefined) return;
        const { terms, program } = submission;
        if (!this.#programs.has(terms.hash)) this.#programs.set(terms.hash, program);
        return this.#step({ kind: "submitted", transaction: terms });
      }
      case "wait":
        return this.#advance(this.#nowUs + action.ms * 1_000);
      case "block":
        return this.#block(action.maxTransactions, action.order, action.commit);
      case "skip-blocks":
        this.#advance(this.#nowUs + action.count * BLOCK_US);
        return this.#open(this.#openHeight + action.count);
      case "bad-seal": {
        const { offset, maxTransactions } = action;
        if (offset === 0 && maxTransactions > 0) return;
        return this.#step({ kind: "seal-requested", height: this.#openHeight + offset, maxTransactions, order: "gas" });
      }
      case "commit":
        return this.#commit();
      case "revert":
        return this.#revert(action.depth);
      case "withdraw": {
        const hashes = [...this.audit.books.transactions.keys()];
        const hash = hashes[action.pick % Math.max(1, hashes.length)] ?? "unheard-of";
        return this.#step({ kind: "withdrawn", hash });
      }
      case "deposit":
        return this.#step({ kind: "deposited", account: `s${action.sender}`, amountGwei: action.amountGwei });
      case "change-state":
        for (const key of action.keys) this.#world.stateVersions[key] = (this.#world.stateVersions[key] ?? 0) + 1;
        return this.#step({ kind: "state-changed", keys: action.keys.map((key) => `key${key}`) });
      case "policy":
        return this.#step({ kind: "policy-changed", policy: action.policy });
      case "crash":
        this.#machine = this.#maker.restore(JSON.parse(JSON.stringify(this.#machine.snapshot())));
        this.#world.crash(action.lose);
        return this.#step({ kind: "restarted" });
      case "spurious-wake":
        return this.#step({ kind: "woken" });
      default:
        return this.#nodeAct(action);
    }
  }

  #nodeAct(action: Action & { do: "join" | "leave" | "report" | "stray" }): void {
    const { nodes } = this.#scenario;
    const index = action.node % nodes.length;
    const draw = nodes[index];
    if (draw === undefined) return;
    const node = `n${index}`;
    if (action.do === "join") return this.#step(this.#world.join(node, draw));
    if (action.do === "leave") return this.#step(this.#world.leave(node));
    if (action.do === "stray") return this.#stray(action.what, action.pick, node);
    return this.#step({ kind: "node-reported", node, running: draw.slots, queued: 0, warm: ["m0"] });
  }

  #stray(what: "answered" | "accepted" | "failed" | "progressed", copy: number, node: string): void {
    if (what === "accepted") return this.#step({ kind: "copy-accepted", copy, node });
    if (what === "progressed") return this.#step({ kind: "copy-progressed", copy, node, tokens: 1 });
    if (what === "failed") return this.#step({ kind: "copy-failed", copy, node, reason: "drained" });
    // In somebody else's name only: in the copy's own it would be that node's answer.
    if (this.#world.copySent(copy)?.node.id === node) return;
    this.#step({ kind: "copy-answered", copy, node, outputHash: "stray", answerHash: "stray" });
  }

  /** Everybody behaves from now on, and blocks go on until every time to live has passed. Then nothing may be left. */
  #heal(): void {
    this.#world.heal();
    this.#block(50, "arrival", true);
    for (let blocks = 0; blocks < HEALING_BLOCKS && this.#unfinished(); blocks++) this.#block(50, "arrival", true);
    this.#commit();
    // Leases, quarantines and late messages run out; nothing else may keep the timer going.
    this.#advance(this.#nowUs + 600_000_000);
    this.audit.end();
    this.#stopOnViolation();
    const wakeUs = this.#machine.nextWakeUs();
    if (wakeUs !== NEVER)
      this.audit.report("sound", `with nothing left to do, the next wake-up is in ${wakeUs - this.#nowUs} µs`);
  }

  #unfinished(): boolean {
    for (const { stage } of this.audit.books.transactions.values())
      if (stage === "pending" || stage === "sealed") return true;
    return false;
  }

  #block(maxTransactions: number, order: "arrival" | "gas", commit: boolean): void {
    this.#advance(Math.max(this.#nowUs, this.#sealAtUs));
    if (!this.#openSealed) {
      const before = this.#sealed.length;
      // A refused request leaves the block to others: it is produced without us.
      this.#step({ kind: "seal-requested", height: this.#openHeight, maxTransactions, order });
      if (commit) this.#commit(before);
    }
    this.#open(this.#openHeight + 1);
  }

  #open(height: number): void {
    this.#openHeight = height;
    this.#openSealed = false;
    this.#sealAtUs = this.#nowUs + BLOCK_US;
    this.#step({ kind: "block-opened", height, sealAtUs: this.#sealAtUs });
  }

  /** Confirms the first sealed blocks, as many as given. */
  #commit(count = this.#sealed.length): void {
    for (const block of this.#sealed.slice(0, count)) {
      if (block.committed) continue;
      block.committed = true;
      this.#step({ kind: "block-committed", height: block.height });
    }
    // Deeper than a reorg can go, blocks are final for ever.
    while (this.#sealed.length > this.#scenario.maxReorgDepth && this.#sealed[0]?.committed) this.#sealed.shift();
  }

  /** Takes back the last blocks, as many as can be, and goes on from there. */
  #revert(depth: number): void {
    const first = this.#sealed[Math.max(0, this.#sealed.length - depth)];
    if (first === undefined) return;
    this.#sealed = this.#sealed.filter(({ height }) => height < first.height);
    this.#step({ kind: "block-reverted", height: first.height });
    this.#open(first.height);
  }

  /** Lets time pass: answers and wake-ups in the order of their times, an answer before a wake-up. */
  #advance(untilUs: number): void {
    for (;;) {
      const answerUs = this.#world.nextAtUs ?? NEVER;
      const wakeUs = this.#wakeUs();
      const nextUs = Math.min(answerUs, wakeUs);
      if (nextUs > untilUs) break;
      this.#nowUs = Math.max(this.#nowUs, nextUs);
      if (answerUs <= wakeUs) this.#step(this.#world.take() as EngineEvent);
      else this.#wake();
    }
    this.#nowUs = Math.max(this.#nowUs, untilUs);
  }

  /** When the shell's timer goes off: never early, and late by as much as was drawn. */
  #wakeUs(): number {
    const dueUs = this.#machine.nextWakeUs();
    const latenessUs = Math.floor(this.#draw("late", dueUs) * this.#scenario.wakeLatenessMs * 1_000);
    return dueUs === NEVER ? NEVER : Math.max(dueUs, this.#nowUs) + latenessUs;
  }

  #wake(): void {
    this.#step({ kind: "woken" });
    this.#idleWakes = this.#machine.nextWakeUs() <= this.#nowUs ? this.#idleWakes + 1 : 0;
    if (this.#idleWakes > MAX_IDLE_WAKES) {
      this.audit.report("sound", "woken again and again at the same moment");
      throw new Stopped();
    }
  }

  #step(event: EngineEvent): void {
    this.#machine.step(this.#nowUs, event, this.#recorder);
    const commands: readonly Command[] = this.#recorder.take();
    this.audit.observe(this.#nowUs, event, commands);
    for (const command of commands) {
      if (command.kind !== "sealed" || command.block.height !== this.#openHeight || this.#openSealed) continue;
      this.#openSealed = true;
      this.#sealed.push({ height: this.#openHeight, committed: false });
    }
    const nextWakeUs = this.#machine.nextWakeUs();
    this.trace.push({ nowUs: this.#nowUs, event, commands: JSON.stringify(commands), nextWakeUs });
    this.#stopOnViolation();
    for (const command of commands) this.#world.receive(this.#nowUs, command);
    if (this.trace.length > MAX_STEPS) {
      this.audit.report("sound", `not at its end after ${MAX_STEPS} steps`);
      throw new Stopped();
    }
  }

  #stopOnViolation(): void {
    if (this.audit.violations.length > 0) throw new Stopped();
  }
}

/** Plays one scenario on one kind of machine. */
export function play(scenario: Scenario, maker: MachineMaker): Outcome {
  return new Harness(scenario, maker).run();
}
