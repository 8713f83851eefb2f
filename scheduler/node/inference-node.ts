import type { Assignment, NodeMessage, Proof } from "../live/transport.ts";
import { sha256Hex } from "../proofs/digest.ts";
import type { Statement } from "../proofs/statement.ts";
import type { FailureReason, Mode, NodeTerms } from "../shared/vocabulary.ts";
import { assignmentFault } from "./assignment-check.ts";
import { CopyMemory } from "./copy-memory.ts";
import type { CopyFate, Temperament } from "./behaviour/fate.ts";
import { fateOf } from "./behaviour/fate.ts";
import type { Behaviour } from "./behaviour/faults.ts";
import { behaviourOf } from "./behaviour/faults.ts";
import type { Delay } from "./behaviour/latency-profile.ts";
import { tokensAfter } from "./behaviour/latency-profile.ts";
import { CallOrdinals } from "./call-ordinals.ts";
import { NODE_LIMITS } from "./limits.ts";
import type { ModelRunner, RunOptions } from "./model-runner.ts";
import type { AttestedBy } from "./node-enclave.ts";
import type { Prover } from "./provers.ts";

/** What a node is made of. Whoever hosts it (a worker thread, a process) carries its messages. */
export interface NodeParts {
  readonly terms: NodeTerms;
  readonly provers: Readonly<Record<Mode, Prover>>;
  readonly runner: ModelRunner;
  readonly temperament: Temperament;
  /** Copies of one model at once, for models that take fewer than there are slots. */
  readonly concurrency?: ReadonlyMap<string, number>;
  readonly say: (message: NodeMessage) => void;
}

/** A copy that waits or runs. */
interface LiveCopy {
  readonly assignment: Assignment;
  readonly fate: CopyFate;
  running: boolean;
  startedMs: number;
  readonly leaseEndsMs: number;
  progressedTokens: number;
  progressedMs: number;
  lease: NodeJS.Timeout | undefined;
  /** The next thing that this copy does by itself. */
  work: NodeJS.Timeout | undefined;
  /** Aborted with the copy. */
  readonly ended: AbortController;
}

/**
 * An inference node: takes assignments into its slots and its queue, executes the model for each, spends the modelled delay,
 * proves the statement in the mode that was asked for, and answers.
 *
 * N1. At most `slots` copies run, of one model no more than its own limit, and at most `queueLimit` wait; beyond that a copy
 *     fails as `overloaded`. A copy that waits for its model lets those of others pass.
 * N2. Each copy taken ends with one last word, `answered` or `failed`; a redelivered assignment gets that word again.
 * N3. A copy that was cancelled, or whose lease is over, frees its place at once and never answers (P9).
 * N4. The statement that is proved is about what was computed: this input, this output, this assignment (P3).
 * N5. Progress is said of tokens that there are, the first at once, then at a bounded rate.
 */
