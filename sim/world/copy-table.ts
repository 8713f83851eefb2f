import { grown } from "./job-table.ts";
import { SimulationLimit } from "./simulation-limit.ts";

/** Where a copy is in the modelled world. */
export const FREE = 0;
export const TRAVELLING = 1;
export const QUEUED = 2;
export const RUNNING = 3;
/** Its answer is on the way, or being verified. */
export const ANSWERED = 4;

/** Copies in the modelled world, by slot: the engine forgets a copy earlier than a node does that is still to hear of it. */
export class CopyTable {
  engineId = new Float64Array(1_024);
  job = new Int32Array(1_024);
  node = new Int32Array(1_024);
  state = new Uint8Array(1_024);
  serviceUs = new Float64Array(1_024);
  launchedUs = new Float64Array(1_024);
  startedUs = new Float64Array(1_024);
  /** When its node stops by itself. */
  leaseUs = new Float64Array(1_024);
  speculative = new Uint8Array(1_024);
  /** What it comes to on its node, as in `conduct.ts`. */
  fate = new Uint8Array(1_024);
  /** Handle of its event in the heap. */
  handle = new Float64Array(1_024);
  /** Handle of its Cancel on the way, −1 for none. */
  stopHandle = new Float64Array(1_024);
  /** Neighbours in its node's queue, −1 for none. */
  next = new Int32Array(1_024);
  previous = new Int32Array(1_024);
  readonly #free: number[] = [];
  #size = 0;
  /** World slot by the engine's slot: the latest copy that the engine put there. */
  #byEngineSlot = new Int32Array(1_024).fill(-1);

  take(engineId: number): number {
    const slot = this.#free.pop() ?? this.#size++;
    if (slot === this.job.length) this.#grow();
    if (slot >= MAX_COPIES) throw tooManyCopies();
    this.engineId[slot] = engineId;
    this.stopHandle[slot] = -1;
    const engineSlot = engineId % ENGINE_SLOTS;
    while (engineSlot >= this.#byEngineSlot.length) {
      this.#byEngineSlot = grown(this.#byEngineSlot, 2 * this.#byEngineSlot.length);
    }
    this.#byEngineSlot[engineSlot] = slot;
    return slot;
  }

  /** The slot of a copy that the engine names; −1 when the world does not hold it any more. */
  find(engineId: number): number {
    const slot = this.#byEngineSlot[engineId % ENGINE_SLOTS] ?? -1;
    return slot >= 0 && this.engineId[slot] === engineId && this.state[slot] !== FREE ? slot : -1;
  }

  free(slot: number): void {
    this.state[slot] = FREE;
    this.#free.push(slot);
  }

  #grow(): void {
    const capacity = 2 * this.job.length;
    this.engineId = grown(this.engineId, capacity);
    this.job = grown(this.job, capacity);
    this.node = grown(this.node, capacity);
    this.state = grown(this.state, capacity);
    this.serviceUs = grown(this.serviceUs, capacity);
    this.launchedUs = grown(this.launchedUs, capacity);
    this.startedUs = grown(this.startedUs, capacity);
    this.leaseUs = grown(this.leaseUs, capacity);
    this.speculative = grown(this.speculative, capacity);
    this.fate = grown(this.fate, capacity);
    this.handle = grown(this.handle, capacity);
    this.stopHandle = grown(this.stopHandle, capacity);
    this.next = grown(this.next, capacity);
    this.previous = grown(this.previous, capacity);
  }
}

/** Slots of the engine's slabs; handles are `generation × slots + slot`. */
export const ENGINE_SLOTS = 2 ** 22;

/** Half of what an engine and the heap of events have room for, so that this limit, which says what to do, comes first. */
const MAX_COPIES = ENGINE_SLOTS / 2;

function tooManyCopies(): SimulationLimit {
  return new SimulationLimit(
    `more than ${MAX_COPIES} copies under way at one time: the fleet cannot serve that load; lower arrivals.ratePerS or the policy's copies, or add nodes`,
  );
}
