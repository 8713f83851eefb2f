import { DEFAULTS } from "../../policies/defaults.ts";
import type { LeafSpec } from "../../policies/policy.ts";
import type { Crew } from "../experiment/crew.ts";
import { digestOf } from "../experiment/kept-lines.ts";
import { histogramOf, PERCENTILES } from "../experiment/result.ts";
import type { Experiment, ReplicationResult } from "../experiment/types.ts";
import { candidatesOf, same, type Scale, type Thoroughness } from "../tune/candidates.ts";
import { limitedTask } from "../tune/experiment-world.ts";
import { race, type RaceResult } from "../tune/race.ts";
import { type Bound, clairvoyantBound } from "../tune/clairvoyant.ts";
import type { ContenderName, ContenderRecord, Figures, MeasuredSetting, SearchRecord } from "./records.ts";
import { experimentAt, type Place, type Size, withBlocks } from "./world.ts";

/** What is measured, and how. */
export interface Plan {
  readonly size: Size;
  readonly thoroughness: Thoroughness;
  /** Share of jobs to be answered in time: what settings are tuned for. */
  readonly target: number;
  /** Policies that are taken as they are. */
  readonly untuned: readonly LeafSpec["kind"][];
}

/** Probability with which a search drops the best setting, at the most. */
const ERROR = 0.05;
/** Ten times what a job takes that is raced by four copies. In a fleet that does not recover each event takes long. */
const EVENTS_PER_JOB = 40;
/** Replications after which settings are dropped. */
const LOOKS = { quick: [4, 8], full: [4, 8, 16] } as const;
/** Random numbers of a search have nothing to do with those of what is measured, or the lucky setting would look the better one. */
const SEARCH_SEED = 1_000_000_007;
const MAX_SEED = 2 ** 31 - 1;
/** Blocks need more work of the simulator, and lateness in blocks fewer jobs. */
const BLOCK_SHARE = 0.25;

/** One contender at one place: what is measured, and under which key it is kept. */
export class Bout {
  readonly place: Place;
  readonly contender: ContenderName;
  readonly key: string;
  readonly #plan: Plan;
  readonly #experiment: Experiment;
  readonly #blocks: Experiment;

  readonly #scale: Scale;

  constructor(place: Place, contender: ContenderName, plan: Plan, scale: Scale) {
    this.place = place;
    this.#scale = scale;
    this.contender = contender;
    this.#plan = plan;
    this.#experiment = experimentAt(place, plan.size);
    this.#blocks = withBlocks(experimentAt(place, blockSize(plan.size)));
    const { thoroughness, target } = plan;
    const searched = this.#tuned ? { thoroughness, target, candidates: this.#candidates(), looks: this.#looks } : null;
    this.key = digestOf([contender, this.#experiment, this.#blocks, searched, this.#documented ?? null]);
  }

  async measure(crew: Crew): Promise<ContenderRecord> {
    const { workload, load } = this.place;
    const { settings, search } = await this.#settings(crew);
    return { key: this.key, workload: workload.name, load: load ?? null, contender: this.contender, settings, search };
  }

  get #documented(): LeafSpec | undefined {
    if (this.contender === "clairvoyant") return undefined;
    return this.contender === "single copy" ? { kind: "fixed", copies: 1 } : DEFAULTS[this.contender];
  }

  get #tuned(): boolean {
    const { contender } = this;
    return contender !== "clairvoyant" && contender !== "single copy" && !this.#plan.untuned.includes(contender);
  }

  get #looks(): readonly number[] {
    return LOOKS[this.#plan.thoroughness];
  }

  #candidates(): readonly LeafSpec[] {
    return candidatesOf(this.contender as LeafSpec["kind"], this.#scale, this.#plan.thoroughness);
  }

