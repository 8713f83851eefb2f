import type { Asked, Candidate } from "../../policies/placement.ts";
import { NodeRecord } from "../../policies/placement/node-record.ts";
import type { Timed } from "../shared/timer-heap.ts";
import { Starts } from "./starts.ts";
import { NEVER, type Mode, type NodeTerms, type Offer } from "../shared/vocabulary.ts";
import type { FleetClass } from "./fleet.ts";
import type { Copy } from "./race.ts";

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
  /** Copies of open races that ran, or run, on it: as long as there are any, it must not be forgotten. */
  remembered = 0;
  readonly warm = new Set<string>();
  /** For the choice of nodes. */
  readonly record = new NodeRecord();
  /** Classes that it serves. */
  classes: FleetClass[] = [];
  errorsInRow = 0;
  /** Copies given back, since it last answered: as full, as leaving, or by leaving. */
  refusalsInRow = 0;
  /** Rests until `wakeUs`. */
  quarantined = false;
  nextQuarantineUs: number;
  answered = 0;
  failed = 0;
  rejected = 0;
  wakeUs = NEVER;
  wakeSeq = 0;
  heapIndex = -1;
  readonly #starts = new Starts();

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
  /** A node without slots never starts what it lets wait. */
  get hasRoom(): boolean {
    return this.slots > 0 && this.load < this.slots + this.queueLimit;
  }
  /** It is among the nodes of its classes. */
  get serves(): boolean {
    return this.present && !this.quarantined;
  }
  setLoad(load: number): void {
    const before = this.load;
    this.load = load;
    if (this.serves && before !== load) for (const served of this.classes) served.loaded(before, load, this.slots);
  }
  isWarm(model: string): boolean {
    return this.warm.has(model);
  }
  priceGwei(model: string, mode: Mode): number {
    return offerOf(this, { model, mode })?.priceGwei ?? 0;
  }

  /** It has been sent the copy, and starts it when it has a slot for it. */
  take(copy: Copy, nowUs: number): void {
    this.#starts.take(copy, this.slots, nowUs);
    this.outstanding++;
    this.setLoad(this.load + 1);
  }
  /** The copy is over, and the next one that waits may start. */
  release(copy: Copy, nowUs: number): void {
    this.#starts.release(copy, this.slots, nowUs);
    this.outstanding--;
    this.setLoad(this.load - 1);
  }
  /** It registered again, maybe with more slots than before. */
  refill(nowUs: number): void {
    this.#starts.fill(this.slots, nowUs);
  }
  /** Copies on it that have not started, in order. */
  line(): readonly Copy[] {
    return this.#starts.line;
  }
  /** After a restart: the copy is still on it. */
  readmit(copy: Copy): void {
    this.#starts.readmit(copy);
  }
  /** It said that it is full: it counts as such until it reports. */
  fill(): void {
    this.foreign = Math.max(this.foreign, this.slots + this.queueLimit - this.outstanding);
    this.setLoad(this.outstanding + this.foreign);
  }
}

/** What a node asks for one answer of this class. */
export function priceOf(node: FleetNode, served: Asked): number {
  return offerOf(node, served)?.priceGwei ?? 0;
}

export function offerOf(node: FleetNode, served: Asked): Offer | undefined {
  return node.terms.offers.find(({ model, mode }) => model === served.model && mode === served.mode);
}
