import type { CallResult, Commands, CopyView } from "../../scheduler/engine/commands.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { Experiment, RaceSample, ReplicationResult } from "../experiment/types.ts";
import type { Arrivals, Distribution } from "../kernel/distributions.ts";
import { normalCdf } from "../kernel/distributions.ts";
import { EventHeap } from "../kernel/event-heap.ts";
import type { Stream } from "../kernel/streams.ts";
import { ANSWERED, CopyTable, FREE, RUNNING, TRAVELLING } from "./copy-table.ts";
import { JobTable } from "./job-table.ts";
import { Measurements } from "./measurements.ts";
import { ModelledNodes } from "./nodes.ts";

/** What the heap's payloads mean: a kind in the high bits, a copy's slot in the low ones. */
const KIND = 2 ** 22;
const ENDS = 0;
const ARRIVES = 1 * KIND;
const REPLIES = 2 * KIND;
const JUDGED = 3 * KIND;
const STOPS = 4 * KIND;
const COMES = 5 * KIND;
const WAKES = 6 * KIND;
/** Free for worlds with blocks. */
export const BLOCK = 7 * KIND;

/** Events that every engine of a world understands. Reused, so that telling it something allocates nothing. */
const ACCEPTED = { kind: "copy-accepted" as const, copy: 0, node: "" };
const ANSWER = { kind: "copy-answered" as const, copy: 0, node: "", outputHash: "output", answerHash: "answer" };
const VERDICT = { kind: "verdict" as const, copy: 0, accepted: true, reason: "valid" };
const WOKEN = { kind: "woken" as const };
export type CopyEvent = typeof ACCEPTED | typeof ANSWER | typeof VERDICT | typeof WOKEN;

/** An engine as the world drives it: in through `step`, out through the sink, and one timer. */
export interface DrivenEngine {
  step(nowUs: number, event: CopyEvent, out: Commands): void;
  nextWakeUs(): number;
}

export interface WorldParts {
  readonly experiment: Experiment;
  readonly arrivals: Arrivals;
  readonly service: Distribution;
  /** Durations of each job's first two copies. */
  readonly serviceStream: Stream;
  /** Durations of further copies. */
  readonly extraStream: Stream;
  readonly samples: number;
}

/**
 * The modelled world around an engine: arrivals, nodes, network, verification. A subclass says how a job enters its engine
 * and when a job is over. Each job takes the same numbers from the streams under every policy, so that policies are compared
 * on the same arrivals and the same durations of first and second copies.
 */
export abstract class World implements Commands {
  protected readonly experiment: Experiment;
  protected readonly heap = new EventHeap();
  protected readonly jobs = new JobTable();
  protected readonly copies = new CopyTable();
  protected readonly measured: Measurements;
  protected readonly nodes: ModelledNodes;
  protected abstract readonly engine: DrivenEngine;
  protected nowUs = 0;
  readonly #parts: WorldParts;
  readonly #oneWayUs: number;
  readonly #verificationUs: number;
  /** Copies whose acceptance, or whose verdict, the engine is to hear of as soon as the present step is over. */
  readonly #toAccept: number[] = [];
  readonly #toJudge: number[] = [];
  readonly #samples = new Map<number, { copies: Mutable<RaceSample["copies"][number]>[]; openedUs: number }>();
  #wakeUs = NEVER;
  #arrived = 0;
  events = 0;
  engineEvents = 0;
  /** Whether the engine wants to know that a node took a copy. */
  protected readonly acknowledges: boolean;

  constructor(parts: WorldParts, acknowledges: boolean) {
    this.#parts = parts;
    this.experiment = parts.experiment;
    this.acknowledges = acknowledges;
    const { fleet, network, verification } = parts.experiment;
    this.measured = new Measurements(parts.experiment);
    this.nodes = new ModelledNodes({ spec: fleet, heap: this.heap, copies: this.copies, endsPayload: ENDS });
    this.#oneWayUs = Math.round(network.oneWayMs * 1_000);
    this.#verificationUs = Math.round(verification.ms * 1_000);
  }

  /** The job enters the engine. */
  protected abstract enter(job: number): void;
  /** A race was decided; the copy's slot is the winner's. */
  protected abstract won(job: number): void;
  /** An event of the subclass's own. */
  protected abstract happen(payload: number): void;
  /** What the subclass has waiting for the end of a step. */
  protected abstract settle(): void;

  /** Runs until every counted job is over. */
  run(): void {
    this.#scheduleArrival();
    const { heap } = this;
    while (!this.measured.complete && heap.popNext()) {
      this.events++;
      this.nowUs = heap.timeUs;
      const { payload } = heap;
      if (payload < KIND) this.#ends(payload);
      else this.#other(payload);
      this.#wakeAt(this.engine.nextWakeUs());
    }
  }

  result(replication: number, elapsedMs: number): ReplicationResult {
    const { events, engineEvents, nowUs: simulatedUs } = this;
    return this.measured.result({ replication, simulatedUs, events, engineEvents, elapsedMs });
  }

