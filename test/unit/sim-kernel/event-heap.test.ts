import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventHeap } from "../../../sim/kernel/event-heap.ts";

interface Pending {
  readonly timeUs: number;
  readonly priority: number;
  readonly sequence: number;
  readonly payload: number;
  readonly handle: number;
}

/** The slowest heap that cannot be wrong: it sorts whenever it is asked. */
class SortedModel {
  pending: Pending[] = [];

  pop(): Pending | undefined {
    this.pending.sort((a, b) => a.timeUs - b.timeUs || a.priority - b.priority || a.sequence - b.sequence);
    return this.pending.shift();
  }

  cancel(handle: number): boolean {
    const before = this.pending.length;
    this.pending = this.pending.filter((event) => event.handle !== handle);
    return this.pending.length < before;
  }
}

/** Few distinct delays and priorities, so that ties are the rule; `target` picks any handle ever given out. */
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("schedule" as const), delay: fc.nat(4), priority: fc.nat(2) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pop" as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("cancel" as const), target: fc.nat() }) },
);

describe("event heap", () => {
  it("does what a sorted list does, with ties, cancellations and stale handles", () => {
    fc.assert(
      fc.property(fc.array(operation, { size: "large", maxLength: 1_500 }), (operations) => {
        const heap = new EventHeap();
        const model = new SortedModel();
        const handles: number[] = [];
        for (const [sequence, one] of operations.entries()) {
          if (one.kind === "schedule") {
            const timeUs = heap.timeUs + one.delay;
            const payload = sequence * 3;
            const handle = heap.schedule(timeUs, one.priority, payload);
            model.pending.push({ timeUs, priority: one.priority, sequence, payload, handle });
            handles.push(handle);
          } else if (one.kind === "pop") expectSamePop(heap, model);
          else if (handles.length > 0) {
            const handle = handles[one.target % handles.length] as number;
            expect(heap.cancel(handle)).toBe(model.cancel(handle));
          }
          expect(heap.size).toBe(model.pending.length);
        }
        while (model.pending.length > 0) expectSamePop(heap, model);
        expect(heap.popNext()).toBe(false);
        expect(new Set(handles).size).toBe(handles.length);
      }),
      { numRuns: 300 },
    );
  });

  it("keeps thousands in order while it grows", () => {
    const heap = new EventHeap();
    const handles = Array.from({ length: 20_000 }, (_, index) => heap.schedule((index * 7_919) % 10_007, 0, index));
    for (let index = 0; index < 20_000; index += 3) expect(heap.cancel(handles[index] as number)).toBe(true);
    const seen: number[] = [];
    while (heap.popNext()) seen.push(heap.payload);
    const kept = Array.from({ length: 20_000 }, (_, index) => index).filter((index) => index % 3 !== 0);
    expect(seen).toEqual(kept.sort((a, b) => ((a * 7_919) % 10_007) - ((b * 7_919) % 10_007) || a - b));
  });

  it("keeps the time and payload of the last event when none is left", () => {
    const heap = new EventHeap();
    expect([heap.popNext(), heap.timeUs, heap.size]).toEqual([false, 0, 0]);
    heap.schedule(2.5, 0, 2 ** 31 - 1);
    expect([heap.popNext(), heap.popNext(), heap.timeUs, heap.payload]).toEqual([true, false, 2.5, 2 ** 31 - 1]);
    heap.schedule(2.5, 255, 4);
    expect([heap.size, heap.popNext(), heap.payload]).toEqual([1, true, 4]);
  });

  it("takes nothing for a handle that it never gave out", () => {
    const heap = new EventHeap();
    heap.schedule(1, 0, 0);
    for (const handle of [-1, 0, 1, 255, 256, 2 ** 22 - 1, 2 ** 22 + 1, 2 ** 52])
      expect(heap.cancel(handle)).toBe(false);
    expect(heap.size).toBe(1);
  });

  it("refuses the past, times that are none, and what its arrays cannot hold", () => {
    const heap = new EventHeap();
    heap.schedule(10, 0, 0);
    heap.popNext();
    for (const timeUs of [9.999, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => heap.schedule(timeUs, 0, 0)).toThrow(/is not a time from 10 on/);
    for (const [priority, payload] of [
      [-1, 0],
      [256, 0],
      [0, -1],
      [0, 2 ** 31],
      [0, Number.NaN],
    ] as const)
      expect(() => heap.schedule(11, priority, payload)).toThrow(/out of range/);
  });
});

function expectSamePop(heap: EventHeap, model: SortedModel): void {
  const expected = model.pop();
  expect(heap.popNext()).toBe(expected !== undefined);
  if (expected === undefined) return;
  expect([heap.timeUs, heap.payload]).toEqual([expected.timeUs, expected.payload]);
  expect(heap.cancel(expected.handle)).toBe(false);
}
