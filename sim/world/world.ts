import type { CallResult, Commands, CopyView } from "../../scheduler/engine/commands.ts";
import { type CancelReason, NEVER } from "../../scheduler/shared/vocabulary.ts";
import { befallsNodes, losesCopies, mixesMessages } from "../experiment/faults.ts";
import type { Experiment, RaceSample, ReplicationResult } from "../experiment/types.ts";
import type { Arrivals } from "../kernel/distributions.ts";
import { EventHeap } from "../kernel/event-heap.ts";
import type { Stream } from "../kernel/streams.ts";
import { Conduct, DRAINED, ERRS, LIES } from "./conduct.ts";
import { ANSWERED, CopyTable, FREE, RUNNING, TRAVELLING } from "./copy-table.ts";
import { ACCEPTED, ANSWER, type DrivenEngine, FAILED, VERDICT, WOKEN, type WorldEvent } from "./driven-engine.ts";
import { type DurationParts, Durations } from "./durations.ts";
import { type ModelledNode, modelledNodes } from "./fleet.ts";
import { JobTable } from "./job-table.ts";
import { Measurements } from "./measurements.ts";
import { Letters, SteadyNetwork } from "./network.ts";
import { type ModelledNodes, SteadyNodes } from "./nodes.ts";
import {
  ACCEPTS,
  ARRIVES,
  BEFALLS,
  COMES,
  ENDS,
  FAILS,
  JUDGED,
  KIND,
  LETTER,
  type Message,
  NEWS,
  PRIORITY,
  REPLIES,
  STOPS,
  WAKES,
} from "./payloads.ts";
import { RaceSamples } from "./race-samples.ts";
import { SharingNodes } from "./sharing-nodes.ts";
import { type HowFar, Patience, type RunLimits } from "./simulation-limit.ts";
import { Verifiers } from "./verifiers.ts";
import { type Struck, Weather } from "./weather.ts";

export interface WorldParts extends DurationParts {
  readonly arrivals: Arrivals;
  readonly samples: number;
  /** Random numbers of what befalls the world, by purpose. */
  readonly streamFor: (purpose: string) => Stream;
  /** After which a run is given up. */
  readonly limits: RunLimits;
  /** Told now and then how far the run is. */
  readonly onLook: (far: HowFar) => void;
}

/**
 * The modelled world around an engine: arrivals, nodes, network, verification. A subclass says how a job enters its engine
 * and when a job is over.
 */
export abstract class World implements Commands, Struck {
  protected readonly experiment: Experiment;
  protected readonly heap = new EventHeap();
  protected readonly jobs = new JobTable();
  protected readonly copies = new CopyTable();
  protected readonly measured: Measurements;
  protected readonly fleet: readonly ModelledNode[];
  protected abstract readonly engine: DrivenEngine;
  protected nowUs = 0;
  readonly #arrivals: Arrivals;
  readonly #durations: Durations;
  readonly #proofUs: number;
  readonly #conduct: Conduct | undefined;
  readonly #nodes: ModelledNodes;
  /** The nodes, where their condition may change. */
  readonly #sharing: SharingNodes | undefined;
  readonly #weather: Weather | undefined;
  /** Neither of both where messages are there at once. */
  readonly #network: SteadyNetwork | undefined;
  readonly #letters: Letters | undefined;
  readonly #verifiers: Verifiers;
  readonly #samples: RaceSamples;
  readonly #patience: Patience;
  /** Copies whose acceptance, or whose verdict, the engine is to hear of as soon as the present step is over. */
  readonly #toAccept: number[] = [];
  readonly #toJudge: number[] = [];
  #wakeUs = NEVER;
  #arrived = 0;
  events = 0;
  engineEvents = 0;
  /** Copies can be lost, so that the engine watches over them and wants to know that a node took one. */
  protected readonly watched: boolean;

