import { assert } from "../../scheduler/shared/assert.ts";

/** Events that may be pending at once: a handle holds its slot in this many bits. A run with more has lost its balance. */
const SLOT_BITS = 22;
const MAX_PENDING = 2 ** SLOT_BITS;
const SLOT_MASK = MAX_PENDING - 1;
/** Priority and sequence share one float that is exact up to 2^53, which leaves 35 million million events in a run. */
const MAX_PRIORITY = 255;
const PRIORITY_UNIT = 2 ** 45;
/** Payloads and generations are signed 32-bit integers that are never negative, which the compiler keeps unboxed. */
const MAX_PAYLOAD = 2 ** 31 - 1;
const FIRST_CAPACITY = 256;

/**
 * The pending events of a simulated world, a binary heap on typed arrays. Events come in the order (time, priority,
 * sequence of scheduling), so that equal times never depend on the heap's shape.
 *
 * Nothing is allocated per event. A handle is a slot with the generation in which it was given out, so that cancelling an
 * event that has already come, or was cancelled, does nothing however often its slot has been used since. `popNext` leaves
 * the root vacant: an event that schedules its successor, which nearly all do, then costs one sift and not two. With four children to a node instead of two it was no faster at 2, 32, 1,000 or 100,000 pending.
 */
export class EventHeap {
  #capacity = FIRST_CAPACITY;
  /** By position in the heap. */
  #times = new Float64Array(FIRST_CAPACITY);
  #slots = new Int32Array(FIRST_CAPACITY);
  /** By slot. The position of a free slot is the next free slot, or the capacity at the end of the list. */
  #orders = new Float64Array(FIRST_CAPACITY);
  #positions = new Int32Array(FIRST_CAPACITY).map((_, slot) => slot + 1);
  #payloads = new Int32Array(FIRST_CAPACITY);
  /** Odd while the slot is in use, even while it is free, so that no handle fits a free slot. */
  #generations = new Int32Array(FIRST_CAPACITY);
  #free = 0;
  #length = 0;
  #vacant = false;
  #sequence = 0;
  #timeUs = 0;
  #payload = 0;

  /** Time of the event popped last, 0 before the first. */
  get timeUs(): number {
    return this.#timeUs;
  }

  /** Payload of the event popped last. */
  get payload(): number {
    return this.#payload;
  }

  /** Events pending. */
  get size(): number {
    return this.#vacant ? this.#length - 1 : this.#length;
  }

