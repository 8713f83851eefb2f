import type { Stage, StageOutcome, ZkStage } from "../proofs/judge.ts";
import type { ZkmlRules } from "../proofs/model-rules.ts";
import type { Trust } from "../proofs/stage-runner.ts";
import { assert } from "../shared/assert.ts";
import type { LiveLimits } from "./limits.ts";
import { VerifyProcess } from "./verify-process.ts";
import type { Preload, VerifyAnswer, VerifyTask } from "./verify-protocol.ts";
import { MAX_SENT_KEYS, OUTCOME_INVALID, OUTCOME_VALID } from "./verify-protocol.ts";

/** A stage that is to be run, for somebody. */
export interface Task {
  readonly stage: Stage;
}

/** What becomes of a stage when the verifier fails. */
export type Lapse = "verifier-timeout" | "verifier-crashed" | "verifier-out-of-memory";

export interface SlotOptions<T extends Task> {
  readonly limits: LiveLimits;
  readonly workerUrl: URL;
  readonly trust: Trust;
  /** What to have ready for dear stages, at the moment; `undefined` where signatures come first, and must not wait for it. */
  readonly preload: () => Preload | undefined;
  /** Work for the slot when it is free: signatures, or one dear stage; nothing when there is none. */
  readonly take: () => readonly T[];
  /** `tookUs`: how long a dear stage, or one that lapsed, took; `undefined` for signatures, which are not timed. */
  readonly finished: (task: T, outcome: StageOutcome | Lapse, tookUs: number | undefined) => void;
  /** These were not begun. */
  readonly putBack: (tasks: readonly T[]) => void;
  /** The slot is free. */
  readonly freed: () => void;
  /** A process had to be replaced; `said`: its last words. */
  readonly onReplaced: (reason: Lapse, said: string) => void;
}

/** A pause before a process that failed to start is tried again, so that a broken module does not eat the machine. */
const RESTART_PAUSE_MS = 200;

