import { assert } from "../../scheduler/shared/assert.ts";
import { estimate } from "../experiment/statistics.ts";
import { averageOf, compareByGoal, type Trial } from "./objective.ts";

export interface RaceOptions {
  /** Share of jobs to be answered in time. */
  readonly target: number;
  /** Probability with which the best candidate may be dropped, at the most. */
  readonly error: number;
  /** Replications after which candidates are looked at, rising; the last is the most that any gets. */
  readonly looks: readonly number[];
  /** Jobs of a replication: a share of them is never known better than to one of them. */
  readonly jobs: number;
}

/** What became of a candidate. */
export interface Raced {
  readonly trials: readonly Trial[];
  /** `undefined` for those that stayed to the end. */
  readonly dropped: Dropped | undefined;
}

export interface Dropped {
  readonly because: Because;
  /** The candidate that it was held against; `undefined` for what did not come to an end. */
  readonly against: number | undefined;
}

export type Because = "costs more" | "answers fewer and costs more" | "misses the target" | "endless";

export interface RaceResult {
  /** `undefined` when no candidate came to an end. */
  readonly winner: number | undefined;
  readonly candidates: readonly Raced[];
}

/** Measures one replication of a candidate: the same replication means the same luck for all. `endless`: no result in time. */
export type Measure = (candidate: number, replication: number) => Promise<Trial | "endless">;

/**
 * Racing (Maron and Moore, "Hoeffding Races", 1994; in the form for tuning algorithms of Birattari et al., "F-Race", 2002):
 * all candidates run the same replications, and at each look those leave that can hardly be the best. A candidate is held
 * against the leader by differences of the same replications (common random numbers), with Student's intervals in place of
 * Hoeffding's, which are far wider for shares and need bounded work. Their confidence is corrected after Bonferroni for
 * all candidates, looks and bounds, so that all bounds hold together with probability 1 − error; and as long as they
 * hold, each of the three reasons means that the leader is truly the better one:
 *
 * - it costs more, and the leader surely reaches the target;
 * - it answers fewer in time and costs more, whichever of the two reaches the target;
 * - it surely misses the target, and answers fewer in time than the leader.
 */
export async function race(candidates: number, options: RaceOptions, measure: Measure): Promise<RaceResult> {
  const { looks } = options;
  assert(candidates > 0 && looks.length > 0, "a race has candidates and looks");
  assert(
    looks.every((look, index) => look > (looks[index - 1] ?? 1)),
    "looks rise, and two replications make an interval",
  );
  const racers = Array.from({ length: candidates }, () => new Racer());
  let done = 0;
  for (const look of looks) {
    const running = racers.filter(({ dropped }) => dropped === undefined);
    await Promise.all(running.map((racer) => racer.run(racers.indexOf(racer), { from: done, to: look }, measure)));
    done = look;
    const left = racers.flatMap((racer, index) => (racer.dropped === undefined ? [index] : []));
    if (left.length > 1) eliminate(racers, left, options);
    if (racers.filter(({ dropped }) => dropped === undefined).length <= 1) break;
  }
  return { winner: leaderOf(racers, options.target), candidates: racers };
}

class Racer implements Raced {
  readonly trials: Trial[] = [];
  dropped: Dropped | undefined;

  async run(own: number, { from, to }: { from: number; to: number }, measure: Measure): Promise<void> {
    // Where the first does not come to an end it takes long to know, and the others would not either.
    const first = await measure(own, from);
    const rest =
      first === "endless" ? [] : Array.from({ length: to - from - 1 }, (_, index) => measure(own, from + 1 + index));
    for (const trial of [first, ...(await Promise.all(rest))]) {
      if (trial === "endless") this.dropped = { because: "endless", against: undefined };
      else this.trials.push(trial);
    }
  }
}

function leaderOf(racers: readonly Racer[], target: number): number | undefined {
  let leader: number | undefined;
  for (const [index, { trials, dropped }] of racers.entries()) {
    if (dropped !== undefined) continue;
    const ahead =
      leader === undefined || compareByGoal(averageOf(trials), averageOf((racers[leader] as Racer).trials), target) < 0;
    if (ahead) leader = index;
  }
  return leader;
}

function eliminate(racers: readonly Racer[], left: readonly number[], options: RaceOptions): void {
  const leader = leaderOf(racers, options.target) as number;
  const bounds = boundsOf(racers.length, options);
  const first = (racers[leader] as Racer).trials;
  for (const index of left) {
    if (index === leader) continue;
    const racer = racers[index] as Racer;
    const because = reason(first, racer.trials, options.target, bounds);
    if (because !== undefined) racer.dropped = { because, against: leader };
  }
}

/** Why the candidate cannot be the best, if the bounds hold; `undefined` when it can. */
function reason(leader: readonly Trial[], own: readonly Trial[], target: number, bounds: Bounds): Because | undefined {
  const paired = (of: (trial: Trial) => number): number[] =>
    own.map((trial, index) => of(trial) - of(leader[index] as Trial));
  const dearer = bounds.work(paired(({ work }) => work)).low > 0;
  const fewer = bounds.share(paired(({ onTime }) => onTime)).high < 0;
  const surely = bounds.share(leader.map(({ onTime }) => onTime)).low >= target;
  if (dearer && surely) return "costs more";
  if (dearer && fewer) return "answers fewer and costs more";
  if (fewer && bounds.share(own.map(({ onTime }) => onTime)).high < target) return "misses the target";
  return undefined;
}

interface Bound {
  readonly low: number;
  readonly high: number;
}

interface Bounds {
  share(values: readonly number[]): Bound;
  work(values: readonly number[]): Bound;
}

/** Of a candidate at a look: its own share, and how it differs from the leader in share and in work. */
const BOUNDS_EACH = 3;

function boundsOf(candidates: number, { error, looks, jobs }: RaceOptions): Bounds {
  const confidence = 1 - error / (candidates * looks.length * BOUNDS_EACH);
  const bound = (values: readonly number[], grain: number): Bound => {
    const { mean, interval } = estimate(values, confidence);
    assert(interval !== undefined, "two replications make an interval");
    // Replications that agree to the last job leave no doubt about these, and some about the next one.
    return { low: Math.min(interval[0], mean - grain), high: Math.max(interval[1], mean + grain) };
  };
  return {
    share: (values) => bound(values, 1 / (jobs * values.length)),
    work: (values) => bound(values, 0),
  };
}