  /**
   * Adds an event and returns its handle, a safe integer that is never 0. `timeUs` is a whole or fractional number, not before the event
   * popped last; `priority` is an integer from 0, which comes first, to 255; `payload` is an integer from 0 to 2^31 − 1.
   */
  schedule(timeUs: number, priority: number, payload: number): number {
    if (!(timeUs >= this.#timeUs && timeUs < Number.POSITIVE_INFINITY)) refuseTime(timeUs, this.#timeUs);
    if (!(priority >= 0 && priority <= MAX_PRIORITY && payload >= 0 && payload <= MAX_PAYLOAD))
      refuse(priority, payload);
    if (this.#free === this.#capacity) this.#grow();
    const slot = this.#free;
    this.#free = this.#positions[slot] as number;
    const generation = (this.#generations[slot] as number) + 1;
    this.#generations[slot] = generation;
    this.#orders[slot] = priority * PRIORITY_UNIT + this.#sequence++;
    this.#payloads[slot] = payload;
    const rootIsVacant = this.#vacant;
    const index = rootIsVacant ? 0 : this.#length++;
    this.#times[index] = timeUs;
    this.#slots[index] = slot;
    if (rootIsVacant) {
      this.#vacant = false;
      this.#siftDown(0);
    } else this.#siftUp(index);
    return generation * MAX_PENDING + slot;
  }

  /** Takes an event back; `false` if it has come or was cancelled before. */
  cancel(handle: number): boolean {
    const slot = handle & SLOT_MASK;
    const generation = Math.floor(handle / MAX_PENDING);
    if ((generation & 1) === 0 || this.#generations[slot] !== generation) return false;
    const position = this.#positions[slot] as number;
    this.#release(slot);
    const last = --this.#length;
    if (position !== last) this.#move(last, position);
    return true;
  }

  /** Makes the earliest event the current one, seen in `timeUs` and `payload`; `false` when none is pending. */
  popNext(): boolean {
    if (this.#vacant) this.#fillRoot();
    if (this.#length === 0) return false;
    const slot = this.#slots[0] as number;
    this.#timeUs = this.#times[0] as number;
    this.#payload = this.#payloads[slot] as number;
    this.#release(slot);
    // Earlier than all, so that nothing rises into the vacancy.
    this.#times[0] = Number.NEGATIVE_INFINITY;
    this.#vacant = true;
    return true;
  }

  #fillRoot(): void {
    this.#vacant = false;
    const last = --this.#length;
    this.#times[0] = this.#times[last] as number;
    this.#slots[0] = this.#slots[last] as number;
    if (last > 0) this.#siftDown(0);
  }

  #release(slot: number): void {
    this.#generations[slot] = ((this.#generations[slot] as number) + 1) & MAX_PAYLOAD;
    this.#positions[slot] = this.#free;
    this.#free = slot;
  }

  #move(from: number, to: number): void {
    const slot = this.#slots[from] as number;
    this.#times[to] = this.#times[from] as number;
    this.#slots[to] = slot;
    this.#siftUp(to);
    this.#siftDown(this.#positions[slot] as number);
  }

  // The sifts read the event that they move from where it lies: numbers with a fraction are boxed when passed.
  #siftUp(from: number): void {
    const times = this.#times;
    const slots = this.#slots;
    const positions = this.#positions;
    const time = times[from] as number;
    const slot = slots[from] as number;
    const order = this.#orders[slot] as number;
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const parentTime = times[parent] as number;
      if (parentTime < time) break;
      const parentSlot = slots[parent] as number;
      if (parentTime === time && (this.#orders[parentSlot] as number) < order) break;
      times[index] = parentTime;
      slots[index] = parentSlot;
      positions[parentSlot] = index;
      index = parent;
    }
    times[index] = time;
    slots[index] = slot;
    positions[slot] = index;
  }

  #siftDown(from: number): void {
    const times = this.#times;
    const slots = this.#slots;
    const positions = this.#positions;
    const length = this.#length;
    const time = times[from] as number;
    const slot = slots[from] as number;
    const order = this.#orders[slot] as number;
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      let childTime = times[child] as number;
      const right = child + 1;
      if (right < length) {
        const rightTime = times[right] as number;
        if (rightTime < childTime || (rightTime === childTime && this.#ordered(right, child))) {
          child = right;
          childTime = rightTime;
        }
      }
      if (childTime > time) break;
      const childSlot = slots[child] as number;
      if (childTime === time && order < (this.#orders[childSlot] as number)) break;
      times[index] = childTime;
      slots[index] = childSlot;
      positions[childSlot] = index;
      index = child;
    }
    times[index] = time;
    slots[index] = slot;
    positions[slot] = index;
  }

  /** Whether the event at `first` comes before the one at `second`, which has the same time. */
  #ordered(first: number, second: number): boolean {
    const orders = this.#orders;
    return (orders[this.#slots[first] as number] as number) < (orders[this.#slots[second] as number] as number);
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    assert(capacity <= MAX_PENDING, `event heap: more than ${MAX_PENDING} events pending`);
    this.#times = enlarged(this.#times, new Float64Array(capacity));
    this.#slots = enlarged(this.#slots, new Int32Array(capacity));
    this.#orders = enlarged(this.#orders, new Float64Array(capacity));
    this.#payloads = enlarged(this.#payloads, new Int32Array(capacity));
    this.#generations = enlarged(this.#generations, new Int32Array(capacity));
    // The list of free slots ended at the old capacity, which is now its first new slot.
    const positions = enlarged(this.#positions, new Int32Array(capacity));
    for (let slot = this.#capacity; slot < capacity; slot++) positions[slot] = slot + 1;
    this.#positions = positions;
    this.#capacity = capacity;
  }
}

function enlarged<T extends Float64Array | Int32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

function refuseTime(timeUs: number, nowUs: number): never {
  assert(false, `event heap: time ${timeUs} is not a time from ${nowUs} on`);
}

function refuse(priority: number, payload: number): never {
  assert(false, `event heap: priority ${priority} or payload ${payload} is out of range`);
}
