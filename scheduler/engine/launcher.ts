import type { Candidate } from "../../policies/placement.ts";
import { type Bonds, bondFor } from "../../mempool/bonds.ts";
import { type BudgetBucket, DENIED, NO_GRANT, type WorkBudget } from "../../policies/work-budget.ts";
import { assert } from "../shared/assert.ts";
import type { Random } from "../shared/random.ts";
import type { Slab } from "../shared/slab.ts";
import { after, NEVER } from "../shared/vocabulary.ts";
import type { Commands } from "./commands.ts";
import type { OptimisticConfig, RaceConfig } from "./config.ts";
import type { Counters } from "./counters.ts";
import type { FleetClass } from "./fleet.ts";
import type { FleetNode } from "./fleet-node.ts";
import type { OrderWriter } from "./order-writer.ts";
import { Copy, type Race } from "./race.ts";

/** Below this a lease would end copies for ordinary jitter. */
const MIN_LEASE_US = 2_000_000;
/** Observations before a lease is cut to what is usual. */
const ENOUGH_OBSERVATIONS = 50;
/** A slow-lane race may try many times; a receipt names no more rivals than this. */
const MAX_REMEMBERED_COPIES = 32;
/** As long as so many usual leases are left of the budget, a speculative copy gets one. */
const SHARES = 4;

/** Puts copies on nodes: which node, for how long, and whether the budget allows it. */
export class Launcher {
  readonly #config: RaceConfig;
  readonly #budget: WorkBudget;
  readonly #random: Random;
  readonly #copies: Slab<Copy>;
  readonly #counters: Counters;
  readonly #order: OrderWriter;
  readonly #bonds: Bonds | undefined;
  readonly #bondPerFee: number;
  readonly #taken: Candidate[] = [];

  constructor(parts: {
    config: RaceConfig;
    budget: WorkBudget;
    random: Random;
    copies: Slab<Copy>;
    counters: Counters;
    order: OrderWriter;
    bonds: Bonds | undefined;
    optimistic: OptimisticConfig;
  }) {
    this.#config = parts.config;
    this.#budget = parts.budget;
    this.#random = parts.random;
    this.#copies = parts.copies;
    this.#counters = parts.counters;
    this.#order = parts.order;
    this.#bonds = parts.bonds;
    this.#bondPerFee = parts.optimistic.bondPerFee;
  }

