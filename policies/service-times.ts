import { assert } from "../scheduler/shared/assert.ts";
import { NEVER } from "../scheduler/shared/vocabulary.ts";

/** Logarithmic buckets: 1 ms to about 17 minutes, each 8 % wider than the one before. */
const FIRST_US = 1_000;
const USUAL: KaplanMeierOptions = { growth: 1.08, buckets: 180, halveAfter: 4_096, actuarial: false };
/** The survival curve is computed again after this many observations at the latest. */
const REFRESH_AFTER = 32;

export interface KaplanMeierOptions {
  /** How much wider each bucket is than the one before. */
  readonly growth: number;
  readonly buckets: number;
  /** After this many observations all counts are halved, so that the past fades. */
  readonly halveAfter: number;
  /**
   * Copies that were censored in a bucket count as running through half of it, as in life tables (Cutler and Ederer 1958), and
   * not as running to its end. Where many are censored, the other way makes durations look long.
   */
  readonly actuarial: boolean;
}

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
  readonly #logGrowth: number;
  /** Upper edges of the buckets, the same array for all estimators with these buckets. */
  readonly #edgesUs: Float64Array;
  /** ∫ S from a bucket's upper edge to the last observation, by bucket, on the curve of `smoothSurvival`. */
  #beyondUs: Float64Array | undefined;
  readonly #growth: number;
  readonly #buckets: number;
  readonly #halveAfter: number;
  readonly #atRiskShare: number;
  readonly #ended: Float64Array;
  readonly #censored: Float64Array;
  readonly #curve: Float64Array;
  /** Of the present curve; the few that are asked for are asked for often. */
  readonly #quantiles = new Map<number, number>();
  #weight = 0;
  #sinceHalving = 0;
  #sinceRefresh = 0;
  #known = false;
  /** The last bucket with an observation when the curve was computed: beyond it nothing is known. */
  #lastBucket = 0;

  constructor({ growth, buckets, halveAfter, actuarial }: KaplanMeierOptions = USUAL) {
    this.#atRiskShare = actuarial ? 0.5 : 0;
    this.#growth = growth;
    this.#logGrowth = Math.log(growth);
    this.#edgesUs = edgesOf(growth, buckets);
    this.#buckets = buckets;
    this.#halveAfter = halveAfter;
    this.#ended = new Float64Array(buckets);
    this.#censored = new Float64Array(buckets);
    this.#curve = new Float64Array(buckets);
  }

  get known(): boolean {
    return this.#known;
  }

  get weight(): number {
    return this.#weight;
  }

  /** Everything up to here has been observed at some time; beyond it the curve is a straight continuation. */
  get lastUs(): number {
    return this.#upperEdgeUs(this.#lastBucket);
  }

  ended(durationUs: number): void {
    this.#count(this.#ended, durationUs, 1);
  }

  /** `weight` below 1 where it is doubtful whether the copy was running at all. */
  censored(durationUs: number, weight = 1): void {
    this.#count(this.#censored, durationUs, weight);
  }

  survival(tUs: number): number {
    if (!this.#known) return 0;
    const index = this.#bucketOf(tUs);
    return index === 0 ? 1 : (this.#curve[index - 1] as number);
  }

  /** P(T > t) with ends spread evenly over their buckets, where `survival` lets them all come when the bucket is over. */
  smoothSurvival(tUs: number): number {
    if (!this.#known) return 0;
    const index = this.#bucketOf(tUs);
    const before = index === 0 ? 1 : (this.#curve[index - 1] as number);
    const after = this.#curve[index] as number;
    if (before === after) return before;
    const fromUs = index === 0 ? 0 : this.#upperEdgeUs(index - 1);
    const share = Math.min(1, (tUs - fromUs) / (this.#upperEdgeUs(index) - fromUs));
    return before + share * (after - before);
  }

  /** t with P(T ≤ t) = p on the curve of `smoothSurvival`. */
  smoothQuantileUs(p: number): number | undefined {
    if (!this.#known || !(p > 0 && p < 1)) return undefined;
    const curve = this.#curve;
    if (1 - (curve[this.#buckets - 1] as number) < p) return undefined;
    // The curve falls, so the first bucket that is low enough is found by halving.
    let [low, high] = [0, this.#buckets - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (1 - (curve[middle] as number) >= p) high = middle;
      else low = middle + 1;
    }
    const before = low === 0 ? 1 : (curve[low - 1] as number);
    const fromUs = low === 0 ? 0 : this.#upperEdgeUs(low - 1);
    const after = curve[low] as number;
    return fromUs + ((before - (1 - p)) / (before - after)) * (this.#upperEdgeUs(low) - fromUs);
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
    for (let index = 0; index < this.#buckets; index++) {
      if (1 - (this.#curve[index] as number) >= p) return this.#upperEdgeUs(index);
    }
    return NEVER;
  }

  meanUs(): number {
    if (!this.#known) return 0;
    let area = this.#upperEdgeUs(0);
    for (let index = 0; index < this.#lastBucket; index++) {
      const survives = this.#curve[index] as number;
      area += survives * (this.#upperEdgeUs(index + 1) - this.#upperEdgeUs(index));
    }
    return area;
  }

  /** E[T | T > t] up to the last observation; t itself where nothing longer has been seen. */
  meanBeyondUs(tUs: number): number {
    const survives = this.smoothSurvival(tUs);
    if (survives <= 0) return tUs;
    const index = this.#bucketOf(tUs);
    if (index > this.#lastBucket) return tUs;
    const inBucketUs = ((survives + (this.#curve[index] as number)) / 2) * (this.#upperEdgeUs(index) - tUs);
    const beyondUs = (this.#beyondUs ?? this.#sumBeyond())[index] as number;
    return tUs + (Math.max(0, inBucketUs) + beyondUs) / survives;
  }

  #sumBeyond(): Float64Array {
    const beyondUs = new Float64Array(this.#buckets);
    for (let index = this.#lastBucket - 1; index >= 0; index--) {
      const between = ((this.#curve[index] as number) + (this.#curve[index + 1] as number)) / 2;
      const widthUs = this.#upperEdgeUs(index + 1) - this.#upperEdgeUs(index);
      beyondUs[index] = (beyondUs[index + 1] as number) + between * widthUs;
    }
    this.#beyondUs = beyondUs;
    return beyondUs;
  }

  /** Adds what another one has counted over the same buckets. */
  merge(other: KaplanMeier): void {
    assert(other.#buckets === this.#buckets && other.#growth === this.#growth, "estimators with unlike buckets");
    for (let index = 0; index < this.#buckets; index++) {
      this.#ended[index] = (this.#ended[index] as number) + (other.#ended[index] as number);
      this.#censored[index] = (this.#censored[index] as number) + (other.#censored[index] as number);
    }
    this.#weight += other.#weight;
    this.#sinceHalving = Math.min(this.#halveAfter - 1, this.#sinceHalving + other.#sinceHalving);
    this.#refresh();
  }

  #count(counts: Float64Array, durationUs: number, weight: number): void {
    const index = this.#bucketOf(durationUs);
    counts[index] = (counts[index] as number) + weight;
    this.#weight += weight;
    if (++this.#sinceHalving >= this.#halveAfter) this.#halve();
    // The first observations matter most, so the curve follows each of them.
    if (++this.#sinceRefresh >= REFRESH_AFTER || this.#weight < 2 * REFRESH_AFTER) this.#refresh();
  }

  #halve(): void {
    this.#sinceHalving = 0;
    this.#weight = 0;
    for (const counts of [this.#ended, this.#censored]) {
      for (let index = 0; index < this.#buckets; index++) {
        counts[index] = (counts[index] as number) / 2;
        this.#weight += counts[index] as number;
      }
    }
  }

  #refresh(): void {
    this.#sinceRefresh = 0;
    this.#quantiles.clear();
    this.#beyondUs = undefined;
    let atRisk = this.#weight;
    let survives = 1;
    let anyEnded = false;
    for (let index = 0; index < this.#buckets; index++) {
      const ended = this.#ended[index] as number;
      if (ended > 0 || (this.#censored[index] as number) > 0) this.#lastBucket = index;
      const throughout = atRisk - this.#atRiskShare * (this.#censored[index] as number);
      if (ended > 0 && throughout > 0) {
        survives *= Math.max(0, 1 - ended / throughout);
        anyEnded = true;
      }
      this.#curve[index] = survives;
      atRisk -= ended + (this.#censored[index] as number);
    }
    this.#known = anyEnded;
  }

  #bucketOf(durationUs: number): number {
    if (durationUs < FIRST_US) return 0;
    return Math.min(this.#buckets - 1, 1 + Math.floor(Math.log(durationUs / FIRST_US) / this.#logGrowth));
  }

  #upperEdgeUs(index: number): number {
    return this.#edgesUs[index] as number;
  }

  snapshot(): KaplanMeierSnapshot {
    return {
      ended: sparse(this.#ended),
      censored: sparse(this.#censored),
      curve: this.#known ? stepsOf(this.#curve) : [],
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
    this.#beyondUs = undefined;
    for (const [step, [from, survives]] of snapshot.curve.entries()) {
      this.#curve.fill(survives, from, snapshot.curve[step + 1]?.[0]);
      if (step === 0) this.#curve.fill(1, 0, from);
    }
  }
}

export interface KaplanMeierSnapshot {
  readonly ended: readonly (readonly [number, number])[];
  readonly censored: readonly (readonly [number, number])[];
  /** Where it falls, and to what; from 1. Empty when nothing is known. */
  readonly curve: readonly (readonly [bucket: number, survives: number])[];
  readonly sinceHalving: number;
  readonly sinceRefresh: number;
  readonly weight: number;
  readonly lastBucket: number;
}

const EDGES = new Map<string, Float64Array>();

function edgesOf(growth: number, buckets: number): Float64Array {
  const key = `${growth} ${buckets}`;
  const known = EDGES.get(key);
  if (known !== undefined) return known;
  const edgesUs = Float64Array.from({ length: buckets }, (_, index) => FIRST_US * growth ** index);
  EDGES.set(key, edgesUs);
  return edgesUs;
}

function stepsOf(curve: Float64Array): [number, number][] {
  const steps: [number, number][] = [];
  let before = 1;
  for (let index = 0; index < curve.length; index++) {
    const survives = curve[index] as number;
    if (survives !== before) steps.push([index, survives]);
    before = survives;
  }
  return steps;
}

function sparse(counts: Float64Array): [number, number][] {
  const pairs: [number, number][] = [];
  for (let index = 0; index < counts.length; index++) {
    if (counts[index] !== 0) pairs.push([index, counts[index] as number]);
  }
  return pairs;
}
