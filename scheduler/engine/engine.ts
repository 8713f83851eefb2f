import { assertLimits } from "../../mempool/limits.ts";
import { Bonds } from "../../mempool/bonds.ts";
import { Ledger, ODOMETER_GWEI } from "../../mempool/ledger.ts";
import { firstHole, Pool } from "../../mempool/pool.ts";
import { ReadSets } from "../../mempool/read-sets.ts";
import { assert, unreachable } from "../shared/assert.ts";
import { Random } from "../shared/random.ts";
import { type Timed, TimerHeap } from "../shared/timer-heap.ts";
import { type Mode, MODES, NEVER, type TransactionTerms } from "../shared/vocabulary.ts";
import { Blocks } from "./blocks.ts";
import type { Commands, TransactionView } from "./commands.ts";
import type { EngineConfig } from "./config.ts";
import { Counters } from "./counters.ts";
import { probabilityOfCall, probabilityOfTransaction } from "./estimate.ts";
import type { EngineEvent } from "./events.ts";
import { Fleet } from "./fleet.ts";
import { FleetNode } from "./fleet-node.ts";
import { OrderWriter } from "./order-writer.ts";
import { type ModeOutlook, outlookOf } from "./outlook.ts";
import type { Explanation, PolicySpec } from "../../policies/policy.ts";
import type { ServiceTimes } from "../../policies/service-times.ts";
import { Race } from "./race.ts";
import { Races } from "./races.ts";
import { Settlement } from "./settlement.ts";
import { Transactions } from "./transactions.ts";

/**
 * The engine: one deterministic state machine. `step` is the only way in, the sink's methods the only way out, `nextWakeUs`
 * the one timer to arm. The same configuration and events give the same commands on every machine (P13).
 */
export class Engine {
  readonly config: EngineConfig;
  readonly counters = new Counters();
  readonly #random: Random;
  readonly #timers = new TimerHeap<Timed & { timed: string }>();
  readonly #fleet: Fleet;
  readonly #races: Races;
  readonly #pool: Pool;
  readonly #ledger = new Ledger();
  readonly #bonds: Bonds;
  readonly #settlement: Settlement;
  readonly #readSets = new ReadSets();
  readonly #blocks: Blocks;
  readonly #transactions: Transactions;
  #nowUs = 0;

