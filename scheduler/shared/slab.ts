import { assert } from "./assert.ts";

/** Slots that a slab can have; ids are `generation * SLOTS + slot`, so that an id is never used twice. */
const SLOTS = 2 ** 22;

/**
 * Records by integer handle: `get` is two array reads, and a handle of a removed record finds nothing, even after its slot
 * was used again. This is what makes late and duplicate messages harmless.
 */
export class Slab<T extends { readonly id: number }> {
  readonly #records: (T | undefined)[] = [];
  readonly #nextIds: number[] = [];
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Id for the next record; `put` must follow before another is asked for. */
  nextId(): number {
    const slot = this.#free.length > 0 ? (this.#free[this.#free.length - 1] as number) : this.#records.length;
    return this.#nextIds[slot] ?? slot;
  }

  put(record: T): void {
    const slot = record.id % SLOTS;
    if (this.#free.length > 0) this.#free.pop();
    else {
      assert(this.#records.length < SLOTS, "slab is full; admission limits should have prevented this");
      this.#nextIds.push(slot);
    }
    assert(this.#nextIds[slot] === record.id, "slab: put needs the id that nextId gave");
    this.#records[slot] = record;
    this.#nextIds[slot] = record.id + SLOTS;
    this.#size++;
  }

  get(id: number): T | undefined {
    const record = this.#records[id % SLOTS];
    return record !== undefined && record.id === id ? record : undefined;
  }

  remove(record: T): void {
    const slot = record.id % SLOTS;
    assert(this.#records[slot] === record, "slab: removing a record that is not there");
    this.#records[slot] = undefined;
    this.#free.push(slot);
    this.#size--;
  }

  /** Records in slot order, a fixed order for equal histories. */
  *values(): IterableIterator<T> {
    for (const record of this.#records) if (record !== undefined) yield record;
  }

  snapshot(): SlabSnapshot {
    return { nextIds: this.#nextIds.slice(), free: this.#free.slice() };
  }

  /** An empty slab takes over slots and generations; `readmit` then puts the records back. */
  restore(snapshot: SlabSnapshot): void {
    assert(this.#records.length === 0, "slab: restore needs an empty slab");
    for (const id of snapshot.nextIds) {
      this.#nextIds.push(id);
      this.#records.push(undefined);
    }
    // One by one: a slab that was full has more free places than a call takes arguments.
    for (const slot of snapshot.free) this.#free.push(slot);
  }

  readmit(record: T): void {
    this.#records[record.id % SLOTS] = record;
    this.#size++;
  }
}

export interface SlabSnapshot {
  readonly nextIds: readonly number[];
  readonly free: readonly number[];
}
