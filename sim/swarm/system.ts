import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import { Audit } from "../checkers/index.ts";
import type { MachineMaker, RecordedStep } from "../checkers/replay.ts";
import { Chain } from "./chain.ts";
import { type Draw, drawer } from "./draw.ts";
import { FaultTally } from "./faults.ts";
import { agreementOf, type CrashDraw, type Scenario } from "./scenario.ts";
import { Shell, type Step } from "./shell.ts";
import type { Program } from "./submissions.ts";
import { World } from "./world.ts";

/** No run of these sizes comes near this many steps unless the engine chases its own tail. */
const MAX_STEPS = 200_000;
/** Wake-ups at one and the same moment. */
const MAX_IDLE_WAKES = 50;
/** Steps during which a clock that was set back shows too little. */
const STEPS_BEHIND = 20;

/** Ends a run at its first violation. */
export class Stopped extends Error {}

export interface PlayOptions {
  /** Called with every durable step; a run of thousands of jobs keeps no trace. */
  readonly onStep?: (step: Step) => void;
  /** Keep what is needed to play the run again. */
  readonly keepTrace: boolean;
  /** Take every step twice (P13). */
  readonly checkReplay: boolean;
  /** The verifier is one that answers true to everything: a mutant that the checkers must catch. */
  readonly credulous?: true;
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
 * The whole system in virtual time: what is due goes into the machine; what is durable goes to the auditors; what is durable
 * and carried out goes to world and chain. Keeps the clock, and dies and comes back.
 */
export class System {
  readonly audit: Audit;
  readonly world: World;
  readonly chain: Chain;
  readonly faults = new FaultTally();
  readonly programs = new Map<string, Program>();
  readonly draw: Draw;
  /** Empty unless it is to be kept. */
  readonly trace: RecordedStep[] = [];
  readonly #options: PlayOptions;
  readonly #scenario: Scenario;
  readonly #shell: Shell;
  #nowUs = 1_000_000;
  /** How much too little the clock shows, and for how many steps more. */
  #behindUs = 0;
  #stepsBehind = 0;
  #steps = 0;
  #idleWakes = 0;
  #dying: Dying | undefined;

