import { grown } from "./job-table.ts";
import { ModelledNodes, type NodesParts } from "./nodes.ts";

/**
 * Nodes whose speed changes, or whose running copies slow each other down. Each node has a virtual clock that shows how much
 * work a copy would have had done that ran from the beginning; all that run on it get on equally fast, so the one that will
 * be done first is the one whose work ends at the least virtual time, whatever the speed does meanwhile. A change costs one
 * event in the heap, however many copies it concerns, and a start or an end O(log n) of n copies that run together.
 */
export class SharingNodes extends ModelledNodes {
  /** x in 1 / (1 + x (n − 1)). */
  readonly #slowdownPerCopy: number;
  /** By node: what its state does to its speed; 0 while it stands still. */
  readonly #conditions: Float64Array;
  /** By node: its virtual clock, and when that was last set. */
  readonly #clocks: Float64Array;
  readonly #setUs: Float64Array;
  /** By node: the event of its next end in the heap, −1 for none. */
  readonly #handles: Float64Array;
  readonly #orders: readonly FinishOrder[];
  readonly #keys = new FinishKeys();

  constructor(parts: NodesParts & { readonly slowdownPerCopy: number }) {
    super(parts);
    const count = parts.nodes.length;
    this.#slowdownPerCopy = parts.slowdownPerCopy;
    this.#conditions = new Float64Array(count).fill(1);
    this.#clocks = new Float64Array(count);
    this.#setUs = new Float64Array(count);
    this.#handles = new Float64Array(count).fill(-1);
    this.#orders = parts.nodes.map(() => new FinishOrder(this.#keys));
  }

  /** From now on the node runs at so many times its speed; 0 stops it. */
  setCondition(node: number, condition: number, nowUs: number): void {
    this.#wind(node, nowUs);
    this.#conditions[node] = condition;
    this.#aim(node, nowUs);
  }

  /** All copies on the node, those that run first. */
  on(node: number): number[] {
    return [...(this.#orders[node] as FinishOrder).items, ...this.waitingOn(node)];
  }

  protected start(copy: number, node: number, nowUs: number): void {
    this.#wind(node, nowUs);
    this.#keys.set(copy, (this.#clocks[node] as number) + (this.copies.serviceUs[copy] as number));
    (this.#orders[node] as FinishOrder).add(copy);
    this.#aim(node, nowUs);
  }

  protected interrupt(copy: number, node: number, nowUs: number): void {
    this.#wind(node, nowUs);
    (this.#orders[node] as FinishOrder).remove(copy);
    this.#aim(node, nowUs);
  }

  protected finish(copy: number, node: number, nowUs: number): void {
    this.#handles[node] = -1;
    this.interrupt(copy, node, nowUs);
  }

  #rate(node: number): number {
    const together = (this.#orders[node] as FinishOrder).items.length;
    const share = 1 + this.#slowdownPerCopy * (together - 1);
    return ((this.speeds[node] as number) * (this.#conditions[node] as number)) / share;
  }

  /** Brings the node's clock up to now. */
  #wind(node: number, nowUs: number): void {
    const { items } = this.#orders[node] as FinishOrder;
    // An idle node's clock starts anew, so that it never loses digits.
    if (items.length === 0) this.#clocks[node] = 0;
    else {
      this.#clocks[node] = (this.#clocks[node] as number) + (nowUs - (this.#setUs[node] as number)) * this.#rate(node);
    }
    this.#setUs[node] = nowUs;
  }

  /** Has the heap wake us when the next copy is done. */
  #aim(node: number, nowUs: number): void {
    const handle = this.#handles[node] as number;
    if (handle >= 0) this.heap.cancel(handle);
    const first = (this.#orders[node] as FinishOrder).items[0];
    const rate = first === undefined ? 0 : this.#rate(node);
    if (first === undefined || rate === 0) {
      this.#handles[node] = -1;
      return;
    }
    const left = (this.#keys.finish[first] as number) - (this.#clocks[node] as number);
    const inUs = Math.max(0, Math.round(left / rate));
    this.#handles[node] = this.heap.schedule(nowUs + inUs, 0, this.endsPayload + first);
  }
}

/** By copy: the virtual time at which it will be done, and its place in its node's order. */
class FinishKeys {
  finish = new Float64Array(1_024);
  place = new Int32Array(1_024);

  set(copy: number, finish: number): void {
    while (copy >= this.finish.length) {
      this.finish = grown(this.finish, 2 * this.finish.length);
      this.place = grown(this.place, 2 * this.place.length);
    }
    this.finish[copy] = finish;
  }
}

/** The copies that run on one node, a binary heap by when they will be done. */
class FinishOrder {
  readonly items: number[] = [];
  readonly #keys: FinishKeys;

  constructor(keys: FinishKeys) {
    this.#keys = keys;
  }

  add(copy: number): void {
    this.items.push(copy);
    this.#rise(copy, this.items.length - 1);
  }

  remove(copy: number): void {
    const place = this.#keys.place[copy] as number;
    const last = this.items.pop() as number;
    if (last === copy) return;
    this.#rise(last, place);
    this.#sink(last, this.#keys.place[last] as number);
  }

  #rise(copy: number, from: number): void {
    const { finish } = this.#keys;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.items[above] as number;
      if ((finish[other] as number) <= (finish[copy] as number)) break;
      this.#put(other, place);
      place = above;
    }
    this.#put(copy, place);
  }

  #sink(copy: number, from: number): void {
    const { finish } = this.#keys;
    const { items } = this;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= items.length) break;
      const right = below + 1;
      if (
        right < items.length &&
        (finish[items[right] as number] as number) < (finish[items[below] as number] as number)
      ) {
        below = right;
      }
      const other = items[below] as number;
      if ((finish[other] as number) >= (finish[copy] as number)) break;
      this.#put(other, place);
      place = below;
    }
    this.#put(copy, place);
  }

  #put(copy: number, place: number): void {
    this.items[place] = copy;
    this.#keys.place[copy] = place;
  }
}
