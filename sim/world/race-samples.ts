import type { RaceSample } from "../experiment/types.ts";
import type { CopyTable } from "./copy-table.ts";

type SampledCopy = RaceSample["copies"][number];

/** Races of a few jobs in full: each with every copy that the world had of it, in the order of their ends. */
export class RaceSamples {
  readonly decidedOnes: RaceSample[] = [];
  readonly #most: number;
  readonly #copies: CopyTable;
  readonly #open = new Map<number, { readonly copies: SampledCopy[]; readonly openedUs: number }>();

  constructor(most: number, copies: CopyTable) {
    this.#most = most;
    this.#copies = copies;
  }

  opened(job: number, nowUs: number): void {
    if (this.#open.size < this.#most) this.#open.set(job, { copies: [], openedUs: nowUs });
  }

  ended(job: number, copy: number, nowUs: number, end: SampledCopy["end"]): void {
    if (this.#most === 0) return;
    const { node, speculative, launchedUs, startedUs } = this.#copies;
    this.#open.get(job)?.copies.push({
      node: node[copy] as number,
      speculative: speculative[copy] === 1,
      launchedUs: launchedUs[copy] as number,
      startedUs: startedUs[copy] as number,
      endedUs: nowUs,
      end,
    });
  }

  decided(job: number, nowUs: number): void {
    const sample = this.#open.get(job);
    if (sample !== undefined) this.decidedOnes.push({ job, ...sample, decidedUs: nowUs });
  }
}
