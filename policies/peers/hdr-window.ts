/** A value below this has a bucket of its own: the least power of two that holds 2 × 10³, for three significant digits. */
const EXACT = 2_048;
const HALF = EXACT / 2;
/** Bits of an exact value, less one. */
const EXACT_BITS = 10;

/** Counts by bucket of an HDR histogram with three significant digits (Tene): above 2,047 each doubling halves the resolution. */
type Counts = Map<number, number>;

export type HdrWindowSnapshot = {
  readonly current: readonly (readonly [number, number])[];
  readonly flushed: readonly (readonly (readonly [number, number])[])[];
  readonly next: number;
};

/**
 * Whole numbers of the last few intervals. What was added since the last flush does not count yet, and a flush pushes out the
 * oldest interval: `WindowedPercentileHistogram` of Finagle.
 */
export class HdrWindow {
  readonly #highest: number;
  #current: Counts;
  readonly #flushed: Counts[];
  #next: number;

  /** Values above `highest` count as that. */
  constructor({ intervals, highest }: { intervals: number; highest: number }, snapshot?: HdrWindowSnapshot) {
    this.#highest = highest;
    this.#current = new Map(snapshot?.current);
    this.#flushed = Array.from({ length: intervals }, (_, index) => new Map(snapshot?.flushed[index]));
    this.#next = snapshot?.next ?? 0;
  }

  add(value: number): void {
    const bucket = bucketOf(Math.min(value, this.#highest));
    this.#current.set(bucket, (this.#current.get(bucket) ?? 0) + 1);
  }

  flush(): void {
    this.#flushed[this.#next] = this.#current;
    this.#next = (this.#next + 1) % this.#flushed.length;
    this.#current = new Map();
  }

  get isEmpty(): boolean {
    return this.#current.size === 0 && this.#flushed.every(({ size }) => size === 0);
  }

  /** Largest value of the bucket in which that share of all values is reached; 0 when there are none. */
  quantile(share: number): number {
    const counts: Counts = new Map();
    let total = 0;
    for (const flushed of this.#flushed) {
      for (const [bucket, count] of flushed) {
        counts.set(bucket, (counts.get(bucket) ?? 0) + count);
        total += count;
      }
    }
    // The product's rounding must not ask for one value more than the share says.
    const wanted = Math.max(1, Math.ceil(share * total - 1e-9));
    let reached = 0;
    for (const bucket of [...counts.keys()].sort((a, b) => a - b)) {
      reached += counts.get(bucket) as number;
      if (reached >= wanted) return largestOf(bucket);
    }
    return 0;
  }

  snapshot(): HdrWindowSnapshot {
    return { current: pairs(this.#current), flushed: this.#flushed.map(pairs), next: this.#next };
  }
}

function bucketOf(value: number): number {
  if (value < EXACT) return value;
  const shift = 31 - Math.clz32(value) - EXACT_BITS;
  return EXACT + (shift - 1) * HALF + (value >>> shift) - HALF;
}

function largestOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const shift = Math.floor((bucket - EXACT) / HALF) + 1;
  return (HALF + ((bucket - EXACT) % HALF) + 1) * 2 ** shift - 1;
}

/** By bucket: the order in which they were met says nothing. */
function pairs(counts: Counts): (readonly [number, number])[] {
  return [...counts].sort(([a], [b]) => a - b);
}
