import type { Candidate } from "../../policies/placement.ts";
import type { Bonds } from "../../mempool/bonds.ts";
import type { WorkBudget } from "../../policies/work-budget.ts";
import { assert } from "../shared/assert.ts";
import type { Random } from "../shared/random.ts";
import type { Slab } from "../shared/slab.ts";
import { after, NEVER } from "../shared/vocabulary.ts";
import type { Commands } from "./commands.ts";
import type { OptimisticConfig, RaceConfig } from "./config.ts";
import type { Counters } from "./counters.ts";
import type { FleetClass, FleetNode } from "./fleet.ts";
import type { OrderWriter } from "./order-writer.ts";
import { Copy, type Race } from "./race.ts";

/** Below this a lease would end copies for ordinary jitter. */
const MIN_LEASE_US = 2_000_000;
/** Observations before a lease is cut to what is usual. */
const ENOUGH_OBSERVATIONS = 50;
/** A slow-lane race may try many times; a receipt names no more rivals than this. */
const MAX_REMEMBERED_COPIES = 32;

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
    const candidates = this.#candidates(race);
    const taken = this.#taken;
    // Emptied one by one: setting the length would give up the room, and each next use would ask for it again.
    while (taken.length > 0) taken.pop();
    for (const copy of race.copies) taken.push(copy.node);
    let index = race.placement.choose(candidates, taken, race.call.model, this.#random);
    if (index < 0 && race.lost > 0) {
      while (taken.length > 0) taken.pop();
      for (const copy of race.copies) if (copy.live || copy.held) taken.push(copy.node);
      index = race.placement.choose(candidates, taken, race.call.model, this.#random);
    }
    return index < 0 ? undefined : candidates[index];
  }

  /** Who may get a copy of this race, as far as price, bond and the conflict rule go. */
  #candidates(race: Race): readonly FleetNode[] {
    const { served, copyCapGwei } = race;
    const bonds = race.call.mode === "optimistic" ? this.#bonds : undefined;
    const affordable = copyCapGwei >= served.maxPriceGwei;
    if (affordable && bonds === undefined && !race.compares) return served.nodes;
    const eligible = served.nodes.filter((node, index) => {
      const priceGwei = served.prices[index] as number;
      if (priceGwei > copyCapGwei) return false;
      return bonds === undefined || bonds.freeGwei(node.id) >= priceGwei * this.#bondPerFee;
    });
    return race.compares ? comparable(race, eligible) : eligible;
  }

  #priceOf(served: FleetClass, node: FleetNode): number {
    return served.prices[served.nodes.indexOf(node)] as number;
  }

  /** False when the budget does not allow it. */
  launch(race: Race, node: FleetNode, speculative: boolean, nowUs: number, out: Commands): boolean {
    const leaseLengthUs = this.#leaseLengthUs(race, speculative);
    if (speculative && (leaseLengthUs === 0 || !this.#budget.reserve(leaseLengthUs))) {
      this.#counters.budgetDenials++;
      out.alarm({ kind: "budget-exhausted", model: race.call.model, mode: race.call.mode });
      return false;
    }
    const leaseUs = after(nowUs, leaseLengthUs);
    const { served } = race;
    const feeGwei = this.#priceOf(served, node);
    const bonded = this.#bonds !== undefined && race.call.mode === "optimistic";
    const bondGwei = bonded ? feeGwei * this.#bondPerFee : 0;
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
      reservedUs: speculative && !this.#budget.unlimited ? leaseLengthUs : 0,
      feeGwei,
      bondGwei,
      dueUs: Math.min(leaseUs, after(nowUs, this.#config.acceptTimeoutUs)),
    });
    this.#copies.put(copy);
    if (race.copies.length >= MAX_REMEMBERED_COPIES) forgetOneEnded(race);
    race.copies.push(copy);
    race.live++;
    race.launched++;
    node.take(copy, nowUs);
    node.remembered++;
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

  /** A lease is generous for what is usual here, so that only silence ends by it; a speculative one fits the budget. */
  #leaseLengthUs(race: Race, speculative: boolean): number {
    const { leaseUs } = this.#config;
    const budgeted = speculative && !this.#budget.unlimited;
    if (leaseUs === NEVER && !budgeted) return NEVER;
    const { times } = race.served;
    const p99 = times.weight < ENOUGH_OBSERVATIONS ? undefined : times.quantileUs(0.99);
    const usual = p99 === undefined ? leaseUs : Math.min(leaseUs, Math.max(MIN_LEASE_US, Math.ceil(3 * p99)));
    if (!budgeted) return usual;
    const available = this.#budget.availableUs;
    if (available >= usual) return usual;
    // A shorter lease is worth having if the copy is likely to be done within it.
    const likely = times.quantileUs(0.75);
    return likely !== undefined && available >= likely ? available : 0;
  }
}

function forgetOneEnded(race: Race): void {
  const index = race.copies.findIndex((copy) => !copy.live && !copy.held);
  assert(index >= 0, "a race has more live copies than it may remember");
  const [ended] = race.copies.splice(index, 1);
  if (ended !== undefined) ended.node.remembered--;
}

/**
 * Nodes whose answers may be compared with each other: of operators that the race does not use and that are not excluded,
 * with the label of the copies that it has; as long as it has none, with the label that most operators bear.
 */
function comparable(race: Race, nodes: readonly FleetNode[]): readonly FleetNode[] {
  const { served, excluded } = race;
  const used = new Set(excluded);
  for (const copy of race.copies) if (copy.live || copy.held) used.add(copy.operator);
  const free = nodes.filter((node) => !used.has(node.operator));
  // Nothing is there to compare with as long as nobody is at it.
  const bound = race.purpose === "challenge" || race.held > 0 || race.live > 0;
  const label = bound ? race.label : widestLabel(served, free);
  return free.filter((node) => served.labelOf(node) === label);
}

function widestLabel(served: FleetClass, nodes: readonly FleetNode[]): string | undefined {
  const operators = new Map<string, Set<string>>();
  for (const node of nodes) {
    if (!node.hasRoom) continue;
    const label = served.labelOf(node);
    const known = operators.get(label);
    if (known === undefined) operators.set(label, new Set([node.operator]));
    else known.add(node.operator);
  }
  let widest: string | undefined;
  let width = 0;
  for (const [label, { size }] of operators) {
    if (size <= width) continue;
    widest = label;
    width = size;
  }
  return widest;
}
