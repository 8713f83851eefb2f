import type { PlainData } from "../memory.ts";

/** What is known of a job before it runs, as far as it tells how long it will take. */
export interface JobSize {
  readonly tokensIn: number;
  readonly tokensOut: number;
}

/** Observations whose weight is left after this many more is 1/e: long enough for three coefficients, short enough to follow. */
const MEMORY = 16_384;
/** The coefficients are computed again after this many observations. */
const REFRESH_AFTER = 32;
/** Weight of the belief that tokens do not matter, in observations; without it two alike jobs would make a slope. */
const PRIOR = 4;
/** A job is never taken for shorter than this share of the mean one, however the line is drawn. */
const FLOOR = 0.02;
/** Nor does it weigh more than one of this share: few jobs that look tiny must not outweigh all others. */
const LEAST_SHARE = 0.1;
const FURTHEST = 8;
/** Sums kept: of 1, in, out, duration and their products, each observation divided by its expected duration squared. */
const SUMS = 9;

/**
 * How long a job of this size takes on average: base + perIn · tokensIn + perOut · tokensOut, each at least 0. Weighted least
 * squares with exponentially fading observations; weights 1/expected², since durations vary in proportion to their length.
 * Without it a long job would be taken for a slow node.
 */
export class JobSizes {
  #baseUs = 0;
  #perInUs = 0;
  #perOutUs = 0;
  #sinceRefresh = 0;
  /** 1, in, out, in², in·out, out², d, d·in, d·out. */
  readonly #sums = new Float64Array(SUMS);

  get known(): boolean {
    return (this.#sums[0] as number) > 0;
  }

  /** 0 when nothing is known. */
  expectedUs({ tokensIn, tokensOut }: JobSize): number {
    const { known } = this;
    if (!known) return 0;
    const us = this.#baseUs + this.#perInUs * tokensIn + this.#perOutUs * tokensOut;
    return Math.max(us, FLOOR * this.#meanUs());
  }

  #meanUs(): number {
    return (this.#sums[6] as number) / (this.#sums[0] as number);
  }

  /**
   * Begins anew with these: by a first line in which all weigh the same, and then by that one. As long as hardly anything is
   * known, a job that looks short would weigh more than all others for ever.
   */
  begin(observed: readonly { readonly size: JobSize; readonly us: number }[]): void {
    const sorted = observed.map(({ us }) => us).sort((a, b) => a - b);
    const medianUs = sorted[Math.floor(sorted.length / 2)] ?? 1;
    this.#sums.fill(0);
    for (const { size, us } of observed) this.#add(size, us, medianUs);
    this.#refresh();
    const weighed = observed.map(({ size, us }) => ({ size, us, expectedUs: this.expectedUs(size) }));
    this.#sums.fill(0);
    for (const { size, us, expectedUs } of weighed) this.#add(size, us, Math.max(expectedUs, LEAST_SHARE * medianUs));
    this.#refresh();
  }

  /** One job says no more than that it took eight times, or an eighth, of what was expected: it may be a lie. */
  observe(size: JobSize, durationUs: number): void {
    if (!this.known) return this.#add(size, durationUs, durationUs);
    const expectedUs = this.expectedUs(size);
    const us = Math.max(expectedUs / FURTHEST, Math.min(FURTHEST * expectedUs, durationUs));
    this.#add(size, us, Math.max(expectedUs, LEAST_SHARE * this.#meanUs()));
  }

  #add({ tokensIn, tokensOut }: JobSize, durationUs: number, expectedUs: number): void {
    const scale = 1 / Math.max(1, expectedUs);
    const weight = scale * scale;
    const sums = this.#sums;
    const fade = 1 - 1 / MEMORY;
    for (let index = 0; index < SUMS; index++) sums[index] = (sums[index] as number) * fade;
    const add = (index: number, value: number) => {
      sums[index] = (sums[index] as number) + weight * value;
    };
    add(0, 1);
    add(1, tokensIn);
    add(2, tokensOut);
    add(3, tokensIn * tokensIn);
    add(4, tokensIn * tokensOut);
    add(5, tokensOut * tokensOut);
    add(6, durationUs);
    add(7, durationUs * tokensIn);
    add(8, durationUs * tokensOut);
    if (++this.#sinceRefresh >= REFRESH_AFTER || this.#baseUs === 0) this.#refresh();
  }

  /** Solves for the slopes around the means; a slope below 0 is left out, and the other is drawn again without it. */
  #refresh(): void {
    this.#sinceRefresh = 0;
    const [n, x, y, xx, xy, yy, d, dx, dy] = this.#sums as unknown as readonly [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const mean = d / n;
    // Centred moments. The prior holds a slope at 0 as if some jobs of unlike sizes had taken equally long.
    const vx = Math.max(0, xx / n - (x / n) ** 2);
    const vy = Math.max(0, yy / n - (y / n) ** 2);
    const cxy = xy / n - (x / n) * (y / n);
    const cdx = dx / n - mean * (x / n);
    const cdy = dy / n - mean * (y / n);
    const observations = n * mean * mean;
    const ridge = 1 + PRIOR / Math.max(1, observations);
    let perIn = 0;
    let perOut = 0;
    const determinant = vx * ridge * (vy * ridge) - cxy * cxy;
    if (determinant > 1e-9 * vx * vy && vx > 0 && vy > 0) {
      perIn = (cdx * (vy * ridge) - cdy * cxy) / determinant;
      perOut = (cdy * (vx * ridge) - cdx * cxy) / determinant;
    } else if (vy >= vx) perOut = vy > 0 ? cdy / (vy * ridge) : 0;
    else perIn = cdx / (vx * ridge);
    if (perIn < 0) {
      perIn = 0;
      perOut = vy > 0 ? Math.max(0, cdy / (vy * ridge)) : 0;
    } else if (perOut < 0) {
      perOut = 0;
      perIn = vx > 0 ? Math.max(0, cdx / (vx * ridge)) : 0;
    }
    const base = mean - perIn * (x / n) - perOut * (y / n);
    if (base < 0) {
      // The line goes through the origin then, with the slopes in the same proportion.
      const slope = mean / (mean - base);
      perIn *= slope;
      perOut *= slope;
    }
    this.#baseUs = Math.max(0, base);
    this.#perInUs = perIn;
    this.#perOutUs = perOut;
  }

  snapshot(): PlainData {
    return [...this.#sums, this.#baseUs, this.#perInUs, this.#perOutUs, this.#sinceRefresh];
  }

  restore(snapshot: PlainData): void {
    const values = snapshot as readonly number[];
    for (let index = 0; index < SUMS; index++) this.#sums[index] = values[index] as number;
    [this.#baseUs, this.#perInUs, this.#perOutUs, this.#sinceRefresh] = values.slice(SUMS) as [
      number,
      number,
      number,
      number,
    ];
  }
}
