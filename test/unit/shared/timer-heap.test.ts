import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Timed, TimerHeap } from "../../../scheduler/shared/timer-heap.ts";
import { NEVER } from "../../../scheduler/shared/vocabulary.ts";

interface Alarm extends Timed {
  readonly name: string;
}

function alarm(name: string, changes: Partial<Timed> = {}): Alarm {
  return { name, wakeUs: NEVER, wakeSeq: 0, heapIndex: -1, ...changes };
}

function namesDue(heap: TimerHeap<Alarm>, nowUs: number): string[] {
  const names: string[] = [];
  for (let due = heap.popDue(nowUs); due !== undefined; due = heap.popDue(nowUs)) names.push(due.name);
  return names;
}

describe("timer heap", () => {
  it("wakes by time, and those of one time in the order in which they asked", () => {
    const heap = new TimerHeap<Alarm>();
    for (const [name, wakeUs] of [
      ["c", 20],
      ["a", 10],
      ["d", 20],
      ["b", 10],
    ] as const)
      heap.arm(alarm(name), wakeUs);
    expect(heap.nextUs).toBe(10);
    expect(namesDue(heap, NEVER - 1)).toEqual(["a", "b", "c", "d"]);
    expect([heap.size, heap.nextUs]).toEqual([0, NEVER]);
  });

  it("gives only what is due, each once, disarmed", () => {
    const heap = new TimerHeap<Alarm>();
    const early = alarm("early");
    heap.arm(early, 10);
    heap.arm(alarm("late"), 11);
    expect(namesDue(heap, 9)).toEqual([]);
    expect(namesDue(heap, 10)).toEqual(["early"]);
    expect([early.wakeUs, early.heapIndex]).toEqual([NEVER, -1]);
    expect(namesDue(heap, 10)).toEqual([]);
    expect(heap.nextUs).toBe(11);
  });

  it("re-arms in both directions; another time goes to the back of those of that time, the same time keeps its place", () => {
    const heap = new TimerHeap<Alarm>();
    const [a, b, c] = [alarm("a"), alarm("b"), alarm("c")];
    heap.arm(a, 10);
    heap.arm(b, 20);
    heap.arm(c, 30);
    heap.arm(b, 20);
    heap.arm(a, 20);
    heap.arm(c, 5);
    expect(heap.size).toBe(3);
    expect(namesDue(heap, 100)).toEqual(["c", "b", "a"]);
  });

  it("disarms by NEVER or by name, wherever the record is, and twice does no harm", () => {
    const heap = new TimerHeap<Alarm>();
    const alarms = [..."abcdefg"].map((name) => alarm(name));
    for (const [index, one] of alarms.entries()) heap.arm(one, 70 - 10 * index);
    heap.arm(alarms[1] as Alarm, NEVER);
    heap.disarm(alarms[6] as Alarm);
    heap.disarm(alarms[6] as Alarm);
    heap.arm(alarms[1] as Alarm, NEVER);
    expect(heap.size).toBe(5);
    expect(namesDue(heap, 100)).toEqual([..."fedca"]);
  });

  it("is the same after a restart, ties and later comers included", () => {
    const heap = new TimerHeap<Alarm>();
    const alarms = [..."abcde"].map((name) => alarm(name));
    for (const [index, one] of alarms.entries()) heap.arm(one, index % 2);
    heap.disarm(alarms[2] as Alarm);
    const revived = alarms.toReversed().map(({ name, wakeUs, wakeSeq }) => alarm(name, { wakeUs, wakeSeq }));
    const restored = new TimerHeap<Alarm>();
    restored.restore(heap.seq, revived);
    for (const each of [heap, restored]) each.arm(alarm("late"), 1);
    expect(restored.size).toBe(5);
    expect(namesDue(restored, 100)).toEqual(namesDue(heap, 100));
    expect(() => heap.restore(0, [])).not.toThrow();
    heap.arm(alarm("one"), 1);
    expect(() => heap.restore(0, [])).toThrow("empty heap");
  });

  it("does what a sorted list does", () => {
    const operation = fc.record({
      record: fc.nat(15),
      wakeUs: fc.constantFrom(0, 1, 2, 3, 4, NEVER),
      pop: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(operation, { size: "large", maxLength: 300 }), (operations) => {
        const heap = new TimerHeap<Alarm>();
        const alarms = Array.from({ length: 16 }, (_, index) => alarm(`${index}`));
        let sorted: { name: string; wakeUs: number; seq: number }[] = [];
        for (const [seq, { record, wakeUs, pop }] of operations.entries()) {
          const one = alarms[record] as Alarm;
          if (pop) {
            sorted.sort((x, y) => x.wakeUs - y.wakeUs || x.seq - y.seq);
            const first = sorted[0];
            const due = first !== undefined && first.wakeUs <= 2 ? sorted.shift()?.name : undefined;
            expect(heap.popDue(2)?.name).toBe(due);
          } else {
            const known = sorted.find(({ name }) => name === one.name);
            if (known?.wakeUs !== wakeUs) {
              sorted = sorted.filter((other) => other !== known);
              if (wakeUs !== NEVER) sorted.push({ name: one.name, wakeUs, seq });
            }
            heap.arm(one, wakeUs);
          }
          expect(heap.size).toBe(sorted.length);
          expect(heap.nextUs).toBe(Math.min(NEVER, ...sorted.map((other) => other.wakeUs)));
        }
      }),
      { numRuns: 100 },
    );
  });
});