  constructor(config: EngineConfig) {
    assertLimits(config.limits);
    this.config = config;
    assertOptimistic(config);
    assert(
      2 * config.optimistic.challengeBlocks < config.limits.maxReorgDepth,
      "a result must be known for as long as it can be challenged",
    );
    const { races: raceConfig, policy, placement, budget, limits, optimistic } = config;
    const { counters } = this;
    const timers = this.#timers;
    this.#random = new Random(config.seed);
    this.#fleet = new Fleet(raceConfig, timers, (served, out) => this.#races.collapsed(served, out));
    const fleet = this.#fleet;
    const random = this.#random;
    const order = new OrderWriter();
    this.#bonds = new Bonds(raceConfig.maxNodes);
    const bonds = this.#bonds;
    const about = {
      config: raceConfig,
      policy,
      placement,
      budget,
      optimistic,
      blockIntervalUs: config.blockIntervalUs,
    };
    this.#races = new Races({ ...about, timers, random, fleet, counters, order, bonds });
    this.#pool = new Pool(limits);
    const parts = { pool: this.#pool, ledger: this.#ledger, races: this.#races, counters };
    this.#settlement = new Settlement({ ...parts, config: optimistic, bonds });
    const settlement = this.#settlement;
    this.#blocks = new Blocks({ pool: this.#pool, settlement, counters, intervalUs: config.blockIntervalUs });
    this.#transactions = new Transactions({
      ...parts,
      blocks: this.#blocks,
      readSets: this.#readSets,
      order,
      settlement,
      verificationUs: raceConfig.verificationUs,
    });
    this.#races.listener = this.#transactions;
    this.#blocks.listen(this.#transactions);
  }

  /** When `woken` is due; `NEVER` for no timer. A wake-up that finds nothing due has no effect. */
  nextWakeUs(): number {
    return this.#timers.nextUs;
  }

  /** Tells the engine one thing. A clock that goes back is taken as standing still. */
  step(nowUs: number, event: EngineEvent, out: Commands): void {
    if (nowUs > this.#nowUs) this.#nowUs = nowUs;
    const now = this.#nowUs;
    switch (event.kind) {
      case "copy-accepted":
        return this.#races.accepted(event.copy, event.node);
      case "copy-progressed":
        return this.#races.progressed(event.copy, event.node);
      case "copy-answered":
        return this.#races.answered(event, now, out);
      case "copy-failed":
        return this.#races.failed(event.copy, event.node, event.reason, now, out);
      case "verdict":
        return this.#races.verdict(event.copy, event.accepted, event.reason, now, out);
      case "suspicion-judged":
        return this.#races.suspicionJudged(event.copy, event.signed, now, out);
      case "submitted":
        return this.#transactions.submit(event.transaction, now, out);
      case "calls-discovered":
        return this.#transactions.callsDiscovered(event.tx, event.round, event.calls, now, out);
      case "pre-executed":
        return this.#transactions.preExecuted(event, now, out);
      case "pre-execution-failed":
        return this.#transactions.preExecutionFailed(event.tx, event.round, now, out);
      case "woken":
        return this.#woken(now, out);
      case "withdrawn":
        return this.#transactions.withdraw(event.hash, now, out);
      case "deposited":
        return this.#deposited(event.account, event.amountGwei, out);
      case "state-changed":
        return this.#transactions.stateChanged(event.keys, now, out);
      case "node-joined":
      case "node-left":
      case "node-reported":
        return this.#fleetChanged(event, now, out);
      case "block-opened":
        if (this.#blocks.open(event.height, event.sealAtUs, now, out))
          this.#transactions.expire(event.height, now, out);
        else this.counters.lateEvents++;
        return;
      case "seal-requested":
        return this.#blocks.seal(event, now, out);
      case "block-committed":
        if (!this.#blocks.commit(event.height, now, out)) this.counters.lateEvents++;
        return;
      case "block-reverted":
        if (!this.#blocks.revert(event.height, now, out)) this.counters.lateEvents++;
        return;
      case "bond-changed":
        return this.#bondChanged(event.node, event.bondGwei, now, out);
      case "challenged":
        if (!this.#settlement.challenge(event.txHash, event.callIndex, now, out)) this.counters.lateEvents++;
        return;
      case "policy-changed":
        return this.#races.changePolicy(event.policy);
      case "registry-changed":
        return;
      case "restarted":
        this.#transactions.restarted(out);
        return this.#races.restarted(now, out);
      default:
        return unreachable(event);
    }
  }

  #woken(now: number, out: Commands): void {
    for (let timed = this.#timers.popDue(now); timed !== undefined; timed = this.#timers.popDue(now)) {
      if (timed instanceof Race) this.#races.woken(timed, now, out);
      else if (timed instanceof FleetNode) {
        this.#fleet.rested(timed, out);
        this.#races.roomOn(timed, now, out);
      }
    }
  }

  #deposited(account: string, amountGwei: number, out: Commands): void {
    const valid = Number.isSafeInteger(amountGwei) && amountGwei > 0;
    const opened = valid && this.#ledger.hasRoomFor(amountGwei) ? this.#pool.openAccount(account) : undefined;
    if (opened === undefined) this.counters.depositsRefused++;
    else this.#ledger.deposit(opened, amountGwei, out);
  }

  #bondChanged(node: string, bondGwei: number, now: number, out: Commands): void {
    const valid = Number.isSafeInteger(bondGwei) && bondGwei >= 0;
    const fits = valid && this.#ledger.hasRoomFor(bondGwei - this.#bonds.bondGwei(node));
    const changeGwei = fits ? this.#bonds.set(node, bondGwei) : undefined;
    if (changeGwei === undefined) this.counters.bondsRefused++;
    else if (changeGwei !== 0) this.#ledger.bond(node, changeGwei, out);
    const known = this.#fleet.node(node);
    if (known !== undefined) this.#races.roomOn(known, now, out);
  }

  #fleetChanged(event: EngineEvent & { kind: `node-${string}` }, now: number, out: Commands): void {
    if (event.kind === "node-joined") {
      const joined = this.#fleet.join(event.node, out);
      joined?.refill(now);
      if (joined !== undefined) this.#races.roomOn(joined, now, out);
      return;
    }
    const node = this.#fleet.node(event.node);
    if (node === undefined || !node.present) {
      this.counters.lateEvents++;
    } else if (event.kind === "node-left") {
      this.#fleet.leave(node, out);
      this.#races.nodeLeft(node, now, out);
    } else {
      this.#fleet.report(node, event.running, event.queued, event.warm);
      this.#races.roomOn(node, now, out);
    }
  }

  // ── questions ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A view of the transaction while it is known: until its block is final, or it left. Valid until the next step. */
  status(hash: string): TransactionView | undefined {
    return this.#pool.byHash(hash);
  }

  /**
   * Transactions that the open block may have, in the mempool's order, those included that may follow another of them into it.
   * Valid until the next step.
   */
  ready(limit: number): readonly TransactionView[] {
    return this.#pool.ready(limit, this.#blocks.height);
  }

  /** The nonce that the sender's next transaction needs, and what it may still put into escrow. */
  account(
    id: string,
  ): { readonly nextNonce: number; readonly depositGwei: number; readonly pending: number } | undefined {
    const account = this.#pool.account(id);
    if (account === undefined) return undefined;
    const { nextNonce, depositGwei, pending } = account;
    return { nextNonce: nextNonce + firstHole(account), depositGwei, pending };
  }

  /** P(sealing by block b) for each of the blocks that may still carry it, the open one first (P14). */
  estimate(question: string | TransactionTerms, nowUs: number): readonly SealEstimate[] {
    const known = this.#pool.byHash(typeof question === "string" ? question : question.hash);
    if (known === undefined && typeof question === "string") return [];
    const first = this.#blocks.height;
    // Nobody has looked at the terms of what is not submitted yet.
    const { maxTtlBlocks } = this.config.limits;
    const last = known?.expiryHeight ?? first + Math.min((question as TransactionTerms).ttlBlocks, maxTtlBlocks) - 1;
    const estimates: SealEstimate[] = [];
    for (let height = first; height <= last; height++) {
      const sealTimeUs = this.#blocks.sealTimeUs(height);
      const sealAtUs = sealTimeUs === NEVER ? nowUs + (height - first + 1) * this.config.blockIntervalUs : sealTimeUs;
      const availableUs = sealAtUs - nowUs - this.config.races.verificationUs;
      const probability =
        known === undefined
          ? this.#probabilityOfTerms(question as TransactionTerms, availableUs)
          : probabilityOfTransaction(known, { fleet: this.#fleet, raceOf: this.#raceOf, nowUs, availableUs });
      estimates.push({ height, sealAtUs, probability });
    }
    return estimates;
  }

  /** What the policies of a transaction's races make of them, one for each race that has something to say. */
  explain(hash: string, nowUs: number): readonly Explanation[] {
    const calls = this.#pool.byHash(hash)?.calls ?? [];
    return calls.flatMap(({ race: id }) => {
      const race = this.#raceOf(id);
      return (race === undefined ? undefined : this.#races.explain(race, nowUs)) ?? [];
    });
  }

  /** What has been learned of how long copies take from dispatch to answer; `undefined` for what no node ever offered. */
  timesOf(model: string, mode: Mode): ServiceTimes | undefined {
    return this.#fleet.class(model, mode)?.times;
  }

  /** What a call of this model would meet now in each mode that some node offers; `quorum` answers decide it. */
  outlook(model: string, quorum: number): readonly ModeOutlook[] {
    const parts = { bonds: this.#bonds, quorum, ...this.config.optimistic };
    const classes = MODES.flatMap((mode) => this.#fleet.class(model, mode) ?? []);
    return classes.map((served) => outlookOf(served, parts));
  }

  readonly #raceOf = (id: number): Race | undefined => this.#races.races.get(id);

  #probabilityOfTerms(terms: TransactionTerms, availableUs: number): number {
    let probability = 1;
    for (const call of terms.calls ?? []) probability *= probabilityOfCall(call, this.#fleet, availableUs);
    return probability;
  }

  /** Totals of the ledger; Σ paid + Σ refunded + Σ held = Σ escrowed (P5). */
  get ledger(): ReturnType<Ledger["snapshot"]> {
    return this.#ledger.snapshot();
  }

  /** What a node has put up, and how much of that nothing holds. */
  bond(node: string): { readonly bondGwei: number; readonly freeGwei: number } {
    return { bondGwei: this.#bonds.bondGwei(node), freeGwei: this.#bonds.freeGwei(node) };
  }

  /** What races that open now begin under. */
  get policy(): PolicySpec {
    return this.#races.shelf.spec;
  }

  /** Sizes of what is held, for metrics and limits (P11). */
  get sizes(): EngineSizes {
    let waiting = 0;
    for (const served of this.#fleet.classes()) waiting += served.waitingCount;
    return {
      height: this.#blocks.height,
      pending: this.#pool.pending,
      transactions: this.#pool.transactions.size,
      races: this.#races.races.size,
      copies: this.#races.copies.size,
      waiting,
      sealable: this.#pool.sealable.size,
      nodes: this.#fleet.present,
      timers: this.#timers.size,
      budgetUs: this.#races.budget.globalUs,
    };
  }

  // ── restart ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The whole state as plain JSON data. */
  snapshot(): EngineSnapshot {
    return {
      nowUs: this.#nowUs,
      policy: this.#races.shelf.spec,
      random: this.#random.state,
      timerSeq: this.#timers.seq,
      counters: { ...this.counters },
      fleet: this.#fleet.snapshot(),
      pool: this.#pool.snapshot(),
      ledger: this.#ledger.snapshot(),
      bonds: this.#bonds.snapshot(),
      settlement: this.#settlement.snapshot(),
      races: this.#races.snapshot(),
      blocks: this.#blocks.snapshot(),
      readSets: this.#readSets.snapshot(),
    };
  }

  /** An engine that goes on exactly where the snapshot was taken. */
  static restore(config: EngineConfig, snapshot: EngineSnapshot): Engine {
    const engine = new Engine(config);
    engine.#nowUs = snapshot.nowUs;
    engine.#random.state = snapshot.random;
    Object.assign(engine.counters, snapshot.counters);
    engine.#fleet.restore(snapshot.fleet);
    engine.#pool.restore(snapshot.pool);
    engine.#ledger.restore(snapshot.ledger);
    engine.#races.restore(snapshot.races, (id) => {
      const tx = engine.#pool.transactions.get(id);
      assert(tx !== undefined, "snapshot: a race without its transaction");
      return tx;
    });
    engine.#bonds.restore(snapshot.bonds);
    engine.#settlement.restore(snapshot.settlement);
    engine.#blocks.restore(snapshot.blocks);
    engine.#readSets.restore(snapshot.readSets, engine.#pool.transactions.values());
    engine.#timers.restore(snapshot.timerSeq, [...engine.#races.races.values(), ...engine.#fleet.nodes()]);
    return engine;
  }
}

/** A bond is a whole amount that a node can have, for every price that a call can pay. */
function assertOptimistic({ optimistic, limits }: EngineConfig): void {
  const { bondPerFee, rewardPerFee } = optimistic;
  assert(Number.isSafeInteger(bondPerFee) && bondPerFee >= 0, "bondPerFee is a whole multiple");
  assert(Number.isSafeInteger(rewardPerFee) && rewardPerFee >= 0, "rewardPerFee is a whole multiple");
  assert(
    limits.maxFeeGwei * bondPerFee < ODOMETER_GWEI,
    "the bond for the largest fee must be an amount that can be put up",
  );
}

export interface SealEstimate {
  readonly height: number;
  readonly sealAtUs: number;
  readonly probability: number;
}

export interface EngineSizes {
  readonly height: number;
  readonly pending: number;
  readonly transactions: number;
  readonly races: number;
  readonly copies: number;
  readonly waiting: number;
  readonly sealable: number;
  /** Those that are there; who left is remembered for a while, and does not count. */
  readonly nodes: number;
  readonly timers: number;
  /** Machine-time that speculative copies may still reserve. */
  readonly budgetUs: number;
}

export interface EngineSnapshot {
  readonly nowUs: number;
  readonly policy: PolicySpec;
  readonly random: readonly number[];
  readonly timerSeq: number;
  readonly counters: { readonly [K in keyof Counters]: number };
  readonly fleet: ReturnType<Fleet["snapshot"]>;
  readonly pool: ReturnType<Pool["snapshot"]>;
  readonly ledger: ReturnType<Ledger["snapshot"]>;
  readonly bonds: ReturnType<Bonds["snapshot"]>;
  readonly settlement: ReturnType<Settlement["snapshot"]>;
  readonly races: ReturnType<Races["snapshot"]>;
  readonly blocks: ReturnType<Blocks["snapshot"]>;
  readonly readSets: ReturnType<ReadSets["snapshot"]>;
}
