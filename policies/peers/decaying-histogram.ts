const BUCKETS = 164;
const HALF_LIFE_US = 60_000_000;
/** New values weigh the more the later they come; before the weights get out of hand they are counted from a later moment. */
const LANDMARK_US = 30 * 60_000_000;
/** Upper ends of the buckets: 1, 2, 3 and so on, each 1.2 times the one before, in whole numbers. */
const ENDS = endsOf();

export type DecayingHistogramSnapshot = {
  readonly landmarkUs: number;
  readonly weights: readonly (readonly [number, number])[];
};

/**
 * Cassandra's `DecayingEstimatedHistogramReservoir`: values in buckets that grow by a fifth, whose weight halves each minute by
 * forward decay (Cormode, Shkapenyuk, Srivastava, Xu, ICDE 2009). Nothing is sampled, so that nothing is left to chance.
 */
export class DecayingHistogram {
  readonly #weights = new Map<number, number>();
  #landmarkUs: number;

  constructor(landmarkUs: number, snapshot?: DecayingHistogramSnapshot) {
    this.#landmarkUs = snapshot?.landmarkUs ?? landmarkUs;
    for (const [bucket, weight] of snapshot?.weights ?? []) this.#weights.set(bucket, weight);
  }

  add(value: number, nowUs: number): void {
    if (nowUs - this.#landmarkUs > LANDMARK_US) this.#rescale(nowUs);
    const bucket = bucketOf(value);
    this.#weights.set(bucket, (this.#weights.get(bucket) ?? 0) + 2 ** ((nowUs - this.#landmarkUs) / HALF_LIFE_US));
  }

  #rescale(nowUs: number): void {
    const factor = 2 ** ((nowUs - this.#landmarkUs) / HALF_LIFE_US);
    for (const [bucket, weight] of this.#weights) {
      if (weight / factor < 1e-9) this.#weights.delete(bucket);
      else this.#weights.set(bucket, weight / factor);
    }
    this.#landmarkUs = nowUs;
  }

  /**
   * Upper end of the bucket in which that share is reached; `undefined` when nothing is left. Each bucket's weight is rounded
   * to a whole number first, so that a few old values vanish altogether.
   */
  quantile(share: number, nowUs: number): number | undefined {
    const factor = 2 ** ((nowUs - this.#landmarkUs) / HALF_LIFE_US);
    const counts = this.#pairs().map(([bucket, weight]) => [bucket, Math.round(weight / factor)] as const);
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    if (total === 0) return undefined;
    const wanted = Math.ceil(total * share);
    let reached = 0;
    for (const [bucket, count] of counts) {
      reached += count;
      if (reached >= wanted) return ENDS[bucket];
    }
    return ENDS.at(-1);
  }

  #pairs(): (readonly [number, number])[] {
    return [...this.#weights].sort(([a], [b]) => a - b);
  }

  snapshot(): DecayingHistogramSnapshot {
    return { landmarkUs: this.#landmarkUs, weights: this.#pairs() };
  }
}

function endsOf(): readonly number[] {
  const ends = [1];
  while (ends.length < BUCKETS) {
    const last = ends[ends.length - 1] as number;
    ends.push(Math.max(last + 1, Math.round(last * 1.2)));
  }
  return ends;
}

/** Index of the first end that is not less. */
function bucketOf(value: number): number {
  let [low, high] = [0, ENDS.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ENDS[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
