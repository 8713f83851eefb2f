import type { NodeTerms } from "../../scheduler/shared/vocabulary.ts";
import type { Course, FleetBehaviour, Manner, Wait } from "./course.ts";

/** A copy at its node, or on the way there. */
export interface PlacedCopy {
  readonly id: number;
  /** Which call it answers. */
  readonly call: string;
  readonly course: Course;
  readonly leaseUs: number;
  /** `undefined` until a slot was free for it. */
  state: "travelling" | "waiting" | "running" | "over";
  /** What takes its next event back. */
  forget: () => void;
}

/** What a node says; the world carries it to the scheduler, in order. */
export type NodeWord =
  | { readonly kind: "accepted"; readonly copy: number }
  | { readonly kind: "answered"; readonly copy: PlacedCopy }
  | { readonly kind: "failed"; readonly copy: number; readonly reason: "error" | "overloaded" | "cancelled" }
  | { readonly kind: "reported"; readonly running: number; readonly queued: number };

/** What a node needs of the world around it. */
export interface NodeSurroundings {
  nowUs(): number;
  /** Calls back at that time; returns what takes it back. */
  at(us: number, act: () => void): () => void;
  /** Carries a word that takes `backUs` to arrive. */
  say(word: NodeWord, backUs: number): void;
}

/**
 * A node of a recorded world: a slot per running copy, a queue in order of arrival, leases, Cancels, reports. It does what
 * `scheduler/node/inference-node.ts` does in real time.
 */
export class RecordedNode {
  readonly #terms: NodeTerms;
  readonly #manner: Manner;
  readonly #behaviour: FleetBehaviour;
  readonly #world: NodeSurroundings;
  readonly #queue: PlacedCopy[] = [];
  readonly #here = new Map<number, PlacedCopy>();
  readonly #cancelledEarly = new Set<number>();
  #running = 0;
  /** When each copy ends that its thread computes. */
  readonly #computing = new Map<number, number>();
  #gone = false;
  /** Takes the report of a change back. */
  #changeReport: (() => void) | undefined;

  constructor(terms: NodeTerms, behaviour: FleetBehaviour, world: NodeSurroundings) {
    this.#terms = terms;
    this.#manner = behaviour.manner(terms.id);
    this.#behaviour = behaviour;
    this.#world = world;
  }

  get warm(): readonly string[] {
    return this.#manner.warm;
  }

  /** How long something waits that comes to its thread now. */
  waitUs({ idleUs, computingUs }: Wait): number {
    if (this.#computing.size === 0) return idleUs;
    // Once it has computed all, it attends to what waits.
    const leftUs = Math.max(...this.#computing.values()) - this.#world.nowUs();
    return Math.min(computingUs, leftUs + idleUs);
  }

  /** Reports once; from then on now and then. */
  join(): void {
    this.#report();
    if (this.#manner.reports) this.#reportAgain();
  }

  /** Its process is gone: it says nothing any more. */
  leave(): void {
    this.#gone = true;
    for (const copy of this.#here.values()) copy.forget();
  }

  arrive(copy: PlacedCopy): void {
    if (!this.#manner.responds || this.#gone) return;
    if (this.#cancelledEarly.delete(copy.id)) return this.#end(copy, "cancelled");
    const { slots, queueLimit } = this.#terms;
    if (this.#running >= slots && this.#queue.length >= queueLimit) return this.#end(copy, "overloaded");
    this.#here.set(copy.id, copy);
    copy.state = "waiting";
    if (this.#manner.stops) {
      // Whatever else becomes of it, it is not here any more then.
      this.#world.at(copy.leaseUs, () => this.#stop(copy.id));
    }
    this.#world.say({ kind: "accepted", copy: copy.id }, 0);
    this.#queue.push(copy);
    this.#fillSlots();
  }

  cancel(id: number): void {
    if (!this.#manner.responds || !this.#manner.stops || this.#gone) return;
    if (this.#here.has(id)) this.#stop(id);
    else this.#cancelledEarly.add(id);
  }

  #stop(id: number): void {
    const copy = this.#here.get(id);
    if (copy === undefined || this.#gone) return;
    copy.forget();
    this.#free(copy);
    this.#end(copy, "cancelled");
    this.#fillSlots();
  }

  #fillSlots(): void {
    while (this.#running < this.#terms.slots) {
      const copy = this.#queue.shift();
      if (copy === undefined) break;
      this.#running++;
      copy.state = "running";
      const endUs = this.#world.nowUs() + copy.course.runUs;
      if (copy.course.computes) this.#computing.set(copy.id, endUs);
      copy.forget = this.#world.at(endUs, () => this.#finish(copy));
    }
    this.#reportSoon();
  }

  #finish(copy: PlacedCopy): void {
    this.#free(copy);
    if (copy.course.end === "failed") this.#end(copy, "error");
    else {
      copy.state = "over";
      this.#world.say({ kind: "answered", copy }, this.waitUs(copy.course.endBack));
    }
    this.#fillSlots();
  }

  #free(copy: PlacedCopy): void {
    this.#here.delete(copy.id);
    if (copy.state === "running") this.#running--;
    this.#computing.delete(copy.id);
    const waiting = this.#queue.indexOf(copy);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
  }

  #end(copy: PlacedCopy, reason: "error" | "overloaded" | "cancelled"): void {
    copy.state = "over";
    this.#world.say({ kind: "failed", copy: copy.id, reason }, this.waitUs(copy.course.endBack));
  }

  #reportSoon(): void {
    if (this.#changeReport !== undefined || !this.#manner.reports) return;
    const dueUs = this.#world.nowUs() + this.#behaviour.reportDelayUs;
    this.#changeReport = this.#world.at(dueUs, () => this.#report());
  }

  #reportAgain(): void {
    this.#world.at(this.#world.nowUs() + this.#behaviour.reportIntervalUs, () => {
      if (this.#gone) return;
      this.#report();
      this.#reportAgain();
    });
  }

  #report(): void {
    if (this.#gone) return;
    this.#changeReport?.();
    this.#changeReport = undefined;
    this.#world.say({ kind: "reported", running: this.#running, queued: this.#queue.length }, 0);
  }
}
