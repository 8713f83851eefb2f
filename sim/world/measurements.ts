import { build, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { BlocksSpec, RaceSample, ReplicationResult } from "../experiment/types.ts";
import { BlockRecorder } from "./block-series.ts";

/** One hour: longer response times are counted as this long in percentiles, in full in the mean. */
const HIGHEST_US = 3_600_000_000;

/** What is counted in a replication: jobs `warmup` to `warmup + jobs − 1`, whenever they end. */
export class Measurements {
  readonly #warmup: number;
  readonly #end: number;
  readonly #deadlineUs: number;
  readonly #histogram: Histogram;
  #over = 0;
  decided = 0;
  onTime = 0;
  responseSumUs = 0;
  workUs = 0;
  copies = 0;
  speculative = 0;
  cancelled = 0;
  blocksLate = 0;
  sealed = 0;
  refunded = 0;
  readonly samples: RaceSample[] = [];
  /** `undefined` without blocks. */
  readonly blocks: BlockRecorder | undefined;

  constructor(options: { warmup: number; jobs: number; deadlineMs: number | undefined; blocks: BlocksSpec | "none" }) {
    const { blocks } = options;
    this.blocks = blocks === "none" ? undefined : new BlockRecorder(Math.round(blocks.intervalMs * 1_000));
    this.#warmup = options.warmup;
    this.#end = options.warmup + options.jobs;
    this.#deadlineUs = options.deadlineMs === undefined ? -1 : Math.round(options.deadlineMs * 1_000);
    this.#histogram = build({
      highestTrackableValue: HIGHEST_US,
      numberOfSignificantValueDigits: 3,
      bitBucketSize: 32,
    });
  }

  counts(number: number): boolean {
    return number >= this.#warmup && number < this.#end;
  }

  /** Every counted job has come to its end. */
  get complete(): boolean {
    return this.#over >= this.#end - this.#warmup;
  }

  response(us: number): void {
    this.decided++;
    this.responseSumUs += us;
    if (us <= this.#deadlineUs) this.onTime++;
    this.#histogram.recordValue(us < HIGHEST_US ? us : HIGHEST_US);
  }

  /** A counted job needs nothing more. */
  over(): void {
    this.#over++;
  }

  result(
    about: Pick<ReplicationResult, "replication" | "simulatedUs" | "events" | "engineEvents" | "elapsedMs">,
  ): ReplicationResult {
    const { decided, onTime, responseSumUs, workUs, copies, speculative, cancelled } = this;
    const { blocksLate, sealed, refunded, samples } = this;
    const counted = {
      decided,
      onTime,
      responseSumUs,
      workUs,
      copies,
      speculative,
      cancelled,
      blocksLate,
      sealed,
      refunded,
    };
    const responseHistogram = encodeIntoCompressedBase64(this.#histogram);
    const blockSeries = this.blocks?.result() ?? null;
    return { ...about, jobs: this.#end - this.#warmup, responseHistogram, ...counted, samples, blockSeries };
  }
}
