import type { EventHeap } from "../kernel/event-heap.ts";
import type { FleetSpec } from "../experiment/types.ts";
import { type CopyTable, QUEUED, RUNNING } from "./copy-table.ts";

/** Modelled nodes: slots, a first-come-first-served queue each, speeds. Tells the heap when a copy will be done. */
export class ModelledNodes {
  readonly ids: readonly string[];
  readonly #indexOf = new Map<string, number>();
  readonly #heap: EventHeap;
  readonly #copies: CopyTable;
  readonly #slots: number;
  readonly #speeds: readonly number[];
  /** The first so many nodes accept copies and never answer. */
  readonly #dead: number;
  readonly #endsPayload: number;
  readonly #running: Int32Array;
  readonly #first: Int32Array;
  readonly #last: Int32Array;

  constructor(parts: { spec: FleetSpec; heap: EventHeap; copies: CopyTable; endsPayload: number }) {
    const { spec } = parts;
    this.ids = Array.from({ length: spec.nodes }, (_, index) => `node-${index}`);
    this.ids.forEach((id, index) => void this.#indexOf.set(id, index));
    this.#heap = parts.heap;
    this.#copies = parts.copies;
    this.#endsPayload = parts.endsPayload;
    this.#slots = spec.slots === "unlimited" ? Number.MAX_SAFE_INTEGER : spec.slots;
    this.#speeds = spec.speeds;
    this.#dead = Math.round(spec.deadFraction * spec.nodes);
    this.#running = new Int32Array(spec.nodes);
    this.#first = new Int32Array(spec.nodes).fill(-1);
    this.#last = new Int32Array(spec.nodes).fill(-1);
  }

  indexOf(id: string): number {
    return this.#indexOf.get(id) as number;
  }

  /** A copy has come to its node: it runs, or waits in the node's queue. */
  arrive(copy: number, nowUs: number): void {
    const { node: nodes, state, next, previous } = this.#copies;
    const node = nodes[copy] as number;
    if ((this.#running[node] as number) < this.#slots) return this.#start(copy, nowUs);
    state[copy] = QUEUED;
    const last = this.#last[node] as number;
    next[copy] = -1;
    previous[copy] = last;
    if (last < 0) this.#first[node] = copy;
    else next[last] = copy;
    this.#last[node] = copy;
  }

  #start(copy: number, nowUs: number): void {
    const { node: nodes, state, startedUs, serviceUs, handle } = this.#copies;
    const node = nodes[copy] as number;
    this.#running[node] = (this.#running[node] as number) + 1;
    state[copy] = RUNNING;
    startedUs[copy] = nowUs;
    if (node < this.#dead) {
      handle[copy] = -1;
      return;
    }
    const speed = this.#speeds[node % this.#speeds.length] as number;
    const durationUs = Math.max(1, Math.round((serviceUs[copy] as number) / speed));
    handle[copy] = this.#heap.schedule(nowUs + durationUs, 0, this.#endsPayload + copy);
  }

  /** A running copy came to its end: its place is the next one's. */
  ended(copy: number, nowUs: number): void {
    const node = this.#copies.node[copy] as number;
    this.#running[node] = (this.#running[node] as number) - 1;
    const first = this.#first[node] as number;
    if (first < 0) return;
    this.#unlink(first, node);
    this.#start(first, nowUs);
  }

  /** The copy is to stop, whether it runs or waits. */
  stop(copy: number, nowUs: number): void {
    const { node: nodes, state, handle } = this.#copies;
    const node = nodes[copy] as number;
    if (state[copy] === QUEUED) this.#unlink(copy, node);
    else if (state[copy] === RUNNING) {
      if ((handle[copy] as number) >= 0) this.#heap.cancel(handle[copy] as number);
      this.ended(copy, nowUs);
    }
  }

  #unlink(copy: number, node: number): void {
    const { next, previous } = this.#copies;
    const before = previous[copy] as number;
    const after = next[copy] as number;
    if (before < 0) this.#first[node] = after;
    else next[before] = after;
    if (after < 0) this.#last[node] = before;
    else previous[after] = before;
  }
}
