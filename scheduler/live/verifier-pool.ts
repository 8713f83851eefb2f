import type { AttestationParts, Enclave, Stage, StageOutcome } from "../proofs/judge.ts";
import { attestationStage, judging } from "../proofs/judge.ts";
import type { ZkmlRules } from "../proofs/model-rules.ts";
import type { Trust } from "../proofs/stage-runner.ts";
import type { LiveLimits } from "./limits.ts";
import type { AttestationOutcome, ProofCheck, Verdict, Verifier } from "./verification.ts";
import { partsOf, rejection, VALID } from "./verification.ts";
import { Credits } from "./verify-credits.ts";
import { KnownEnclaves } from "./verify-enclaves.ts";
import { FairQueue } from "./verify-queue.ts";
import { type Lapse, VerifySlot } from "./verify-slot.ts";

export interface VerifierPoolOptions {
  /** Processes at most. */
  readonly workers: number;
  readonly limits: LiveLimits;
  /** Whose attestations count. */
  readonly trust: Trust;
  /** The module that each process runs; `verifyWorkerUrl()` unless a test brings one that misbehaves. */
  readonly workerUrl: URL;
  /** Told when a process had to be replaced, with the reason and the last that it said. */
  readonly onReplaced: (reason: Lapse, said: string) => void;
}

/** The verify worker beside this module, as source or as built. */
export function verifyWorkerUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./verify-worker.ts" : "./verify-worker.js", import.meta.url);
}

/** What a stage is taken to cost in microseconds, for turns and credit, until it is known; measured on one core. */
const COST_US: { readonly [K in Stage["kind"]]: number } = { signature: 100, attestation: 8_000, zk: 25_000 };

type Fault = Exclude<Verdict["reason"], "valid">;
type Judge = Generator<Stage, Verdict["reason"], StageOutcome>;

/** A proof or an attestation on its way through its stages. */
interface Job {
  readonly node: string;
  readonly judge: Judge;
  readonly isWanted: () => boolean;
  readonly done: (verdict: Verdict, waitedUs: number) => void;
  /** The next stage, and what it is taken to cost. */
  stage: Stage;
  costUs: number;
  /** Since when the stage waits. */
  sinceUs: number;
  waitedUs: number;
  /** What the node was charged so far. */
  chargedUs: number;
}

/** Keys that are made ready before a proof comes: each takes a process a quarter of a second when it starts. */
const MAX_EXPECTED_KEYS = 8;

/** How long workers rest when only nodes without credit have something for them. */
const IDLE_PAUSE_MS = 10;

/**
 * Judges proofs in processes of their own (P2). Signatures go in batches; what is dear (attestations that are new, zero-knowledge
 * proofs) goes alone, and where there are two processes the first one is left for signatures. Nodes take turns, and one that
 * sends junk pays for it with its own wait. A stage that hangs costs its process: that is ended and replaced, the proof rejected,
 * and what was behind it waits again. One that crashes, throws or needs too much memory rejects that proof alone.
 */
export class VerifierPool implements Verifier {
  readonly #limits: LiveLimits;
  readonly #credits: Credits;
  readonly #cheap: FairQueue<Job>;
  readonly #dear: FairQueue<Job>;
  readonly #slots: VerifySlot<Job>[] = [];
  /** All but the first, which is left for signatures; where there is only one, that one. */
  readonly #dearSlots: VerifySlot<Job>[] = [];
  readonly #enclaves = new KnownEnclaves();
  /** Keys that proofs are expected under, which every process for dear stages has ready. */
  readonly #expected = new Map<string, ZkmlRules>();
  /** How much more time than dear stages signatures got while both waited. */
  #leadUs = 0;
  #assigning = false;
  #again = false;
  #rest: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #ready = Promise.withResolvers<void>();

