import { describe, expect, it } from "vitest";
import { Slab } from "../../../scheduler/shared/slab.ts";

interface Thing {
  readonly id: number;
  readonly name: string;
}

function put(slab: Slab<Thing>, name: string): Thing {
  const thing = { id: slab.nextId(), name };
  slab.put(thing);
  return thing;
}

function names(slab: Slab<Thing>): string[] {
  return [...slab.values()].map(({ name }) => name);
}

describe("slab", () => {
  it("never uses a handle twice, though it uses places again", () => {
    const slab = new Slab<Thing>();
    const seen = new Set<number>();
    for (let round = 0; round < 100; round++) {
      const things = [put(slab, "a"), put(slab, "b"), put(slab, "c")];
      for (const { id } of things) {
        expect(seen.has(id)).toBe(false);
        seen.add(id);
      }
      for (const thing of round % 2 === 0 ? things : things.toReversed()) slab.remove(thing);
    }
    expect(slab.size).toBe(0);
    expect(slab.snapshot().nextIds).toHaveLength(3);
  });

  it("finds nothing for a handle whose record left, also after its place was taken", () => {
    const slab = new Slab<Thing>();
    const first = put(slab, "first");
    expect(slab.get(first.id)).toBe(first);
    slab.remove(first);
    expect(slab.get(first.id)).toBeUndefined();
    const second = put(slab, "second");
    expect(slab.get(first.id)).toBeUndefined();
    expect(slab.get(second.id)).toBe(second);
  });

  it.each([-1, 1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER])("finds nothing for %d, which it never gave out", (id) => {
    const slab = new Slab<Thing>();
    put(slab, "only");
    expect(slab.get(id)).toBeUndefined();
  });

  it("lists its records by place", () => {
    const slab = new Slab<Thing>();
    const [, b] = [put(slab, "a"), put(slab, "b"), put(slab, "c")];
    slab.remove(b as Thing);
    expect(names(slab)).toEqual(["a", "c"]);
    put(slab, "d");
    expect(names(slab)).toEqual(["a", "d", "c"]);
    expect(slab.size).toBe(3);
  });

  it("goes on after a restart with the same handles", () => {
    const slab = new Slab<Thing>();
    const [a, b] = [put(slab, "a"), put(slab, "b"), put(slab, "c")];
    slab.remove(b as Thing);
    slab.remove(a as Thing);
    const restored = new Slab<Thing>();
    restored.restore(JSON.parse(JSON.stringify(slab.snapshot())));
    for (const thing of slab.values()) restored.readmit(thing);
    expect([names(restored), restored.size]).toEqual([["c"], 1]);
    for (const name of ["d", "e", "f"]) expect(put(restored, name).id).toBe(put(slab, name).id);
  });

  it("stops on our own bugs: a handle that it did not give, a record removed twice, a restore over records", () => {
    const slab = new Slab<Thing>();
    expect(() => slab.put({ id: 7, name: "made up" })).toThrow("put needs the id");
    const full = new Slab<Thing>();
    const thing = put(full, "a");
    expect(() => full.restore(full.snapshot())).toThrow("empty slab");
    full.remove(thing);
    expect(() => full.remove(thing)).toThrow("not there");
  });
});
