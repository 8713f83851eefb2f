import type { NumberEncoding } from "../../scheduler/proofs/output-number.ts";

/** A number as contracts have it: value × 10^-decimals. Both within an int128. */
export interface FixedPoint {
  readonly value: bigint;
  readonly decimals: bigint;
}

/**
 * Decimals beyond this, either way, are refused: with 400 every int128 but zero is already below the smallest float64, or above
 * the largest. It bounds the work.
 */
export const MAX_DECIMALS = 400;

/** Decimals that an output can be asked in: an int128 has 38 digits and a bit. */
export const MAX_OUTPUT_DECIMALS = 38;

const INT128_MAX = 2n ** 127n - 1n;
const INT128_MIN = -(2n ** 127n);
const WAD_DECIMALS = 18n;

/** A binary floating-point format: bits of its significand with the leading one, and the exponent of its smallest number. */
interface FloatFormat {
  readonly precision: number;
  readonly minExponent: number;
  /** Bits of a number that is infinite. */
  readonly infinity: bigint;
}

const FLOAT32: FloatFormat = { precision: 24, minExponent: -149, infinity: 0x7f80_0000n };
const FLOAT64: FloatFormat = { precision: 53, minExponent: -1074, infinity: 0x7ff0_0000_0000_0000n };

interface NumberCodec {
  readonly bytes: number;
  /** Writes the number at the offset; false when it does not fit. */
  write(view: DataView, offset: number, number: FixedPoint): boolean;
  /** The exact value as significand × 2^exponent; `undefined` for what is not finite. */
  read(view: DataView, offset: number): Dyadic | undefined;
}

interface Dyadic {
  readonly significand: bigint;
  readonly exponent: number;
}

const CODECS: Readonly<Record<NumberEncoding, NumberCodec>> = {
  "float32-le": {
    bytes: 4,
    write(view, offset, number) {
      const bits = floatBits(number, FLOAT32);
      if (bits === undefined) return false;
      view.setUint32(offset, Number(bits) + (number.value < 0n && bits !== 0n ? 0x8000_0000 : 0), true);
      return true;
    },
    read: (view, offset) => dyadic(BigInt(view.getUint32(offset, true)), 31n, FLOAT32),
  },
  "float64-le": {
    bytes: 8,
    write(view, offset, number) {
      const bits = floatBits(number, FLOAT64);
      if (bits === undefined) return false;
      view.setBigUint64(offset, bits + (number.value < 0n && bits !== 0n ? 2n ** 63n : 0n), true);
      return true;
    },
    read: (view, offset) => dyadic(view.getBigUint64(offset, true), 63n, FLOAT64),
  },
  int8: integerCodec(1, -128, 127, {
    set: (view, offset, value) => view.setInt8(offset, value),
    get: (view, offset) => view.getInt8(offset),
  }),
  uint8: integerCodec(1, 0, 255, {
    set: (view, offset, value) => view.setUint8(offset, value),
    get: (view, offset) => view.getUint8(offset),
  }),
  "int16-le": integerCodec(2, -(2 ** 15), 2 ** 15 - 1, {
    set: (view, offset, value) => view.setInt16(offset, value, true),
    get: (view, offset) => view.getInt16(offset, true),
  }),
  "int32-le": integerCodec(4, -(2 ** 31), 2 ** 31 - 1, {
    set: (view, offset, value) => view.setInt32(offset, value, true),
    get: (view, offset) => view.getInt32(offset, true),
  }),
};

/** Bytes that one number takes. */
export function numberBytes(encoding: NumberEncoding): number {
  return CODECS[encoding].bytes;
}

/**
 * The numbers in that encoding, one after the other; or the index of the first that has none, because its decimals or its size are
 * out of range.
 *
 * Each is rounded once, from the exact decimal: to the nearest number of the encoding, of two equally near ones to the even one.
 * (Rounding to float64 first and to float32 then would give another result for some, and two machines two inputs.) What rounds to
 * zero is zero without a sign; what rounds to infinity, or out of a whole number's range, has no encoding.
 */
export function encodeNumbers(encoding: NumberEncoding, numbers: readonly FixedPoint[]): Uint8Array | number {
  const codec = CODECS[encoding];
  const bytes = new Uint8Array(numbers.length * codec.bytes);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries()) {
    if (number.decimals > BigInt(MAX_DECIMALS) || number.decimals < BigInt(-MAX_DECIMALS)) return index;
    if (!codec.write(view, index * codec.bytes, number)) return index;
  }
  return bytes;
}

/** Why an output cannot be read as numbers. */
export type NumbersProblem =
  | { readonly kind: "length" }
  | { readonly kind: "not-finite"; readonly element: number }
  | { readonly kind: "out-of-range"; readonly element: number };

/**
 * The output as whole numbers of 10^-decimals, each rounded once from the exact binary value, half to even. `decimals` is 0 to
 * MAX_OUTPUT_DECIMALS. Never throws for any output.
 */
