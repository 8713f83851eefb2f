import { KaplanMeier, type KaplanMeierSnapshot } from "../../policies/service-times.ts";
import type { Candidate } from "../../policies/placement.ts";
import { Heap } from "../shared/heap.ts";
import type { Timed, TimerHeap } from "../shared/timer-heap.ts";
import { NEVER, type Mode, type NodeTerms } from "../shared/vocabulary.ts";
import type { Commands, RedundancyState } from "./commands.ts";
import type { RaceConfig } from "./config.ts";
import type { Race } from "./race.ts";

/** An inference node as the engine knows it. */
export class FleetNode implements Candidate, Timed {
  readonly timed = "node";
  readonly id: string;
  terms: NodeTerms;
  present = true;
  /** Copies sent to it and not ended. */
  outstanding = 0;
  /** Copies that it reports beyond those: cancelled ones that it still runs, or others' work. */
  foreign = 0;
  load = 0;
  readonly warm = new Set<string>();
  /** Classes that it serves. */
  classes: FleetClass[] = [];
  errorsInRow = 0;
  /** Rests until `wakeUs`. */
  quarantined = false;
  nextQuarantineUs: number;
  answered = 0;
  failed = 0;
  rejected = 0;
  wakeUs = NEVER;
  wakeSeq = 0;
  heapIndex = -1;

  constructor(terms: NodeTerms, quarantineUs: number) {
    this.id = terms.id;
    this.terms = terms;
    this.nextQuarantineUs = quarantineUs;
  }

  get operator(): string {
    return this.terms.operator;
  }
  get region(): string {
    return this.terms.region;
  }
  get slots(): number {
    return this.terms.slots;
  }
  get queueLimit(): number {
    return this.terms.queueLimit;
  }
  isWarm(model: string): boolean {
    return this.warm.has(model);
  }

