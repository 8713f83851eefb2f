import { encode } from "cborg";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CborLimits } from "../../../scheduler/proofs/bounded-cbor.ts";
import { decodeCbor, Sign1 } from "../../../scheduler/proofs/nitro/cbor.ts";
import { ATTESTATION_FAULTS, Refused } from "../../../scheduler/proofs/nitro/faults.ts";
import { holds } from "../../support/reproducible.ts";
import { honest } from "./attack.ts";
import { check, verifierWith } from "./forge.ts";

const FILE = "test/unit/nitro/cbor.test.ts";
const LIMITS: CborLimits = { maxDepth: 8, maxItems: 512 };

type Value = number | string | boolean | null | Uint8Array | Value[] | Map<string, Value>;

/** An encoder of its own, after RFC 8949: what it makes of a value, and how deep and how many its items are. */
interface Encoded {
  readonly value: Value;
  readonly bytes: readonly number[];
  readonly depth: number;
  readonly items: number;
}

const atom = (value: Value): Encoded => ({ value, bytes: [...encode(value)], depth: 0, items: 1 });

function head(major: number, length: number, width: number): number[] {
  const sizes = [0, 1, 2, 4, 8];
  if (width === 0 && length < 24) return [(major << 5) | length];
  const size = sizes[Math.max(1, width)] as number;
  const digits = Array.from({ length: size }, (_, index) => Math.floor(length / 256 ** (size - 1 - index)) % 256);
  return [(major << 5) | (23 + Math.max(1, width)), ...digits];
}

/** `width` −1 leaves the length open; 1 to 4 write it in more bytes than it needs. */
function container(major: 4 | 5, parts: readonly Encoded[], width: number, value: Value): Encoded {
  const inside = parts.flatMap(({ bytes }) => bytes);
  const count = major === 4 ? parts.length : parts.length / 2;
  const bytes = width < 0 ? [(major << 5) | 31, ...inside, 0xff] : [...head(major, count, width), ...inside];
  const items = parts.reduce((sum, part) => sum + part.items, 1) + (width < 0 ? 1 : 0);
  return { value, bytes, depth: 1 + Math.max(0, ...parts.map(({ depth }) => depth)), items };
}

const atoms: fc.Arbitrary<Encoded> = fc
  .oneof(
    fc.maxSafeInteger(),
    fc.string({ unit: "grapheme", maxLength: 8 }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }),
  )
  .map((value) => atom(value));
const widths = fc.integer({ min: -1, max: 4 });

const values: fc.Arbitrary<Encoded> = fc.letrec<{ value: Encoded }>((tie) => {
  const children = fc.array(tie("value"), { maxLength: 5 });
  const keys = fc.uniqueArray(fc.string({ maxLength: 4 }), { minLength: 5, maxLength: 5 });
  return {
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      atoms,
      fc.tuple(children, widths).map(([parts, width]) =>
        container(
          4,
          parts,
          width,
          parts.map(({ value }) => value),
        ),
      ),
      fc.tuple(children, keys, widths).map(([parts, names, width]) => {
        const pairs = parts.map((part, index) => [names[index] as string, part] as const);
        const map = new Map(pairs.map(([name, { value }]) => [name, value] as const));
        return container(
          5,
          pairs.flatMap(([name, part]) => [atom(name), part]),
          width,
          map,
        );
      }),
    ),
  };
}).value;

function faultOf(bytes: Uint8Array, limits = LIMITS): string {
  try {
    decodeCbor(bytes, limits);
    return "none";
  } catch (error) {
    if (error instanceof Refused) return error.fault;
    throw error;
  }
}

