import type { FrozenLaw } from "./law.ts";
import { ALL, type Grid, gridOf, momentAt, type Staircase, STEPS } from "./staircase.ts";

/** Pairs of launch times are tried on a grid this much coarser. */
const STRIDE = 6;

/** A copy under way, in units of the job's expected duration. */
export interface Prospect {
  /** How much slower than its class its node is. */
  readonly pace: number;
  /** P(its node answers at all). */
  readonly alive: number;
  /** How long it has been running. */
  readonly age: number;
  /** How long until it starts. */
  readonly wait: number;
}

/** When further copies are launched, from now on and in units of the expected duration, unless the job is done before. */
export interface Plan {
  readonly launches: readonly number[];
  /** P(not done by the deadline); with several cut-offs, the expected share of the value that is lost from now on. */
  readonly late: number;
  /** Expected machine-time from now on, in units of the expected duration. */
  readonly work: number;
}

/** What there is to choose from. */
export interface Frontier {
  /** By work; the one without further copies among them, unless further copies save work. */
  readonly plans: readonly Plan[];
  /** Those of them that are best at some price: the corners of the lower convex hull. */
  readonly corners: readonly Plan[];
  /** Until when launches were considered, where later ones may pay; then is the time to plan anew. */
  readonly until: number;
}

/**
 * All plans worth having for a job: none has both less work and a lower probability to be late than another. With S(t) the
 * probability that the job is not done at t, the work of n(t) copies is ∫ n(t) S(t) dt, and a result that comes a millisecond
 * after a cut-off is worth what it is worth at the next one: what is lost is Σ drop · S(cut-off). Launch times are chosen from a
 * grid; copies are independent given what they have in common (`FrozenLaw.survivalGiven`), over which is integrated.
 */
export function frontierOf(law: FrozenLaw, copies: readonly Prospect[], stairs: Staircase, most: number): Frontier {
  const grid = gridOf(stairs);
  const singles = new Sums(most >= 1 ? STEPS : 0);
  const pairs = new Sums(most >= 2 ? PAIRS : 0);
  const none = { late: 0, work: 0 };
  const { nodes, weights } = law.shared;
  let total = 0;
  for (let index = 0; index < nodes.length; index++) {
    const z = nodes[index] as number;
    const launched = { pace: 1, alive: law.alive, age: 0, wait: 0 };
    const fresh = survivalOf(law, launched, z, { offset: grid.step, step: grid.step });
    const now = grid.offset === grid.step ? fresh : survivalOf(law, launched, z, grid);
    const running = together(copies.map((copy) => survivalOf(law, copy, z, grid)));
    const weight = (weights[index] as number) * running.before;
    total += weight;
    add(none, singles, pairs, { running, now, fresh, grid, weight });
  }
  // Of what is still running at the end of the grid, each job takes about one mean duration more, with one copy or with two.
  const plans: Plan[] = [{ launches: [], late: none.late / total, work: none.work / total }];
  for (let i = 0; i < singles.late.length; i++) {
    plans.push({ launches: [momentAt(grid, i)], late: singles.lateAt(i) / total, work: singles.workAt(i) / total });
  }
  for (let place = 0; place < pairs.late.length; place++) {
    const [i, j] = PAIR_TIMES[place] as readonly [number, number];
    plans.push({
      launches: [momentAt(grid, i), momentAt(grid, j)],
      late: pairs.lateAt(place) / total,
      work: pairs.workAt(place) / total,
    });
  }
  return worthHaving(plans, grid.open ? momentAt(grid, STEPS) : Number.POSITIVE_INFINITY);
}

/** Pairs i ≤ j of launch times on the coarser grid. */
const PAIR_TIMES: readonly (readonly [number, number])[] = Array.from({ length: STEPS / STRIDE }, (_, a) =>
  Array.from({ length: STEPS / STRIDE - a }, (_, b) => [a * STRIDE, (a + b) * STRIDE] as const),
).flat();
const PAIRS = PAIR_TIMES.length;

class Sums {
  readonly late: Float64Array;
  readonly work: Float64Array;

  constructor(length: number) {
    this.late = new Float64Array(length);
    this.work = new Float64Array(length);
  }
  lateAt(index: number): number {
    return this.late[index] as number;
  }
  workAt(index: number): number {
    return this.work[index] as number;
  }
  add(index: number, late: number, work: number): void {
    this.late[index] = this.lateAt(index) + late;
    this.work[index] = this.workAt(index) + work;
  }
}

/** By step: P(no answer yet), and of that P(and it is running), which is what costs. */
interface Survival {
  readonly open: Float64Array;
  readonly working: Float64Array;
  /** P(no answer up to now), by which `open` is divided. */
  readonly before: number;
}

