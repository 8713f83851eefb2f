import type { EventHeap } from "../kernel/event-heap.ts";
import type { NetworkSpec } from "../experiment/types.ts";
import type { Stream } from "../kernel/streams.ts";
import { type CopyTable, FREE } from "./copy-table.ts";
import { grown } from "./job-table.ts";
import { SimulationLimit } from "./simulation-limit.ts";
import { KIND, LETTER, type Message, priorityOf } from "./payloads.ts";

interface NetworkParts {
  readonly spec: NetworkSpec;
  readonly heap: EventHeap;
}

/**
 * A network in which every message takes equally long and none is lost. Its events name copies by their slots, so whoever
 * frees a slot takes back what is still on its way.
 */
export class SteadyNetwork {
  readonly #heap: EventHeap;
  readonly #oneWayUs: number;

  constructor({ spec, heap }: NetworkParts) {
    this.#heap = heap;
    this.#oneWayUs = Math.round(spec.oneWayMs * 1_000);
  }

  /** Sends a message about a copy. Returns the handle of its event. */
  send(message: Message, copy: number, nowUs: number): number {
    return this.#heap.schedule(nowUs + this.#oneWayUs, priorityOf(message), message + copy);
  }
}

/**
 * A network that delays, loses and repeats messages. What it carries are letters that bear the copy's number in the engine:
 * one whose copy is gone, with its slot perhaps another's, is thrown away, as whoever gets it would not know that copy.
 */
export class Letters {
  readonly #heap: EventHeap;
  readonly #copies: CopyTable;
  readonly #oneWayUs: number;
  readonly #jitterUs: number;
  readonly #loss: number;
  readonly #duplication: number;
  readonly #stream: Stream;
  /** By letter. */
  #messages = new Float64Array(1_024);
  #slots = new Int32Array(1_024);
  #engineIds = new Float64Array(1_024);
  readonly #free: number[] = [];
  #size = 0;

  constructor({ spec, heap, copies, stream }: NetworkParts & { readonly copies: CopyTable; readonly stream: Stream }) {
    this.#heap = heap;
    this.#copies = copies;
    this.#oneWayUs = Math.round(spec.oneWayMs * 1_000);
    this.#jitterUs = spec.jitterMs * 1_000;
    this.#loss = spec.loss;
    this.#duplication = spec.duplication;
    this.#stream = stream;
  }

  /** Sends a message about a copy; `cut` when its node cannot be reached. False when the message is lost. */
  send(message: Message, copy: number, cut: boolean, nowUs: number): boolean {
    // The same numbers whatever becomes of it, so that one key of the network changes nothing but its own effect.
    const stream = this.#stream;
    const lost = stream.unit() < this.#loss;
    const twice = stream.unit() < this.#duplication;
    const [firstUs, secondUs] = [this.#travelUs(), this.#travelUs()];
    if (lost || cut) return false;
    this.post(message, copy, nowUs + firstUs);
    if (twice) this.post(message, copy, nowUs + secondUs);
    return true;
  }

  #travelUs(): number {
    return Math.round(this.#oneWayUs + this.#jitterUs * this.#stream.exponential());
  }

  /** A message that comes for certain, at this time. */
  post(message: Message, copy: number, atUs: number): void {
    const letter = this.#free.pop() ?? this.#size++;
    if (letter === this.#slots.length) this.#grow();
    this.#messages[letter] = message;
    this.#slots[letter] = copy;
    this.#engineIds[letter] = this.#copies.engineId[copy] as number;
    this.#heap.schedule(atUs, priorityOf(message), LETTER + letter);
  }

  /** What stands in a letter that has come, as message and copy in one; −1 for one that is thrown away. */
  open(letter: number): number {
    this.#free.push(letter);
    const copy = this.#slots[letter] as number;
    const { engineId, state } = this.#copies;
    if (state[copy] === FREE || engineId[copy] !== this.#engineIds[letter]) return -1;
    return (this.#messages[letter] as number) + copy;
  }

  #grow(): void {
    const capacity = 2 * this.#slots.length;
    if (capacity > KIND) {
      throw new SimulationLimit(
        `more than ${KIND} messages on their way at one time: lower network.oneWayMs, network.jitterMs or arrivals.ratePerS`,
      );
    }
    this.#messages = grown(this.#messages, capacity);
    this.#slots = grown(this.#slots, capacity);
    this.#engineIds = grown(this.#engineIds, capacity);
  }
}