  /** A node in a failure domain that the race does not use, best one that it has not tried; `undefined` for none with room. */
  choose(race: Race): FleetNode | undefined {
    if (isFull(race)) return undefined;
    const candidates = this.#candidates(race);
    const taken = this.#taken;
    // Emptied one by one: setting the length would give up the room, and each next use would ask for it again.
    while (taken.length > 0) taken.pop();
    for (const copy of race.copies) taken.push(copy.node);
    let index = race.placement.choose(candidates, taken, race.call, this.#random);
    if (index < 0 && race.lost > 0) {
      while (taken.length > 0) taken.pop();
      for (const copy of race.copies) if (copy.live || copy.held) taken.push(copy.node);
      index = race.placement.choose(candidates, taken, race.call, this.#random);
    }
    return index < 0 ? undefined : candidates[index];
  }

  /** Whether a node that may get a copy of this race has room for it. */
  hasPlaceFor(race: Race): boolean {
    return this.#candidates(race).some((node) => node.hasRoom);
  }

  /** Whether this race finds no node although one with room could take a copy of another race of its class. */
  isAloneInWaiting(race: Race): boolean {
    if (this.#mayGoAnywhere(race)) return false;
    return this.#able(race.served, NEVER).some((node) => node.hasRoom);
  }

  #mayGoAnywhere({ served, copyCapGwei, compares }: Race): boolean {
    return (
      copyCapGwei >= served.maxPriceGwei && !compares && (this.#bonds === undefined || served.mode !== "optimistic")
    );
  }

  /** Who may get a copy of this race, as far as price, bond and the conflict rule go. */
  #candidates(race: Race): readonly FleetNode[] {
    if (this.#mayGoAnywhere(race)) return race.served.nodes;
    const able = this.#able(race.served, race.copyCapGwei);
    return race.compares ? comparable(race, able) : able;
  }

  /** Who asks no more than this, and has the bond for it where the mode wants one. */
  #able(served: FleetClass, capGwei: number): readonly FleetNode[] {
    const bonds = served.mode === "optimistic" ? this.#bonds : undefined;
    return served.nodes.filter((node, index) => {
      const priceGwei = served.prices[index] as number;
      if (priceGwei > capGwei) return false;
      return bonds === undefined || bonds.freeGwei(node.id) >= bondFor(priceGwei, this.#bondPerFee);
    });
  }

  #priceOf(served: FleetClass, node: FleetNode): number {
    return served.prices[served.nodes.indexOf(node)] as number;
  }

  /** False when the budget does not allow it. */
  launch(race: Race, node: FleetNode, speculative: boolean, nowUs: number, out: Commands): boolean {
    const leaseLengthUs = this.#leaseLengthUs(race, speculative);
    const { served } = race;
    let grant = NO_GRANT;
    if (speculative) {
      grant = leaseLengthUs === 0 ? DENIED : this.#budget.reserve(leaseLengthUs, served.name, race.tx.sender);
      if (grant === DENIED) {
        this.#denied(race, nowUs, out);
        return false;
      }
    }
    const leaseUs = after(nowUs, leaseLengthUs);
    const feeGwei = this.#priceOf(served, node);
    const bonded = this.#bonds !== undefined && race.call.mode === "optimistic";
    const bondGwei = bonded ? bondFor(feeGwei, this.#bondPerFee) : 0;
    if (bonded) assert(this.#bonds?.lock(node.id, bondGwei) === true, "a copy for a node without enough bond");
    const label = bonded || race.compares ? served.labelOf(node) : "";
    if (race.compares) race.label = label;
    const copy = new Copy({
      id: this.#copies.nextId(),
      nonce: this.#random.nonce(),
      node,
      operator: node.operator,
      label,
      race,
      speculative,
      launchedUs: nowUs,
      leaseUs,
      reservedUs: grant === NO_GRANT ? 0 : leaseLengthUs,
      grant,
      feeGwei,
      bondGwei,
      ahead: node.load,
      dueUs: Math.min(leaseUs, after(nowUs, this.#config.acceptTimeoutUs)),
    });
    this.#copies.put(copy);
    if (race.copies.length >= MAX_REMEMBERED_COPIES) forgetOneEnded(race);
    race.copies.push(copy);
    race.live++;
    race.launched++;
    node.take(copy, nowUs);
    node.remembered++;
    node.record.askedUs = nowUs;
    if (race.memory !== undefined) {
      if (race.launched === 1) race.memory.opened(race, nowUs);
      race.memory.launched(copy, nowUs);
    }
    if (race.launched === 1 && race.purpose === "answer") this.#order.write("launched", race, nowUs, out);
    this.#counters.copiesLaunched++;
    if (speculative) this.#counters.speculativeCopies++;
    out.dispatch(copy);
    return true;
  }

  #denied(race: Race, nowUs: number, out: Commands): void {
    const { served } = race;
    const bucket = this.#budget.tightest(served.name, race.tx.sender);
    this.#counters.budgetDenials++;
    this.#counters[DENIALS[bucket]]++;
    served.strain.denied(served, bucket, nowUs, out);
  }

  /** A lease is generous for what is usual here, so that only silence ends by it; a speculative one fits the budget. */
  #leaseLengthUs(race: Race, speculative: boolean): number {
    const { leaseUs } = this.#config;
    const budgeted = speculative && !this.#budget.unlimited;
    if (leaseUs === NEVER && !budgeted) return NEVER;
    const { times } = race.served;
    const p99 = times.weight < ENOUGH_OBSERVATIONS ? undefined : times.quantileUs(0.99);
    const usual = p99 === undefined ? leaseUs : Math.min(leaseUs, Math.max(MIN_LEASE_US, Math.ceil(3 * p99)));
    if (!budgeted) return usual;
    const available = this.#budget.availableUs(race.served.name, race.tx.sender);
    if (available >= SHARES * usual) return usual;
    const likely = times.quantileUs(0.75);
    if (likely === undefined) return available >= usual ? usual : 0;
    // Little is left, and most of a long lease only waits to be given back: several shorter ones help more jobs. Each is worth
    // having as long as its copy is likely to be done within it.
    const enough = times.quantileUs(0.95) ?? likely;
    const share = Math.ceil(Math.max(enough, available / SHARES));
    const lease = Math.min(usual, share, available);
    return lease >= likely ? lease : 0;
  }
}

/** So many nodes gave so many answers of which none fits another: one more would not help. */
function isFull({ copies }: Race): boolean {
  return copies.length >= MAX_REMEMBERED_COPIES && copies.every((copy) => copy.live || copy.held);
}
const DENIALS = {
  global: "budgetDenialsGlobal",
  class: "budgetDenialsClass",
  sender: "budgetDenialsSender",
  crowded: "budgetDenialsCrowded",
} as const satisfies { readonly [B in BudgetBucket]: keyof Counters };

function forgetOneEnded(race: Race): void {
  const index = race.copies.findIndex((copy) => !copy.live && !copy.held);
  assert(index >= 0, "a race has more live copies than it may remember");
  const [ended] = race.copies.splice(index, 1);
  if (ended !== undefined) ended.node.remembered--;
}

/**
 * Nodes whose answers may be compared with each other: of operators that the race does not use and that are not excluded,
 * with the label of the copies that it has. As long as it has none, with the label that most operators with room bear, of those
 * that enough operators bear for the quorum, if there is one: who begins where nobody can agree waits for its end.
 */
function comparable(race: Race, nodes: readonly FleetNode[]): readonly FleetNode[] {
  const { served, excluded } = race;
  const used = new Set(excluded);
  for (const copy of race.copies) if (copy.live || copy.held) used.add(copy.operator);
  const free = nodes.filter((node) => !used.has(node.operator));
  // Nothing is there to compare with as long as nobody is at it.
  const bound = race.purpose === "challenge" || race.held > 0 || race.live > 0;
  const label = bound ? race.label : widestLabel(served, free, race.quorum);
  return free.filter((node) => served.labelOf(node) === label);
}

function widestLabel(served: FleetClass, nodes: readonly FleetNode[], quorum: number): string | undefined {
  const all = operatorsByLabel(served, nodes);
  const withRoom = operatorsByLabel(
    served,
    nodes.filter((node) => node.hasRoom),
  );
  let widest: string | undefined;
  let width = 0;
  let reaches = false;
  for (const [label, { size }] of withRoom) {
    const enough = (all.get(label)?.size ?? 0) >= quorum;
    if (reaches ? !enough || size <= width : !enough && size <= width) continue;
    widest = label;
    width = size;
    reaches = enough;
  }
  return widest;
}

function operatorsByLabel(served: FleetClass, nodes: readonly FleetNode[]): Map<string, Set<string>> {
  const operators = new Map<string, Set<string>>();
  for (const node of nodes) {
    const label = served.labelOf(node);
    const known = operators.get(label);
    if (known === undefined) operators.set(label, new Set([node.operator]));
    else known.add(node.operator);
  }
  return operators;
}
