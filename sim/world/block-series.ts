import type { BlockSeries } from "../experiment/types.ts";

/** Stretches of simulated time at the most. A picture is not wider, and memory stays flat however long a run is. */
const MAX_STRETCHES = 512;
/** Transactions later than this many blocks are counted together. */
const MAX_LATE = 64;

/** What blocks carried over simulated time, in stretches of equal length: whenever they run out, two become one. */
export class BlockRecorder {
  #stretchUs: number;
  readonly #blocks = new Float64Array(MAX_STRETCHES);
  readonly #sealed = new Float64Array(MAX_STRETCHES);
  readonly #late = new Float64Array(MAX_STRETCHES);
  readonly #refunded = new Float64Array(MAX_STRETCHES);
  readonly #lateness = new Float64Array(MAX_LATE + 1);
  #used = 0;

  constructor(intervalUs: number) {
    this.#stretchUs = intervalUs;
  }

  block(nowUs: number): void {
    add(this.#blocks, this.#at(nowUs), 1);
  }

  /** A transaction came so many blocks after the first that could have carried it. */
  sealed(nowUs: number, late: number): void {
    const stretch = this.#at(nowUs);
    add(this.#sealed, stretch, 1);
    add(this.#late, stretch, late);
  }

  refunded(nowUs: number): void {
    add(this.#refunded, this.#at(nowUs), 1);
  }

  /** As `sealed`, of jobs that are counted. */
  counted(late: number): void {
    add(this.#lateness, Math.min(late, MAX_LATE), 1);
  }

  result(): BlockSeries {
    const used = (values: Float64Array): number[] => [...values.subarray(0, this.#used)];
    return {
      stretchUs: this.#stretchUs,
      blocks: used(this.#blocks),
      sealed: used(this.#sealed),
      blocksLate: used(this.#late),
      refunded: used(this.#refunded),
      lateness: [...this.#lateness.subarray(0, this.#lateness.findLastIndex((count) => count > 0) + 1)],
    };
  }

  #at(nowUs: number): number {
    while (nowUs >= MAX_STRETCHES * this.#stretchUs) this.#halve();
    const stretch = Math.floor(nowUs / this.#stretchUs);
    this.#used = Math.max(this.#used, stretch + 1);
    return stretch;
  }

  #halve(): void {
    for (const values of [this.#blocks, this.#sealed, this.#late, this.#refunded]) {
      for (let pair = 0; pair < MAX_STRETCHES / 2; pair++) {
        values[pair] = (values[2 * pair] as number) + (values[2 * pair + 1] as number);
      }
      values.fill(0, MAX_STRETCHES / 2);
    }
    this.#stretchUs *= 2;
    this.#used = Math.ceil(this.#used / 2);
  }
}

function add(values: Float64Array, index: number, amount: number): void {
  values[index] = (values[index] as number) + amount;
}
