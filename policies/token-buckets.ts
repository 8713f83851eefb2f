import { assert } from "../scheduler/shared/assert.ts";

/** A bucket holds at most `burstMs` of machine-time, and fills by `ratio` of the primary work that is done. */
export interface BucketSpec {
  readonly ratio: number;
  readonly burstMs: number;
}

/** Buckets of classes or of senders that owe something at a time; at 150 bytes each 10 MB. */
export const MAX_BUCKETS = 65_536;

/** Integer microseconds of machine-time. Invariant as long as the size stays: level + reserved ≤ size, and neither is negative. */
interface Bucket {
  /** What may be reserved. */
  levelUs: number;
  reservedUs: number;
}

/**
 * Token buckets of one size, by name; the whole budget is the only one of its kind. A copy takes the length of its lease out
 * of a bucket, and gives back at its end what it did not use. So in any interval
 *
 *   speculative work ≤ size + ratio × primary work that ended in it
 *
 * since what runs on from before was taken out of the same bucket, and what a full bucket earns is lost. A bucket that is full
 * is the same as none, and is forgotten: senders who owe nothing take up no memory. (Under another size it is full again.)
 */
export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>();
  #ratio = 0;
  #sizeUs = 0;
  /** Whether copies ask these buckets now. What was taken from them before is given back all the same. */
  #inForce = false;
  /** One that is never forgotten. */
  readonly #permanent: string | undefined;

  constructor(permanent?: string) {
    this.#permanent = permanent;
  }

  get inForce(): boolean {
    return this.#inForce;
  }

  /** Levels are kept, but for what no longer fits in. */
  resize(spec: BucketSpec | undefined): void {
    this.#inForce = spec !== undefined;
    if (spec === undefined) return;
    this.#ratio = spec.ratio;
    this.#sizeUs = Math.round(spec.burstMs * 1_000);
    if (this.#permanent !== undefined && !this.#buckets.has(this.#permanent)) this.#make(this.#permanent);
    for (const [name, bucket] of this.#buckets) {
      this.#fit(bucket);
      this.#forgetFull(name, bucket);
    }
  }

  availableUs(name: string): number {
    if (!this.#inForce) return Number.MAX_SAFE_INTEGER;
    const bucket = this.#buckets.get(name);
    if (bucket !== undefined) return bucket.levelUs;
    return this.crowded(name) ? 0 : this.#sizeUs;
  }

  /** There are as many as there may be, and this one is not among them: it would have to be made. */
  crowded(name: string): boolean {
    return this.#inForce && this.#buckets.size >= MAX_BUCKETS && !this.#buckets.has(name);
  }

  /** No more than is available. */
  take(name: string, us: number): void {
    assert(this.#inForce && us <= this.availableUs(name), "more is taken out of a bucket than it holds");
    const bucket = this.#buckets.get(name) ?? this.#make(name);
    bucket.levelUs -= us;
    bucket.reservedUs += us;
  }

  /** The end of what was taken: so much of it was used, the rest comes back. */
  settle(name: string, takenUs: number, usedUs: number): void {
    const bucket = this.#buckets.get(name);
    assert(bucket !== undefined && bucket.reservedUs >= takenUs, "a bucket is given back what it did not give");
    bucket.reservedUs -= takenUs;
    bucket.levelUs += takenUs - usedUs;
    this.#fit(bucket);
    this.#forgetFull(name, bucket);
  }

  /** Rounded down copy by copy, so that levels stay integers: with reals the bound would hold but for a rounding error. */
  earn(name: string, primaryUs: number): void {
    if (!this.#inForce) return;
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return;
    bucket.levelUs += Math.floor(this.#ratio * primaryUs);
    this.#fit(bucket);
    this.#forgetFull(name, bucket);
  }

  #make(name: string): Bucket {
    const bucket = { levelUs: this.#sizeUs, reservedUs: 0 };
    this.#buckets.set(name, bucket);
    return bucket;
  }

  #fit(bucket: Bucket): void {
    // Under a smaller size more may be reserved than there is room for: then nothing is left until that has come back.
    const roomUs = Math.max(0, this.#sizeUs - bucket.reservedUs);
    if (bucket.levelUs > roomUs) bucket.levelUs = roomUs;
  }

  #forgetFull(name: string, bucket: Bucket): void {
    const full = bucket.reservedUs === 0 && bucket.levelUs === this.#sizeUs;
    if (full && name !== this.#permanent) this.#buckets.delete(name);
  }

  snapshot(): TokenBucketsSnapshot {
    const buckets = [...this.#buckets].map(([name, { levelUs, reservedUs }]) => [name, levelUs, reservedUs] as const);
    return { sizeUs: this.#sizeUs, buckets };
  }

  /** Into fresh buckets, after `resize`. */
  restore({ sizeUs, buckets }: TokenBucketsSnapshot): void {
    this.#sizeUs = sizeUs;
    for (const [name, levelUs, reservedUs] of buckets) this.#buckets.set(name, { levelUs, reservedUs });
  }
}

export interface TokenBucketsSnapshot {
  /** What it was when they were last in force. */
  readonly sizeUs: number;
  /** Those that are not full. */
  readonly buckets: readonly (readonly [name: string, levelUs: number, reservedUs: number])[];
}

/** What is wrong with it, for a person to read; `undefined` when nothing is. */
export function problemOfBucket({ ratio, burstMs }: BucketSpec): string | undefined {
  if (!(ratio >= 0 && ratio <= MAX_RATIO)) return `ratio must be a number from 0 to ${MAX_RATIO}`;
  return burstMs >= 0 && burstMs <= MAX_BURST_MS ? undefined : `burstMs must be a number from 0 to ${MAX_BURST_MS}`;
}

/** A thousand speculative machines for each primary one are as good as no limit. */
export const MAX_RATIO = 1_000;
/** A day: in microseconds, and after any sum that one copy can add, a safe integer. */
export const MAX_BURST_MS = 86_400_000;
