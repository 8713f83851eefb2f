import type { LeafSpec, PolicySpec } from "../../policies/policy.ts";
import { estimate } from "../experiment/statistics.ts";
import { candidatesOf, type Thoroughness } from "./candidates.ts";
import { type Average, averageOf, type Trial } from "./objective.ts";
import { type Because, race } from "./race.ts";
import type { TuneWorld } from "./world.ts";

export interface TuneOptions {
  readonly kinds: readonly LeafSpec["kind"][];
  readonly thoroughness: Thoroughness;
  /** Share of jobs to be answered in time. */
  readonly target: number;
  /** Replications with which what was found is measured at last. */
  readonly replications: number;
  readonly seed: number;
  /** Called after each replication; how many there will be is not known beforehand. */
  readonly onProgress: (done: number) => void;
}

/** A setting that was tried, with what the search saw of it. */
export interface Tried {
  readonly policy: LeafSpec;
  readonly replications: number;
  /** `null` of one that did not come to an end. */
  readonly average: Average | null;
  readonly dropped: Because | null;
}

/** A mean with its 95 % interval over replications. */
export interface Span {
  readonly mean: number;
  readonly ci95: readonly [low: number, high: number];
}

/** What was measured at last, with random numbers that no search has seen. */
export interface Finalist {
  readonly policy: PolicySpec | "recorded";
  readonly roles: readonly Role[];
  /** `null`: endless. */
  readonly onTime: Span | null;
  readonly work: Span | null;
  /** Less the present policy, of the same replications; `null` for that itself. */
  readonly effect: { readonly onTime: Span; readonly work: Span } | null;
}

export type Role = "winner" | "present" | "best of its kind" | "documented";

export interface TuneResult {
  readonly target: number;
  readonly winner: LeafSpec;
  readonly finalists: readonly Finalist[];
  readonly tried: readonly Tried[];
  readonly bound: { readonly onTime: Span; readonly work: Span };
  /** Replications of the search, all settings together. */
  readonly searched: number;
}

/** Replications after which settings are dropped. */
const LOOKS = { quick: [4, 8], full: [4, 8, 16] } as const;
/** Probability with which the best setting is dropped, at the most: half of it in its kind's race, half in the last one. */
const ERROR = 0.05;
/** What is measured at last has nothing to do with the random numbers of the search, or the lucky setting would look better. */
const SEARCH_SEED = 1_000_000_007;
const MAX_SEED = 2 ** 31 - 1 - 1_000;

/** Nothing that was tried came to an end: the fleet cannot serve that load. */
export class NothingFound extends Error {
  override readonly name = "NothingFound";
}

/**
 * Searches the settings of each kind of policy by racing elimination, lets the best of each kind race each other, and measures
 * these, their documented settings and the present policy with fresh random numbers. Throws `NothingFound`.
 */
export async function tune(world: TuneWorld, options: TuneOptions): Promise<TuneResult> {
  const search = new Search(world, options);
  const best = (await Promise.all(options.kinds.map((kind) => search.bestOf(kind)))).flatMap((one) => one ?? []);
  const winner = best.length === 0 ? undefined : await search.last(best);
  if (winner === undefined)
    throw new NothingFound("no setting of any policy came to an end: the fleet cannot serve this load");
  const finalists = await measureAll(world, options, { best, winner });
  const bounds: Average[] = [];
  for (let replication = 0; replication < options.replications; replication++) {
    bounds.push(await world.bound(replication, options.seed));
  }
  return {
    target: options.target,
    winner,
    finalists,
    tried: search.tried(),
    bound: { onTime: spanOf(bounds.map(({ onTime }) => onTime)), work: spanOf(bounds.map(({ work }) => work)) },
    searched: search.replications,
  };
}

class Search {
  readonly #world: TuneWorld;
  readonly #options: TuneOptions;
  readonly #seed: number;
  readonly #tried = new Map<string, Tried>();
  /** Each replication of a setting is measured once, whatever race asks for it. */
  readonly #known = new Map<string, Promise<Trial | "endless">>();

  constructor(world: TuneWorld, options: TuneOptions) {
    this.#world = world;
    this.#options = options;
    this.#seed = (options.seed + SEARCH_SEED) % MAX_SEED;
  }

  get replications(): number {
    return this.#known.size;
  }

  async bestOf(kind: LeafSpec["kind"]): Promise<LeafSpec | undefined> {
    const { thoroughness } = this.#options;
    return this.#race(candidatesOf(kind, this.#world.scale, thoroughness));
  }

