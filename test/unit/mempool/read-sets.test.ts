import { describe, expect, it } from "vitest";
import type { PendingTransaction } from "../../../mempool/pending.ts";
import { ReadSets } from "../../../mempool/read-sets.ts";
import { Drive } from "./drafts.ts";

function transactions(...senders: string[]): PendingTransaction[] {
  const drive = new Drive();
  return senders.map((sender) => drive.admit({ sender }));
}

function readers(readSets: ReadSets, ...keys: string[]): string[] {
  return readSets.readersOf(keys).map(({ sender }) => sender);
}

describe("read sets (P10)", () => {
  it("name the readers of changed keys once each, in the mempool's order, whoever watched first", () => {
    const readSets = new ReadSets();
    const [a, b, c, d] = transactions("a", "b", "c", "d") as [PendingTransaction, ...PendingTransaction[]];
    readSets.watch(d as PendingTransaction, ["other"]);
    readSets.watch(c as PendingTransaction, ["x", "y"]);
    readSets.watch(b as PendingTransaction, ["y"]);
    readSets.watch(a, ["x"]);
    expect(readers(readSets, "y", "x")).toEqual(["a", "b", "c"]);
    expect(readers(readSets, "y")).toEqual(["b", "c"]);
    expect(readers(readSets, "nobody's")).toEqual([]);
    expect(readers(readSets)).toEqual([]);
  });

  it("forget who stopped watching, and what was watched before", () => {
    const readSets = new ReadSets();
    const [a, b] = transactions("a", "b") as [PendingTransaction, PendingTransaction];
    readSets.watch(a, ["x", "y"]);
    readSets.watch(b, ["x"]);
    readSets.watch(a, ["z"]);
    expect([readers(readSets, "x", "y"), readers(readSets, "z")]).toEqual([["b"], ["a"]]);
    readSets.unwatch(b);
    readSets.unwatch(b);
    expect(readers(readSets, "x")).toEqual([]);
    expect([a.readSet, b.readSet]).toEqual([["z"], []]);
  });
});

describe("changes since a pre-execution began (P10)", () => {
  it("are those after it to one of its keys, not those before or to others", () => {
    const readSets = new ReadSets();
    readSets.changed(["x"]);
    const began = readSets.changes;
    expect(readSets.changedSince(began, ["x"])).toBe(false);
    readSets.changed(["y", "z"]);
    expect(readSets.changedSince(began, ["x"])).toBe(false);
    expect(readSets.changedSince(began, ["x", "z"])).toBe(true);
    expect(readSets.changedSince(readSets.changes, ["z"])).toBe(false);
    expect(readSets.changedSince(began, [])).toBe(false);
  });

  it("that were forgotten count as changes to any key, later ones are known again", () => {
    const readSets = new ReadSets();
    const began = readSets.changes;
    const many = Array.from({ length: 40_000 }, (_, index) => `key ${index}`);
    readSets.changed(many);
    expect(readSets.changedSince(began, ["untouched"])).toBe(false);
    readSets.changed(many.map((key) => `other ${key}`));
    expect(readSets.changedSince(began, ["untouched"])).toBe(true);
    expect(readSets.changedSince(began, [])).toBe(false);
    expect(readSets.changedSince(readSets.changes, ["key 0", "other key 0"])).toBe(false);
    const later = readSets.changes;
    readSets.changed(["key 0"]);
    expect([readSets.changedSince(later, ["key 0"]), readSets.changedSince(later, ["key 1"])]).toEqual([true, false]);
    expect(readSets.snapshot().lastChange.length).toBeLessThanOrEqual(65_536);
  });

  it("are the same after a restart", () => {
    const readSets = new ReadSets();
    const [a, b] = transactions("a", "b") as [PendingTransaction, PendingTransaction];
    readSets.watch(b, ["x"]);
    readSets.watch(a, ["x"]);
    readSets.changed(["x"]);
    readSets.changed(["y"]);
    const restored = new ReadSets();
    restored.restore(JSON.parse(JSON.stringify(readSets.snapshot())), [b, a]);
    expect(restored.snapshot()).toEqual(readSets.snapshot());
    expect(readers(restored, "x")).toEqual(["a", "b"]);
    expect([restored.changedSince(1, ["x"]), restored.changedSince(1, ["y"])]).toEqual([false, true]);
  });
});
