import { decodeFromCompressedBase64 } from "hdr-histogram-js";
import type { BlockSeries, RaceSample } from "../experiment/types.ts";

/** Share of jobs still waiting after some time: points of a falling curve from 1 down. */
export interface Curve {
  readonly ms: readonly number[];
  readonly share: readonly number[];
  readonly jobs: number;
}

/** Values per halving of the share: close enough for a smooth line. */
const STEPS_PER_HALVING = 6;
/** The curve ends where fewer jobs than this are left, since what is beyond is chance. */
const JOBS_LEFT = 10;

/** P(response > t) from a histogram of microseconds (HDR, base64 of its compressed encoding). Throws for what is none. */
export function survivalOf(histogram: string): Curve {
  const decoded = decodeFromCompressedBase64(histogram);
  // As CSV, of which the package's types do not know.
  const csv = decoded.outputPercentileDistribution(STEPS_PER_HALVING, 1, true as false);
  const lines = csv.trim().split("\n").slice(1);
  const jobs = decoded.totalCount;
  const [ms, share]: [number[], number[]] = [[], []];
  for (const line of lines) {
    const [value = Number.NaN, , upTo = Number.NaN] = line.split(",").map(Number);
    const left = jobs - upTo;
    if (left < Math.min(JOBS_LEFT, jobs / 2)) break;
    if (value / 1_000 === ms.at(-1)) continue;
    ms.push(value / 1_000);
    share.push(left / jobs);
  }
  return { ms, share, jobs };
}

/** A sampled race, times in milliseconds after its job came. */
export interface Race {
  readonly job: number;
  /** When the job came, since the start of the run. */
  readonly openedMs: number;
  readonly decidedMs: number;
  readonly copies: readonly RaceCopy[];
}

interface RaceCopy {
  readonly node: number;
  readonly speculative: boolean;
  readonly launchedMs: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly end: string;
}

/** The first so many sampled races, in the order in which their jobs came. */
export function racesOf(samples: readonly RaceSample[], most: number): readonly Race[] {
  return samples
    .toSorted((a, b) => a.openedUs - b.openedUs)
    .slice(0, most)
    .map(({ job, openedUs, decidedUs, copies }) => {
      const since = (us: number): number => (us - openedUs) / 1_000;
      const shown = copies.map(({ node, speculative, launchedUs, startedUs, endedUs, end }) => ({
        node,
        speculative,
        launchedMs: since(launchedUs),
        startedMs: since(startedUs),
        endedMs: since(endedUs),
        end,
      }));
      const byLaunch = shown.sort((a, b) => a.launchedMs - b.launchedMs || a.node - b.node);
      return { job, openedMs: openedUs / 1_000, decidedMs: since(decidedUs), copies: byLaunch };
    });
}

/** What blocks carried, in at most so many stretches: neighbours are put together. */
export function coarser(series: BlockSeries, stretches: number): BlockSeries {
  let coarse = series;
  while (coarse.blocks.length > stretches) {
    coarse = {
      stretchUs: 2 * coarse.stretchUs,
      blocks: pairSums(coarse.blocks),
      sealed: pairSums(coarse.sealed),
      blocksLate: pairSums(coarse.blocksLate),
      refunded: pairSums(coarse.refunded),
      lateness: coarse.lateness,
    };
  }
  return coarse;
}

function pairSums(values: readonly number[]): readonly number[] {
  return values.flatMap((value, index) => (index % 2 === 0 ? [value + (values[index + 1] ?? 0)] : []));
}
