import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { PlainData, PolicyMemory } from "../memory.ts";
import type { Policy, RacePicture } from "../policy.ts";
import { DecayingHistogram, type DecayingHistogramSnapshot } from "./decaying-histogram.ts";
import { duplicates, lookAt, memoryOf, replacements, waitingSinceUs } from "./reading.ts";
import { type SpeculativeRetry, speculativeRetryOf } from "./speculative-retry.ts";
import { Thresholds } from "./thresholds.ts";

export interface CassandraSpec {
  readonly kind: "cassandra";
  /** As in CQL: `99p`, `50ms`, `ALWAYS`, `NEVER`, `MIN(99p,50ms)`, `MAX(99p,50ms)`. */
  readonly retry: string;
  /** The read timeout: thresholds are computed as often, begin at half of it, and above it nobody speculates. */
  readonly timeoutMs: number;
}

/**
 * Cassandra's `speculative_retry`: one more copy when the race has waited for as long as the threshold that held when it began,
 * or at once with ALWAYS. It has no budget. Cassandra goes by the coordinator's read latency; that is here the time from the
 * race's opening to its decision.
 */
export function cassandra(spec: CassandraSpec): Policy {
  const retry = speculativeRetryOf(spec.retry) ?? { kind: "never" };
  if (retry.kind !== "after") return withoutThreshold(spec, retry.kind === "always" ? 1 : 0);
  const timeoutUs = spec.timeoutMs * 1_000;
  return {
    spec,
    decide(race, { nowUs }, decision) {
      decision.launch = replacements(race);
      decision.lookAtUs = NEVER;
      if (duplicates(race) > 0) return;
      const sinceUs = waitingSinceUs(race, nowUs);
      const afterUs = memoryOf(race, ReadLatency).thresholdUs(sinceUs);
      if (afterUs > timeoutUs) return;
      if (nowUs >= sinceUs + afterUs) decision.launch++;
      else decision.lookAtUs = lookAt(sinceUs + afterUs, nowUs);
    },
    remember: (snapshot) => new ReadLatency(retry, timeoutUs, snapshot),
  };
}

function withoutThreshold(spec: CassandraSpec, extra: number): Policy {
  return {
    spec,
    decide(race, _surroundings, decision) {
      decision.launch = replacements(race);
      decision.lookAtUs = NEVER;
      if (duplicates(race) === 0) decision.launch += extra;
    },
  };
}

interface LatencySnapshot {
  readonly nextUpdateUs: number;
  readonly histogram: DecayingHistogramSnapshot;
  readonly thresholds: readonly (readonly [number, number])[];
}

/** Response times, and the threshold that is computed from them once per timeout. */
class ReadLatency implements PolicyMemory {
  readonly #retry: SpeculativeRetry & { kind: "after" };
  readonly #timeoutUs: number;
  readonly #thresholds: Thresholds;
  #histogram: DecayingHistogram | undefined;
  #nextUpdateUs: number;

  constructor(retry: SpeculativeRetry & { kind: "after" }, timeoutUs: number, snapshot?: PlainData) {
    const before = (snapshot ?? undefined) as LatencySnapshot | undefined;
    this.#retry = retry;
    this.#timeoutUs = timeoutUs;
    this.#thresholds = new Thresholds(before?.thresholds);
    this.#histogram = before === undefined ? undefined : new DecayingHistogram(0, before.histogram);
    this.#nextUpdateUs = before?.nextUpdateUs ?? NEVER;
  }

  /** What held at that time. */
  thresholdUs(us: number): number {
    return this.#thresholds.at(us) ?? this.#timeoutUs / 2;
  }

  opened(_race: RacePicture, nowUs: number): void {
    this.#advance(nowUs);
  }

  launched(_copy: { readonly speculative: boolean }, nowUs: number): void {
    this.#advance(nowUs);
  }

  ended(_end: unknown, nowUs: number): void {
    this.#advance(nowUs);
  }

  decided(responseUs: number, nowUs: number): void {
    this.#advance(nowUs).add(responseUs, nowUs);
  }

  #advance(nowUs: number): DecayingHistogram {
    if (this.#histogram === undefined) {
      this.#histogram = new DecayingHistogram(nowUs);
      this.#nextUpdateUs = nowUs + this.#timeoutUs;
    }
    if (nowUs >= this.#nextUpdateUs) {
      this.#update(this.#histogram, this.#nextUpdateUs);
      // Between two events values only fade, so of several updates that were missed the first and the last tell all.
      const missed = Math.floor((nowUs - this.#nextUpdateUs) / this.#timeoutUs);
      this.#nextUpdateUs += missed * this.#timeoutUs;
      if (missed > 0) this.#update(this.#histogram, this.#nextUpdateUs);
      this.#nextUpdateUs += this.#timeoutUs;
    }
    return this.#histogram;
  }

  #update(histogram: DecayingHistogram, atUs: number): void {
    const { share, ms, pick } = this.#retry;
    const existingUs = this.#thresholds.latest ?? this.#timeoutUs / 2;
    const fixedUs = ms === undefined ? undefined : ms * 1_000;
    const learnedUs = share === undefined ? undefined : (histogram.quantile(share, atUs) ?? existingUs);
    const both = [fixedUs, learnedUs].filter((us) => us !== undefined);
    this.#thresholds.set(atUs, pick === "min" ? Math.min(...both) : Math.max(...both));
  }

  snapshot(): PlainData {
    if (this.#histogram === undefined) return null;
    return {
      nextUpdateUs: this.#nextUpdateUs,
      histogram: this.#histogram.snapshot(),
      thresholds: this.#thresholds.snapshot(),
    };
  }
}