  constructor(parts: WorldParts) {
    const { experiment, arrivals, samples, limits, onLook, streamFor } = parts;
    const { fleet, network: spec, verification, mode } = experiment;
    const { heap, copies } = this;
    this.experiment = experiment;
    this.watched = losesCopies(experiment);
    this.measured = new Measurements(experiment);
    this.fleet = modelledNodes(fleet, mode);
    this.#arrivals = arrivals;
    this.#durations = new Durations(parts, this.jobs);
    this.#proofUs = verification.proofMs * 1_000;
    if (fleet.errors !== "none" || fleet.dishonest !== "none") this.#conduct = new Conduct(fleet, streamFor);
    const dead = Math.round(fleet.deadFraction * fleet.nodes);
    const nodes = { nodes: this.fleet, slots: fleet.slots, dead, heap, copies, endsPayload: ENDS };
    if (befallsNodes(experiment)) this.#weather = new Weather({ fleet, network: spec, heap, struck: this, streamFor });
    if (this.#weather === undefined && fleet.batching === "none") this.#nodes = new SteadyNodes(nodes);
    else {
      const slowdownPerCopy = fleet.batching === "none" ? 0 : fleet.batching.slowdownPerCopy;
      this.#sharing = new SharingNodes({ ...nodes, slowdownPerCopy });
      this.#nodes = this.#sharing;
    }
    if (mixesMessages(experiment)) this.#letters = new Letters({ spec, heap, copies, stream: streamFor("network") });
    else if (spec.oneWayMs > 0) this.#network = new SteadyNetwork({ spec, heap });
    this.#verifiers = new Verifiers(verification, heap);
    this.#samples = new RaceSamples(samples, copies);
    this.#patience = new Patience(limits, onLook);
  }

  /** The job enters the engine. */
  protected abstract enter(job: number): void;
  /** A race was decided. */
  protected abstract won(job: number): void;
  /** An event of the subclass's own. */
  protected abstract happen(): void;
  /** What the subclass has waiting for the end of a step. */
  protected abstract settle(): void;
  /** The job's slot of a copy or race of the engine. */
  protected abstract jobOf(view: CopyView): number;

  /** Runs until every counted job is over. Throws `SimulationLimit` when that does not seem to come. */
  run(): void {
    this.#weather?.begin();
    this.#scheduleArrival();
    const { heap, measured } = this;
    const patience = this.#patience;
    while (!measured.complete && heap.popNext()) {
      this.events++;
      this.nowUs = heap.timeUs;
      if (this.events > patience.lookAt || this.nowUs > patience.lastUs) this.#lookForProgress();
      const { payload } = heap;
      if (payload < KIND) this.#ends(payload);
      else this.#other(payload);
      this.#wakeAt(this.engine.nextWakeUs());
    }
  }

  #lookForProgress(): void {
    const { nowUs: simulatedUs, events, measured } = this;
    const { ended, endedInAll, jobs: of } = measured;
    this.#patience.look({ simulatedUs, events, ended, of, endedInAll }, Math.min(this.#arrived, measured.end));
  }

  result(replication: number, elapsedMs: number): ReplicationResult {
    const { events, engineEvents, nowUs: simulatedUs } = this;
    const { decidedOnes: samples } = this.#samples;
    return this.measured.result({ replication, simulatedUs, events, engineEvents, elapsedMs, samples });
  }

