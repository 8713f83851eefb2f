import type { Plan } from "./frontier.ts";

/** What one more job in time is worth at the most, in machine-time of jobs: beyond it a target is taken for out of reach. */
const MOST = 1_000;
const LEAST = 1e-3;
const HALVINGS = 30;

/**
 * What work costs, and what being in time is worth: a plan is chosen that minimises late · worth + work · (1 + worth · crowding).
 * `crowding` is how much later everybody else gets through a unit of work: P(late) that it costs them.
 */
export interface Price {
  /** The worth at which the target is just missed, and the one at which it is just met: they choose different plans where the frontier has a gap. */
  readonly below: number;
  readonly above: number;
  /** How far to go from the one plan to the other, so that the target is met on average and not exceeded. */
  readonly share: number;
  readonly crowding: number;
}

export const COLD_PRICE: Price = { below: 0, above: 0, share: 0, crowding: 0 };

/** The plan that is best at this worth. */
export function bestPlan(frontier: readonly Plan[], worth: number, crowding: number): Plan {
  let best = frontier[0] as Plan;
  let least = Number.POSITIVE_INFINITY;
  for (const plan of frontier) {
    const cost = worth * plan.late + (1 + worth * crowding) * plan.work;
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
export function priceFor(frontiers: readonly (readonly Plan[])[], target: number, crowding: number): Price {
  const allowed = 1 - target;
  const lateAt = (worth: number) => {
    let late = 0;
    for (const frontier of frontiers) late += bestPlan(frontier, worth, crowding).late;
    return late / frontiers.length;
  };
  let [below, above] = [LEAST, MOST];
  if (lateAt(LEAST) <= allowed) return { below: LEAST, above: LEAST, share: 0, crowding };
  if (lateAt(MOST) > allowed) return { below: MOST, above: MOST, share: 0, crowding };
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = Math.sqrt(below * above);
    if (lateAt(middle) > allowed) below = middle;
    else above = middle;
  }
  const [missed, met] = [lateAt(below), lateAt(above)];
  return { below, above, share: missed === met ? 0 : (missed - allowed) / (missed - met), crowding };
}

/** The plan of a job at a price; where the two worths differ, the one on the frontier whose probability lies between. */
export function planAt(frontier: readonly Plan[], { below, above, share, crowding }: Price): Plan {
  const met = bestPlan(frontier, above, crowding);
  if (share >= 1 || below === above) return met;
  const missed = bestPlan(frontier, below, crowding);
  if (missed === met) return met;
  const late = missed.late + share * (met.late - missed.late);
  let from = missed;
  for (const plan of frontier) {
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

/**
 * How much P(late) a unit of work costs everybody else: it raises the utilisation, that the mean wait, and that pushes those
 * over the deadline who are just before it. Sakasegawa's approximation of the wait in M/G/c (1977), differentiated; all in
 * units of the mean work of a job.
 *
 * @param density of finishing at the deadline, per unit of time
 */
export function crowdingAt(given: { utilisation: number; slots: number; scv: number; density: number }): number {
  const { slots, scv, density } = given;
  if (slots > 10_000) return 0;
  const utilisation = Math.min(0.98, given.utilisation);
  const power = Math.sqrt(2 * (slots + 1)) - 1;
  const idle = 1 - utilisation;
  const wait = utilisation ** power / (slots * idle);
  const slope = wait * (power / Math.max(utilisation, 1e-3) + 1 / idle);
  return density * ((1 + scv) / 2) * slope * utilisation;
}
