import { assert } from "../shared/assert.ts";
import type { Credits } from "./verify-credits.ts";

/** Something that waits, on whose account, and what it will cost. */
export interface Waiting {
  readonly node: string;
  /** Estimated. */
  readonly costUs: number;
}

export interface FairQueueOptions {
  readonly credits: Credits;
  /** The largest cost of what waits here: what one node may use up before it is the next one's turn. */
  readonly quantumUs: number;
  /** What all nodes without credit together get per second, of time that nobody else wants. */
  readonly idleUsPerSecond: number;
  readonly nowUs: () => number;
}

/** One node's line. */
interface Line<T> {
  readonly node: string;
  readonly items: T[];
  /** What the node may still use up before it is the next one's turn. */
  turnUs: number;
}

/**
 * Lines of nodes that take turns by the time that they cost (deficit round robin), so that a node waits for its own proofs and
 * for one turn of each other node, however much the others send. Nodes whose credit is used up stand apart: they are served when
 * there is nothing else to do, and together no more than a small share of the time.
 */
export class FairQueue<T extends Waiting> {
  readonly #options: FairQueueOptions;
  /** Both in the order of turns. */
  readonly #funded = new Map<string, Line<T>>();
  readonly #broke = new Map<string, Line<T>>();
  #length = 0;
  #idle: { us: number; atUs: number };

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#idle = { us: options.quantumUs, atUs: options.nowUs() };
  }

  get length(): number {
    return this.#length;
  }

  /** How many wait in a node's line. */
  lengthOf(node: string): number {
    return this.#lineOf(node)?.items.length ?? 0;
  }

  /** Whether somebody waits who has credit. */
  get hasFunded(): boolean {
    this.#promoteOne();
    return this.#funded.size > 0;
  }

  push(item: T): void {
    this.#lineFor(item).items.push(item);
    this.#length += 1;
  }

  /** Puts something back that was taken and not begun: it is the next of its line, and its node gets back what it paid. */
  putBack(item: T): void {
    this.#options.credits.charge(item.node, -item.costUs);
    this.#lineFor(item).items.unshift(item);
    this.#length += 1;
  }

  /** The next of a node with credit; takes its cost. */
  take(): T | undefined {
    this.#promoteOne();
    for (let line = first(this.#funded); line !== undefined; line = first(this.#funded)) {
      const costUs = line.items[0]?.costUs ?? 0;
      if (!this.#options.credits.has(line.node)) this.#move(line, this.#funded, this.#broke);
      else if (line.turnUs >= costUs) {
        line.turnUs -= costUs;
        return this.#serve(line, this.#funded);
      } else {
        line.turnUs += this.#options.quantumUs;
        this.#move(line, this.#funded, this.#funded);
      }
    }
    return undefined;
  }

  /** The next of a node without credit, if there is time left for such; for when `take` has nothing. */
  takeIdle(): T | undefined {
    const line = first(this.#broke);
    if (line === undefined || this.#refilledIdleUs() <= 0) return undefined;
    const item = this.#serve(line, this.#broke);
    this.#idle.us -= item.costUs;
    if (line.items.length > 0) this.#move(line, this.#broke, this.#broke);
    return item;
  }

  /** Takes all that wait, without charging anybody. */
  drain(): T[] {
    const all = [...this.#funded.values(), ...this.#broke.values()].flatMap(({ items }) => items);
    this.#funded.clear();
    this.#broke.clear();
    this.#length = 0;
    return all;
  }

  #lineOf(node: string): Line<T> | undefined {
    return this.#funded.get(node) ?? this.#broke.get(node);
  }

  #lineFor({ node, costUs }: T): Line<T> {
    assert(costUs > 0 && costUs <= this.#options.quantumUs, "a turn is long enough for everything that waits");
    const known = this.#lineOf(node);
    if (known !== undefined) return known;
    const line: Line<T> = { node, items: [], turnUs: this.#options.quantumUs };
    (this.#options.credits.has(node) ? this.#funded : this.#broke).set(node, line);
    return line;
  }

  #serve(line: Line<T>, ring: Map<string, Line<T>>): T {
    const item = line.items.shift();
    assert(item !== undefined, "only lines with something in them are kept");
    if (line.items.length === 0) ring.delete(line.node);
    this.#length -= 1;
    this.#options.credits.charge(line.node, item.costUs);
    return item;
  }

  /** A node that has got credit back stands among the others again. One look each time, so that many cost no more than one. */
  #promoteOne(): void {
    const line = first(this.#broke);
    if (line !== undefined)
      this.#move(line, this.#broke, this.#options.credits.has(line.node) ? this.#funded : this.#broke);
  }

  #move(line: Line<T>, from: Map<string, Line<T>>, to: Map<string, Line<T>>): void {
    from.delete(line.node);
    to.set(line.node, line);
  }

  #refilledIdleUs(): number {
    const { idleUsPerSecond, quantumUs, nowUs } = this.#options;
    const atUs = nowUs();
    const us = Math.min(quantumUs, this.#idle.us + ((atUs - this.#idle.atUs) * idleUsPerSecond) / 1e6);
    this.#idle = { us, atUs };
    return us;
  }
}

function first<V>(map: ReadonlyMap<string, V>): V | undefined {
  for (const value of map.values()) return value;
  return undefined;
}
