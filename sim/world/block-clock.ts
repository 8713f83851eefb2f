import type { BlocksSpec } from "../experiment/types.ts";
import type { Stream } from "../kernel/streams.ts";

/** When blocks are announced and sealed, and how many the chain takes back. */
export class BlockClock {
  readonly intervalUs: number;
  /** So many blocks from the tip on may be taken back; those below are final. */
  readonly depth: number;
  /** For which time the open block is announced. */
  announcedUs = 0;
  readonly #jitterUs: number;
  readonly #reorgProbability: number;
  readonly #stream: Stream;

  constructor({ intervalMs, jitterMs, reorgs }: BlocksSpec, stream: Stream) {
    this.intervalUs = Math.round(intervalMs * 1_000);
    this.#jitterUs = jitterMs * 1_000;
    this.depth = reorgs === "none" ? 0 : reorgs.depth;
    this.#reorgProbability = reorgs === "none" ? 0 : 1 / reorgs.everyBlocks;
    this.#stream = stream;
  }

  /** Announces another block, an interval after the last one, and returns when it will really be sealed. */
  open(): number {
    this.announcedUs += this.intervalUs;
    return Math.round(this.announcedUs + this.#jitterUs * (2 * this.#stream.unit() - 1));
  }

  /** Whether the chain takes back what is not final, now that another block is sealed. */
  reorganises(): boolean {
    return this.#stream.unit() < this.#reorgProbability;
  }
}