  #other(payload: number): void {
    const copy = payload % KIND;
    switch (payload - copy) {
      case COMES:
        return this.#comes();
      case WAKES:
        return this.#wakes();
      case ARRIVES:
        return this.#arrives(copy);
      case REPLIES:
        return this.#replies(copy);
      case JUDGED:
        return this.#judged(copy);
      case STOPS:
        return this.#stops(copy);
      default:
        return this.happen(payload);
    }
  }

  /** Tells the engine, and then whatever became of that at the same moment. */
  protected tell(event: CopyEvent): void {
    this.engineEvents++;
    this.engine.step(this.nowUs, event, this);
    this.drain();
  }

  protected drain(): void {
    this.settle();
    while (this.#toAccept.length > 0 || this.#toJudge.length > 0) {
      const accepted = this.#toAccept.pop();
      if (accepted !== undefined) this.#accept(accepted);
      const judged = this.#toJudge.pop();
      if (judged !== undefined) this.#judged(judged);
    }
  }

  #accept(copy: number): void {
    ACCEPTED.copy = this.copies.engineId[copy] as number;
    ACCEPTED.node = this.nodes.ids[this.copies.node[copy] as number] as string;
    this.tell(ACCEPTED);
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** An earlier wake-up than needed is harmless, so a later time is left to be found out when the earlier one comes. */
  #wakeAt(us: number): void {
    if (us >= this.#wakeUs) return;
    this.#wakeUs = us;
    this.heap.schedule(Math.max(us, this.nowUs), 9, WAKES);
  }

  #wakes(): void {
    if (this.#wakeUs > this.nowUs) return;
    this.#wakeUs = NEVER;
    if (this.engine.nextWakeUs() <= this.nowUs) this.tell(WOKEN);
  }

  #scheduleArrival(): void {
    this.heap.schedule(Math.round(this.#parts.arrivals.nextUs()), 1, COMES);
  }

  #comes(): void {
    const { serviceStream, service, experiment, arrivals } = this.#parts;
    const number = this.#arrived++;
    const job = this.jobs.take(number, this.nowUs);
    const tokens = arrivals.tokens?.out;
    this.jobs.tokens[job] = tokens ?? NO_TOKENS;
    if (experiment.correlation === 0) {
      this.jobs.firstUs[job] = 1_000 * service.sample(serviceStream, tokens);
      this.jobs.secondUs[job] = 1_000 * service.sample(serviceStream, tokens);
    } else {
      this.jobs.shared[job] = serviceStream.normal();
      this.jobs.firstUs[job] = this.#correlated(job, serviceStream);
      this.jobs.secondUs[job] = this.#correlated(job, serviceStream);
    }
    if (this.#samples.size < this.#parts.samples && this.measured.counts(number)) {
      this.#samples.set(number, { copies: [], openedUs: this.nowUs });
    }
    this.enter(job);
    this.drain();
    this.#scheduleArrival();
  }

  /** A Gaussian copula: copies of one job share √φ of the standard normal that their durations are quantiles of. */
  #correlated(job: number, stream: Stream): number {
    const { service, experiment } = this.#parts;
    const phi = experiment.correlation;
    const z = Math.sqrt(phi) * (this.jobs.shared[job] as number) + Math.sqrt(1 - phi) * stream.normal();
    return 1_000 * service.quantile(normalCdf(z), this.#tokensOf(job));
  }

  #tokensOf(job: number): number | undefined {
    const tokens = this.jobs.tokens[job] as number;
    return tokens === NO_TOKENS ? undefined : tokens;
  }

  // ── copies ───────────────────────────────────────────────────────────────────────────────────────────────────────

  dispatch(view: CopyView): void {
    const { copies, jobs, nowUs } = this;
    const copy = copies.take(view.id);
    const job = this.jobOf(view);
    const ordinal = jobs.copies[job] as number;
    jobs.hold(job);
    copies.job[copy] = job;
    copies.node[copy] = this.nodes.indexOf(view.node.id);
    copies.launchedUs[copy] = nowUs;
    copies.startedUs[copy] = nowUs;
    copies.speculative[copy] = view.speculative ? 1 : 0;
    copies.serviceUs[copy] = ordinal === 0 ? (jobs.firstUs[job] as number) : this.#further(job, ordinal);
    copies.state[copy] = TRAVELLING;
    if (this.measured.counts(jobs.number[job] as number)) {
      this.measured.copies++;
      if (view.speculative) this.measured.speculative++;
    }
    if (this.#oneWayUs > 0) this.heap.schedule(nowUs + this.#oneWayUs, 2, ARRIVES + copy);
    else this.#arrives(copy);
  }

  /** The job's slot of a copy or race of the engine. */
  protected abstract jobOf(view: CopyView): number;

  #further(job: number, ordinal: number): number {
    const { service, extraStream, experiment } = this.#parts;
    if (ordinal === 1) return this.jobs.secondUs[job] as number;
    return experiment.correlation === 0
      ? 1_000 * service.sample(extraStream, this.#tokensOf(job))
      : this.#correlated(job, extraStream);
  }

  #arrives(copy: number): void {
    // Its Cancel may have overtaken it.
    if (this.copies.state[copy] !== TRAVELLING) return;
    this.nodes.arrive(copy, this.nowUs);
    if (this.acknowledges) this.#toAccept.push(copy);
    if (this.#oneWayUs > 0) this.drain();
  }

  #ends(copy: number): void {
    const { copies } = this;
    this.#worked(copy);
    copies.state[copy] = ANSWERED;
    this.nodes.ended(copy, this.nowUs);
    if (this.#oneWayUs > 0) this.heap.schedule(this.nowUs + this.#oneWayUs, 3, REPLIES + copy);
    else this.#replies(copy);
  }

  #replies(copy: number): void {
    const { copies } = this;
    ANSWER.copy = copies.engineId[copy] as number;
    ANSWER.node = this.nodes.ids[copies.node[copy] as number] as string;
    this.tell(ANSWER);
    // The engine did not know it any more: nobody will judge it.
    if (copies.state[copy] === ANSWERED && copies.handle[copy] !== VERIFYING) this.#gone(copy, "cancelled");
  }

  verify(view: CopyView): void {
    const copy = this.copies.find(view.id);
    this.copies.handle[copy] = VERIFYING;
    if (this.#verificationUs > 0) this.heap.schedule(this.nowUs + this.#verificationUs, 4, JUDGED + copy);
    else this.#toJudge.push(copy);
  }

  #judged(copy: number): void {
    VERDICT.copy = this.copies.engineId[copy] as number;
    this.tell(VERDICT);
    // Another copy won while this one was being verified.
    if (this.copies.state[copy] === ANSWERED) this.#gone(copy, "answered");
  }

  cancel(view: CopyView): void {
    const copy = this.copies.find(view.id);
    if (copy < 0) return;
    if (this.measured.counts(this.jobs.number[this.copies.job[copy] as number] as number)) this.measured.cancelled++;
    if (this.#oneWayUs === 0) return this.#stops(copy);
    this.copies.stopHandle[copy] = this.heap.schedule(this.nowUs + this.#oneWayUs, 5, STOPS + copy);
  }

  #stops(copy: number): void {
    const { state } = this.copies;
    // It answered before it heard of the Cancel; what becomes of the answer is seen when it is in.
    if (state[copy] === ANSWERED || state[copy] === FREE) return;
    if (state[copy] === RUNNING) this.#worked(copy);
    this.nodes.stop(copy, this.nowUs);
    this.#gone(copy, "cancelled");
  }

  #worked(copy: number): void {
    const { copies, jobs, measured } = this;
    if (!measured.counts(jobs.number[copies.job[copy] as number] as number)) return;
    measured.workUs += this.nowUs - (copies.startedUs[copy] as number);
  }

  decided(result: CallResult): void {
    const copy = this.copies.find(result.copy);
    const job = this.copies.job[copy] as number;
    const number = this.jobs.number[job] as number;
    if (this.measured.counts(number)) this.measured.response(this.nowUs - (this.jobs.arrivedUs[job] as number));
    this.#gone(copy, "won");
    const sample = this.#samples.get(number);
    if (sample !== undefined) {
      this.measured.samples.push({
        job: number,
        openedUs: sample.openedUs,
        decidedUs: this.nowUs,
        copies: sample.copies,
      });
    }
    this.won(job);
  }

  /** Nothing of the copy is left in the world. */
  #gone(copy: number, end: "won" | "cancelled" | "answered"): void {
    const { copies, jobs } = this;
    const job = copies.job[copy] as number;
    this.#samples.get(jobs.number[job] as number)?.copies.push({
      node: copies.node[copy] as number,
      speculative: copies.speculative[copy] === 1,
      launchedUs: copies.launchedUs[copy] as number,
      startedUs: copies.startedUs[copy] as number,
      endedUs: this.nowUs,
      end,
    });
    copies.handle[copy] = -1;
    // Its answer was in before its Cancel was out: that must not reach whoever gets this slot next.
    if ((copies.stopHandle[copy] as number) >= 0) this.heap.cancel(copies.stopHandle[copy] as number);
    copies.free(copy);
    jobs.release(job);
  }

  // ── commands of which this world takes no notice ─────────────────────────────────────────────────────────────────

  accepted(_transaction: unknown): void {}
  rejected(_hash: string, _rejection: unknown): void {}
  ordered(): void {}
  preExecute(_transaction: unknown): void {}
  lost(): void {}
  moved(): void {}
  sealed(_block: unknown): void {}
  sealRefused(): void {}
  committed(): void {}
  reverted(): void {}
  notify(_transaction: unknown): void {}
  evidence(): void {}
  challengeEnded(_outcome: unknown): void {}
  alarm(): void {}
}

/** A job of a workload without a trace. */
const NO_TOKENS = -1;

/** In place of a heap handle: the engine has asked for this copy's verdict. */
const VERIFYING = -2;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