  last(best: readonly LeafSpec[]): Promise<LeafSpec | undefined> {
    return this.#race(best);
  }

  /** In the order of rising work, what did not come to an end at last. */
  tried(): readonly Tried[] {
    const work = ({ average }: Tried): number => average?.work ?? Number.POSITIVE_INFINITY;
    return [...this.#tried.values()].sort((a, b) => work(a) - work(b));
  }

  async #race(candidates: readonly LeafSpec[]): Promise<LeafSpec | undefined> {
    const { target, thoroughness } = this.#options;
    const options = { target, error: ERROR / 2, looks: LOOKS[thoroughness], jobs: this.#world.jobs };
    const { winner, candidates: raced } = await race(candidates.length, options, (candidate, replication) =>
      this.#measure(candidates[candidate] as LeafSpec, replication),
    );
    for (const [index, { trials, dropped }] of raced.entries()) {
      const policy = candidates[index] as LeafSpec;
      const average = trials.length === 0 || dropped?.because === "endless" ? null : averageOf(trials);
      const because = dropped?.because ?? null;
      const before = this.#tried.get(keyOf(policy));
      if (before !== undefined && before.replications > trials.length) continue;
      this.#tried.set(keyOf(policy), { policy, replications: trials.length, average, dropped: because });
    }
    return winner === undefined ? undefined : candidates[winner];
  }

  #measure(policy: LeafSpec, replication: number): Promise<Trial | "endless"> {
    const key = `${replication} ${keyOf(policy)}`;
    let trial = this.#known.get(key);
    if (trial === undefined) {
      trial = this.#world.measure(policy, replication, this.#seed).then((measured) => {
        this.#options.onProgress(this.#known.size);
        return measured;
      });
      this.#known.set(key, trial);
    }
    return trial;
  }
}

async function measureAll(
  world: TuneWorld,
  options: TuneOptions,
  { best, winner }: { readonly best: readonly LeafSpec[]; readonly winner: LeafSpec },
): Promise<readonly Finalist[]> {
  const roles = new Map<string, { policy: PolicySpec | "recorded"; roles: Role[] }>();
  const give = (policy: PolicySpec | "recorded", role: Role): void => {
    const known = roles.get(keyOf(policy));
    if (known === undefined) roles.set(keyOf(policy), { policy, roles: [role] });
    else known.roles.push(role);
  };
  give(winner, "winner");
  give(world.present, "present");
  for (const one of best) give(one, "best of its kind");
  for (const kind of options.kinds) give(candidatesOf(kind, world.scale, "quick")[0] as LeafSpec, "documented");
  const given = [...roles.values()];
  const replicationsOf = async (policy: PolicySpec | "recorded"): Promise<readonly Trial[] | "endless"> => {
    const asked = Array.from({ length: options.replications }, (_, replication) =>
      world.measure(policy, replication, options.seed),
    );
    const trials = await Promise.all(asked);
    return trials.some((trial) => trial === "endless") ? "endless" : (trials as Trial[]);
  };
  const measured = await Promise.all(given.map(({ policy }) => replicationsOf(policy)));
  const present = measured[given.findIndex((one) => one.roles.includes("present"))] ?? "endless";
  return given.map(({ policy, roles: own }, index) => {
    const trials = measured[index] ?? "endless";
    const isPresent = own.includes("present");
    return { policy, roles: own, ...figuresOf(trials), effect: isPresent ? null : effectOf(trials, present) };
  });
}

function figuresOf(trials: readonly Trial[] | "endless"): Pick<Finalist, "onTime" | "work"> {
  if (trials === "endless") return { onTime: null, work: null };
  return { onTime: spanOf(trials.map(({ onTime }) => onTime)), work: spanOf(trials.map(({ work }) => work)) };
}

function effectOf(own: readonly Trial[] | "endless", present: readonly Trial[] | "endless"): Finalist["effect"] {
  if (own === "endless" || present === "endless") return null;
  const paired = (of: (trial: Trial) => number): Span =>
    spanOf(own.map((trial, index) => of(trial) - of(present[index] as Trial)));
  return { onTime: paired(({ onTime }) => onTime), work: paired(({ work }) => work) };
}

function spanOf(values: readonly number[]): Span {
  const { mean, interval } = estimate(values, 0.95);
  return { mean, ci95: interval ?? [mean, mean] };
}

/** Policies are the same when their parameters are, in whatever order. */
function keyOf(policy: PolicySpec | "recorded"): string {
  return typeof policy === "string" ? policy : JSON.stringify(Object.entries(policy).sort());
}
