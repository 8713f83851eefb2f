import { sha256Hex } from "../../proofs/digest.ts";
import { encodeFields } from "../../proofs/encoding.ts";

/** A perceptron with one hidden layer and one output, all in small integers, so that a circuit can compute the same. */
export interface QuantisedPerceptron {
  readonly model: string;
  /** What the model is, and what it is not. */
  readonly description: string;
  /** [hidden][inputs], each in -127..127. */
  readonly hiddenWeights: readonly (readonly number[])[];
  /** [hidden] */
  readonly hiddenBias: readonly number[];
  /** [hidden], each in -127..127. */
  readonly outputWeights: readonly number[];
  readonly outputBias: number;
  /** By how many bits the weighted sum is shifted to the right to become a score. */
  readonly shift: number;
}

/** What a forward pass went through; a witness consists of it. */
export interface ForwardPass {
  /** Of each hidden neuron, before and after the rectifier. */
  readonly before: readonly number[];
  readonly active: readonly number[];
  /** The weighted sum with half of the score's range added: what is shifted and clamped. */
  readonly sum: number;
  readonly score: number;
}

/** The byte that stands for zero in the input: byte b is the feature (b - 128) / 128. */
export const ZERO_POINT = 128;
const MAX_SCORE = 255;
const PERCEPTRON_DOMAIN = "pipe/perceptron/v1";

/** The pass for one input of one byte per feature. All sums stay far below 2^53. */
export function forwardPass(perceptron: QuantisedPerceptron, input: Uint8Array): ForwardPass {
  const { hiddenWeights, hiddenBias, outputWeights, outputBias, shift } = perceptron;
  const x = Array.from(input, (byte) => byte - ZERO_POINT);
  const before = hiddenWeights.map((weights, j) => dot(weights, x) + (hiddenBias[j] ?? 0));
  const active = before.map((value) => Math.max(0, value));
  const sum = dot(outputWeights, active) + outputBias + ZERO_POINT * 2 ** shift;
  const score = Math.min(Math.max(Math.floor(sum / 2 ** shift), 0), MAX_SCORE);
  return { before, active, sum, score };
}

/** Widths in bits of the absolute values that can occur: of hidden neurons, and of the sum before the shift. */
export function widthsOf(perceptron: QuantisedPerceptron): { readonly hiddenBits: number; readonly sumBits: number } {
  const { hiddenWeights, hiddenBias, outputWeights, outputBias, shift } = perceptron;
  const ranges = hiddenWeights.map((weights, j) => {
    // A centred byte reaches from -128 to 127.
    const low = total(weights.map((weight) => Math.min(weight * -128, weight * 127)));
    const high = total(weights.map((weight) => Math.max(weight * -128, weight * 127)));
    const bias = hiddenBias[j] ?? 0;
    return { low: low + bias, high: high + bias };
  });
  const largestHidden = Math.max(...ranges.flatMap(({ low, high }) => [Math.abs(low), Math.abs(high)]));
  const extremes = ranges.map(({ high }, j) => (outputWeights[j] ?? 0) * Math.max(0, high));
  const offset = outputBias + ZERO_POINT * 2 ** shift;
  const lowest = total(extremes.map((value) => Math.min(0, value))) + offset;
  const highest = total(extremes.map((value) => Math.max(0, value))) + offset;
  return { hiddenBits: bitsOf(largestHidden), sumBits: bitsOf(Math.max(Math.abs(lowest), Math.abs(highest))) };
}

/** SHA-256 over the canonical encoding of everything that the output depends on, and the name: 64 hexadecimal digits. */
export function perceptronDigest(perceptron: QuantisedPerceptron): string {
  return sha256Hex(
    encodeFields(PERCEPTRON_DOMAIN, [
      perceptron.model,
      perceptron.hiddenWeights.map(int32s),
      int32s(perceptron.hiddenBias),
      int32s(perceptron.outputWeights),
      int32s([perceptron.outputBias]),
      perceptron.shift,
    ]),
  );
}

/** 32 bits each, two's complement, big endian. */
function int32s(values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeInt32BE(value, 4 * i);
  return bytes;
}

function dot(weights: readonly number[], values: readonly number[]): number {
  return total(weights.map((weight, i) => weight * (values[i] ?? 0)));
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** The least n with value < 2^n. */
function bitsOf(value: number): number {
  return value.toString(2).length;
}
