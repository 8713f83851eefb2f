import { build, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { BlocksSpec, ReplicationResult } from "../experiment/types.ts";
import { BlockRecorder } from "./block-series.ts";

/** One hour: longer response times are counted as this long in percentiles, in full in the mean. */
const HIGHEST_US = 3_600_000_000;

/** What is counted in a replication: jobs `warmup` to `warmup + jobs − 1`, whenever they end. */
export class Measurements {
  readonly #warmup: number;
  /** Number of the first job that is not counted any more. */
  readonly end: number;
  readonly #deadlineUs: number;
  readonly #histogram: Histogram;
  /** Counted jobs that need nothing more. */
  ended = 0;
  /** Those before and after them included. */
  endedInAll = 0;
  decided = 0;
  onTime = 0;
  responseSumUs = 0;
  workUs = 0;
  copies = 0;
  speculative = 0;
  cancelled = 0;
  lost = 0;
  rejectedProofs = 0;
  feesGwei = 0;
  blocksLate = 0;
  sealed = 0;
  refunded = 0;
  refused = 0;
  reorged = 0;
  /** `undefined` without blocks. */
  readonly blocks: BlockRecorder | undefined;

  constructor(options: { warmup: number; jobs: number; deadlineMs: number | undefined; blocks: BlocksSpec | "none" }) {
    const { blocks } = options;
    this.blocks = blocks === "none" ? undefined : new BlockRecorder(Math.round(blocks.intervalMs * 1_000));
    this.#warmup = options.warmup;
    this.end = options.warmup + options.jobs;
    this.#deadlineUs = options.deadlineMs === undefined ? -1 : Math.round(options.deadlineMs * 1_000);
    this.#histogram = build({
      highestTrackableValue: HIGHEST_US,
      numberOfSignificantValueDigits: 3,
      bitBucketSize: 32,
    });
  }

  counts(number: number): boolean {
    return number >= this.#warmup && number < this.end;
  }

  /** Every counted job has come to its end. */
  get complete(): boolean {
    return this.ended >= this.jobs;
  }

  response(us: number): void {
    this.decided++;
    this.responseSumUs += us;
    if (us <= this.#deadlineUs) this.onTime++;
    this.#histogram.recordValue(us < HIGHEST_US ? us : HIGHEST_US);
  }

  /** How many jobs are counted. */
  get jobs(): number {
    return this.end - this.#warmup;
  }

  /** A job needs nothing more. Whether it is counted. */
  over(number: number): boolean {
    this.endedInAll++;
    const counted = this.counts(number);
    if (counted) this.ended++;
    return counted;
  }

  result(
    about: Pick<ReplicationResult, "replication" | "simulatedUs" | "events" | "engineEvents" | "elapsedMs" | "samples">,
  ): ReplicationResult {
    const { decided, onTime, responseSumUs, workUs, copies, speculative, cancelled, lost, rejectedProofs } = this;
    const { feesGwei, blocksLate, sealed, refunded, refused, reorged } = this;
    const ofJobs = { jobs: this.jobs, decided, onTime, responseSumUs, feesGwei };
    const ofCopies = { workUs, copies, speculative, cancelled, lost, rejectedProofs };
    const ofBlocks = { blocksLate, sealed, refunded, refused, reorged, blockSeries: this.blocks?.result() ?? null };
    const responseHistogram = encodeIntoCompressedBase64(this.#histogram);
    return { ...about, ...ofJobs, ...ofCopies, ...ofBlocks, responseHistogram };
  }
}
