import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heap } from "../../../scheduler/shared/heap.ts";

describe("heap", () => {
  it("has no first when it is empty", () => {
    const heap = new Heap<number>((a, b) => a < b);
    expect([heap.size, heap.first, heap.pop()]).toEqual([0, undefined, undefined]);
    heap.push(1);
    expect([heap.first, heap.pop(), heap.first, heap.size]).toEqual([1, 1, undefined, 0]);
  });

  it("goes by the comparison that it was given", () => {
    const heap = new Heap<string>((a, b) => a.length > b.length);
    for (const word of ["two", "three", "a"]) heap.push(word);
    expect([heap.pop(), heap.pop(), heap.pop()]).toEqual(["three", "two", "a"]);
  });

  it("gives what a sorted list gives, pushes and pops mixed", () => {
    const operation = fc.option(fc.nat(9), { nil: undefined });
    fc.assert(
      fc.property(fc.array(operation, { size: "large", maxLength: 300 }), (operations) => {
        const heap = new Heap<number>((a, b) => a < b);
        const sorted: number[] = [];
        for (const pushed of operations) {
          if (pushed === undefined) expect(heap.pop()).toBe(sorted.shift());
          else {
            heap.push(pushed);
            sorted.push(pushed);
            sorted.sort((a, b) => a - b);
          }
          expect([heap.size, heap.first]).toEqual([sorted.length, sorted[0]]);
        }
      }),
      { numRuns: 100 },
    );
  });
});
