import fc from "fast-check";
import { expect, test } from "vitest";
import { shardOf } from "../../../scheduler/proofs/shard-of.ts";

const accounts = Array.from({ length: 4_000 }, (_, index) => `account-${index}`);

test("gives what docs/OPERATING.md lets others compute", () => {
  // SHA-256 of "pipe/shard/v1 one alice" and "pipe/shard/v1 two alice", as sha256sum prints them.
  expect(shardOf("alice", ["one", "two"])).toBe("two");
  expect(shardOf("bob", ["one", "two"])).toBe("one");
});

test("does not depend on the order of the shards", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 }),
      (account, shards) => {
        expect(shardOf(account, shards)).toBe(shardOf(account, shards.toReversed()));
      },
    ),
  );
});

test("divides accounts evenly, and moves only those that go to a new shard", () => {
  const before = ["a", "b", "c"];
  const after = [...before, "d"];
  const counts = new Map<string, number>();
  for (const account of accounts) {
    const [old, now] = [shardOf(account, before), shardOf(account, after)];
    counts.set(now, (counts.get(now) ?? 0) + 1);
    if (now !== "d") expect(now).toBe(old);
  }
  for (const shard of after) expect(Math.abs((counts.get(shard) ?? 0) - 1_000)).toBeLessThan(150);
});
