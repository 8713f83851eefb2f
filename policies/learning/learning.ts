import type { PlainData } from "../memory.ts";
import { KaplanMeier, type KaplanMeierSnapshot } from "../service-times.ts";
import { Correlation } from "./correlation.ts";
import { Drift } from "./drift.ts";
import { type JobSize, JobSizes } from "./job-sizes.ts";
import { NodePaces } from "./node-paces.ts";

/** What a ratio of 1 is in the law's own unit: a second, so that the buckets reach from a thousandth to far beyond. */
export const UNIT = 1_000_000;
/** From 0.001 to about 1,300 times the expected duration, in steps of 4 %; the past fades slowly, since `Drift` sees changes. */
const LAW = { growth: 1.04, buckets: 360, halveAfter: 32_768, actuarial: true };
/** Until so many copies have ended, nothing is said. */
const ENOUGH = 24;
/** The law's first bucket ends here. What a node hands over together takes no time at all by the engine's clock. */
const SHORTEST_US = 1_000;

interface Waiting {
  readonly size: JobSize;
  readonly node: string;
  readonly us: number;
  readonly ended: boolean;
}

/**
 * What is known of how long copies of one (model, mode) run, from their start on a node to their answer:
 *
 *   duration = expected(size) × pace(class, now) × pace(node) × ratio,   ratio ~ the learned law
 *
 * with a probability, of each node, that there is no answer at all. Copies that were cancelled are right-censored.
 */
export class Learning {
  readonly law = new KaplanMeier(LAW);
  readonly sizes = new JobSizes();
  readonly paces = new NodePaces();
  readonly drift = new Drift();
  readonly correlation = new Correlation();
  /** Counts what has been learned, so that plans know when they are old. */
  version = 0;
  #ended = 0;
  /** The first observations wait until the first line can be drawn through them. */
  #waiting: Waiting[] = [];

  get known(): boolean {
    return this.#ended >= ENOUGH;
  }

  /** Expected duration of a job on a node of usual pace, now; 0 when nothing is known. */
  expectedUs(size: JobSize): number {
    return this.sizes.expectedUs(size) * this.drift.pace;
  }

  /** P(a ratio is at most what this duration is), by the learned law: of a copy on this node. */
  probabilityBy(size: JobSize, node: string, us: number): number {
    return 1 - this.law.smoothSurvival(this.#ratio(size, node, us));
  }

  #ratio(size: JobSize, node: string, us: number): number {
    return (UNIT * us) / (this.expectedUs(size) * this.paces.pace(node));
  }

  /** A copy answered, and its proof was accepted, this long after it started. */
  answered(size: JobSize, node: string, ranUs: number): void {
    const us = Math.max(SHORTEST_US, ranUs);
    this.version++;
    if (this.#ended < ENOUGH) {
      this.#waiting.push({ size, node, us, ended: true });
      this.sizes.observe(size, us);
      if (++this.#ended === ENOUGH) this.#begin();
    } else this.#learn(size, node, us);
  }

  #begin(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.sizes.begin(waiting.filter(({ ended }) => ended));
    for (const { size, node, us, ended } of waiting) {
      if (ended) this.#learn(size, node, us, true);
      else this.cut(size, node, us);
    }
  }

  #learn(size: JobSize, node: string, us: number, again = false): void {
    const expectedUs = this.sizes.expectedUs(size);
    const logRatio = Math.log(us / expectedUs);
    this.drift.observe(logRatio - Math.log(this.paces.pace(node)));
    const { pace } = this.drift;
    this.law.ended(this.#ratio(size, node, us));
    this.paces.answered(node, logRatio - Math.log(pace) - this.drift.mean);
    if (!again) this.sizes.observe(size, us / pace);
  }

  /** A copy was cancelled this long after it started: it would have taken longer, or its node does not answer. */
  cut(size: JobSize, node: string, us: number): void {
    if (us <= 0) return;
    if (this.#ended < ENOUGH) {
      if (this.#waiting.length < 4 * ENOUGH) this.#waiting.push({ size, node, us, ended: false });
      return;
    }
    this.version++;
    const alive = this.paces.alive(node);
    const ratio = this.#ratio(size, node, us);
    const running = alive * this.law.smoothSurvival(ratio);
    const dead = (1 - alive) / (1 - alive + running);
    this.law.censored(ratio, 1 - dead);
    this.paces.silent(node, dead);
    if (dead < 0.5) this.#impute(size, node, us, ratio);
  }

  /**
   * Sizes, nodes and drift learn from what the copy would have taken in all probability, given that it was still running. From
   * answers alone, jobs would look the shorter the more of their copies are cancelled, and nodes the faster the more rivals.
   */
  #impute(size: JobSize, node: string, us: number, ratio: number): void {
    const median = this.law.smoothQuantileUs(1 - this.law.smoothSurvival(ratio) / 2) ?? ratio;
    const logRatio = Math.log((us * (median / ratio)) / this.sizes.expectedUs(size));
    this.drift.observe(logRatio - Math.log(this.paces.pace(node)));
    const { pace } = this.drift;
    this.paces.ran(node, logRatio - Math.log(pace) - this.drift.mean);
    this.sizes.observe(size, (us * (this.law.meanBeyondUs(ratio) / ratio)) / pace);
  }

  /** Its node never answered it, or not validly. */
  silent(node: string): void {
    this.paces.silent(node, 1);
  }

  snapshot(): PlainData {
    return {
      law: this.law.snapshot() as unknown as PlainData,
      sizes: this.sizes.snapshot(),
      paces: this.paces.snapshot(),
      drift: this.drift.snapshot(),
      correlation: this.correlation.snapshot(),
      version: this.version,
      ended: this.#ended,
      waiting: this.#waiting.map(({ size: { tokensIn, tokensOut }, ...rest }) => ({ tokensIn, tokensOut, ...rest })),
    };
  }

  restore(snapshot: PlainData): void {
    const plain = snapshot as {
      readonly [key: string]: PlainData;
    };
    this.law.restore(plain["law"] as unknown as KaplanMeierSnapshot);
    this.sizes.restore(plain["sizes"] as PlainData);
    this.paces.restore(plain["paces"] as PlainData);
    this.drift.restore(plain["drift"] as PlainData);
    this.correlation.restore(plain["correlation"] as PlainData);
    this.version = plain["version"] as number;
    this.#ended = plain["ended"] as number;
    const waiting = plain["waiting"] as unknown as readonly (Omit<Waiting, "size"> & JobSize)[];
    this.#waiting = waiting.map(({ tokensIn, tokensOut, ...rest }) => ({ size: { tokensIn, tokensOut }, ...rest }));
  }
}