function survivalOf(
  law: FrozenLaw,
  { pace, alive, age, wait }: Prospect,
  z: number,
  grid: Pick<Grid, "offset" | "step">,
): Survival {
  const open = new Float64Array(ALL + 1);
  const working = new Float64Array(ALL + 1);
  const before = 1 - alive + alive * law.survivalGiven(age / pace, z);
  for (let k = 0; k <= ALL; k++) {
    const ran = momentAt(grid, k) - wait;
    const running = (alive * law.survivalGiven((age + Math.max(0, ran)) / pace, z)) / before;
    open[k] = (1 - alive) / before + running;
    working[k] = ran < 0 ? 0 : running;
  }
  return { open, working, before };
}

function together(copies: readonly Survival[]): Survival {
  const [first] = copies;
  if (copies.length === 1 && first !== undefined) return first;
  const open = new Float64Array(ALL + 1).fill(1);
  const working = new Float64Array(ALL + 1);
  let before = 1;
  for (const copy of copies) before *= copy.before;
  for (let k = 0; k <= ALL; k++) {
    let product = 1;
    for (const copy of copies) product *= copy.open[k] as number;
    open[k] = product;
    let sum = 0;
    for (const copy of copies) {
      const own = copy.open[k] as number;
      if (own > 0) sum += ((copy.working[k] as number) * product) / own;
    }
    working[k] = sum;
  }
  return { open, working, before };
}

function add(
  none: { late: number; work: number },
  singles: Sums,
  pairs: Sums,
  given: { running: Survival; now: Survival; fresh: Survival; grid: Grid; weight: number },
): void {
  const { running, now, fresh, grid, weight } = given;
  const { offset, step, cuts, drops } = grid;
  const { open, working } = running;
  const before = new Float64Array(ALL + 2);
  for (let k = 0; k < ALL; k++) {
    const width = k === 0 ? offset : step;
    before[k + 1] = (before[k] as number) + (width * ((working[k] as number) + (working[k + 1] as number))) / 2;
  }
  let missed = 0;
  for (let cut = 0; cut < cuts.length; cut++) missed += (drops[cut] as number) * (open[cuts[cut] as number] as number);
  none.late += weight * missed;
  none.work += weight * ((before[ALL] as number) + (open[ALL] as number));
  for (let i = 0; i < singles.late.length; i++) {
    const second = i === 0 ? now : fresh;
    let work = before[i] as number;
    let last = 0;
    for (let k = i; k <= ALL; k++) {
      const sum =
        (working[k] as number) * (second.open[k - i] as number) +
        (open[k] as number) * (second.working[k - i] as number);
      if (k > i) work += ((k === 1 ? offset : step) * (last + sum)) / 2;
      last = sum;
    }
    let late = 0;
    for (let cut = 0; cut < cuts.length; cut++) {
      const k = cuts[cut] as number;
      const lost = (drops[cut] as number) * (open[k] as number);
      late += k < i ? lost : lost * (second.open[k - i] as number);
    }
    const rest = (open[ALL] as number) * (second.open[ALL - i] as number);
    singles.add(i, weight * late, weight * (work + rest));
  }
  for (let place = 0; place < pairs.late.length; place++) {
    const [i, j] = PAIR_TIMES[place] as readonly [number, number];
    const [second, third] = [i === 0 ? now : fresh, j === 0 ? now : fresh];
    let work = before[i] as number;
    let last = 0;
    for (let k = i; k <= ALL; k++) {
      const a = open[k] as number;
      const b = second.open[k - i] as number;
      let sum = (working[k] as number) * b + a * (second.working[k - i] as number);
      if (k >= j) sum = sum * (third.open[k - j] as number) + a * b * (third.working[k - j] as number);
      if (k > i) work += ((k === 1 ? offset : step) * (last + sum)) / 2;
      last = sum;
    }
    let late = 0;
    for (let cut = 0; cut < cuts.length; cut++) {
      const k = cuts[cut] as number;
      let lost = (drops[cut] as number) * (open[k] as number);
      if (k >= i) lost *= second.open[k - i] as number;
      if (k >= j) lost *= third.open[k - j] as number;
      late += lost;
    }
    const rest = (open[ALL] as number) * (second.open[ALL - i] as number) * (third.open[ALL - j] as number);
    pairs.add(place, weight * late, weight * (work + rest));
  }
}

function worthHaving(plans: Plan[], until: number): Frontier {
  plans.sort((a, b) => a.work - b.work || a.late - b.late);
  const kept: Plan[] = [];
  let best = Number.POSITIVE_INFINITY;
  for (const plan of plans) {
    if (plan.late >= best) continue;
    best = plan.late;
    kept.push(plan);
  }
  return { plans: kept, corners: cornersOf(kept), until };
}

/** Andrew's monotone chain: what lies above the line between its neighbours is best at no price. */
function cornersOf(plans: readonly Plan[]): readonly Plan[] {
  const corners: Plan[] = [];
  for (const plan of plans) {
    while (corners.length >= 2 && !turns(corners.at(-2) as Plan, corners.at(-1) as Plan, plan)) corners.pop();
    corners.push(plan);
  }
  return corners;
}

function turns(a: Plan, b: Plan, c: Plan): boolean {
  return (b.work - a.work) * (c.late - a.late) - (b.late - a.late) * (c.work - a.work) > 0;
}
