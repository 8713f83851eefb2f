import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeNumbers, encodeNumbers, type FixedPoint, MAX_DECIMALS } from "../../../mempool/evm/numbers.ts";
import { NUMBER_ENCODINGS, type NumberEncoding, outputNumber } from "../../../scheduler/proofs/output-number.ts";

const INT128_MAX = 2n ** 127n - 1n;

function encoded(encoding: NumberEncoding, value: bigint, decimals = 0): number | undefined {
  const found = encodeNumbers(encoding, [{ value, decimals: BigInt(decimals) }]);
  return typeof found === "number" ? undefined : outputNumber({ number: encoding, element: 0 }, found);
}

/** The decimal as text, which the engine's own parser turns into the nearest float64. */
function parsed({ value, decimals }: FixedPoint): number {
  return Number(`${value}e${-decimals}`);
}

const fixedPoint = fc.record({
  value: fc.oneof(
    fc.bigInt({ min: -INT128_MAX - 1n, max: INT128_MAX }),
    fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }),
    fc.bigInt({ min: -300n, max: 300n }),
  ),
  decimals: fc.oneof(fc.bigInt({ min: -400n, max: 400n }), fc.bigInt({ min: 0n, max: 60n })),
});

describe("decimals into float64", () => {
  it("are what parsing the decimal gives", () => {
    fc.assert(
      fc.property(fixedPoint, (number) => {
        const expected = parsed(number);
        expect(encoded("float64-le", number.value, Number(number.decimals))).toBe(
          Number.isFinite(expected) ? expected + 0 : undefined,
        );
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("decimals into float32", () => {
  /** Both neighbours and the number itself as exact decimals tell whether it is the nearest. */
  it("are the nearest, exactly", () => {
    fc.assert(
      fc.property(fixedPoint, ({ value, decimals }) => {
        const found = encoded("float32-le", value, Number(decimals));
        const near = Math.fround(parsed({ value, decimals }));
        if (found === undefined) {
          // Half a step above the largest, exactly: there the next one would be, were there one.
          expect(magnitudeOf({ value, decimals })).toBeGreaterThanOrEqual((2n ** 128n - 2n ** 103n) * 10n ** SCALE);
          return;
        }
        // The engine rounds twice, so it may be one step off, but never nearer.
        expect(distance(found, { value, decimals })).toSatisfy(
          (mine: bigint) => !Number.isFinite(near) || mine <= distance(near, { value, decimals }),
        );
      }),
      { numRuns: 3_000 },
    );
  });

  it("are rounded once, where rounding twice would go wrong", () => {
    // 1 + 2^-24 + 2^-60: above the middle of two float32, but its nearest float64 is that middle, which goes to the even one.
    const value = 10n ** 24n + 10n ** 24n / 2n ** 24n + 10n ** 24n / 2n ** 60n;
    const text = Number(`${value}e-24`);
    expect(encoded("float32-le", value, 24)).toBe(1 + 2 ** -23);
    expect(Math.fround(text)).toBe(1);
  });

  it.each([
    ["exactly between two, to the even one below", 16_777_217n, 0, 16_777_216],
    ["exactly between two, to the even one above", 16_777_219n, 0, 16_777_220],
    ["a tenth", 1n, 1, Math.fround(0.1)],
    ["the largest", 340_282_346_638_528_859_811_704_183_484_516_925_440n / 10n, -1, 3.4028234663852886e38],
    ["the smallest normal one", 11_754_943_508_222_875n, 54, 2 ** -126],
    ["the smallest one", 1_401_298_464_324_817n, 60, 2 ** -149],
    ["above half of the smallest", 7_006_492_321_624_086n, 61, 2 ** -149],
    ["below half of the smallest", 7_006_492_321_624_085n, 61, 0],
    ["zero with many decimals", 0n, MAX_DECIMALS, 0],
  ])("%s", (_title, value, decimals, expected) => {
    expect(encoded("float32-le", value, decimals)).toBe(expected);
    expect(encoded("float32-le", -value, decimals)).toBe(-expected + 0);
  });

  it.each([
    ["half a step above the largest", 34_028_235_677_973_367n, -22],
    ["ten times the largest", INT128_MAX * 10n, -1],
    ["decimals beyond the limit", 0n, MAX_DECIMALS + 1],
    ["decimals below the limit", 1n, -MAX_DECIMALS - 1],
  ])("%s is refused", (_title, value, decimals) => {
    expect(encoded("float32-le", value, decimals)).toBeUndefined();
  });
});

describe("decimals into whole numbers", () => {
  it.each([
    ["int8", 1_275n, 1, undefined],
    ["int8", 1_274n, 1, 127],
    ["int8", -1_285n, 1, -128],
    ["int8", -1_286n, 1, undefined],
    ["uint8", 255n, 0, 255],
    ["uint8", 256n, 0, undefined],
    ["uint8", -5n, 1, 0],
    ["uint8", -6n, 1, undefined],
    ["int16-le", -32_768n, 0, -32_768],
    ["int16-le", 32_768n, 0, undefined],
    ["int32-le", 2n ** 31n - 1n, 0, 2 ** 31 - 1],
    ["int32-le", 2n ** 31n, 0, undefined],
    ["int32-le", 25n, 1, 2],
    ["int32-le", 35n, 1, 4],
    ["int32-le", -25n, 1, -2],
    ["int32-le", 3n, -2, 300],
  ] as const)("%s of %d with %d decimals", (encoding, value, decimals, expected) => {
    expect(encoded(encoding, value, decimals)).toBe(expected);
  });
});

describe("a list of decimals", () => {
  it("names the first that has no place", () => {
    const numbers = [1n, 2n, 300n, 400n].map((value) => ({ value, decimals: 0n }));
    expect(encodeNumbers("uint8", numbers)).toBe(2);
    expect(encodeNumbers("uint8", numbers.slice(0, 2))).toEqual(Uint8Array.of(1, 2));
  });
});

describe("outputs into decimals", () => {
  const float32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
  const float64 = (...values: number[]) => new Uint8Array(Float64Array.from(values).buffer);

  it.each([
    ["a half", float32(0.5), 2, [50n]],
    ["half a step, to the even one", float32(0.5, 1.5, -0.5, -1.5), 0, [0n, 2n, 0n, -2n]],
    ["the float32 next to a tenth, exactly", float32(0.1), 27, [100_000_001_490_116_119_384_765_625n]],
    ["the smallest one", float32(2 ** -149), 38, [0n]],
    ["minus zero", float32(-0), 3, [0n]],
    ["the largest that an int128 takes", float32(2 ** 126), 0, [2n ** 126n]],
    ["minus 2^127", float32(-(2 ** 127)), 0, [-(2n ** 127n)]],
  ])("%s", (_title, output, decimals, expected) => {
    expect(decodeNumbers("float32-le", output, decimals)).toEqual(expected);
  });

  it.each([
    ["no number", float32(1, Number.NaN), { kind: "not-finite", element: 1 }],
    ["infinity", float32(Number.POSITIVE_INFINITY), { kind: "not-finite", element: 0 }],
    ["minus infinity", float32(0, 0, Number.NEGATIVE_INFINITY), { kind: "not-finite", element: 2 }],
    ["2^127", float32(2 ** 127), { kind: "out-of-range", element: 0 }],
    ["a part of a number", Uint8Array.of(1, 2, 3), { kind: "length" }],
  ])("%s is reported", (_title, output, expected) => {
    expect(decodeNumbers("float32-le", output, 0)).toEqual(expected);
  });

  it("come back as they were, for every encoding", () => {
    fc.assert(
      fc.property(fc.constantFrom(...NUMBER_ENCODINGS), fc.integer({ min: -300, max: 300 }), (encoding, value) => {
        const bytes = encodeNumbers(encoding, [{ value: BigInt(value), decimals: 0n }]);
        if (typeof bytes === "number") return;
        expect(decodeNumbers(encoding, bytes, 3)).toEqual([BigInt(value) * 1000n]);
      }),
    );
  });

  it("of float64 are exact to the asked decimal", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }), (value) => {
        const [found] = Array.from(decodeNumbers("float64-le", float64(value), 20) as bigint[]);
        const exact = { value: found ?? 0n, decimals: 20n };
        // Half a unit of the last decimal at the most.
        expect(2n * distance(value, exact)).toBeLessThanOrEqual(10n ** (SCALE - 20n));
      }),
    );
  });

  it("never throw, whatever the bytes", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NUMBER_ENCODINGS),
        fc.uint8Array({ maxLength: 64 }),
        fc.integer({ min: 0, max: 38 }),
        (encoding, output, decimals) => {
          decodeNumbers(encoding, output, decimals);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

/** Enough decimals for every float64 and every decimal of these tests to be whole. */
const SCALE = 1_100n;

/** How far the float is from the decimal, exactly, in units of 10^-SCALE. */
function distance(float: number, { value, decimals }: FixedPoint): bigint {
  const difference = exact(float) - value * 10n ** (SCALE - decimals);
  return difference < 0n ? -difference : difference;
}

function magnitudeOf({ value, decimals }: FixedPoint): bigint {
  return (value < 0n ? -value : value) * 10n ** (SCALE - decimals);
}

/** By doubling until it is whole: another way than by the bits, on purpose. */
function exact(float: number): bigint {
  let whole = float;
  let halvings = 0n;
  while (!Number.isInteger(whole)) {
    whole *= 2;
    halvings++;
  }
  return (BigInt(whole) * 10n ** SCALE) / 2n ** halvings;
}
