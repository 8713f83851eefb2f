import { createHash } from "node:crypto";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { assert } from "../../scheduler/shared/assert.ts";
import { normalQuantile } from "./normal.ts";

/** Bounds of `below` from here on would leave a bias that 10^9 draws could show. */
const MAX_BOUND = 2 ** 31;

/**
 * Random numbers for one purpose: xoroshiro128+ (Blackman and Vigna), of which each draw takes the high bits, since the
 * lowest are linear. Every variate takes one `unit`, so that the n-th variate of a stream is the same whatever kind the
 * earlier ones were; that keeps common random numbers common.
 */
export class Stream {
  readonly #generator: ReturnType<typeof xoroshiro128plusFromState>;

  constructor(state: readonly [number, number, number, number]) {
    this.#generator = xoroshiro128plusFromState(state);
  }

  /** Uniform in (0, 1): an odd multiple of 2^−53, that is 52 random bits, symmetric about ½, never 0 or 1. */
  unit(): number {
    const high = this.#generator.next() >>> 6;
    const low = this.#generator.next() >>> 6;
    return (high * 2 ** 26 + low + 0.5) * 2 ** -52;
  }

  /** Exponential of mean 1, up to 36.7. */
  exponential(): number {
    return -Math.log(this.unit());
  }

  /** Standard normal, within ±8.2. */
  normal(): number {
    return normalQuantile(this.unit());
  }

  /** Uniform integer in [0, n) for an integer n from 1 to 2^31; its bias is below n · 2^−52. */
  below(n: number): number {
    assert(n >= 1 && n <= MAX_BOUND, `stream: ${n} is not a bound`);
    return Math.floor(this.unit() * n);
  }
}

/**
 * The stream of (seed, replication, purpose): the same for the same three, independent for others. Its state is the first
 * half of a SHA-256 of the three, so that neighbouring seeds and similar names have nothing in common. Two of a billion
 * billion streams of length 2^40 overlap with a probability below 2^−28.
 */
export function streamFor(seed: number, replication: number, purpose: string): Stream {
  assert(Number.isSafeInteger(seed) && Number.isSafeInteger(replication), "stream: seed and replication are integers");
  const digest = createHash("sha256")
    .update(JSON.stringify([seed, replication, purpose]))
    .digest();
  return new Stream([digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8), digest.readInt32LE(12)]);
}