  constructor(scenario: Scenario, maker: MachineMaker, options: PlayOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.audit = new Audit(agreementOf(scenario));
    this.#shell = new Shell(maker, options.checkReplay ? (message) => this.audit.report("P13", message) : undefined);
    this.world = new World(scenario, this.programs, this.faults, options.credulous === true);
    this.draw = drawer(scenario.seed);
    this.chain = new Chain({
      tell: (event) => this.step(event),
      nowUs: () => this.#nowUs,
      draw: this.draw,
      faults: this.faults,
      maxReorgDepth: scenario.maxReorgDepth,
    });
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  /** Steps that the audit saw. */
  get steps(): number {
    return this.#steps;
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets time pass: answers and wake-ups in the order of their times, an answer before a wake-up. */
  advance(untilUs: number): void {
    const { network } = this.world;
    for (;;) {
      const answerUs = network.nextAtUs ?? NEVER;
      const wakeUs = this.#wakeUs();
      const nextUs = Math.min(answerUs, wakeUs);
      if (nextUs > untilUs) break;
      this.#nowUs = Math.max(this.#nowUs, nextUs);
      if (answerUs > wakeUs) this.#wake();
      else {
        const event = network.take();
        if (event !== undefined) this.step(event);
      }
    }
    this.#nowUs = Math.max(this.#nowUs, untilUs);
  }

  /** The process stands still for that long: what was due comes at its end. */
  standStill(forUs: number): void {
    this.faults.count("suspended");
    this.#nowUs += forUs;
  }

  /** The clock jumps ahead while the world goes on as before. */
  jumpAhead(byUs: number): void {
    this.faults.count("clock-forward");
    this.world.network.postpone(byUs);
    this.#nowUs += byUs;
  }

  /** The clock shows that much too little for some steps. */
  setBack(byUs: number): void {
    this.#behindUs = byUs;
    this.#stepsBehind = STEPS_BEHIND;
  }

  /** When the shell's timer goes off: never early, and late by as much as was drawn. */
  #wakeUs(): number {
    const dueUs = this.#shell.nextWakeUs();
    const latenessUs = Math.floor(this.draw("late", dueUs) * this.#scenario.wakeLatenessMs * 1_000);
    return dueUs === NEVER ? NEVER : Math.max(dueUs, this.#nowUs) + latenessUs;
  }

  #wake(): void {
    if (this.#nowUs > this.#shell.nextWakeUs()) this.faults.count("late-timer");
    this.step({ kind: "woken" });
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
    this.faults.count("clock-back");
    return Math.max(0, this.#nowUs - this.#behindUs);
  }

  // ── steps and crashes ────────────────────────────────────────────────────────────────────────────────────────────

  step(event: EngineEvent): void {
    const step = this.#shell.step(this.#shownUs(), event);
    const dying = this.#dying;
    if (dying === undefined) {
      this.#shell.acknowledge();
      this.#durable(step);
      this.#carryOut(step, step.commands.length);
      if (this.draw("snapshot", this.#steps) < this.#scenario.snapshots) this.#snapshot();
      return;
    }
    if (!dying.begun) this.#begunDying(dying, step);
    dying.stepsLeft--;
    // A producer waits for its block, so that nothing else happens until the scheduler is back.
    if (dying.stepsLeft <= 0 || event.kind === "seal-requested") this.die();
  }

  /** From here on the process is about to die. */
  beginToDie(crash: CrashDraw): void {
    this.die();
    this.#dying = { crash, stepsLeft: crash.steps, begun: false };
    if (crash.steps === 0) this.die();
  }

  /** Everything is over: nothing may keep the timer going, and the whole journal must replay. */
  end(): void {
    const wakeUs = this.#shell.nextWakeUs();
    if (wakeUs !== NEVER)
      this.audit.report("sound", `with nothing left to do, the next wake-up is in ${wakeUs - this.#nowUs} µs`);
    if (this.#options.checkReplay) this.#shell.takeSnapshot();
  }

  #snapshot(): void {
    if (this.#dying !== undefined) return;
    this.#shell.takeSnapshot();
    this.stopOnViolation();
  }

  /** The last step that the disk acknowledges; the process dies amid its commands, or soon after. */
  #begunDying(dying: Dying, step: Step): void {
    dying.begun = true;
    this.#shell.acknowledge();
    this.#durable(step);
    const count = Math.min(step.commands.length, Math.floor(dying.crash.carriedOut * (step.commands.length + 1)));
    if (count < step.commands.length) this.faults.count("commands-cut-short");
    this.#carryOut(step, count);
  }

  /** The process dies, if it was about to, and comes back. */
  die(): void {
    const dying = this.#dying;
    if (dying === undefined) return;
    this.#dying = undefined;
    this.#stepsBehind = 0;
    this.faults.count("engine-crash");
    const { durable, torn, lose } = dying.crash;
    const held = dying.begun ? Math.max(0, dying.crash.steps - Math.max(0, dying.stepsLeft) - 1) : 0;
    const { kept, lost } = this.#shell.crash(Math.floor(durable * (held + 1)), torn);
    if (torn && lost.length > 0) this.faults.count("record-torn");
    for (const step of kept) {
      if (step.commands.length > 0) this.faults.count("recovered-unexecuted");
      this.#durable(step);
    }
    this.world.network.crash(lose);
    this.stopOnViolation();
    this.step({ kind: "restarted" });
    for (const { event } of lost) {
      this.faults.count("record-lost");
      if (this.#toldAgain(event)) this.step(event);
    }
  }

  /** Chain, fleet and operators tell again what was not acknowledged; users do at times; the rest is lost. */
  #toldAgain(event: EngineEvent): boolean {
    switch (event.kind) {
      case "deposited":
      case "bond-changed":
      case "state-changed":
      case "block-opened":
      case "block-committed":
      case "block-reverted":
      case "node-joined":
      case "node-left":
      case "policy-changed":
        return true;
      case "submitted":
        return this.draw("told-again", event.transaction.hash) < 0.5;
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
    this.stopOnViolation();
    if (this.#steps > MAX_STEPS) {
      this.audit.report("sound", `not at its end after ${MAX_STEPS} steps`);
      throw new Stopped();
    }
  }

  #carryOut({ commands }: Step, count: number): void {
    for (const command of commands.slice(0, count)) {
      this.chain.note(command);
      this.world.receive(this.#nowUs, command);
    }
  }

  stopOnViolation(): void {
    if (this.audit.violations.length > 0) throw new Stopped();
  }
}
