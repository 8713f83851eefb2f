import { KaplanMeier, type KaplanMeierSnapshot } from "../../policies/service-times.ts";
import { Learning } from "../../policies/learning/learning.ts";
import type { PlainData, PolicyMemory } from "../../policies/memory.ts";
import type { NodeRecord } from "../../policies/placement/node-record.ts";
import type { Policy, Room } from "../../policies/policy.ts";
import { Heap } from "../shared/heap.ts";
import type { Timed, TimerHeap } from "../shared/timer-heap.ts";
import { FleetNode, offerOf, priceOf } from "./fleet-node.ts";
import type { Mode, NodeTerms } from "../shared/vocabulary.ts";
import type { Commands, RedundancyState } from "./commands.ts";
import type { RaceConfig } from "./config.ts";
import type { Race } from "./race.ts";
import { Strain, type StrainSnapshot } from "./strain.ts";

/** All that serve one (model, mode): the unit of queueing, of learning, and of redundancy. */
export class FleetClass {
  readonly model: string;
  readonly mode: Mode;
  readonly name: string;
  /** Those that can be given work now. */
  nodes: FleetNode[] = [];
  /** What each of `nodes` asks for one answer, by the same index. */
  prices: number[] = [];
  minPriceGwei = 0;
  maxPriceGwei = 0;
  meanPriceGwei = 0;
  /** Distinct operators among `nodes`. */
  domains = 0;
  /** Of `nodes`: copies that run, those that could at one time, and nodes with a free slot. */
  #busy = 0;
  #slots = 0;
  #idle = 0;
  redundancy: RedundancyState = "collapsed";
  readonly times = new KaplanMeier();
  /** How long copies run, as soon as a policy of its races wants to know. */
  learning: Learning | undefined;
  readonly strain = new Strain();
  /** What policies remember of its races. */
  readonly memories = new Map<Policy, PolicyMemory>();
  /** Nodes that are here and offer it, resting ones included, and races that were opened in it: while there are any, it stays. */
  offering = 0;
  races = 0;
  /** Jobs without a copy, in the order of the inference mempool. */
  readonly #waiting = new Heap<Race>(earlier);
  /** How many of `waiting` are still there: the heap also holds some that left. */
  waitingCount = 0;

  constructor(model: string, mode: Mode) {
    this.model = model;
    this.mode = mode;
    this.name = `${model}/${mode}`;
  }

  /** What a policy remembers of its races; made when it is first asked for. */
  memoryOf(policy: Policy): PolicyMemory | undefined {
    if (policy.remember === undefined) return undefined;
    let memory = this.memories.get(policy);
    if (memory === undefined) {
      memory = policy.remember();
      this.memories.set(policy, memory);
    }
    return memory;
  }