  constructor({ workers, limits, trust, workerUrl, onReplaced }: VerifierPoolOptions) {
    this.#limits = limits;
    const terms = {
      fullUs: limits.proofCreditUs,
      refillUsPerSecond: limits.proofCreditUsPerSecond,
      maxDebtUs: limits.maxProofDebtUs,
      maxRemembered: limits.maxIndebtedNodes,
    };
    this.#credits = new Credits(terms, nowUs);
    const lane = { credits: this.#credits, idleUsPerSecond: limits.idleProofUsPerSecond, nowUs };
    this.#cheap = new FairQueue({ ...lane, quantumUs: COST_US.signature });
    this.#dear = new FairQueue({ ...lane, quantumUs: Math.max(...Object.values(COST_US)) });
    const hooks = {
      finished: (job: Job, outcome: StageOutcome | Lapse, tookUs: number | undefined) =>
        this.#finished(job, outcome, tookUs),
      putBack: (jobs: readonly Job[]) => this.#putBack(jobs),
      freed: () => {
        this.#ready.resolve();
        this.#assign();
      },
      onReplaced,
    };
    for (let i = 0; i < workers; i++) {
      const takesDear = i > 0 || workers === 1;
      const hasKeys = () => takesDear && (i > 0 || this.#expected.size > 0);
      const preload = () => (hasKeys() ? { keys: [...this.#expected.values()] } : undefined);
      const slot = new VerifySlot({ limits, workerUrl, trust, preload, ...hooks, take: () => this.#take(takesDear) });
      this.#slots.push(slot);
      if (takesDear) this.#dearSlots.push(slot);
    }
    this.#slots[0]?.start();
  }

  /** Resolves when the first process can be given work, or could not be started. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get queueLength(): number {
    return this.#cheap.length + this.#dear.length;
  }

  check(check: ProofCheck, done: (verdict: Verdict, waitedUs: number) => void): void {
    const account = accountOf(check);
    const parts = this.#refuse(account) ?? partsOf(check, this.#limits.maxOutputBytes);
    if (typeof parts === "string") return later(() => done(rejection(parts), 0));
    this.#begin(account, judging(parts), check.isWanted, done);
  }

  expect(rules: ZkmlRules): void {
    if (this.#closed || this.#expected.has(rules.keyHash) || this.#expected.size >= MAX_EXPECTED_KEYS) return;
    this.#expected.set(rules.keyHash, rules);
    for (const slot of this.#dearSlots) slot.prepare(rules);
    if (!this.#dearSlots.some(({ isStarted }) => isStarted)) this.#dearSlots[0]?.start();
  }

  attest(parts: AttestationParts, done: (outcome: AttestationOutcome) => void): void {
    const fault = this.#refuse(parts.node);
    if (fault !== undefined) return later(() => done({ ok: false, reason: fault }));
    let enclave: Enclave | undefined;
    const judge = attesting(parts, (found) => {
      enclave = found;
    });
    this.#begin(
      parts.node,
      judge,
      () => true,
      ({ reason }) => {
        if (enclave !== undefined) done({ ok: true, enclave });
        else done({ ok: false, reason: reason === "valid" ? "verifier-crashed" : reason });
      },
    );
  }

  /** Ends the workers; checks that wait are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#rest);
    const waiting = [...this.#cheap.drain(), ...this.#dear.drain()];
    const begun = await Promise.all(this.#slots.map((slot) => slot.close()));
    for (const job of [...waiting, ...begun.flat()]) this.#settle(job, "verifier-closed");
  }

  #refuse(node: string): Fault | undefined {
    if (this.#closed) return "verifier-closed";
    if (this.queueLength >= this.#limits.maxWaitingProofs) return "verifier-overloaded";
    const ofNode = this.#cheap.lengthOf(node) + this.#dear.lengthOf(node);
    return ofNode >= this.#limits.maxWaitingProofsPerNode ? "verifier-node-queue-full" : undefined;
  }

  #begin(node: string, judge: Judge, isWanted: () => boolean, done: Job["done"]): void {
    const step = nextOf(() => judge.next());
    if (step.done === true) return later(() => done(verdictOf(step.value), 0));
    const stage = step.value;
    const job = { node, judge, isWanted, done, stage, costUs: 0, sinceUs: 0, waitedUs: 0, chargedUs: 0 };
    this.#enqueue(job, stage);
    this.#assign();
  }

  #enqueue(job: Job, stage: Stage): void {
    job.stage = stage;
    job.costUs = COST_US[stage.kind];
    job.sinceUs = nowUs();
    (stage.kind === "signature" ? this.#cheap : this.#dear).push(job);
  }

  /** Gives free workers work until there is none that may be done. */
  #assign(): void {
    this.#again = true;
    if (this.#assigning || this.#closed) return;
    this.#assigning = true;
    while (this.#again) {
      this.#again = false;
      for (const slot of this.#slots) slot.work();
    }
    this.#assigning = false;
    this.#startAnother();
    if (this.queueLength > 0 && this.#slots.some(({ isFree }) => isFree)) this.#restAWhile();
  }

  /** Processes are started as they are needed, one after the other. */
  #startAnother(): void {
    const next = this.#slots.find(({ isStarted }) => !isStarted);
    if (next === undefined || this.#slots.some(({ isStarted, isOpen }) => isStarted && !isOpen)) return;
    const dearIsBehind = this.#dear.length > 0 && !this.#dearSlots.some(({ isFree }) => isFree);
    const cheapIsBehind = this.#cheap.length >= this.#limits.maxProofsPerBatch;
    if (dearIsBehind || (cheapIsBehind && !this.#slots.some(({ isFree }) => isFree))) next.start();
  }

  #restAWhile(): void {
    this.#rest ??= setTimeout(() => {
      this.#rest = undefined;
      this.#assign();
    }, IDLE_PAUSE_MS);
  }

  /** Work for one slot. */
  #take(takesDear: boolean): readonly Job[] {
    for (;;) {
      const lane = this.#nextLane(takesDear);
      if (lane === undefined) return this.#takeIdle(takesDear);
      const jobs = lane === this.#cheap ? this.#takeSignatures() : this.#takeDear();
      if (jobs.length > 0) return jobs;
    }
  }

  #nextLane(takesDear: boolean): FairQueue<Job> | undefined {
    const cheap = this.#cheap.hasFunded;
    const dear = takesDear && this.#dear.hasFunded;
    if (!cheap || !dear) this.#leadUs = 0;
    if (cheap && dear) return this.#leadUs > 0 ? this.#dear : this.#cheap;
    if (cheap) return this.#cheap;
    return dear ? this.#dear : undefined;
  }

  #takeSignatures(): readonly Job[] {
    const jobs: Job[] = [];
    while (jobs.length < this.#limits.maxProofsPerBatch) {
      const job = this.#cheap.take();
      if (job === undefined) break;
      if (this.#isStillToDo(job)) jobs.push(job);
    }
    this.#leadUs += jobs.length * COST_US.signature;
    return jobs;
  }

  #takeDear(): readonly Job[] {
    const job = this.#dear.take();
    if (job === undefined || !this.#isStillToDo(job)) return [];
    this.#leadUs -= job.costUs;
    return [job];
  }

  /** One at a time, so that whoever comes next does not wait for a batch of junk. */
  #takeIdle(takesDear: boolean): readonly Job[] {
    for (;;) {
      const job = this.#cheap.takeIdle() ?? (takesDear ? this.#dear.takeIdle() : undefined);
      if (job === undefined) return [];
      if (this.#isStillToDo(job)) return [job];
    }
  }

  /** Whether a worker is needed for a job that was taken; if not, it is over, or goes on with what is known. */
  #isStillToDo(job: Job): boolean {
    job.waitedUs += nowUs() - job.sinceUs;
    const enclave = job.stage.kind === "attestation" ? this.#enclaves.find(job.stage) : undefined;
    const isWanted = job.isWanted();
    if (isWanted && enclave === undefined) {
      job.chargedUs += job.costUs;
      return true;
    }
    this.#credits.charge(job.node, -job.costUs);
    if (!isWanted) this.#settle(job, "not-wanted");
    else this.#resume(job, { ok: true, enclave });
    return false;
  }

  #finished(job: Job, outcome: StageOutcome | Lapse, tookUs: number | undefined): void {
    if (tookUs !== undefined) {
      this.#credits.charge(job.node, tookUs - job.costUs);
      job.chargedUs += tookUs - job.costUs;
    }
    if (typeof outcome === "string") return this.#settle(job, outcome);
    if (job.stage.kind === "attestation" && outcome.ok && outcome.enclave)
      this.#enclaves.note(job.stage, outcome.enclave);
    this.#resume(job, outcome);
  }

  #resume(job: Job, outcome: StageOutcome): void {
    const step = nextOf(() => job.judge.next(outcome));
    if (step.done === true) this.#settle(job, step.value);
    else {
      this.#enqueue(job, step.value);
      this.#assign();
    }
  }

  #putBack(jobs: readonly Job[]): void {
    for (const job of jobs.toReversed()) {
      job.chargedUs -= job.costUs;
      job.sinceUs = nowUs();
      (job.stage.kind === "signature" ? this.#cheap : this.#dear).putBack(job);
    }
  }

  #settle(job: Job, reason: Verdict["reason"]): void {
    if (reason === "valid") this.#credits.charge(job.node, -job.chargedUs);
    job.done(verdictOf(reason), job.waitedUs);
  }
}

/**
 * Whose turns and credits a check takes: those of its node, but for a suspicion ones of its own, so that a node cannot have one
 * dismissed by filling its queue with junk. No node id has a space in it.
 */
function accountOf({ copy, signatureOnly }: ProofCheck): string {
  return signatureOnly ? `suspicions of ${copy.node.id}` : copy.node.id;
}

/** Judging that ends with the attestation. */
function* attesting(parts: AttestationParts, found: (enclave: Enclave | undefined) => void): Judge {
  const outcome = yield attestationStage(parts);
  if (!outcome.ok) return outcome.fault;
  found(outcome.enclave);
  return "valid";
}

/** Whatever judging throws costs that proof alone (P2). */
function nextOf(next: () => IteratorResult<Stage, Verdict["reason"]>): IteratorResult<Stage, Verdict["reason"]> {
  try {
    return next();
  } catch {
    return { done: true, value: "verifier-crashed" };
  }
}

function verdictOf(reason: Verdict["reason"]): Verdict {
  return reason === "valid" ? VALID : rejection(reason);
}

function later(act: () => void): void {
  queueMicrotask(act);
}

function nowUs(): number {
  return performance.now() * 1000;
}