  async #settings(crew: Crew): Promise<Pick<ContenderRecord, "settings" | "search">> {
    const documented = this.#documented;
    if (documented === undefined) return { settings: [await this.#clairvoyant()], search: null };
    const figures = await this.#figuresOf(documented, crew);
    const first: MeasuredSetting = { name: "documented", policy: documented, figures };
    if (!this.#tuned) return { settings: [first], search: null };
    const candidates = this.#candidates();
    const result = await this.#search(candidates, crew);
    const search = searchRecord(result);
    const policy = result.winner === undefined ? documented : (candidates[result.winner] as LeafSpec);
    const tuned = same(policy, documented) ? figures : await this.#figuresOf(policy, crew);
    return { settings: [first, { name: "tuned", policy, figures: tuned }], search };
  }

  async #clairvoyant(): Promise<MeasuredSetting> {
    const bounds: Bound[] = [];
    for (let replication = 0; replication < this.#experiment.replications; replication++) {
      bounds.push(clairvoyantBound(this.#experiment, replication));
      // Results of the workers, and Ctrl-C, come in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const figures = {
      onTime: bounds.map(({ onTime }) => onTime),
      workMs: bounds.map(({ workMs }) => workMs),
      p999Ms: bounds.map(({ p999Ms }) => p999Ms),
      blocksLate: [],
    };
    return { name: "documented", policy: null, figures };
  }

  #search(candidates: readonly LeafSpec[], crew: Crew): Promise<RaceResult> {
    const { jobs } = this.#plan.size;
    const seed = (this.#experiment.seed + SEARCH_SEED) % MAX_SEED;
    const options = { target: this.#plan.target, error: ERROR, looks: this.#looks, jobs };
    return race(candidates.length, options, async (candidate, replication) => {
      const experiment = { ...this.#experiment, seed, policy: candidates[candidate] as LeafSpec };
      const result = await crew.measure(limitedTask(experiment, replication, EVENTS_PER_JOB));
      if (result === "endless") return result;
      return { onTime: result.onTime / result.jobs, work: result.workUs / result.jobs };
    });
  }

  async #figuresOf(policy: LeafSpec, crew: Crew): Promise<Figures | "endless"> {
    const [bare, chain] = await Promise.all(
      [this.#experiment, this.#blocks].map((experiment) => replicationsOf({ ...experiment, policy }, crew)),
    );
    if (bare === undefined) return "endless";
    return {
      onTime: bare.map(({ onTime, jobs }) => onTime / jobs),
      workMs: bare.map(({ workUs, jobs }) => workUs / jobs / 1_000),
      p999Ms: bare.map((one) => histogramOf(one).getValueAtPercentile(PERCENTILES.p999) / 1_000),
      blocksLate: (chain ?? []).map((one) => latenessOf(one, this.#blocks)),
    };
  }
}

async function replicationsOf(experiment: Experiment, crew: Crew): Promise<readonly ReplicationResult[] | undefined> {
  const measure = (replication: number) => crew.measure(limitedTask(experiment, replication, EVENTS_PER_JOB));
  // Where one never ends it takes long to know, and the others would not either.
  const first = await measure(0);
  if (first === "endless") return undefined;
  const rest = Array.from({ length: experiment.replications - 1 }, (_, index) => measure(index + 1));
  const results = [first, ...(await Promise.all(rest))];
  return results.some((one) => one === "endless") ? undefined : (results as ReplicationResult[]);
}

function latenessOf({ blocksLate, refunded, refused, jobs }: ReplicationResult, { blocks }: Experiment): number {
  const ttlBlocks = blocks === "none" ? 0 : blocks.ttlBlocks;
  return (blocksLate + ttlBlocks * (refunded + refused)) / jobs;
}

function blockSize({ seed, replications, jobs }: Size): Size {
  return { seed, replications: Math.max(2, Math.ceil(replications / 2)), jobs: Math.ceil(jobs * BLOCK_SHARE) };
}

function searchRecord({ candidates }: RaceResult): SearchRecord {
  const dropped: Record<string, number> = {};
  for (const one of candidates) {
    if (one.dropped !== undefined) dropped[one.dropped.because] = (dropped[one.dropped.because] ?? 0) + 1;
  }
  const replications = candidates.reduce((sum, { trials }) => sum + trials.length, 0);
  return { tried: candidates.length, replications, dropped };
}
