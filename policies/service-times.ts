import { assert } from "../scheduler/shared/assert.ts";
import { NEVER } from "../scheduler/shared/vocabulary.ts";

/** Logarithmic buckets: 1 ms to about 17 minutes, each 8 % wider than the one before. */
const FIRST_US = 1_000;
const GROWTH = 1.08;
const BUCKETS = 180;
const LOG_GROWTH = Math.log(GROWTH);
/** After this many observations all counts are halved, so that the past fades. */
const HALVE_AFTER = 4_096;
/** The survival curve is computed again after this many observations at the latest. */
const REFRESH_AFTER = 32;

/** What has been learned of durations. `survival` and `quantileUs` are cheap: they read a curve that is refreshed now and then. */
export interface ServiceTimes {
  /** Observations that weigh in, censored ones included. */
  readonly weight: number;
  /** Whether anything is known: some copy came to its end. */
  readonly known: boolean;
  /** P(T > t); 0 when nothing is known (optimistic, so that a cold start admits). */
  survival(tUs: number): number;
  /** Smallest t with P(T ≤ t) ≥ p; `undefined` when the data do not reach that far. */
  quantileUs(p: number): number | undefined;
  /** Restricted mean: the area under the survival curve up to the last bucket with data; 0 when nothing is known. */
  meanUs(): number;
}

/** What is known before the first observation. */
export const NOTHING_KNOWN: ServiceTimes = {
  weight: 0,
  known: false,
  survival: () => 0,
  quantileUs: () => undefined,
  meanUs: () => 0,
};

/**
 * The Kaplan–Meier estimator over logarithmic buckets: S(t) = Π (1 − dᵢ / nᵢ), where dᵢ copies ended in bucket i and nᵢ were
 * still running when it began (Kaplan and Meier 1958). Copies cancelled or lost count as right-censored in the bucket in
 * which they were last seen running: dropping them would bias towards the quick, counting them as ended towards the cancelled.
 */
export class KaplanMeier implements ServiceTimes {
  readonly #ended = new Float64Array(BUCKETS);
  readonly #censored = new Float64Array(BUCKETS);
  readonly #curve = new Float64Array(BUCKETS).fill(0);
  /** Of the present curve; the few that are asked for are asked for often. */
  readonly #quantiles = new Map<number, number>();
  #weight = 0;
  #sinceHalving = 0;
  #sinceRefresh = 0;
  #known = false;
  /** The last bucket with an observation when the curve was computed: beyond it nothing is known. */
  #lastBucket = 0;

  get known(): boolean {
    return this.#known;
  }

  get weight(): number {
    return this.#weight;
  }

  ended(durationUs: number): void {
    this.#count(this.#ended, durationUs);
  }

  censored(durationUs: number): void {
    this.#count(this.#censored, durationUs);
  }

  survival(tUs: number): number {
    if (!this.#known) return 0;
    const index = bucketOf(tUs);
    return index === 0 ? 1 : (this.#curve[index - 1] as number);
  }

  quantileUs(p: number): number | undefined {
    assert(p > 0 && p < 1, "a quantile needs 0 < p < 1");
    if (!this.#known) return undefined;
    let quantile = this.#quantiles.get(p);
    if (quantile === undefined) {
      quantile = this.#findQuantile(p);
      this.#quantiles.set(p, quantile);
    }
    return quantile === NEVER ? undefined : quantile;
  }

  #findQuantile(p: number): number {
    for (let index = 0; index < BUCKETS; index++) {
      if (1 - (this.#curve[index] as number) >= p) return upperEdgeUs(index);
    }
    return NEVER;
  }

  meanUs(): number {
    if (!this.#known) return 0;
    let area = upperEdgeUs(0);
    for (let index = 0; index < this.#lastBucket; index++) {
      const survives = this.#curve[index] as number;
      area += survives * (upperEdgeUs(index + 1) - upperEdgeUs(index));
    }
    return area;
  }

  #count(counts: Float64Array, durationUs: number): void {
    const index = bucketOf(durationUs);
    counts[index] = (counts[index] as number) + 1;
    this.#weight++;
    if (++this.#sinceHalving >= HALVE_AFTER) this.#halve();
    // The first observations matter most, so the curve follows each of them.
    if (++this.#sinceRefresh >= REFRESH_AFTER || this.#weight < 2 * REFRESH_AFTER) this.#refresh();
  }

  #halve(): void {
    this.#sinceHalving = 0;
    this.#weight = 0;
    for (const counts of [this.#ended, this.#censored]) {
      for (let index = 0; index < BUCKETS; index++) {
        counts[index] = (counts[index] as number) / 2;
        this.#weight += counts[index] as number;
      }
    }
  }

  #refresh(): void {
    this.#sinceRefresh = 0;
    this.#quantiles.clear();
    let atRisk = this.#weight;
    let survives = 1;
    let anyEnded = false;
    for (let index = 0; index < BUCKETS; index++) {
      const ended = this.#ended[index] as number;
      if (ended > 0 || (this.#censored[index] as number) > 0) this.#lastBucket = index;
      if (ended > 0 && atRisk > 0) {
        survives *= Math.max(0, 1 - ended / atRisk);
        anyEnded = true;
      }
      this.#curve[index] = survives;
      atRisk -= ended + (this.#censored[index] as number);
    }
    this.#known = anyEnded;
  }

  snapshot(): KaplanMeierSnapshot {
    return {
      ended: sparse(this.#ended),
      censored: sparse(this.#censored),
      curve: this.#known ? Array.from(this.#curve) : [],
      sinceHalving: this.#sinceHalving,
      sinceRefresh: this.#sinceRefresh,
      weight: this.#weight,
      lastBucket: this.#lastBucket,
    };
  }

  restore(snapshot: KaplanMeierSnapshot): void {
    for (const [index, count] of snapshot.ended) this.#ended[index] = count;
    for (const [index, count] of snapshot.censored) this.#censored[index] = count;
    this.#weight = snapshot.weight;
    this.#lastBucket = snapshot.lastBucket;
    this.#sinceHalving = snapshot.sinceHalving;
    this.#sinceRefresh = snapshot.sinceRefresh;
    this.#known = snapshot.curve.length > 0;
    this.#curve.set(snapshot.curve);
  }
}

export interface KaplanMeierSnapshot {
  readonly ended: readonly (readonly [number, number])[];
  readonly censored: readonly (readonly [number, number])[];
  readonly curve: readonly number[];
  readonly sinceHalving: number;
  readonly sinceRefresh: number;
  readonly weight: number;
  readonly lastBucket: number;
}

function bucketOf(durationUs: number): number {
  if (durationUs < FIRST_US) return 0;
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log(durationUs / FIRST_US) / LOG_GROWTH));
}

function upperEdgeUs(index: number): number {
  return FIRST_US * GROWTH ** index;
}

function sparse(counts: Float64Array): [number, number][] {
  const pairs: [number, number][] = [];
  for (let index = 0; index < counts.length; index++) {
    if (counts[index] !== 0) pairs.push([index, counts[index] as number]);
  }
  return pairs;
}