describe("the bounded decoder", () => {
  it("gives what was encoded, whatever form its lengths have", () => {
    holds(
      FILE,
      "gives what was encoded, whatever form its lengths have",
      { runs: 500, seconds: 5 },
      values,
      (encoded) => {
        const limits = { ...LIMITS, maxDepth: encoded.depth, maxItems: encoded.items };
        expect(decodeCbor(Uint8Array.from(encoded.bytes), limits)).toEqual(encoded.value);
        return [];
      },
    );
  });

  it("counts depth and items exactly", () => {
    const title = "counts depth and items exactly";
    holds(FILE, title, { runs: 300, seconds: 5 }, values, ({ bytes, depth, items }) => {
      const found: string[] = [];
      const few = faultOf(Uint8Array.from(bytes), { ...LIMITS, maxItems: items - 1 });
      if (few !== "too-many-items") found.push(`one item too many is ${few}`);
      if (depth === 0) return found;
      const shallow = faultOf(Uint8Array.from(bytes), { ...LIMITS, maxDepth: depth - 1 });
      if (shallow !== "too-deep") found.push(`one level too deep is ${shallow}`);
      return found;
    });
  });

  it("refuses every beginning of a value, and every value with something after it", () => {
    const title = "refuses every beginning of a value, and every value with something after it";
    holds(FILE, title, { runs: 100, seconds: 5 }, values, ({ bytes }) => {
      const found: string[] = [];
      for (let length = 0; length < bytes.length; length += 1) {
        const fault = faultOf(Uint8Array.from(bytes.slice(0, length)));
        if (fault !== "not-cbor") found.push(`${length} bytes of it are ${fault}`);
      }
      const padded = faultOf(Uint8Array.from([...bytes, 0]));
      return padded === "not-cbor" ? found : [...found, `padded it is ${padded}`];
    });
  });

  it("answers any bytes with a value or a fault", () => {
    const title = "answers any bytes with a value or a fault";
    const heads = fc.constantFrom(
      0x9f,
      0xbf,
      0x81,
      0xa1,
      0xd2,
      0x5f,
      0x7f,
      0xff,
      0x9b,
      0xbb,
      0x5b,
      0xfb,
      0xf7,
      0x1b,
      0x00,
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(heads, { maxLength: 60 }).map((list) => Uint8Array.from(list)),
    );
    const faults: ReadonlySet<string> = new Set(["none", ...ATTESTATION_FAULTS]);
    holds(FILE, title, { runs: 3_000, seconds: 5 }, bytes, (drawn) => (faults.has(faultOf(drawn)) ? [] : ["no fault"]));
  });

  it("knows tag 18 and no other", () => {
    expect(decodeCbor(Uint8Array.of(0xd2, 0x01), LIMITS)).toEqual(new Sign1(1));
    expect(decodeCbor(Uint8Array.of(0xd8, 18, 0x01), LIMITS)).toEqual(new Sign1(1));
    expect(faultOf(Uint8Array.of(0xc1, 0x01))).toBe("not-cbor");
    expect(faultOf(Uint8Array.of(0xd2))).toBe("not-cbor");
  });
});

interface Mutation {
  readonly kind: "overwrite" | "insert" | "delete" | "duplicate";
  readonly at: number;
  readonly bytes: Uint8Array;
}

const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("overwrite", "insert", "delete", "duplicate"),
    at: fc.nat(honest.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 3 },
);

function mutated(document: Uint8Array, { kind, at, bytes }: Mutation): Uint8Array {
  const before = document.subarray(0, at);
  const after = document.subarray(kind === "insert" || kind === "duplicate" ? at : at + bytes.length);
  const between = { overwrite: bytes, insert: bytes, delete: [], duplicate: document.subarray(at, at + 64) }[kind];
  return Uint8Array.from([...before, ...between, ...after]);
}

describe("an honest document, mutated", () => {
  it("is refused, or is the same document written otherwise", () => {
    const title = "is refused, or is the same document written otherwise";
    const verifier = verifierWith();
    const original = verifier.verify(honest, check);
    holds(FILE, title, { runs: 500, seconds: 8 }, mutations, (steps) => {
      const verdict = verifier.verify(steps.reduce(mutated, honest), check);
      if (!verdict.ok) return [];
      return JSON.stringify(verdict) === JSON.stringify(original) ? [] : [JSON.stringify(verdict)];
    });
  });
});
