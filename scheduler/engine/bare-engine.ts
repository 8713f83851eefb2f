import type { BudgetSpec } from "../../policies/work-budget.ts";
import type { PlacementSpec } from "../../policies/placement.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import { assert, unreachable } from "../shared/assert.ts";
import { Random } from "../shared/random.ts";
import { type Timed, TimerHeap } from "../shared/timer-heap.ts";
import { type CallTerms, NEVER, type NodeTerms } from "../shared/vocabulary.ts";
import type { Commands } from "./commands.ts";
import { DEFAULT_OPTIMISTIC, type RaceConfig } from "./config.ts";
import { Counters } from "./counters.ts";
import type { EngineEvent } from "./events.ts";
import { Fleet } from "./fleet.ts";
import { FleetNode } from "./fleet-node.ts";
import { OrderWriter } from "./order-writer.ts";
import { Race, type RaceOwner } from "./race.ts";
import { Races } from "./races.ts";

export interface BareConfig {
  readonly seed: number;
  readonly policy: PolicySpec;
  readonly placement: PlacementSpec;
  readonly budget: BudgetSpec;
  readonly races: RaceConfig;
}

/** What the bare engine is told: jobs come as such, and nodes behave as they do to the whole engine. */
export type BareEvent =
  /** `targetUs`: by when an answer counts, if that matters; the race goes on after it. */
  | { readonly kind: "job-opened"; readonly owner: RaceOwner; readonly call: CallTerms; readonly targetUs: number }
  | { readonly kind: "node-joined"; readonly node: NodeTerms }
  | { readonly kind: "node-left"; readonly node: string }
  | Extract<EngineEvent, { readonly kind: "copy-accepted" | "copy-answered" | "copy-failed" | "verdict" | "woken" }>;

/**
 * The production races, policy, placement and fleet statistics without mempool, money and blocks: what queueing results are
 * compared with. It gives the commands `dispatch`, `cancel`, `verify`, `lost`, `decided`, `ordered` and `alarm`.
 */
export class BareEngine {
  readonly counters = new Counters();
  readonly #timers = new TimerHeap<Timed & { timed: string }>();
  readonly #fleet: Fleet;
  readonly #races: Races;

  constructor(config: BareConfig) {
    const { races, policy, placement, budget, seed } = config;
    const { counters } = this;
    const timers = this.#timers;
    const random = new Random(seed);
    const order = new OrderWriter();
    this.#fleet = new Fleet(races, timers, (served, out) => this.#races.collapsed(served, out));
    const fleet = this.#fleet;
    this.#races = new Races({
      config: races,
      policy,
      placement,
      budget,
      timers,
      random,
      fleet,
      counters,
      order,
      bonds: undefined,
      // There are no blocks, and no challenges.
      blockIntervalUs: 0,
      optimistic: DEFAULT_OPTIMISTIC,
    });
  }

  nextWakeUs(): number {
    return this.#timers.nextUs;
  }

  step(nowUs: number, event: BareEvent, out: Commands): void {
    switch (event.kind) {
      case "copy-answered":
        return this.#races.answered(event, nowUs, out);
      case "verdict":
        return this.#races.verdict(event.copy, event.accepted, event.reason, nowUs, out);
      case "job-opened":
        return this.#open(event, nowUs, out);
      case "copy-accepted":
        return this.#races.accepted(event.copy, event.node);
      case "copy-failed":
        return this.#races.failed(event.copy, event.node, event.reason, nowUs, out);
      case "woken":
        return this.#woken(nowUs, out);
      case "node-joined": {
        const joined = this.#fleet.join(event.node, out);
        joined?.refill(nowUs);
        if (joined !== undefined) this.#races.roomOn(joined, nowUs, out);
        return;
      }
      case "node-left": {
        const node = this.#fleet.node(event.node);
        if (node?.present !== true) return;
        this.#fleet.leave(node, out);
        this.#races.nodeLeft(node, nowUs, out);
        return;
      }
      default:
        return unreachable(event);
    }
  }

  #open(event: BareEvent & { kind: "job-opened" }, nowUs: number, out: Commands): void {
    const { owner, call, targetUs } = event;
    const served = this.#fleet.class(call.model, call.mode);
    assert(served !== undefined, "a job for a model that no node ever offered");
    const open = {
      tx: owner,
      callIndex: 0,
      call,
      capGwei: NEVER,
      served,
      deadlineUs: NEVER,
      targetUs,
      firstBlockUs: NEVER,
    };
    this.#races.open(open, nowUs, out);
  }

  #woken(nowUs: number, out: Commands): void {
    for (let timed = this.#timers.popDue(nowUs); timed !== undefined; timed = this.#timers.popDue(nowUs)) {
      if (timed instanceof Race) this.#races.woken(timed, nowUs, out);
      else if (timed instanceof FleetNode) {
        this.#fleet.rested(timed, out);
        this.#races.roomOn(timed, nowUs, out);
      }
    }
  }
}
