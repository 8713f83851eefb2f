import { createHash } from "node:crypto";
import { assert } from "../../scheduler/shared/assert.ts";
import { minusLogOfUnit } from "./logarithm.ts";
import { normalQuantile } from "../../scheduler/shared/normal.ts";

/** Bounds of `below` from here on would leave a bias that 10^9 draws could show. */
const MAX_BOUND = 2 ** 31;
/** Two 64-bit words, each as its high and low 32 bits. */
export type StreamState = readonly [firstHigh: number, firstLow: number, secondHigh: number, secondLow: number];

/**
 * Random numbers for one purpose: xoroshiro128+ (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
 * 2021; parameters 24, 16, 37), of whose 64 bits each draw uses the highest 52, since the lowest are linear. Written out
 * here because packaged ones give 32 bits a step, which takes twice as long.
 *
 * Every variate takes one step, so that the n-th variate of a stream does not depend on what kinds the earlier ones were:
 * common random numbers stay common.
 */
export class Stream {
  /** The state, then the last step's bits: the highest 26, and the 26 below them. An array, since fields would be tagged. */
  readonly #words = new Int32Array(6);

  constructor(state: StreamState) {
    assert(
      state.some((word) => word !== 0),
      "stream: a state of zeros stays zero",
    );
    this.#words.set(state);
  }

  /** Uniform in (0, 1): an odd multiple of 2^−53, that is 52 random bits, symmetric about ½, never 0 or 1. */
  unit(): number {
    this.#step();
    return ((this.#words[4] as number) * 2 ** 26 + (this.#words[5] as number) + 0.5) * 2 ** -52;
  }

  /** Exponential of mean 1, from 2^−53 to 36.7. */
  exponential(): number {
    this.#step();
    return minusLogOfUnit(this.#words[4] as number, this.#words[5] as number);
  }

  /** Standard normal, within ±8.3. */
  normal(): number {
    return normalQuantile(this.unit());
  }

  /** Uniform integer in [0, n) for an integer n from 1 to 2^31; its bias is below n · 2^−52. */
  below(n: number): number {
    assert(n >= 1 && n <= MAX_BOUND, "stream: not a bound");
    return Math.floor(this.unit() * n);
  }

  #step(): void {
    const words = this.#words;
    const firstHigh = words[0] as number;
    const firstLow = words[1] as number;
    const secondHigh = words[2] as number;
    const secondLow = words[3] as number;
    const sumLow = (firstLow + secondLow) | 0;
    const carry = ((firstLow & secondLow) | ((firstLow | secondLow) & ~sumLow)) >>> 31;
    const sumHigh = (firstHigh + secondHigh + carry) | 0;
    const mixedHigh = firstHigh ^ secondHigh;
    const mixedLow = firstLow ^ secondLow;
    words[0] = ((firstHigh << 24) | (firstLow >>> 8)) ^ mixedHigh ^ ((mixedHigh << 16) | (mixedLow >>> 16));
    words[1] = ((firstLow << 24) | (firstHigh >>> 8)) ^ mixedLow ^ (mixedLow << 16);
    words[2] = (mixedLow << 5) | (mixedHigh >>> 27);
    words[3] = (mixedHigh << 5) | (mixedLow >>> 27);
    words[4] = sumHigh >>> 6;
    words[5] = ((sumHigh & 0x3f) << 20) | (sumLow >>> 12);
  }
}

/**
 * The stream of (seed, replication, purpose): the same for the same three, independent for others. Its state is the first
 * half of a SHA-256 of the three, so that neighbouring seeds and similar names have nothing in common. Among a million
 * streams of 2^40 steps the probability that any two overlap is below 2^−40.
 */
export function streamFor(seed: number, replication: number, purpose: string): Stream {
  assert(Number.isSafeInteger(seed) && Number.isSafeInteger(replication), "stream: seed and replication are integers");
  const digest = createHash("sha256")
    .update(JSON.stringify([seed, replication, purpose]))
    .digest();
  return new Stream([digest.readInt32BE(0), digest.readInt32BE(4), digest.readInt32BE(8), digest.readInt32BE(12)]);
}