/** One place for a verify process: the process at the moment, what it has to do, and the watch over it. */
export class VerifySlot<T extends Task> {
  readonly #options: SlotOptions<T>;
  #process: VerifyProcess | undefined;
  #open = false;
  #closed = false;
  #tasks: readonly T[] = [];
  /** Tasks of which the outcome is known. */
  #settled = 0;
  /** Hashes of the verification keys that the process has, in the order in which it got them. */
  readonly #sentKeys = new Set<string>();
  /** When the stage that the process is at began, as far as can be seen from here. */
  #begunMs = 0;
  #killedFor: Lapse | undefined;
  #watch: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: SlotOptions<T>) {
    this.#options = options;
  }

  /** Whether it was started. */
  get isStarted(): boolean {
    return this.#process !== undefined || this.#restart !== undefined;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get isFree(): boolean {
    return this.#open && this.#tasks.length === 0;
  }

  start(): void {
    const { workerUrl: url, trust, limits, onReplaced } = this.#options;
    clearTimeout(this.#restart);
    this.#restart = undefined;
    this.#killedFor = undefined;
    const preload = this.#options.preload();
    for (const rules of preload?.keys ?? []) this.#noteKey(rules);
    this.#process = new VerifyProcess({
      url,
      trust,
      preload,
      heapMb: limits.verifierHeapMb,
      onAnswer: (answer) => this.#hear(answer),
      onOutcomes: (codes) => this.#settle(codes),
      onEnd: ({ outOfMemory, said }) => {
        if (this.#closed) return;
        const reason = this.#killedFor ?? (outOfMemory ? "verifier-out-of-memory" : "verifier-crashed");
        onReplaced(reason, said);
        this.#lapse(reason);
      },
    });
    this.#watch = setTimeout(() => this.#giveUp(), limits.verifierStartLimitMs);
  }

  /** Has a key ready for proofs to come. */
  prepare(rules: ZkmlRules): void {
    if (this.#process === undefined || this.#sentKeys.has(rules.keyHash)) return;
    this.#noteKey(rules);
    this.#process.tell({ kind: "prepare", keys: [rules] });
  }

  /** Asks for work, if it is free. */
  work(): void {
    if (!this.isFree) return;
    this.#tasks = this.#options.take();
    if (this.#tasks.length === 0) return;
    this.#settled = 0;
    this.#process?.tell(this.#message());
    this.#armWatch();
  }

  /** Ends the process; gives back what it had. */
  async close(): Promise<readonly T[]> {
    this.#closed = true;
    clearTimeout(this.#watch);
    clearTimeout(this.#restart);
    const open = this.#tasks.slice(this.#settled);
    this.#tasks = [];
    await this.#process?.end();
    return open;
  }

  #message(): VerifyTask {
    const stages = this.#tasks.map(({ stage }) => stage);
    const [only] = stages;
    if (only !== undefined && only.kind !== "signature") {
      assert(stages.length === 1, "dear stages come alone");
      return { kind: "dear", stage: only.kind === "zk" ? this.#withoutKnownKey(only) : only };
    }
    return { kind: "signatures", stages: stages.filter((stage) => stage.kind === "signature") };
  }

  #withoutKnownKey(stage: ZkStage): ZkStage {
    const { keyHash } = stage.rules;
    if (this.#sentKeys.has(keyHash)) return { ...stage, rules: { ...stage.rules, verificationKey: "" } };
    this.#noteKey(stage.rules);
    return stage;
  }

  /** As the process does with the keys that it gets. */
  #noteKey({ keyHash }: ZkmlRules): void {
    this.#sentKeys.add(keyHash);
    const [oldest] = this.#sentKeys.size > MAX_SENT_KEYS ? this.#sentKeys : [];
    if (oldest !== undefined) this.#sentKeys.delete(oldest);
  }

  #hear(answer: VerifyAnswer): void {
    if (this.#closed) return;
    if (answer === "open") {
      this.#open = true;
      this.#free();
    } else {
      const [task] = this.#tasks;
      if (task !== undefined) this.#options.finished(task, answer.outcome ?? "verifier-crashed", answer.tookUs);
      this.#free();
    }
  }

  /** Takes the outcomes of signatures, in their order. */
  #settle(codes: Uint8Array): void {
    if (this.#closed) return;
    this.#begunMs = performance.now();
    for (const code of codes) {
      const task = this.#tasks[this.#settled++];
      if (task !== undefined) this.#options.finished(task, outcomeOf(code), undefined);
    }
    if (this.#settled >= this.#tasks.length) this.#free();
  }

  #free(): void {
    clearTimeout(this.#watch);
    this.#tasks = [];
    this.#options.freed();
  }

  /** Looks four times per limit whether the work moves on; a stage that does not for a whole limit hangs. */
  #armWatch(): void {
    const { proofTimeLimitMs, dearProofTimeLimitMs } = this.#options.limits;
    const limitMs = this.#tasks[0]?.stage.kind === "signature" ? proofTimeLimitMs : dearProofTimeLimitMs;
    const stepMs = Math.max(1, limitMs / 4);
    let [settled, stillMs] = [0, 0];
    this.#begunMs = performance.now();
    const look = (): void => {
      stillMs = this.#settled > settled ? 0 : stillMs + stepMs;
      settled = this.#settled;
      if (stillMs >= limitMs) this.#giveUp();
      else this.#watch = setTimeout(look, stepMs);
    };
    this.#watch = setTimeout(look, stepMs);
  }

  /** Its end follows, after what it found out until now was heard. */
  #giveUp(): void {
    this.#killedFor = "verifier-timeout";
    this.#process?.kill();
  }

  /** The process hung or is gone: the stage that it was at has lapsed, those behind it wait again, a new process starts. */
  #lapse(reason: Lapse): void {
    clearTimeout(this.#watch);
    const wasOpen = this.#open;
    this.#open = false;
    this.#process = undefined;
    this.#sentKeys.clear();
    const [culprit, ...behind] = this.#tasks.slice(this.#settled);
    this.#tasks = [];
    this.#options.putBack(behind);
    const tookUs = Math.ceil((performance.now() - this.#begunMs) * 1000);
    if (culprit !== undefined) this.#options.finished(culprit, reason, tookUs);
    if (wasOpen) this.start();
    else this.#restart = setTimeout(() => this.start(), RESTART_PAUSE_MS);
    this.#options.freed();
  }
}

function outcomeOf(code: number): StageOutcome | Lapse {
  if (code === OUTCOME_VALID) return { ok: true, enclave: undefined };
  if (code === OUTCOME_INVALID) return { ok: false, fault: "bad-signature" };
  return "verifier-crashed";
}
