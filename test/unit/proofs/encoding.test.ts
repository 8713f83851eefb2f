import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Field } from "../../../scheduler/proofs/encoding.ts";
import { CanonicalWriter, encodeFields, MAX_ENCODED_BYTES } from "../../../scheduler/proofs/encoding.ts";

const text = fc.string({ unit: "binary", maxLength: 6 }).filter((s) => s.isWellFormed());
const uint = fc.oneof(fc.maxSafeNat(), fc.nat(3));
const bytes = fc.uint8Array({ maxLength: 6 });
/** Values of one shape: text, number, bytes, list of (text, number). */
const fields = fc.tuple(text, uint, bytes, fc.array(fc.tuple(text, uint), { maxLength: 3 })) satisfies fc.Arbitrary<
  Field[]
>;

const hexOf = (message: Uint8Array) => Buffer.from(message).toString("hex");
const plain = (value: unknown) => JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? hexOf(v) : v));

describe("canonical encoding", () => {
  it("writes lengths and contents as the table says", () => {
    const message = encodeFields("d", ["ü", 258, new Uint8Array([9]), ["x", 1]]);
    expect(hexOf(message)).toBe(
      ["00000001", "64", "00000002", "c3bc", "00000008", "0000000000000102", "00000001", "09"].join("") +
        ["0000001d", "00000008", "0000000000000002", "00000001", "78", "00000008", "0000000000000001"].join(""),
    );
  });

  it("gives other bytes for other values of the same shape", () => {
    fc.assert(
      fc.property(text, fields, text, fields, (domainA, a, domainB, b) => {
        const same = plain([domainA, a]) === plain([domainB, b]);
        expect(hexOf(encodeFields(domainA, a)) === hexOf(encodeFields(domainB, b))).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is told apart when text moves from one field to the next", () => {
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        fc.pre(b !== "");
        expect(hexOf(encodeFields("", [a + b, c]))).not.toBe(hexOf(encodeFields("", [a, b + c])));
      }),
    );
  });

  it("refuses what it cannot write faithfully", () => {
    for (const bad of [-1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new CanonicalWriter().uint(bad)).toThrow(RangeError);
    }
    expect(() => new CanonicalWriter().string("\ud800")).toThrow(RangeError);
    expect(() => new CanonicalWriter().bytes(new Uint8Array(MAX_ENCODED_BYTES))).toThrow(RangeError);
    expect(new CanonicalWriter().bytes(new Uint8Array(MAX_ENCODED_BYTES - 4)).finish().length).toBe(MAX_ENCODED_BYTES);
  });
});
