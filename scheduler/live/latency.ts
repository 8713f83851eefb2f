import { appendFile } from "node:fs/promises";
import type { Histogram } from "hdr-histogram-js";
import { build, HistogramLogWriter } from "hdr-histogram-js";
import type { Command } from "../engine/recorder.ts";

/**
 * Durations that are recorded, in microseconds; the names are the tags in the log.
 *
 * - `job`: a race opened → decided
 * - `verification`: the winning answer came → accepted
 * - `stitch`: a transaction's last result → its block
 * - `seal`: a transaction admitted → its block
 * - `journal`: a batch stepped → durable
 * - `wait-…`: what a proof of that mode waited for verifiers in all
 */
export const LATENCIES = [
  "job",
  "verification",
  "stitch",
  "seal",
  "journal",
  "wait-vanilla",
  "wait-optimistic",
  "wait-tee",
  "wait-zkml",
] as const;
export type LatencyName = (typeof LATENCIES)[number];

/** Milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** One hour: longer than any time to live. */
const HIGHEST_US = 3_600_000_000;

/** Histograms since the start, and of the interval since the last time that the log was written. */
export class Latencies {
  readonly #total = new Map<LatencyName, Histogram>(LATENCIES.map((name) => [name, histogram(name)]));
  readonly #interval = new Map<LatencyName, Histogram>(LATENCIES.map((name) => [name, histogram(name)]));

  record(name: LatencyName, durationUs: number): void {
    const value = Math.min(HIGHEST_US, Math.max(0, Math.round(durationUs)));
    this.#total.get(name)?.recordValue(value);
    this.#interval.get(name)?.recordValue(value);
  }

  /** Takes from a command that was carried out what it says about durations. */
  note(command: Command): void {
    if (command.kind === "decided") {
      const { openedUs, answeredUs, decidedUs } = command.result;
      this.record("job", decidedUs - openedUs);
      this.record("verification", decidedUs - answeredUs);
    } else if (command.kind === "sealed") {
      const { sealedUs, transactions } = command.block;
      for (const { admittedUs, calls } of transactions) {
        this.record("seal", sealedUs - admittedUs);
        const lastUs = Math.max(...calls.map(({ result }) => result?.decidedUs ?? admittedUs));
        if (calls.length > 0) this.record("stitch", sealedUs - lastUs);
      }
    }
  }

  summary(name: LatencyName): LatencySummary {
    const total = this.#total.get(name);
    if (total === undefined || total.totalCount === 0) return { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 };
    return {
      count: total.totalCount,
      // A percentile is the upper end of its bucket, which may lie above the largest value in it.
      p50Ms: Math.min(total.maxValue, total.getValueAtPercentile(50)) / 1000,
      p99Ms: Math.min(total.maxValue, total.getValueAtPercentile(99)) / 1000,
      maxMs: total.maxValue / 1000,
    };
  }

  /** The interval's histograms as lines of the HdrHistogram log format 1.3; begins a new interval. Times: Unix milliseconds. */
  takeIntervalLines(startMs: number, endMs: number): string {
    const lines: string[] = [];
    const writer = new HistogramLogWriter((line) => lines.push(line));
    for (const interval of this.#interval.values()) {
      if (interval.totalCount === 0) continue;
      writer.outputIntervalHistogram(interval, startMs / 1000, endMs / 1000);
      interval.reset();
    }
    return lines.join("");
  }
}

/** The lines that open a log, for the tools that read it. */
export function latencyLogHeader(startMs: number): string {
  const lines: string[] = [];
  const writer = new HistogramLogWriter((line) => lines.push(line));
  writer.outputLogFormatVersion();
  writer.outputStartTime(startMs);
  writer.outputLegend();
  return lines.join("");
}

/** Writes the interval's histograms to the file each `intervalMs`, and once more when it is closed. */
export function startLatencyLog(path: string, latencies: Latencies, nowMs: () => number, intervalMs: number) {
  let startMs = nowMs();
  let written = appendFile(path, latencyLogHeader(startMs));
  const write = (): void => {
    const endMs = nowMs();
    const lines = latencies.takeIntervalLines(startMs, endMs);
    startMs = endMs;
    // A log that cannot be written is no reason to stop deciding races; the next close reports it.
    if (lines !== "") written = written.then(() => appendFile(path, lines));
    written.catch(() => undefined);
  };
  const timer = setInterval(write, intervalMs);
  return {
    async close(): Promise<void> {
      clearInterval(timer);
      write();
      await written;
    },
  };
}

function histogram(tag: string): Histogram {
  const made = build({ highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3, bitBucketSize: 32 });
  made.tag = tag;
  return made;
}