  roomFor(copies: readonly { readonly node: FleetNode; readonly live: boolean }[]): Room {
    let idle = this.#idle;
    for (const { node } of copies) if (node.load < node.slots && node.serves && node.classes.includes(this)) idle--;
    return { busy: this.#busy, slots: this.#slots, idle };
  }

  /** One of `nodes` has another load; it may have many classes, and each look asks for what they sum up to. */
  loaded(before: number, after: number, slots: number): void {
    this.#busy += Math.min(after, slots) - Math.min(before, slots);
    if (before < slots !== after < slots) this.#idle += after < slots ? 1 : -1;
  }

  recount(): void {
    [this.#busy, this.#slots, this.#idle] = [0, 0, 0];
    for (const { slots, load } of this.nodes) {
      this.#slots += slots;
      this.#busy += Math.min(load, slots);
      if (load < slots) this.#idle++;
    }
    this.prices = this.nodes.map((node) => priceOf(node, this));
    this.minPriceGwei = this.prices.length === 0 ? 0 : Math.min(...this.prices);
    this.maxPriceGwei = this.prices.length === 0 ? 0 : Math.max(...this.prices);
    this.meanPriceGwei = this.prices.reduce((sum, price) => sum + price, 0) / Math.max(1, this.prices.length);
    this.domains = new Set(this.nodes.map((node) => node.operator)).size;
  }

  /** Nodes with the same label give the same output for the same input. */
  labelOf(node: FleetNode): string {
    return offerOf(node, this)?.equivalence ?? "";
  }

  /** The largest number of distinct operators among nodes whose answers can be compared. */
  get comparableDomains(): number {
    const operators = new Map<string, Set<string>>();
    for (const node of this.nodes) {
      const label = this.labelOf(node);
      const known = operators.get(label);
      if (known === undefined) operators.set(label, new Set([node.operator]));
      else known.add(node.operator);
    }
    return Math.max(0, ...[...operators.values()].map(({ size }) => size));
  }

  enqueue(race: Race): void {
    race.queued = true;
    this.#waiting.push(race);
    this.waitingCount++;
  }

  unqueue(race: Race): void {
    race.queued = false;
    this.waitingCount--;
  }

  /** The job that is next in the mempool's order; those that left are dropped on the way. */
  nextWaiting(): Race | undefined {
    while (this.#waiting.first !== undefined && !this.#waiting.first.queued) this.#waiting.pop();
    return this.#waiting.first;
  }
}

function earlier(a: Race, b: Race): boolean {
  return a.tx.seq < b.tx.seq || (a.tx.seq === b.tx.seq && a.callIndex < b.callIndex);
}

/** Models by modes that nodes have offered. A class is 5 KB: 20 MB, and far more models than a fleet has. */
const MAX_CLASSES = 4_096;
/** More than a node that fills up between two reports is given in the meantime. */
const MAX_REFUSALS_IN_ROW = 64;

/** Nodes and classes, who may be given work, and when too few remain to race. */
export class Fleet {
  readonly #config: RaceConfig;
  readonly #timers: TimerHeap<Timed & { timed: string }>;
  readonly #nodes = new Map<string, FleetNode>();
  readonly #classes = new Map<string, Map<Mode, FleetClass>>();
  #classCount = 0;
  readonly #onCollapse: (served: FleetClass, out: Commands) => void;

  constructor(
    config: RaceConfig,
    timers: TimerHeap<Timed & { timed: string }>,
    onCollapse: (served: FleetClass, out: Commands) => void,
  ) {
    this.#config = config;
    this.#timers = timers;
    this.#onCollapse = onCollapse;
  }

  node(id: string): FleetNode | undefined {
    return this.#nodes.get(id);
  }

  nodes(): IterableIterator<FleetNode> {
    return this.#nodes.values();
  }

  /** Nodes that have joined and not left. */
  get present(): number {
    let count = 0;
    for (const { present } of this.#nodes.values()) if (present) count += 1;
    return count;
  }

  *classes(): IterableIterator<FleetClass> {
    for (const byMode of this.#classes.values()) yield* byMode.values();
  }

  /** The class of a (model, mode) that some node has offered at some time. */
  class(model: string, mode: Mode): FleetClass | undefined {
    return this.#classes.get(model)?.get(mode);
  }

  /** Registers a node, or takes over its new terms; `undefined` when there are too many. */
  join(terms: NodeTerms, out: Commands): FleetNode | undefined {
    let node = this.#nodes.get(terms.id);
    const before = node?.classes ?? [];
    if (node === undefined) {
      if (this.#nodes.size >= this.#config.maxNodes && !this.#forgetOne()) {
        out.alarm({ kind: "fleet-full", node: terms.id, limit: this.#config.maxNodes });
        return undefined;
      }
      node = new FleetNode(terms, this.#config.quarantineUs);
      this.#nodes.set(terms.id, node);
    }
    detach(node);
    for (const served of before) served.offering--;
    node.terms = terms;
    node.present = true;
    // What it reported before is of another life.
    node.foreign = 0;
    // Nobody counts it until it is attached.
    node.load = node.outstanding;
    node.classes = this.#offered(terms, out);
    if (!node.quarantined) attach(node);
    // Judged once, after the change: a node that registers again must not look like a collapse.
    this.#judge(new Set([...before, ...node.classes]), out);
    return node;
  }

  /** Forgets a node that left, if there is one without copies or a rest to serve. */
  #forgetOne(): boolean {
    for (const node of this.#nodes.values()) {
      if (node.present || node.quarantined || node.remembered > 0) continue;
      return this.#nodes.delete(node.id);
    }
    return false;
  }

  leave(node: FleetNode, out: Commands): void {
    const { classes } = node;
    node.present = false;
    detach(node);
    for (const served of classes) served.offering--;
    node.classes = [];
    this.#judge(classes, out);
  }

  report(node: FleetNode, running: number, queued: number, warm: readonly string[]): void {
    node.foreign = Math.max(0, running + queued - node.outstanding);
    node.setLoad(node.outstanding + node.foreign);
    node.warm.clear();
    for (const model of warm) node.warm.add(model);
  }

  /** It answered, and the verifier accepted. */
  succeeded(node: FleetNode): void {
    node.answered++;
    node.record.succeeded();
    node.errorsInRow = 0;
    node.refusalsInRow = 0;
    node.nextQuarantineUs = this.#config.quarantineUs;
  }

  /** It failed, kept silent or lied. Too often in a row, and it rests for a while that doubles each time. */
  erred(node: FleetNode, nowUs: number, reason: string, out: Commands): void {
    node.errorsInRow++;
    node.record.failed();
    if (node.quarantined || !node.present || node.errorsInRow < this.#config.quarantineAfter) return;
    this.quarantine(node, nowUs, reason, out);
  }

  /**
   * It gave a copy back. Being full or leaving is no error, and until its next report it gets nothing more; but who only ever
   * takes copies to give them back draws them away from nodes that would answer, and rests like one that errs.
   */
  refused(node: FleetNode, nowUs: number, reason: string, out: Commands): void {
    node.fill();
    node.record.failed();
    if (++node.refusalsInRow >= MAX_REFUSALS_IN_ROW) this.quarantine(node, nowUs, reason, out);
  }

  quarantine(node: FleetNode, nowUs: number, reason: string, out: Commands): void {
    if (node.quarantined) return;
    const untilUs = nowUs + node.nextQuarantineUs;
    node.nextQuarantineUs = Math.min(2 * node.nextQuarantineUs, this.#config.maxQuarantineUs);
    // One more error after the rest is enough for the next one.
    node.errorsInRow = this.#config.quarantineAfter - 1;
    node.refusalsInRow = MAX_REFUSALS_IN_ROW - 1;
    node.quarantined = true;
    detach(node);
    this.#timers.arm(node, untilUs);
    out.alarm({ kind: "node-quarantined", node: node.id, untilUs, reason });
    this.#judge(node.classes, out);
  }

  /** Its rest is over. */
  rested(node: FleetNode, out: Commands): void {
    node.quarantined = false;
    if (!node.present) return;
    attach(node);
    this.#judge(node.classes, out);
  }

  /** The classes that it offers; those for which there is no room are left out, openly. */
  #offered(terms: NodeTerms, out: Commands): FleetClass[] {
    const offered = new Set<FleetClass>();
    for (const { model, mode } of terms.offers) {
      const served = this.class(model, mode) ?? (this.#makeRoom() ? this.#makeClass(model, mode) : undefined);
      if (served === undefined || offered.has(served)) continue;
      served.offering++;
      offered.add(served);
    }
    const full = terms.offers.some(({ model, mode }) => this.class(model, mode) === undefined);
    if (full) out.alarm({ kind: "too-many-models", node: terms.id, limit: MAX_CLASSES });
    return [...offered];
  }

  #makeClass(model: string, mode: Mode): FleetClass {
    let byMode = this.#classes.get(model);
    if (byMode === undefined) {
      byMode = new Map();
      this.#classes.set(model, byMode);
    }
    const made = new FleetClass(model, mode);
    byMode.set(mode, made);
    this.#classCount++;
    return made;
  }

  /** Where there are too many, forgets a class that nobody offers any more; what was learned of it goes first where it is least. */
  #makeRoom(): boolean {
    if (this.#classCount < MAX_CLASSES) return true;
    let least: FleetClass | undefined;
    for (const served of this.classes()) {
      if (served.offering > 0 || served.races > 0) continue;
      if (least === undefined || served.times.weight < least.times.weight) least = served;
      if (least.times.weight === 0) break;
    }
    if (least === undefined) return false;
    const byMode = this.#classes.get(least.model);
    byMode?.delete(least.mode);
    if (byMode?.size === 0) this.#classes.delete(least.model);
    this.#classCount--;
    return true;
  }

  /** Says it openly when the redundancy of one of these collapsed or recovered. */
  #judge(classes: Iterable<FleetClass>, out: Commands): void {
    for (const served of classes) {
      const state = served.domains < this.#config.redundancyFloor ? "collapsed" : "healthy";
      if (state === served.redundancy) continue;
      served.redundancy = state;
      const { model, mode, domains } = served;
      out.alarm({ kind: "redundancy", model, mode, state, domains });
      if (state === "collapsed") this.#onCollapse(served, out);
    }
  }

  snapshot(): FleetSnapshot {
    return {
      classes: [...this.classes()].map(({ model, mode, times, strain, nodes, redundancy, learning }) => ({
        model,
        mode,
        redundancy,
        nodes: nodes.map(({ id }) => id),
        times: times.snapshot(),
        learning: learning?.snapshot() ?? null,
        strain: strain.snapshot(),
      })),
      nodes: [...this.#nodes.values()].map(({ classes, warm, record, timed, heapIndex, ...node }) => ({
        ...node,
        record: { ...record },
        classes: classes.map(({ model, mode }) => [model, mode] as const),
        warm: [...warm],
      })),
    };
  }

  restore(snapshot: FleetSnapshot): void {
    for (const { model, mode, times, strain, learning } of snapshot.classes) {
      const served = this.#makeClass(model, mode);
      served.times.restore(times);
      served.strain.restore(strain);
      if (learning !== null) {
        served.learning = new Learning();
        served.learning.restore(learning);
      }
    }
    for (const { terms, warm, record, classes, ...plain } of snapshot.nodes) {
      const node = Object.assign(new FleetNode(terms, 0), plain);
      Object.assign(node.record, record);
      for (const model of warm) node.warm.add(model);
      node.classes = classes.flatMap(([model, mode]) => this.class(model, mode) ?? []);
      for (const served of node.classes) served.offering++;
      this.#nodes.set(node.id, node);
    }
    for (const { model, mode, nodes, redundancy } of snapshot.classes) {
      const served = this.class(model, mode);
      if (served === undefined) continue;
      served.nodes = nodes.flatMap((id) => this.#nodes.get(id) ?? []);
      served.redundancy = redundancy;
      served.recount();
    }
  }
}

function attach(node: FleetNode): void {
  for (const served of node.classes) {
    if (served.nodes.includes(node)) continue;
    served.nodes.push(node);
    served.recount();
  }
}

function detach(node: FleetNode): void {
  for (const served of node.classes) {
    const index = served.nodes.indexOf(node);
    if (index < 0) continue;
    served.nodes.splice(index, 1);
    served.recount();
  }
}

type RecordMethods = "answered" | "outlasted" | "succeeded" | "failed" | "tries";

export interface FleetSnapshot {
  readonly classes: readonly {
    readonly model: string;
    readonly mode: Mode;
    readonly redundancy: RedundancyState;
    readonly nodes: readonly string[];
    readonly times: KaplanMeierSnapshot;
    readonly learning: PlainData;
    readonly strain: StrainSnapshot;
  }[];
  readonly nodes: readonly (Omit<
    FleetNode,
    | "classes"
    | "warm"
    | "record"
    | "timed"
    | "heapIndex"
    | "operator"
    | "region"
    | "slots"
    | "queueLimit"
    | "hasRoom"
    | "isWarm"
    | "priceGwei"
    | "serves"
    | "setLoad"
    | "take"
    | "release"
    | "readmit"
    | "refill"
    | "line"
    | "fill"
  > & {
    readonly warm: readonly string[];
    readonly record: Omit<NodeRecord, RecordMethods>;
    readonly classes: readonly (readonly [string, Mode])[];
  })[];
}
