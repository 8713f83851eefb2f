import { SimulationLimit } from "./simulation-limit.ts";

/** Jobs under way, by slot. A slot is used again once its job and all of its copies are over, so memory does not grow. */
export class JobTable {
  arrivedUs = new Float64Array(1_024);
  /** Number of the job since the start; those from `warmup` on are counted. */
  number = new Float64Array(1_024);
  /** What durations of the first two copies are made of, drawn at arrival so that every policy meets the same ones. */
  first = new Float64Array(1_024);
  second = new Float64Array(1_024);
  /** Standard normal that the copies share, where durations are correlated. */
  shared = new Float64Array(1_024);
  /** Tokens that a trace's job answers with, −1 without a trace. */
  tokens = new Float64Array(1_024);
  copies = new Int32Array(1_024);
  /** Copies that the world still holds. */
  held = new Int32Array(1_024);
  open = new Uint8Array(1_024);
  readonly #free: number[] = [];
  #size = 0;

  take(number: number, arrivedUs: number): number {
    const slot = this.#free.pop() ?? this.#size++;
    if (slot >= MAX_UNDER_WAY) throw tooManyJobs();
    if (slot === this.number.length) this.#grow();
    this.number[slot] = number;
    this.arrivedUs[slot] = arrivedUs;
    this.copies[slot] = 0;
    this.held[slot] = 0;
    this.open[slot] = 1;
    return slot;
  }

  /** The job has its outcome; its slot is free once its last copy is gone. */
  close(slot: number): void {
    this.open[slot] = 0;
    if (this.held[slot] === 0) this.#free.push(slot);
  }

  hold(slot: number): void {
    this.held[slot] = (this.held[slot] as number) + 1;
    this.copies[slot] = (this.copies[slot] as number) + 1;
  }

  release(slot: number): void {
    const held = (this.held[slot] as number) - 1;
    this.held[slot] = held;
    if (held === 0 && this.open[slot] === 0) this.#free.push(slot);
  }

  #grow(): void {
    const capacity = 2 * this.number.length;
    this.arrivedUs = grown(this.arrivedUs, capacity);
    this.number = grown(this.number, capacity);
    this.first = grown(this.first, capacity);
    this.second = grown(this.second, capacity);
    this.shared = grown(this.shared, capacity);
    this.tokens = grown(this.tokens, capacity);
    this.copies = grown(this.copies, capacity);
    this.held = grown(this.held, capacity);
    this.open = grown(this.open, capacity);
  }
}

/** What a user asks for whose answer will have so many tokens: nobody knows that number before, and round ones are usual. */
export function tokensAsked(tokens: number): number {
  return tokens <= 0 ? 0 : Math.max(LEAST_ASKED, 2 ** Math.ceil(Math.log2(tokens)));
}

const LEAST_ASKED = 16;

type Numbers = Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** A longer array with the same contents. */
export function grown<T extends Numbers>(array: T, capacity: number): T {
  const longer = new (array.constructor as new (length: number) => T)(capacity);
  longer.set(array as never);
  return longer;
}

/** Engines and heaps hold a few million things; a run that comes near has lost its balance. */
const MAX_UNDER_WAY = 2 ** 20;

function tooManyJobs(): SimulationLimit {
  return new SimulationLimit(
    `more than ${MAX_UNDER_WAY} jobs under way at one time: the fleet cannot serve that load; lower arrivals.ratePerS, add nodes, or count fewer jobs`,
  );
}
