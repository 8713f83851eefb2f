import {
  type BudgetSpec,
  type Explanation,
  type PlacementSpec,
  type PolicySpec,
  WorkBudget,
} from "../../policies/index.ts";
import { Learning } from "../../policies/learning/learning.ts";
import type { Random } from "../shared/random.ts";
import { Slab } from "../shared/slab.ts";
import type { Timed, TimerHeap } from "../shared/timer-heap.ts";
import { advance } from "../shared/transitions.ts";
import type { Bonds } from "../../mempool/bonds.ts";
import { after, type CancelReason, type FailureReason, NEVER, type SlowReason } from "../shared/vocabulary.ts";
import type { Commands } from "./commands.ts";
import type { OptimisticConfig, RaceConfig } from "./config.ts";
import { judge } from "./conflict.ts";
import { compareCopies, outcomeOf } from "./lessons.ts";
import { CopyBooks } from "./copy-books.ts";
import { COPY_STATES, type CopyEvent } from "./copy-states.ts";
import type { Counters } from "./counters.ts";
import type { EngineEvent } from "./events.ts";
import type { Fleet, FleetClass } from "./fleet.ts";
import type { FleetNode } from "./fleet-node.ts";
import { JobQueue } from "./job-queue.ts";
import { Launcher } from "./launcher.ts";
import type { OrderWriter } from "./order-writer.ts";
import { paceOf, Planner } from "./planner.ts";
import { PolicyShelf, type Targets, targetUnder } from "./policy-shelf.ts";
import { type Copy, Race, type RaceListener, type RaceOwner } from "./race.ts";
import { budgetUnder } from "../../policies/rules.ts";
import { linesOf, plainRace, readmitCopies, resultOf, reviveRace } from "./race-records.ts";
import { Suspicions } from "./suspicions.ts";

/**
 * Races: copies, verdicts, winners, stragglers. Stands alone: the simulator's bare mode drives it without mempool, money
 * and blocks.
 *
 * 1. A race ends by as many accepted verdicts as its conflict rule asks for, or because its transaction left; never by a
 *    node's error (P1, P4).
 * 2. Only a copy in state `verifying` can be accepted, and only by a verdict for its own handle (P2, P3).
 * 3. When a race ends, each copy that still executes gets a Cancel in the same step (P9).
 * 4. Speculative work is reserved before a copy starts (P6).
 * 5. First copies of a class are launched in the order (seq, callIndex) of those that wait (P12).
 */