  #other(payload: number): void {
    const low = payload % KIND;
    switch (payload - low) {
      case COMES:
        return this.#comes();
      case WAKES:
        return this.#wakes();
      case JUDGED:
        this.#verifiers.checked(this.nowUs);
        return this.#judged(low);
      case LETTER: {
        const message = this.#letters?.open(low) ?? -1;
        return message < 0 ? undefined : this.#other(message);
      }
      case BEFALLS:
        this.#weather?.happen(low, this.nowUs);
        return this.drain();
      case NEWS:
        return this.#hear(low >> 1, low % 2 === 1);
      case ARRIVES:
      case STOPS:
      case ACCEPTS:
      case REPLIES:
      case FAILS:
        this.#deliver((payload - low) as Message, low);
        return this.drain();
      default:
        return this.happen();
    }
  }

  /** Tells the engine, and then whatever became of that at the same moment. */
  protected tell(event: WorldEvent): void {
    this.engineEvents++;
    this.engine.step(this.nowUs, event, this);
    this.drain();
  }

  protected drain(): void {
    this.settle();
    while (this.#toAccept.length > 0 || this.#toJudge.length > 0) {
      const accepted = this.#toAccept.pop();
      if (accepted !== undefined) this.#accepts(accepted);
      const judged = this.#toJudge.pop();
      if (judged !== undefined) this.#judged(judged);
    }
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** An earlier wake-up than needed is harmless, so a later time is left to be found out when the earlier one comes. */
  #wakeAt(us: number): void {
    if (us >= this.#wakeUs) return;
    this.#wakeUs = us;
    this.heap.schedule(Math.max(us, this.nowUs), PRIORITY.wake, WAKES);
  }

  #wakes(): void {
    if (this.#wakeUs > this.nowUs) return;
    this.#wakeUs = NEVER;
    if (this.engine.nextWakeUs() <= this.nowUs) this.tell(WOKEN);
  }

  #scheduleArrival(): void {
    this.heap.schedule(Math.min(Math.round(this.#arrivals.nextUs()), NEVER), PRIORITY.arrival, COMES);
  }

  #comes(): void {
    const number = this.#arrived++;
    const job = this.jobs.take(number, this.nowUs);
    this.#durations.arrive(job, this.#arrivals.tokens?.out);
    if (this.measured.counts(number)) this.#samples.opened(number, this.nowUs);
    this.enter(job);
    this.drain();
    this.#scheduleArrival();
  }

  // ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Where messages take no time, this one is delivered at once. */
  #send(message: Message, copy: number): void {
    if (this.#letters !== undefined) return this.#post(this.#letters, message, copy);
    if (this.#network === undefined) return this.#deliver(message, copy);
    const handle = this.#network.send(message, copy, this.nowUs);
    if (message === STOPS) this.copies.stopHandle[copy] = handle;
  }

  #post(letters: Letters, message: Message, copy: number): void {
    const { operator } = this.fleet[this.copies.node[copy] as number] as ModelledNode;
    const cut = this.#weather?.reaches(operator) === false;
    if (letters.send(message, copy, cut, this.nowUs) || message === ACCEPTS) return;
    if (message !== STOPS) return this.#gone(copy, "lost");
    // Nobody told it to stop, so it stops by itself when its lease ends.
    letters.post(STOPS, copy, Math.max(this.copies.leaseUs[copy] as number, this.nowUs));
  }

  #deliver(message: Message, copy: number): void {
    switch (message) {
      case ARRIVES:
        return this.#arrives(copy);
      case STOPS:
        return this.#stops(copy);
      case ACCEPTS:
        return this.#accepts(copy);
      case REPLIES:
        return this.#replies(copy);
      default:
        return this.#fails(copy);
    }
  }

  #nodeIdOf(copy: number): string {
    return this.#nodes.ids[this.copies.node[copy] as number] as string;
  }

  // ── copies ───────────────────────────────────────────────────────────────────────────────────────────────────────

  dispatch(view: CopyView): void {
    const { copies, jobs, nowUs } = this;
    const copy = copies.take(view.id);
    const job = this.jobOf(view);
    const node = this.#nodes.indexOf(view.node.id);
    const ordinal = jobs.copies[job] as number;
    jobs.hold(job);
    copies.job[copy] = job;
    copies.node[copy] = node;
    copies.launchedUs[copy] = nowUs;
    copies.startedUs[copy] = nowUs;
    copies.speculative[copy] = view.speculative ? 1 : 0;
    copies.serviceUs[copy] = this.#durations.of(job, ordinal, node) + this.#proofUs;
    copies.state[copy] = TRAVELLING;
    if (this.#letters !== undefined) copies.leaseUs[copy] = view.leaseUs;
    if (this.#conduct !== undefined) this.#behave(this.#conduct, copy, node);
    if (this.measured.counts(jobs.number[job] as number)) {
      this.measured.copies++;
      if (view.speculative) this.measured.speculative++;
    }
    this.#send(ARRIVES, copy);
  }

  #behave(conduct: Conduct, copy: number, node: number): void {
    const { fate, share } = conduct.next(node);
    this.copies.fate[copy] = fate;
    this.copies.serviceUs[copy] = share * (this.copies.serviceUs[copy] as number);
  }

  #arrives(copy: number): void {
    // Its Cancel may have overtaken it, or it comes twice.
    if (this.copies.state[copy] !== TRAVELLING) return;
    const node = this.copies.node[copy] as number;
    if (this.#weather?.present(node) === false) return this.#gone(copy, "lost");
    this.#nodes.arrive(copy, this.nowUs);
    if (this.watched && this.#weather?.hangs(node) !== true) this.#acknowledge(copy);
  }

  /** The node took the copy, and says so. */
  #acknowledge(copy: number): void {
    if (this.#letters === undefined) this.#toAccept.push(copy);
    else this.#send(ACCEPTS, copy);
  }

  #accepts(copy: number): void {
    ACCEPTED.copy = this.copies.engineId[copy] as number;
    ACCEPTED.node = this.#nodeIdOf(copy);
    this.tell(ACCEPTED);
  }

  #ends(copy: number): void {
    const { copies } = this;
    this.#worked(copy);
    copies.state[copy] = ANSWERED;
    this.#nodes.ended(copy, this.nowUs);
    this.#send(copies.fate[copy] === ERRS ? FAILS : REPLIES, copy);
  }

  #replies(copy: number): void {
    const { copies } = this;
    ANSWER.copy = copies.engineId[copy] as number;
    ANSWER.node = this.#nodeIdOf(copy);
    this.tell(ANSWER);
    // The engine did not know it any more: nobody will judge it.
    if (copies.state[copy] === ANSWERED && copies.handle[copy] !== VERIFYING) this.#gone(copy, "cancelled");
  }

  #fails(copy: number): void {
    FAILED.copy = this.copies.engineId[copy] as number;
    FAILED.node = this.#nodeIdOf(copy);
    FAILED.reason = this.copies.fate[copy] === DRAINED ? "drained" : "error";
    // Before the engine hears of it: it may use the slot for the copy that it launches instead.
    this.#gone(copy, "lost");
    this.tell(FAILED);
  }

  verify(view: CopyView): void {
    const copy = this.copies.find(view.id);
    this.copies.handle[copy] = VERIFYING;
    if (this.#verifiers.instant) this.#toJudge.push(copy);
    else this.#verifiers.check(copy, this.nowUs);
  }

  #judged(copy: number): void {
    const valid = this.copies.fate[copy] !== LIES;
    VERDICT.copy = this.copies.engineId[copy] as number;
    VERDICT.accepted = valid;
    VERDICT.reason = valid ? "valid" : "invalid-proof";
    this.tell(VERDICT);
    // It was rejected, or another copy won while this one was being verified.
    if (this.copies.state[copy] === ANSWERED) this.#gone(copy, "answered");
  }

  cancel(view: CopyView, reason: CancelReason): void {
    // Of a node that left the world may have nothing any more, but the copy is lost all the same.
    if (reason === "node-left") this.lost(view);
    const copy = this.copies.find(view.id);
    if (copy < 0) return;
    const number = this.jobs.number[this.copies.job[copy] as number] as number;
    if (reason !== "node-left" && this.measured.counts(number)) this.measured.cancelled++;
    this.#send(STOPS, copy);
  }

  #stops(copy: number): void {
    const { state } = this.copies;
    // It answered before it heard of the Cancel; what becomes of the answer is seen when it is in.
    if (state[copy] === ANSWERED || state[copy] === FREE) return;
    if (state[copy] === RUNNING) this.#worked(copy);
    this.#nodes.stop(copy, this.nowUs);
    this.#gone(copy, "cancelled");
  }

  #worked(copy: number): void {
    const { copies, jobs, measured } = this;
    if (!measured.counts(jobs.number[copies.job[copy] as number] as number)) return;
    measured.workUs += this.nowUs - (copies.startedUs[copy] as number);
  }

  lost(view: CopyView): void {
    if (!this.measured.counts(this.jobs.number[this.jobOf(view)] as number)) return;
    if (view.state === "rejected") this.measured.rejectedProofs++;
    else this.measured.lost++;
  }

  decided(result: CallResult): void {
    const copy = this.copies.find(result.copy);
    const job = this.copies.job[copy] as number;
    const number = this.jobs.number[job] as number;
    if (this.measured.counts(number)) {
      this.measured.response(this.nowUs - (this.jobs.arrivedUs[job] as number));
      this.measured.feesGwei += result.feeGwei;
    }
    this.#gone(copy, "won");
    this.#samples.decided(number, this.nowUs);
    this.won(job);
  }

  /** Nothing of the copy is left in the world. */
  #gone(copy: number, end: RaceSample["copies"][number]["end"]): void {
    const { copies, jobs } = this;
    const job = copies.job[copy] as number;
    this.#samples.ended(jobs.number[job] as number, copy, this.nowUs, end);
    copies.handle[copy] = -1;
    // Its answer was in before its Cancel was out: that must not reach whoever gets this slot next.
    if ((copies.stopHandle[copy] as number) >= 0) this.heap.cancel(copies.stopHandle[copy] as number);
    copies.free(copy);
    jobs.release(job);
  }

  // ── what befalls nodes ───────────────────────────────────────────────────────────────────────────────────────────

  setCondition(node: number, condition: number): void {
    this.#sharing?.setCondition(node, condition, this.nowUs);
    // Whatever it was sent while it was silent it takes now; the engine ignores what it knows already.
    if (this.watched && condition > 0) for (const copy of this.#sharing?.on(node) ?? []) this.#acknowledge(copy);
  }

  leave(node: number, drains: boolean): void {
    const { copies, nowUs } = this;
    // Those that wait go first, so that none starts when those that run go.
    const all = (this.#sharing?.on(node) ?? []).toReversed();
    for (const copy of all) {
      if (copies.state[copy] === RUNNING) this.#worked(copy);
      this.#nodes.stop(copy, nowUs);
      if (drains) {
        copies.state[copy] = ANSWERED;
        copies.fate[copy] = DRAINED;
      } else this.#gone(copy, "lost");
    }
    if (drains) for (const copy of all) this.#send(FAILS, copy);
    this.#spread(node, 0);
  }

  comeBack(node: number): void {
    this.#spread(node, 1);
  }

  /** Unlike other messages this one comes for certain: a connection that breaks is seen at both ends. */
  #spread(node: number, joined: 0 | 1): void {
    const inUs = Math.round(this.experiment.network.oneWayMs * 1_000);
    if (inUs === 0) this.#hear(node, joined === 1);
    else this.heap.schedule(this.nowUs + inUs, PRIORITY.toScheduler, NEWS + 2 * node + joined);
  }

  #hear(node: number, joined: boolean): void {
    const { terms } = this.fleet[node] as ModelledNode;
    this.tell(joined ? { kind: "node-joined", node: terms } : { kind: "node-left", node: terms.id });
  }

  // ── commands of which this world takes no notice ─────────────────────────────────────────────────────────────────

  accepted(_transaction: unknown): void {}
  rejected(_hash: string, _rejection: unknown): void {}
  ordered(): void {}
  preExecute(_transaction: unknown): void {}
  moved(): void {}
  sealed(_block: unknown): void {}
  sealRefused(): void {}
  committed(): void {}
  reverted(_height: number): void {}
  notify(_transaction: unknown): void {}
  suspect(): void {}
  evidence(): void {}
  challengeEnded(_outcome: unknown): void {}
  alarm(): void {}
}

/** In place of a heap handle: the engine has asked for this copy's verdict. */
const VERIFYING = -2;
