import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonPieces } from "../../../scheduler/live/json-pieces.ts";

const joined = (value: unknown, depth: number): string => [...jsonPieces(value, depth)].join("");

it("the pieces are together what JSON.stringify gives", () => {
  const value = fc.anything({ withNullPrototype: true, withDate: true, maxDepth: 5, key: fc.string() });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), fc.nat({ max: 5 }), (state, depth) => {
      expect(joined(state, depth)).toBe(JSON.stringify(state));
    }),
    { numRuns: 1_000 },
  );
  for (const simple of [7, "ü", null, [], {}, [undefined], { a: undefined }, { toJSON: () => "its own" }]) {
    expect(joined(simple, 3)).toBe(JSON.stringify(simple));
  }
});

it("no piece is much larger than a quarter of a mebi of characters, where arrays are large", () => {
  const row = { hash: "ab".repeat(32), bytes: "x".repeat(1_000) };
  const state = { custody: { blobs: Array.from({ length: 3_000 }, (_, i) => [i, row]) } };
  const pieces = [...jsonPieces(state, 3)];
  expect(pieces.length).toBeGreaterThan(10);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(256 * 1024 + 2_000);
});

it("what is to be base64 in the end is asked for its text only when its piece is made", () => {
  let asked = 0;
  const lazy = { toJSON: () => "x".repeat(256 * 1024 + ++asked) };
  const pieces = jsonPieces({ list: [lazy, lazy, lazy] }, 2);
  pieces.next();
  expect(asked).toBe(1);
});