export class Races {
  readonly #config: RaceConfig;
  readonly #timers: TimerHeap<Timed & { timed: string }>;
  readonly #counters: Counters;
  readonly fleet: Fleet;
  readonly races = new Slab<Race>();
  readonly copies = new Slab<Copy>();
  readonly budget: WorkBudget;
  /** That of the configuration, for policies that bring none of their own. */
  readonly #usualBudget: BudgetSpec;
  readonly shelf: PolicyShelf;
  readonly #planner: Planner;
  readonly #queue: JobQueue;
  readonly #books: CopyBooks;
  readonly #suspicions: Suspicions;
  readonly #challengeBlocks: number;
  readonly #blockIntervalUs: number;
  /** The rest of the engine; the bare engine has none. */
  listener: RaceListener | undefined;
  constructor(parts: {
    config: RaceConfig;
    policy: PolicySpec;
    placement: PlacementSpec;
    budget: BudgetSpec;
    timers: TimerHeap<Timed & { timed: string }>;
    random: Random;
    fleet: Fleet;
    counters: Counters;
    order: OrderWriter;
    /** With them, mode `optimistic` asks for a bond; studies of races alone go without. */
    bonds: Bonds | undefined;
    optimistic: OptimisticConfig;
    blockIntervalUs: number;
  }) {
    this.#config = parts.config;
    this.#timers = parts.timers;
    this.#counters = parts.counters;
    this.fleet = parts.fleet;
    this.shelf = new PolicyShelf(parts.policy, parts.placement);
    this.#usualBudget = parts.budget;
    this.budget = new WorkBudget(budgetUnder(parts.policy, parts.budget));
    const launcher = new Launcher({ ...parts, budget: this.budget, copies: this.copies });
    const [slow, pace] = [this.#slow.bind(this), paceOf(parts.optimistic, parts.blockIntervalUs)];
    this.#planner = new Planner({ ...parts, launcher, budget: this.budget, pace, slow });
    this.#suspicions = new Suspicions(parts);
    this.#books = new CopyBooks({ ...parts, copies: this.copies, budget: this.budget });
    this.#queue = new JobQueue({
      ...parts,
      launcher,
      started: (race, nowUs, out) => this.#consider(race, nowUs, out),
      arm: (race) => this.#arm(race),
    });
    this.#blockIntervalUs = parts.blockIntervalUs;
    this.#challengeBlocks = parts.optimistic.challengeBlocks;
  }

  // ── opening ──────────────────────────────────────────────────────────────────────────────────────────────────────

  open(fields: Opening, nowUs: number, out: Commands): Race {
    const race = this.#make(fields, "answer", NOBODY, undefined, nowUs);
    this.#counters.racesOpened++;
    if (race.served.redundancy === "collapsed") this.#slow(race, "redundancy-collapsed", out);
    this.#queue.enter(race, nowUs, out);
    return race;
  }

  /**
   * Asks a node of an operator that is not excluded, with the same label, for an answer of its own. One copy at a time, outside
   * the queues: the ordering log would give the sample away.
   */
  challenge(
    fields: Opening,
    rival: { readonly excluded: readonly string[]; readonly label: string | undefined },
    nowUs: number,
    out: Commands,
  ): Race {
    const race = this.#make(fields, "challenge", rival.excluded, rival.label, nowUs);
    race.lane = "slow";
    this.#consider(race, nowUs, out);
    return race;
  }

  #make(
    { tx, callIndex, call, capGwei, served, deadlineUs, ...opening }: Opening,
    purpose: Race["purpose"],
    excluded: readonly string[],
    label: string | undefined,
    nowUs: number,
  ): Race {
    const { policy, placement } = this.shelf.ruleFor(call, tx.sender);
    if (policy.learns === true) served.learning ??= new Learning();
    const usualUs = served.times.quantileUs(0.05) ?? 0;
    // Field by field: a spread costs as much here as the rest of the opening.
    const race = new Race({
      tx,
      callIndex,
      call,
      capGwei,
      served,
      deadlineUs,
      targetUs: targetUnder(policy, opening, this.#blockIntervalUs),
      firstBlockUs: opening.firstBlockUs,
      blockUs: this.#blockIntervalUs,
      purpose,
      excluded,
      label,
      id: this.races.nextId(),
      policy,
      placement,
      openedUs: nowUs,
      lastUsefulUs: deadlineUs === NEVER ? NEVER : deadlineUs - this.#config.verificationUs - usualUs,
    });
    this.races.put(race);
    served.races++;
    return race;
  }

  /**
   * For races that open from now on; those under way end under the policy that they began with. The budget is one for all of
   * them: what copies hold they keep, whatever is asked from now on is asked of the new one.
   */
  changePolicy(spec: PolicySpec): void {
    const inUse = new Set([...this.races.values()].map(({ policy }) => policy));
    this.shelf.change(spec, this.fleet, inUse);
    this.budget.change(budgetUnder(spec, this.#usualBudget));
  }

  explain(race: Race, nowUs: number): Explanation | undefined {
    return this.#planner.explain(race, nowUs);
  }

  roomOn(node: FleetNode, nowUs: number, out: Commands): void {
    this.#queue.roomOn(node, nowUs, out);
  }

  #consider(race: Race, nowUs: number, out: Commands): void {
    this.#planner.consider(race, nowUs, out);
    this.#arm(race);
  }

  // ── what nodes say ───────────────────────────────────────────────────────────────────────────────────────────────

  accepted(copyId: number, node: string): void {
    const copy = this.#copyOf(copyId, node);
    if (copy === undefined || this.#isIdle(copy, "accept")) return;
    copy.state = advance(COPY_STATES, copy.state, "accept");
    if (copy.dueUs !== copy.leaseUs) {
      copy.dueUs = copy.leaseUs;
      this.#arm(copy.race);
    }
  }

  progressed(copyId: number, node: string): void {
    if (this.#copyOf(copyId, node)?.state === "sent") this.accepted(copyId, node);
  }

  answered(answer: AnswerEvent, nowUs: number, out: Commands): void {
    const { outputHash, answerHash } = answer;
    const copy = this.#copyOf(answer.copy, answer.node);
    if (copy === undefined) return;
    if (!copy.executing) {
      // Another proof of the same output is no other answer: some signatures and proofs are made with chance.
      if (copy.outputHash === outputHash) this.#counters.duplicateEvents++;
      else this.#suspicions.raise(copy, answerHash, out);
      return;
    }
    this.#books.settleWork(copy, nowUs);
    copy.state = advance(COPY_STATES, copy.state, "answer");
    copy.answeredUs = nowUs;
    copy.outputHash = outputHash;
    copy.answerHash = answerHash;
    copy.value = answer.value;
    copy.dueUs = after(nowUs, this.#config.verdictTimeoutUs);
    this.#arm(copy.race);
    out.verify(copy);
    this.roomOn(copy.node, nowUs, out);
  }

  suspicionJudged(copyId: number, signed: boolean, nowUs: number, out: Commands): void {
    this.#suspicions.judged(copyId, signed, this.copies.get(copyId), nowUs, out);
  }

  failed(copyId: number, node: string, reason: FailureReason, nowUs: number, out: Commands): void {
    const copy = this.#copyOf(copyId, node);
    if (copy === undefined || this.#isIdle(copy, "fail")) return;
    const refused = reason === "overloaded" || reason === "drained";
    this.#books.end(copy, "fail", refused ? "refused" : "failed", nowUs);
    out.lost(copy, reason);
    copy.node.failed++;
    if (refused) this.fleet.refused(copy.node, nowUs, reason, out);
    else this.fleet.erred(copy.node, nowUs, reason, out);
    this.#lost(copy.race, nowUs, out);
    this.roomOn(copy.node, nowUs, out);
  }

  verdict(copyId: number, accepted: boolean, reason: string, nowUs: number, out: Commands): void {
    const copy = this.copies.get(copyId);
    if (copy === undefined || copy.state !== "verifying") {
      this.#counters.lateEvents++;
      return;
    }
    if (!accepted) return this.#refuted(copy, reason, nowUs, out);
    this.fleet.succeeded(copy.node);
    const { served, call } = copy.race;
    served.times.ended(copy.answeredUs - copy.launchedUs);
    if (copy.startedUs !== NEVER) served.learning?.answered(call, copy.node.id, copy.answeredUs - copy.startedUs);
    served.strain.answered(served, copy.answeredUs - copy.launchedUs, nowUs, out);
    if (copy.race.purpose === "challenge") this.#challengeAnswered(copy, nowUs, out);
    else if (copy.race.compares) this.#hold(copy, nowUs, out);
    else this.#decide(copy, NO_COPIES, nowUs, out);
  }

  #refuted(copy: Copy, reason: string, nowUs: number, out: Commands): void {
    this.#books.end(copy, "refuted", "rejected", nowUs);
    out.lost(copy, reason);
    copy.node.rejected++;
    this.#counters.proofsRejected++;
    // A verifier that crashed or timed out says nothing about the node, but the proof is worth nothing all the same.
    if (!reason.startsWith("verifier-")) this.fleet.erred(copy.node, nowUs, reason, out);
    this.#lost(copy.race, nowUs, out);
  }

  // ── deciding ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One of several answers that the conflict rule wants. */
  #hold(copy: Copy, nowUs: number, out: Commands): void {
    const { race } = copy;
    copy.state = advance(COPY_STATES, copy.state, "hold");
    copy.acceptedUs = nowUs;
    race.live--;
    race.held++;
    const held = race.copies.filter((one) => one.held).sort((a, b) => a.acceptedUs - b.acceptedUs || a.id - b.id);
    const judgement = judge(
      race.call.conflict,
      held.map(({ outputHash, value = Number.NaN }) => ({ outputHash, value })),
    );
    if ("missing" in judgement) {
      race.missing = judgement.missing;
      return this.#consider(race, nowUs, out);
    }
    const supporters = judgement.supporters.map((place) => held[place] as Copy);
    this.#decide(held[judgement.winner] as Copy, supporters, nowUs, out);
  }

  #decide(winner: Copy, supporters: readonly Copy[], nowUs: number, out: Commands): void {
    const { race } = winner;
    if (supporters.length === 0) compareCopies(winner, nowUs);
    this.#books.end(winner, "verified", "accepted", nowUs);
    for (const supporter of supporters) this.#books.end(supporter, "support", "accepted", nowUs);
    this.#cancelAll(race, "race-decided", nowUs, out);
    const { height = 0 } = this.listener ?? {};
    const result = resultOf(winner, supporters, { nowUs, height, challengeBlocks: this.#challengeBlocks });
    this.#counters.racesDecided++;
    race.memory?.decided(nowUs - race.openedUs, nowUs);
    if (winner.speculative) this.#counters.speculativeWins++;
    this.#remove(race);
    out.decided(result);
    this.listener?.decided(race, winner, result, nowUs, out);
    for (const copy of race.copies) this.roomOn(copy.node, nowUs, out);
  }

  #challengeAnswered(copy: Copy, nowUs: number, out: Commands): void {
    const { race } = copy;
    this.#books.end(copy, "verified", "accepted", nowUs);
    this.#cancelAll(race, "race-decided", nowUs, out);
    this.#remove(race);
    this.listener?.challengeAnswered(race, copy, nowUs, out);
    this.roomOn(copy.node, nowUs, out);
  }

  /** The transaction left, or asks another question: nobody needs the answer any more. */
  close(raceId: number, nowUs: number, out: Commands): void {
    const race = this.races.get(raceId);
    if (race === undefined) return;
    this.#queue.leave(race, nowUs, out);
    this.#cancelAll(race, "transaction-left", nowUs, out);
    this.#remove(race);
    for (const copy of race.copies) this.roomOn(copy.node, nowUs, out);
  }

  #cancelAll(race: Race, reason: CancelReason, nowUs: number, out: Commands): void {
    for (const copy of race.copies) {
      if (copy.state === "verifying") this.#books.end(copy, "outrun", "cancelled", nowUs);
      else if (copy.held) this.#books.end(copy, "outvote", "cancelled", nowUs);
      else if (copy.executing) this.#cancel(copy, reason, nowUs, out);
    }
  }

  #cancel(copy: Copy, reason: CancelReason, nowUs: number, out: Commands): void {
    const expired = reason === "lease-expired" || reason === "budget";
    this.#books.end(copy, expired ? "expire" : "cancel", outcomeOf(reason), nowUs);
    this.#counters.copiesCancelled++;
    out.cancel(copy, reason);
  }

  #remove(race: Race): void {
    this.#timers.disarm(race);
    for (const copy of race.copies) copy.node.remembered--;
    this.races.remove(race);
    race.served.races--;
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  woken(race: Race, nowUs: number, out: Commands): void {
    if (race.lane === "fast" && nowUs >= race.lastUsefulUs) this.#slow(race, "out-of-time", out);
    if (race.parked) return this.#queue.unpark(race, nowUs, out);
    let lost = 0;
    // By index: a copy launched while we look is not due.
    for (let index = 0; index < race.copies.length; index++) {
      const copy = race.copies[index] as Copy;
      if (copy.live && copy.dueUs <= nowUs) {
        this.#overdue(copy, nowUs, out);
        lost++;
      }
    }
    race.lost += lost;
    if (!race.queued && (lost > 0 || nowUs >= race.lookUs)) this.#consider(race, nowUs, out);
    else this.#arm(race);
    if (lost > 0) for (const copy of race.copies) if (!copy.live) this.roomOn(copy.node, nowUs, out);
  }

  #overdue(copy: Copy, nowUs: number, out: Commands): void {
    this.#counters.copiesExpired++;
    if (copy.state === "verifying") {
      this.#counters.proofsRejected++;
      this.#books.end(copy, "expire", "rejected", nowUs);
      out.lost(copy, "verifier-silent");
      return;
    }
    const reason = copy.state === "sent" && nowUs < copy.leaseUs ? "not-accepted" : "lease-expired";
    if (copy.speculative && reason === "lease-expired") return this.#cancel(copy, "budget", nowUs, out);
    this.#cancel(copy, "lease-expired", nowUs, out);
    out.lost(copy, reason);
    copy.node.failed++;
    this.fleet.erred(copy.node, nowUs, reason, out);
  }

  #lost(race: Race, nowUs: number, out: Commands): void {
    race.lost++;
    this.#consider(race, nowUs, out);
  }

  #arm(race: Race): void {
    let wakeUs = race.lookUs;
    if (race.lane === "fast" && race.lastUsefulUs < wakeUs) wakeUs = race.lastUsefulUs;
    if (race.live > 0) {
      for (const copy of race.copies) if (copy.live && copy.dueUs < wakeUs) wakeUs = copy.dueUs;
    }
    this.#timers.arm(race, wakeUs);
  }

  // ── the fleet changes ────────────────────────────────────────────────────────────────────────────────────────────

  /** A node is gone: its copies are lost without blame, unless it makes a habit of it. */
  nodeLeft(node: FleetNode, nowUs: number, out: Commands): void {
    if (node.outstanding === 0) return;
    this.fleet.refused(node, nowUs, "left", out);
    const bereft: Race[] = [];
    for (const copy of this.copies.values()) {
      if (copy.node !== node || !copy.executing) continue;
      this.#cancel(copy, "node-left", nowUs, out);
      bereft.push(copy.race);
    }
    for (const race of bereft) this.#lost(race, nowUs, out);
  }

  /** Too few failure domains are left: the class's races go on in the slow lane, openly (P14). */
  collapsed(served: FleetClass, out: Commands): void {
    for (const race of this.races.values()) {
      if (race.served === served && race.lane === "fast") this.#slow(race, "redundancy-collapsed", out);
    }
  }

  #slow(race: Race, reason: SlowReason, out: Commands): void {
    race.lane = "slow";
    this.#counters.racesSlowed++;
    this.listener?.slowed(race, reason, out);
  }

  /** After a crash: gives every command again whose effect may have been lost. */
  restarted(nowUs: number, out: Commands): void {
    this.#suspicions.restarted(out);
    const bereft = new Set<Race>();
    for (const copy of [...this.copies.values()]) {
      if (copy.held) continue;
      if (copy.state === "verifying") {
        copy.dueUs = after(nowUs, this.#config.verdictTimeoutUs);
        out.verify(copy);
      } else if (copy.leaseUs <= nowUs) {
        this.#cancel(copy, "lease-expired", nowUs, out);
        bereft.add(copy.race);
      } else {
        copy.state = "sent";
        copy.dueUs = Math.min(copy.leaseUs, after(nowUs, this.#config.acceptTimeoutUs));
        out.dispatch(copy);
      }
    }
    for (const race of this.races.values()) this.#arm(race);
    for (const race of bereft) this.#lost(race, nowUs, out);
  }

  snapshot() {
    return {
      races: this.races.snapshot(),
      copies: this.copies.snapshot(),
      lines: linesOf(this.copies),
      open: [...this.races.values()].map(plainRace),
      budget: this.budget.snapshot(),
      policies: this.shelf.snapshot(this.fleet),
      suspicions: this.#suspicions.snapshot(),
    };
  }

  restore(snapshot: RacesSnapshot, ownerOf: (id: number) => RaceOwner): void {
    this.races.restore(snapshot.races);
    this.copies.restore(snapshot.copies);
    this.budget.restore(snapshot.budget);
    this.shelf.restore(snapshot.policies, this.fleet);
    this.#suspicions.restore(snapshot.suspicions);
    for (const plain of snapshot.open) {
      const race = reviveRace(plain, ownerOf(plain.tx), this);
      this.races.readmit(race);
      race.served.races++;
      for (const copy of race.copies) if (copy.live || copy.held) this.copies.readmit(copy);
      if (race.queued) race.served.enqueue(race);
    }
    readmitCopies(this.copies, snapshot.lines);
  }

  #copyOf(id: number, node: string): Copy | undefined {
    const copy = this.copies.get(id);
    if (copy === undefined) this.#counters.lateEvents++;
    else if (copy.node.id !== node) {
      this.#counters.foreignEvents++;
      return undefined;
    }
    return copy;
  }

  /** A pair that the table calls harmless: counted, without effect. */
  #isIdle(copy: Copy, event: CopyEvent): boolean {
    if (COPY_STATES[copy.state][event] !== "same") return false;
    this.#counters.duplicateEvents++;
    return true;
  }
}

type Opening = Pick<Race, "tx" | "callIndex" | "call" | "capGwei" | "served" | "deadlineUs"> & Targets;
type AnswerEvent = Extract<EngineEvent, { readonly kind: "copy-answered" }>;

const NOBODY: readonly string[] = [];
const NO_COPIES: readonly Copy[] = [];

export type RacesSnapshot = ReturnType<Races["snapshot"]>;