export function decodeNumbers(
  encoding: NumberEncoding,
  output: Uint8Array,
  decimals: number,
): bigint[] | NumbersProblem {
  const codec = CODECS[encoding];
  if (output.length % codec.bytes !== 0) return { kind: "length" };
  const view = new DataView(output.buffer, output.byteOffset, output.byteLength);
  const scale = 10n ** BigInt(decimals);
  const values: bigint[] = [];
  for (let element = 0; element * codec.bytes < output.length; element++) {
    const found = codec.read(view, element * codec.bytes);
    if (found === undefined) return { kind: "not-finite", element };
    const value = scaled(found, scale);
    if (value > INT128_MAX || value < INT128_MIN) return { kind: "out-of-range", element };
    values.push(value);
  }
  return values;
}

/** A number of 10^-18, not negative, as the nearest float64, half to even. */
export function wadToNumber(wad: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, floatBits({ value: wad, decimals: WAD_DECIMALS }, FLOAT64) ?? FLOAT64.infinity);
  return view.getFloat64(0);
}

function integerCodec(
  bytes: number,
  min: number,
  max: number,
  access: {
    set(view: DataView, offset: number, value: number): void;
    get(view: DataView, offset: number): number;
  },
): NumberCodec {
  return {
    bytes,
    write(view, offset, number) {
      const { numerator, denominator } = fraction(number);
      const value = roundHalfEven(numerator, denominator);
      if (value < BigInt(min) || value > BigInt(max)) return false;
      access.set(view, offset, Number(value));
      return true;
    },
    read: (view, offset) => ({ significand: BigInt(access.get(view, offset)), exponent: 0 }),
  };
}

/**
 * Bits of the magnitude, nearest and half to even; `undefined` when that is infinity.
 *
 * The magnitude is `quotient × 2^exponent` with a quotient of `precision` bits (fewer below the smallest normal number). Adding
 * the quotient, whose leading one counts one up in the exponent's field, to the field gives the format's bits, also when rounding
 * carries into another bit.
 */
function floatBits(number: FixedPoint, { precision, minExponent, infinity }: FloatFormat): bigint | undefined {
  const { numerator: signed, denominator } = fraction(number);
  const numerator = signed < 0n ? -signed : signed;
  if (numerator === 0n) return 0n;
  // One too low at the most: the quotient of two numbers of n and m bits has n - m or n - m + 1 bits.
  let exponent = Math.max(bitLength(numerator) - bitLength(denominator) - precision, minExponent);
  if (shiftedQuotient(numerator, denominator, exponent) >> BigInt(precision) > 0n) exponent++;
  const quotient = roundShifted(numerator, denominator, exponent);
  const bits = (BigInt(exponent - minExponent) << BigInt(precision - 1)) + quotient;
  return bits >= infinity ? undefined : bits;
}

function shiftedQuotient(numerator: bigint, denominator: bigint, exponent: number): bigint {
  return exponent < 0 ? (numerator << BigInt(-exponent)) / denominator : numerator / (denominator << BigInt(exponent));
}

function roundShifted(numerator: bigint, denominator: bigint, exponent: number): bigint {
  return exponent < 0
    ? roundHalfEven(numerator << BigInt(-exponent), denominator)
    : roundHalfEven(numerator, denominator << BigInt(exponent));
}

function dyadic(bits: bigint, signBit: bigint, { precision, minExponent, infinity }: FloatFormat): Dyadic | undefined {
  const magnitude = bits & ((1n << signBit) - 1n);
  if (magnitude >= infinity) return undefined;
  const field = magnitude >> BigInt(precision - 1);
  const fractionBits = magnitude & ((1n << BigInt(precision - 1)) - 1n);
  const normal = field > 0n;
  const significand = normal ? fractionBits + (1n << BigInt(precision - 1)) : fractionBits;
  const exponent = minExponent + (normal ? Number(field) - 1 : 0);
  return { significand: bits >> signBit === 0n ? significand : -significand, exponent };
}

function scaled({ significand, exponent }: Dyadic, scale: bigint): bigint {
  const product = significand * scale;
  return exponent >= 0 ? product << BigInt(exponent) : roundHalfEven(product, 1n << BigInt(-exponent));
}

function fraction({ value, decimals }: FixedPoint): { readonly numerator: bigint; readonly denominator: bigint } {
  return decimals >= 0n
    ? { numerator: value, denominator: 10n ** decimals }
    : { numerator: value * 10n ** -decimals, denominator: 1n };
}

/** The nearest whole number, of two equally near ones the even one. The denominator is positive. */
function roundHalfEven(numerator: bigint, denominator: bigint): bigint {
  const magnitude = numerator < 0n ? -numerator : numerator;
  const quotient = magnitude / denominator;
  const twice = 2n * (magnitude % denominator);
  const up = twice > denominator || (twice === denominator && quotient % 2n === 1n);
  const rounded = up ? quotient + 1n : quotient;
  return numerator < 0n ? -rounded : rounded;
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}