  take(): void {
    this.outstanding++;
    this.load++;
  }
  release(): void {
    this.outstanding--;
    this.load--;
  }
  /** It said that it is full: it counts as such until it reports. */
  fill(): void {
    this.foreign = Math.max(this.foreign, this.slots + this.queueLimit - this.outstanding);
    this.load = this.outstanding + this.foreign;
  }
}

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
  /** Distinct operators among `nodes`. */
  domains = 0;
  redundancy: RedundancyState = "collapsed";
  readonly times = new KaplanMeier();
  /** Jobs without a copy, in the order of the inference mempool. */
  readonly #waiting = new Heap<Race>(earlier);
  /** How many of `waiting` are still there: the heap also holds some that left. */
  waitingCount = 0;

  constructor(model: string, mode: Mode) {
    this.model = model;
    this.mode = mode;
    this.name = `${model}/${mode}`;
  }

  recount(): void {
    this.prices = this.nodes.map((node) => priceOf(node, this));
    this.minPriceGwei = this.prices.length === 0 ? 0 : Math.min(...this.prices);
    this.maxPriceGwei = this.prices.length === 0 ? 0 : Math.max(...this.prices);
    this.domains = new Set(this.nodes.map((node) => node.operator)).size;
  }

  get hasRoom(): boolean {
    return this.nodes.some((node) => node.load < node.slots + node.queueLimit);
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

/** Nodes and classes, who may be given work, and when too few remain to race. */
export class Fleet {
  readonly #config: RaceConfig;
  readonly #timers: TimerHeap<Timed & { timed: string }>;
  readonly #nodes = new Map<string, FleetNode>();
  readonly #classes = new Map<string, Map<Mode, FleetClass>>();
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

  get size(): number {
    return this.#nodes.size;
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
    node.terms = terms;
    node.present = true;
    node.classes = terms.offers.map(({ model, mode }) => this.#classOf(model, mode));
    if (!node.quarantined) attach(node);
    // Judged once, after the change: a node that registers again must not look like a collapse.
    this.#judge(new Set([...before, ...node.classes]), out);
    return node;
  }

  /** Forgets a node that left, if there is one without copies or a rest to serve. */
  #forgetOne(): boolean {
    for (const node of this.#nodes.values()) {
      if (node.present || node.quarantined || node.outstanding > 0) continue;
      return this.#nodes.delete(node.id);
    }
    return false;
  }

  leave(node: FleetNode, out: Commands): void {
    node.present = false;
    detach(node);
    this.#judge(node.classes, out);
  }

  report(node: FleetNode, running: number, queued: number, warm: readonly string[]): void {
    node.foreign = Math.max(0, running + queued - node.outstanding);
    node.load = node.outstanding + node.foreign;
    node.warm.clear();
    for (const model of warm) node.warm.add(model);
  }

  /** It answered, and the verifier accepted. */
  succeeded(node: FleetNode): void {
    node.answered++;
    node.errorsInRow = 0;
    node.nextQuarantineUs = this.#config.quarantineUs;
  }

  /** It failed, kept silent or lied. Too often in a row, and it rests for a while that doubles each time. */
  erred(node: FleetNode, nowUs: number, reason: string, out: Commands): void {
    node.errorsInRow++;
    if (node.quarantined || !node.present || node.errorsInRow < this.#config.quarantineAfter) return;
    this.quarantine(node, nowUs, reason, out);
  }

  quarantine(node: FleetNode, nowUs: number, reason: string, out: Commands): void {
    if (node.quarantined) return;
    const untilUs = nowUs + node.nextQuarantineUs;
    node.nextQuarantineUs = Math.min(2 * node.nextQuarantineUs, this.#config.maxQuarantineUs);
    // One more error after the rest is enough for the next one.
    node.errorsInRow = this.#config.quarantineAfter - 1;
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

  #classOf(model: string, mode: Mode): FleetClass {
    let byMode = this.#classes.get(model);
    if (byMode === undefined) {
      byMode = new Map();
      this.#classes.set(model, byMode);
    }
    let found = byMode.get(mode);
    if (found === undefined) {
      found = new FleetClass(model, mode);
      byMode.set(mode, found);
    }
    return found;
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
      classes: [...this.classes()].map(({ model, mode, times, nodes, redundancy }) => ({
        model,
        mode,
        redundancy,
        nodes: nodes.map(({ id }) => id),
        times: times.snapshot(),
      })),
      nodes: [...this.#nodes.values()].map(({ classes, warm, timed, heapIndex, ...node }) => ({
        ...node,
        warm: [...warm],
      })),
    };
  }

  restore(snapshot: FleetSnapshot): void {
    for (const { model, mode, times } of snapshot.classes) this.#classOf(model, mode).times.restore(times);
    for (const { terms, warm, ...plain } of snapshot.nodes) {
      const node = Object.assign(new FleetNode(terms, 0), plain);
      for (const model of warm) node.warm.add(model);
      node.classes = terms.offers.map(({ model, mode }) => this.#classOf(model, mode));
      this.#nodes.set(node.id, node);
    }
    for (const { model, mode, nodes, redundancy } of snapshot.classes) {
      const served = this.#classOf(model, mode);
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

/** What a node asks for one answer of this class. */
export function priceOf(node: FleetNode, served: FleetClass): number {
  const offer = node.terms.offers.find(({ model, mode }) => model === served.model && mode === served.mode);
  return offer?.priceGwei ?? 0;
}

export interface FleetSnapshot {
  readonly classes: readonly {
    readonly model: string;
    readonly mode: Mode;
    readonly redundancy: RedundancyState;
    readonly nodes: readonly string[];
    readonly times: KaplanMeierSnapshot;
  }[];
  readonly nodes: readonly (Omit<
    FleetNode,
    | "classes"
    | "warm"
    | "timed"
    | "heapIndex"
    | "operator"
    | "region"
    | "slots"
    | "queueLimit"
    | "isWarm"
    | "take"
    | "release"
    | "fill"
  > & { readonly warm: readonly string[] })[];
}
