import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReadKeys } from "../../../scheduler/evm/read-keys.ts";
import { holds } from "../../support/reproducible.ts";

const FILE = "test/unit/evm/read-keys.test.ts";

describe("read keys", () => {
  it("are told of those that changed, in their order, and of no others", () => {
    const keys = new ReadKeys();
    keys.watch("one", ["a:x", "s:x:1"]);
    keys.watch("two", ["s:x:1", "b:number"]);
    expect(keys.relevant(["s:x:2", "b:number", "s:x:1", "a:y"])).toEqual({ keys: ["b:number", "s:x:1"], readers: 2 });
    expect(keys.relevant(["a:x"])).toEqual({ keys: ["a:x"], readers: 1 });
    expect(keys.size).toBe(2);
  });

  it("are those of a transaction's last run, and of none that is forgotten", () => {
    const keys = new ReadKeys();
    keys.watch("one", ["a:x"]);
    keys.watch("two", ["a:x"]);
    keys.watch("one", ["a:y"]);
    expect(keys.relevant(["a:x", "a:y"])).toEqual({ keys: ["a:x", "a:y"], readers: 2 });
    keys.forget("two");
    keys.forget("two");
    keys.forget("never seen");
    expect(keys.relevant(["a:x", "a:y"])).toEqual({ keys: ["a:y"], readers: 1 });
    keys.forget("one");
    expect(keys.relevant(["a:x", "a:y"])).toEqual({ keys: [], readers: 0 });
    expect(keys.size).toBe(0);
  });

  it("agree with a search through all that is watched", () => {
    const act = fc.record({
      hash: fc.constantFrom("one", "two", "three"),
      reads: fc.option(fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"))),
    });
    holds(FILE, "agree with a search", { runs: 200, seconds: 5 }, fc.array(act, { maxLength: 30 }), (acts) => {
      const counted = new ReadKeys();
      const watched = new Map<string, readonly string[]>();
      return acts.flatMap(({ hash, reads }) => {
        if (reads === null) {
          counted.forget(hash);
          watched.delete(hash);
        } else {
          counted.watch(hash, reads);
          watched.set(hash, reads);
        }
        const read = new Set([...watched.values()].flat());
        const told = JSON.stringify(counted.relevant(["a", "b"]));
        const readers = [...watched.values()].filter((reads) => reads.some((key) => key === "a" || key === "b"));
        const expected = JSON.stringify({ keys: ["a", "b"].filter((key) => read.has(key)), readers: readers.length });
        return told === expected && counted.size === watched.size ? [] : [`told ${told}, not ${expected}`];
      });
    });
  });
});
