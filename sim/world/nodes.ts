import type { EventHeap } from "../kernel/event-heap.ts";
import { type CopyTable, QUEUED, RUNNING } from "./copy-table.ts";
import type { ModelledNode } from "./fleet.ts";

export interface NodesParts {
  readonly nodes: readonly ModelledNode[];
  /** Copies that a node runs at once. */
  readonly slots: number | "unlimited";
  /** The first so many nodes accept copies and never answer. */
  readonly dead: number;
  readonly heap: EventHeap;
  readonly copies: CopyTable;
  /** Payload of a copy's end in the heap, to which its slot is added. */
  readonly endsPayload: number;
}

/** Modelled nodes: slots, and in front of them a first-come-first-served queue each. Tells the heap when a copy will be done. */
export abstract class ModelledNodes {
  readonly ids: readonly string[];
  protected readonly heap: EventHeap;
  protected readonly copies: CopyTable;
  protected readonly endsPayload: number;
  /** At which a copy that has a node for itself goes through its work: 0 for a dead node. */
  protected readonly speeds: Float64Array;
  readonly #indexOf = new Map<string, number>();
  readonly #slots: number;
  readonly #running: Int32Array;
  readonly #first: Int32Array;
  readonly #last: Int32Array;

  constructor({ nodes, slots, dead, heap, copies, endsPayload }: NodesParts) {
    this.ids = nodes.map(({ terms }) => terms.id);
    this.ids.forEach((id, index) => void this.#indexOf.set(id, index));
    this.heap = heap;
    this.copies = copies;
    this.endsPayload = endsPayload;
    this.speeds = Float64Array.from(nodes, ({ speed }, index) => (index < dead ? 0 : speed));
    this.#slots = slots === "unlimited" ? Number.MAX_SAFE_INTEGER : slots;
    this.#running = new Int32Array(nodes.length);
    this.#first = new Int32Array(nodes.length).fill(-1);
    this.#last = new Int32Array(nodes.length).fill(-1);
  }

  /** The copy has the node's attention from now on. */
  protected abstract start(copy: number, node: number, nowUs: number): void;
  /** A copy that runs is taken off before its end. */
  protected abstract interrupt(copy: number, node: number, nowUs: number): void;
  /** The copy whose end came out of the heap is done. */
  protected abstract finish(copy: number, node: number, nowUs: number): void;

  indexOf(id: string): number {
    return this.#indexOf.get(id) as number;
  }

  /** A copy has come to its node: it runs, or waits in the node's queue. */
  arrive(copy: number, nowUs: number): void {
    const { node: nodes, state, next, previous } = this.copies;
    const node = nodes[copy] as number;
    if ((this.#running[node] as number) < this.#slots) return this.#start(copy, node, nowUs);
    state[copy] = QUEUED;
    const last = this.#last[node] as number;
    next[copy] = -1;
    previous[copy] = last;
    if (last < 0) this.#first[node] = copy;
    else next[last] = copy;
    this.#last[node] = copy;
  }

  #start(copy: number, node: number, nowUs: number): void {
    this.#running[node] = (this.#running[node] as number) + 1;
    this.copies.state[copy] = RUNNING;
    this.copies.startedUs[copy] = nowUs;
    this.start(copy, node, nowUs);
  }

  /** A running copy came to its end: its place is the next one's. */
  ended(copy: number, nowUs: number): void {
    const node = this.copies.node[copy] as number;
    this.finish(copy, node, nowUs);
    this.#vacated(node, nowUs);
  }

  #vacated(node: number, nowUs: number): void {
    this.#running[node] = (this.#running[node] as number) - 1;
    const first = this.#first[node] as number;
    if (first < 0) return;
    this.#unlink(first, node);
    this.#start(first, node, nowUs);
  }

  /** The copy is to stop, whether it runs or waits. */
  stop(copy: number, nowUs: number): void {
    const { node: nodes, state } = this.copies;
    const node = nodes[copy] as number;
    if (state[copy] === QUEUED) this.#unlink(copy, node);
    else if (state[copy] === RUNNING) {
      this.interrupt(copy, node, nowUs);
      this.#vacated(node, nowUs);
    }
  }

  #unlink(copy: number, node: number): void {
    const { next, previous } = this.copies;
    const before = previous[copy] as number;
    const after = next[copy] as number;
    if (before < 0) this.#first[node] = after;
    else next[before] = after;
    if (after < 0) this.#last[node] = before;
    else previous[after] = before;
  }

  /** The copies that wait on the node, the next one first. */
  protected waitingOn(node: number): number[] {
    const waiting: number[] = [];
    const { next } = this.copies;
    for (let copy = this.#first[node] as number; copy >= 0; copy = next[copy] as number) waiting.push(copy);
    return waiting;
  }
}

/** Nodes whose speed never changes and whose copies do not disturb each other: a copy's end is known when it starts. */
export class SteadyNodes extends ModelledNodes {
  protected start(copy: number, node: number, nowUs: number): void {
    const { serviceUs, handle } = this.copies;
    const speed = this.speeds[node] as number;
    if (speed === 0) {
      handle[copy] = -1;
      return;
    }
    const durationUs = Math.max(1, Math.round((serviceUs[copy] as number) / speed));
    handle[copy] = this.heap.schedule(nowUs + durationUs, 0, this.endsPayload + copy);
  }

  protected interrupt(copy: number): void {
    const handle = this.copies.handle[copy] as number;
    if (handle >= 0) this.heap.cancel(handle);
  }

  protected finish(): void {}
}
