import { hexOf } from "./recording-state.ts";

/**
 * The precompile for powers in a ring (EIP-198, gas of EIP-2565). The library's own halves the exponent as one number for each of
 * its bits; a transaction of a few hundred bytes can state an exponent of megabytes, zeros that are not sent, and would hold a
 * machine up for hours.
 */
interface Terms {
  readonly baseBytes: bigint;
  readonly exponentBytes: bigint;
  readonly modulusBytes: bigint;
}

const HEADER_BYTES = 96n;
const MIN_GAS = 200n;
const GAS_DIVISOR = 3n;

/** Gas, and about how many milliseconds. */
export function modexpWork(data: Uint8Array): { readonly gas: bigint; readonly ms: number } {
  const { baseBytes, exponentBytes, modulusBytes } = termsOf(data);
  const longest = baseBytes > modulusBytes ? baseBytes : modulusBytes;
  const words = (longest + 7n) / 8n;
  const headBytes = exponentBytes < 32n ? exponentBytes : 32n;
  const head = numberAt(data, HEADER_BYTES + baseBytes, headBytes);
  const headBits = head === 0n ? 0n : BigInt(head.toString(2).length - 1);
  const bits = (exponentBytes > 32n ? 8n * (exponentBytes - 32n) : 0n) + headBits;
  const squares = bits > 0n ? bits : 1n;
  const gas = (squares * words * words) / GAS_DIVISOR;
  // Without a modulus nothing is computed, whatever exponent is stated.
  const ms = modulusBytes === 0n ? 0 : Number(squares) * (MS_PER_SQUARE + MS_PER_WORDS * Number(words * words));
  return { gas: gas > MIN_GAS ? gas : MIN_GAS, ms };
}

const MS_PER_SQUARE = 0.000_4;
/** For each pair of words. */
const MS_PER_WORDS = 0.000_000_4;

/** As many bytes as the modulus has. Call it only for what its gas is paid for, which bounds all lengths. */
export function modexp(data: Uint8Array): Uint8Array {
  const { baseBytes, exponentBytes, modulusBytes } = termsOf(data);
  if (modulusBytes === 0n) return new Uint8Array(0);
  const exponentAt = HEADER_BYTES + baseBytes;
  const modulus = numberAt(data, exponentAt + exponentBytes, modulusBytes);
  const result = new Uint8Array(Number(modulusBytes));
  if (modulus === 0n) return result;
  const base = numberAt(data, HEADER_BYTES, baseBytes) % modulus;
  const digits = power(base, bytesAt(data, exponentAt, exponentBytes), modulus).toString(16);
  const found = Buffer.from(digits.padStart(2 * result.length, "0"), "hex");
  result.set(found);
  return result;
}

/** From the exponent's highest bit to its lowest. */
function power(base: bigint, exponent: Uint8Array, modulus: bigint): bigint {
  let value = 1n % modulus;
  let begun = false;
  for (const byte of exponent) {
    if (!begun && byte === 0) continue;
    for (let bit = 0x80; bit > 0; bit >>= 1) {
      if (begun) value = (value * value) % modulus;
      if ((byte & bit) === 0) continue;
      value = begun ? (value * base) % modulus : base;
      begun = true;
    }
  }
  return value;
}

function termsOf(data: Uint8Array): Terms {
  return {
    baseBytes: numberAt(data, 0n, 32n),
    exponentBytes: numberAt(data, 32n, 32n),
    modulusBytes: numberAt(data, 64n, 32n),
  };
}

/** Beyond the data there are zeros. */
function bytesAt(data: Uint8Array, at: bigint, length: bigint): Uint8Array {
  const bytes = new Uint8Array(Number(length));
  if (at < BigInt(data.length)) bytes.set(data.subarray(Number(at), Math.min(data.length, Number(at + length))));
  return bytes;
}

function numberAt(data: Uint8Array, at: bigint, length: bigint): bigint {
  if (length === 0n) return 0n;
  return BigInt(`0x${hexOf(bytesAt(data, at, length))}`);
}