export class InferenceNode {
  readonly #parts: NodeParts;
  readonly #behaviour: Behaviour;
  readonly #ordinals = new CallOrdinals(NODE_LIMITS.maxRememberedCopies);
  readonly #live = new Map<number, LiveCopy>();
  readonly #queue: LiveCopy[] = [];
  readonly #ended = new CopyMemory(NODE_LIMITS.maxRememberedCopies);
  readonly #runningOf = new Map<string, number>();
  #running = 0;
  /** Set with the first word that it will take nothing more; resolves when its last copy has ended. */
  #retiring: PromiseWithResolvers<void> | undefined;
  #draining = false;
  #reports: NodeJS.Timeout | undefined;
  #changeReport: NodeJS.Timeout | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.#behaviour = behaviourOf(parts.temperament.fault);
  }

  /** Says `joined`, and from then on reports its load. `attested`: its enclave's document, for nodes that have one. */
  join(attested: AttestedBy | undefined): void {
    this.rejoin(attested);
    this.#report();
    if (!this.#behaviour.responds) return;
    this.#reports = setInterval(() => this.#report(), NODE_LIMITS.reportIntervalMs);
  }

  /** Says `joined` again, with another document. Copies go on. */
  rejoin(attested: AttestedBy | undefined): void {
    const { terms, say } = this.#parts;
    if (this.#draining) return;
    if (attested === undefined) return say({ kind: "joined", terms });
    const { ref, document } = attested;
    say({ kind: "joined", terms: { ...terms, attestation: ref }, attestation: document });
  }

  assign(assignment: Assignment): void {
    const { copy, nonce } = assignment;
    if (!this.#behaviour.responds) return;
    if (this.#live.has(copy)) return this.#accept(copy);
    const known = this.#ended.recall(copy, nonce);
    if (known === "cancelled") return this.#refuse(assignment, "cancelled");
    if (known !== "new") return this.#parts.say(known);
    const refusal = this.#refusal(assignment);
    if (refusal !== undefined) return this.#refuse(assignment, refusal);
    this.#take(assignment);
  }

  /** A copy that is not known yet is remembered: the Cancel may have overtaken the assignment. */
  cancel(copy: number): void {
    if (!this.#behaviour.responds || !this.#behaviour.stops) return;
    const live = this.#live.get(copy);
    if (live === undefined) this.#ended.rememberCancel(copy);
    else this.#fail(live, "cancelled");
  }

  /**
   * Takes nothing more, fails what waits as `drained`, and lets what runs come to its end for so long; then drains. Resolves
   * when the node is silent.
   */
  async retire(withinMs: number): Promise<void> {
    if (this.#draining) return;
    this.#retiring ??= Promise.withResolvers<void>();
    const limit = setTimeout(this.#retiring.resolve, withinMs);
    for (const copy of [...this.#queue]) this.#fail(copy, "drained");
    if (this.#live.size === 0) this.#retiring.resolve();
    await this.#retiring.promise;
    clearTimeout(limit);
    this.drain();
  }

  /** Fails every copy as `drained`, and from now on every assignment; then the node is silent. */
  drain(): void {
    this.#draining = true;
    this.#queue.length = 0;
    for (const copy of [...this.#live.values()]) this.#fail(copy, "drained");
    clearInterval(this.#reports);
    clearTimeout(this.#changeReport);
  }

  #refusal(assignment: Assignment): FailureReason | undefined {
    if (this.#draining || this.#retiring !== undefined) return "drained";
    const fault = assignmentFault(assignment, this.#parts.terms);
    if (fault !== undefined) return fault;
    const begins = this.#running < this.#parts.terms.slots && this.#hasRoom(assignment.model);
    return !begins && this.#queue.length >= this.#parts.terms.queueLimit ? "overloaded" : undefined;
  }

  #hasRoom(model: string): boolean {
    const limit = this.#parts.concurrency?.get(model);
    return limit === undefined || (this.#runningOf.get(model) ?? 0) < limit;
  }

  #refuse(assignment: Assignment, reason: FailureReason): void {
    this.#end(assignment, { kind: "failed", node: this.#parts.terms.id, copy: assignment.copy, reason });
  }

  #accept(copy: number): void {
    this.#parts.say({ kind: "accepted", node: this.#parts.terms.id, copy });
  }

  #take(assignment: Assignment): void {
    const ordinal = this.#ordinals.next(assignment);
    const leaseMs = Math.min(assignment.leaseMs, NODE_LIMITS.maxLeaseMs);
    const copy: LiveCopy = {
      assignment,
      fate: fateOf(this.#parts.temperament, { ...assignment, ordinal }, assignment),
      running: false,
      startedMs: 0,
      leaseEndsMs: performance.now() + leaseMs,
      progressedTokens: 0,
      progressedMs: Number.NEGATIVE_INFINITY,
      lease: undefined,
      work: undefined,
      ended: new AbortController(),
    };
    this.#live.set(assignment.copy, copy);
    if (this.#behaviour.stops) copy.lease = setTimeout(() => this.#fail(copy, "cancelled"), leaseMs);
    this.#accept(assignment.copy);
    this.#queue.push(copy);
    this.#fillSlots();
  }

  #fillSlots(): void {
    while (this.#running < this.#parts.terms.slots) {
      const next = this.#queue.findIndex(({ assignment }) => this.#hasRoom(assignment.model));
      const copy = this.#queue[next];
      if (copy === undefined) break;
      this.#queue.splice(next, 1);
      this.#start(copy);
    }
    this.#reportSoon();
  }

  #start(copy: LiveCopy): void {
    this.#occupy(copy.assignment.model, 1);
    copy.running = true;
    copy.startedMs = performance.now();
    const { delay, fails } = copy.fate;
    if (fails) copy.work = setTimeout(() => this.#fail(copy, "error"), delay.firstTokenMs);
    else void this.#execute(copy, delay);
  }

  #occupy(model: string, copies: 1 | -1): void {
    this.#running += copies;
    this.#runningOf.set(model, (this.#runningOf.get(model) ?? 0) + copies);
  }

  async #execute(copy: LiveCopy, delay: Delay): Promise<void> {
    const { model, input, tokensOut } = copy.assignment;
    const options: RunOptions = {
      signal: copy.ended.signal,
      tokensOut,
      withinMs: Math.max(0, copy.leaseEndsMs - performance.now()),
      onProgress: (tokens) => this.#progress(copy, Math.min(tokens, tokensOut)),
    };
    const run = await this.#parts.runner.run(model, input, options).catch(() => undefined);
    if (!this.#isLive(copy)) return;
    if (run?.ok === true) this.#spend(copy, delay, run.output);
    else this.#fail(copy, run?.reason ?? "error");
  }

  /** What a backend tells comes token by token; what is said of it does not. */
  #progress(copy: LiveCopy, tokens: number): void {
    if (this.#isLive(copy) && performance.now() - copy.progressedMs >= NODE_LIMITS.progressIntervalMs) {
      this.#sayProgress(copy, tokens);
    }
  }

  #sayProgress(copy: LiveCopy, tokens: number): void {
    if (tokens <= copy.progressedTokens) return;
    copy.progressedTokens = tokens;
    copy.progressedMs = performance.now();
    this.#parts.say({ kind: "progressed", node: this.#parts.terms.id, copy: copy.assignment.copy, tokens });
  }

  /** Waits out the delay, saying how far it is at a bounded rate, then answers. */
  #spend(copy: LiveCopy, delay: Delay, output: Uint8Array): void {
    const elapsedMs = performance.now() - copy.startedMs;
    const remainingMs = delay.totalMs - elapsedMs;
    if (remainingMs <= 0) return void this.#answer(copy, output);
    this.#sayProgress(copy, tokensAfter(delay, elapsedMs));
    const waitMs = Math.min(remainingMs, NODE_LIMITS.progressIntervalMs);
    copy.work = setTimeout(() => this.#spend(copy, delay, output), waitMs);
  }

  async #answer(copy: LiveCopy, honest: Uint8Array): Promise<void> {
    const behaviour = this.#behaviour;
    const outputs = [behaviour.output(honest), behaviour.secondOutput(honest)].filter((output) => output !== undefined);
    const answers: NodeMessage[] = [];
    for (const output of outputs) {
      const proof = await this.#prove(copy, output).catch(() => undefined);
      if (!this.#isLive(copy)) return;
      if (proof === undefined) return this.#fail(copy, "error");
      answers.push({ kind: "answered", node: this.#parts.terms.id, copy: copy.assignment.copy, output, proof });
    }
    const [first, ...more] = answers;
    if (first === undefined) return;
    this.#free(copy, first);
    for (const answer of more) this.#parts.say(answer);
  }

  async #prove({ assignment, ended }: LiveCopy, output: Uint8Array): Promise<Proof> {
    const { chainId, txHash, callIndex, model, inputHash, mode, nonce, input, attestation } = assignment;
    const { terms, provers } = this.#parts;
    const behaviour = this.#behaviour;
    const about = { chainId, txHash, callIndex, model, inputHash, mode, node: terms.id, nonce };
    const statement: Statement = behaviour.statement({ ...about, outputHash: sha256Hex(output) });
    return behaviour.proof(await provers[mode]({ statement, input, attestation, signal: ended.signal }));
  }

  #fail(copy: LiveCopy, reason: FailureReason): void {
    this.#free(copy, { kind: "failed", node: this.#parts.terms.id, copy: copy.assignment.copy, reason });
  }

  /** Ends a live copy: its timers, its place and its slot are free before the next copy starts. */
  #free(copy: LiveCopy, lastWord: NodeMessage): void {
    clearTimeout(copy.lease);
    clearTimeout(copy.work);
    copy.ended.abort();
    this.#live.delete(copy.assignment.copy);
    if (copy.running) this.#occupy(copy.assignment.model, -1);
    const waiting = this.#queue.indexOf(copy);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    this.#end(copy.assignment, lastWord);
    this.#fillSlots();
    if (this.#live.size === 0) this.#retiring?.resolve();
  }

  #end({ copy, nonce }: Assignment, lastWord: NodeMessage): void {
    this.#ended.rememberEnd(copy, nonce, lastWord);
    this.#parts.say(lastWord);
  }

  #isLive(copy: LiveCopy): boolean {
    return this.#live.get(copy.assignment.copy) === copy;
  }

  #report(): void {
    clearTimeout(this.#changeReport);
    this.#changeReport = undefined;
    this.#parts.say({
      kind: "reported",
      node: this.#parts.terms.id,
      running: this.#running,
      queued: this.#queue.length,
      warm: this.#parts.runner.warm,
    });
  }

  #reportSoon(): void {
    if (this.#changeReport !== undefined || this.#draining) return;
    this.#changeReport = setTimeout(() => this.#report(), NODE_LIMITS.reportDelayMs);
  }
}
