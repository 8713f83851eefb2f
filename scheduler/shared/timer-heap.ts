import { assert } from "./assert.ts";
import { NEVER } from "./vocabulary.ts";

/** Something that wakes at a time. The heap keeps its place in the record itself, so that moving it costs O(log n). */
export interface Timed {
  /** When it wakes; `NEVER` while it is not in the heap. */
  wakeUs: number;
  /** Orders equal times by who asked first. */
  wakeSeq: number;
  /** Position in the heap, −1 while it is not there. */
  heapIndex: number;
}

/** A binary heap of records ordered by (time, sequence). */
export class TimerHeap<T extends Timed> {
  readonly #heap: T[] = [];
  #seq = 0;

  get nextUs(): number {
    const first = this.#heap[0];
    return first === undefined ? NEVER : first.wakeUs;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** (Re)arms a record; `NEVER` disarms it. The same time again keeps its place in the order. */
  arm(record: T, wakeUs: number): void {
    if (record.wakeUs === wakeUs) return;
    if (wakeUs === NEVER) return this.disarm(record);
    record.wakeUs = wakeUs;
    record.wakeSeq = this.#seq++;
    if (record.heapIndex < 0) {
      record.heapIndex = this.#heap.length;
      this.#heap.push(record);
    }
    this.#up(record, record.heapIndex);
    this.#down(record, record.heapIndex);
  }

  disarm(record: T): void {
    record.wakeUs = NEVER;
    const index = record.heapIndex;
    if (index < 0) return;
    record.heapIndex = -1;
    const last = this.#heap.pop() as T;
    if (last === record) return;
    last.heapIndex = index;
    this.#heap[index] = last;
    this.#up(last, index);
    this.#down(last, last.heapIndex);
  }

  /** Takes the earliest record that is due, disarmed. */
  popDue(nowUs: number): T | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.wakeUs > nowUs) return undefined;
    this.disarm(first);
    return first;
  }

  get seq(): number {
    return this.#seq;
  }

  /** After a restart: puts back records that carry their own (wakeUs, wakeSeq). */
  restore(seq: number, records: Iterable<T>): void {
    assert(this.#heap.length === 0, "timer heap: restore needs an empty heap");
    this.#seq = seq;
    for (const record of records) {
      if (record.wakeUs === NEVER) continue;
      record.heapIndex = this.#heap.length;
      this.#heap.push(record);
      this.#up(record, record.heapIndex);
    }
  }

  #up(record: T, from: number): void {
    const heap = this.#heap;
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as T;
      if (!before(record, parent)) break;
      heap[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    heap[index] = record;
    record.heapIndex = index;
  }

  #down(record: T, from: number): void {
    const heap = this.#heap;
    const length = heap.length;
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= length) break;
      const right = childIndex + 1;
      if (right < length && before(heap[right] as T, heap[childIndex] as T)) childIndex = right;
      const child = heap[childIndex] as T;
      if (!before(child, record)) break;
      heap[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    heap[index] = record;
    record.heapIndex = index;
  }
}

function before(a: Timed, b: Timed): boolean {
  return a.wakeUs < b.wakeUs || (a.wakeUs === b.wakeUs && a.wakeSeq < b.wakeSeq);
}
