import type { Frontier, Plan } from "./frontier.ts";

/** What one more job in time is worth at the most, in machine-time of jobs: beyond it a target is taken for out of reach. */
const MOST = 1_000;
const LEAST = 1e-3;
const HALVINGS = 30;

/**
 * What being in time is worth, in work: a plan is chosen that minimises late · worth + work · (1 + worth · crowding), where
 * `crowding` is the probability to be late that a unit of work costs everybody else together.
 */
export interface Price {
  /** The worth at which the target is just missed, and the one at which it is just met: they choose different plans where the frontier has a gap. */
  readonly below: number;
  readonly above: number;
  /** How far to go from the one plan to the other, so that the target is met on average and not exceeded. */
  readonly share: number;
}

export const COLD_PRICE: Price = { below: 0, above: 0, share: 0 };

/** A job as the price sees it. */
export interface Choice {
  readonly frontier: Frontier;
  readonly crowding: number;
}

/** The plan that is best at this worth, when a unit of work costs so much, what it costs everybody else included. */
export function bestPlan({ corners }: Frontier, worth: number, costOfWork: number): Plan {
  let best = corners[0] as Plan;
  let least = Number.POSITIVE_INFINITY;
  for (const plan of corners) {
    const cost = worth * plan.late + costOfWork * plan.work;
    if (cost < least) {
      least = cost;
      best = plan;
    }
  }
  return best;
}

/**
 * The price at which recent jobs, were they planned by it, are in time with probability `target` on average: by bisection, since
 * the average rises with the worth. So a job that is hopeless gets no copies that a job on the edge could use: each unit of
 * work goes where it saves most (a Lagrange multiplier for all jobs of a class in common).
 */
export function priceFor(recent: readonly Choice[], target: number): Price {
  const allowed = 1 - target;
  const unlike = counted(recent);
  const lateAt = (worth: number) => {
    let late = 0;
    for (const { frontier, crowding, jobs } of unlike)
      late += jobs * bestPlan(frontier, worth, 1 + worth * crowding).late;
    return late / recent.length;
  };
  let [below, above] = [LEAST, MOST];
  if (lateAt(LEAST) <= allowed) return { below: LEAST, above: LEAST, share: 0 };
  if (lateAt(MOST) > allowed) return { below: MOST, above: MOST, share: 0 };
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = Math.sqrt(below * above);
    if (lateAt(middle) > allowed) below = middle;
    else above = middle;
  }
  const [missed, met] = [lateAt(below), lateAt(above)];
  return { below, above, share: missed === met ? 0 : (missed - allowed) / (missed - met) };
}

/** Jobs that have the same to choose from are one, counted. */
function counted(recent: readonly Choice[]): readonly (Choice & { readonly jobs: number })[] {
  const byFrontier = new Map<Frontier, Map<number, number>>();
  for (const { frontier, crowding } of recent) {
    let jobs = byFrontier.get(frontier);
    if (jobs === undefined) {
      jobs = new Map();
      byFrontier.set(frontier, jobs);
    }
    jobs.set(crowding, (jobs.get(crowding) ?? 0) + 1);
  }
  return [...byFrontier].flatMap(([frontier, byCrowding]) =>
    [...byCrowding].map(([crowding, jobs]) => ({ frontier, crowding, jobs })),
  );
}

/** The plan of a job at a price; where the two worths differ, the one on the frontier whose probability lies between. */
export function planAt({ frontier, crowding }: Choice, { below, above, share }: Price): Plan {
  const met = bestPlan(frontier, above, 1 + above * crowding);
  if (share >= 1 || below === above) return met;
  const missed = bestPlan(frontier, below, 1 + below * crowding);
  if (missed === met) return met;
  const late = missed.late + share * (met.late - missed.late);
  let from = missed;
  for (const plan of frontier.plans) {
    if (plan.late > late) from = plan;
    else return between(from, plan, late);
  }
  return met;
}

/** Between two neighbours on the frontier that have as many launches the times are, too; of others it is the nearer one. */
function between(from: Plan, to: Plan, late: number): Plan {
  const share = (from.late - late) / (from.late - to.late);
  if (from.launches.length !== to.launches.length) return share < 0.5 ? from : to;
  const mix = (a: number, b: number) => a + share * (b - a);
  return {
    launches: from.launches.map((launch, index) => mix(launch, to.launches[index] as number)),
    late,
    work: mix(from.work, to.work),
  };
}
