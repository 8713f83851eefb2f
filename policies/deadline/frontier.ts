import type { FrozenLaw } from "./law.ts";
import { ALL, type Grid, gridOf, momentAt, type Staircase, STEPS } from "./staircase.ts";
import { Course, type Prospect, Survival } from "./survival.ts";

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
  /** The plan that was chosen, by how busy the nodes were: kept here so that it need not be looked for. */
  readonly chosen: (Plan | undefined)[];
}

/** Pairs of launch times are tried on a grid this much coarser. */
const STRIDE = 6;

/** Numbers of the moments at which copies are launched: none, one at any of them, or two on the coarser grid. */
const CANDIDATES: readonly (readonly number[])[] = [
  [],
  ...Array.from({ length: STEPS }, (_, i) => [i]),
  ...Array.from({ length: STEPS / STRIDE }, (_, a) =>
    Array.from({ length: STEPS / STRIDE - a }, (_, b) => [a * STRIDE, (a + b) * STRIDE]),
  ).flat(),
];
const WITH_ONE = 1;
const WITH_TWO = 1 + STEPS;

/** By candidate, summed up over what copies have in common; like all that follows, written anew for each frontier. */
const LATE = new Float64Array(CANDIDATES.length);
const WORK = new Float64Array(CANDIDATES.length);
const ORDER = new Uint8Array(CANDIDATES.length);
const [RUNNING, FRESH, NOW, ONE] = [new Survival(), new Survival(), new Survival(), new Survival()];
const [FRESH_COURSE, NOW_COURSE] = [new Course(), new Course()];
const COURSES: Course[] = [];
/** Machine-time up to each moment, with the copies that run, and with one more. */
const BEFORE = new Float64Array(ALL + 1);
const SO_FAR = new Float64Array(ALL + 1);
/** Of the copies that run and one more. */
const OPEN = new Float64Array(ALL + 1);
const WORKING = new Float64Array(ALL + 1);

/**
 * All plans worth having for a job: none has both less work and a lower probability to be late than another. With S(t) the
 * probability that the job is not done at t, the work of n(t) copies is ∫ n(t) S(t) dt, and a result that comes a millisecond
 * after a cut-off is worth what it is worth at the next one: what is lost is Σ drop · S(cut-off). Launch times are chosen from a
 * grid; copies are independent given what they have in common (`FrozenLaw.survivalAt`), over which is integrated.
 */
export function frontierOf(law: FrozenLaw, copies: readonly Prospect[], stairs: Staircase, most: number): Frontier {
  const grid = gridOf(stairs);
  const launched = { pace: 1, alive: law.alive, age: 0, wait: 0 };
  const atOnce = grid.offset === grid.step;
  FRESH_COURSE.follow(law, launched, { offset: grid.step, step: grid.step });
  if (!atOnce) NOW_COURSE.follow(law, launched, grid);
  for (let index = 0; index < copies.length; index++) {
    COURSES[index] ??= new Course();
    (COURSES[index] as Course).follow(law, copies[index] as Prospect, grid);
  }
  const candidates = most >= 2 ? CANDIDATES.length : most === 1 ? WITH_TWO : WITH_ONE;
  LATE.fill(0);
  WORK.fill(0);
  const { nodes, weights } = law.shared;
  let total = 0;
  for (let index = 0; index < nodes.length; index++) {
    const z = nodes[index] as number;
    FRESH_COURSE.survive(law, z, FRESH);
    if (!atOnce) NOW_COURSE.survive(law, z, NOW);
    RUNNING.clear();
    for (let copy = 0; copy < copies.length; copy++) {
      (COURSES[copy] as Course).survive(law, z, copy === 0 ? RUNNING : ONE);
      if (copy > 0) RUNNING.join(ONE);
    }
    const weight = (weights[index] as number) * RUNNING.before;
    total += weight;
    add(grid, atOnce ? FRESH : NOW, weight, candidates);
  }
  const until = grid.open ? momentAt(grid, STEPS) : Number.POSITIVE_INFINITY;
  return worthHaving(grid, total, candidates, until);
}

/** Adds what each candidate comes to among jobs of one kind, which weigh so much. A copy launched now survives as `now` says. */
function add(grid: Grid, now: Survival, weight: number, candidates: number): void {
  const { offset, step } = grid;
  const { open, working } = RUNNING;
  BEFORE[0] = 0;
  for (let k = 1; k <= ALL; k++) {
    const width = k === 1 ? offset : step;
    BEFORE[k] = (BEFORE[k - 1] as number) + (width * ((working[k - 1] as number) + (working[k] as number))) / 2;
  }
  // Of what is still running at the end of the grid, each job takes about one mean duration more, with one copy or with two.
  put(0, weight, lost(grid, open, FRESH.open, ALL + 1), (BEFORE[ALL] as number) + (open[ALL] as number));
  if (candidates === WITH_ONE) return;
  let pair = WITH_TWO;
  for (let i = 0; i < STEPS; i++) {
    const second = i === 0 ? now : FRESH;
    const [fresh, running] = [second.open, second.working];
    let before = (working[i] as number) * (fresh[0] as number) + (open[i] as number) * (running[0] as number);
    let sum = BEFORE[i] as number;
    OPEN[i] = (open[i] as number) * (fresh[0] as number);
    WORKING[i] = before;
    SO_FAR[i] = sum;
    for (let k = i + 1; k <= ALL; k++) {
      const [alone, other] = [open[k] as number, fresh[k - i] as number];
      const both = (working[k] as number) * other + alone * (running[k - i] as number);
      sum += ((k === 1 ? offset : step) * (before + both)) / 2;
      before = both;
      OPEN[k] = alone * other;
      WORKING[k] = both;
      SO_FAR[k] = sum;
    }
    put(WITH_ONE + i, weight, lost(grid, open, fresh, i), sum + (OPEN[ALL] as number));
    if (candidates === WITH_TWO || i % STRIDE !== 0) continue;
    for (let k = 0; k < i; k++) OPEN[k] = open[k] as number;
    for (let j = i; j < STEPS; j += STRIDE) addThird(grid, j === 0 ? now : FRESH, j, weight, pair++);
  }
}

/** A third copy, launched at moment j, beside the two of which `OPEN`, `WORKING` and `SO_FAR` tell. */
function addThird(
  { offset, step, ...grid }: Grid,
  third: Survival,
  j: number,
  weight: number,
  candidate: number,
): void {
  const { open, working } = third;
  let work = SO_FAR[j] as number;
  let before = (WORKING[j] as number) * (open[0] as number) + (OPEN[j] as number) * (working[0] as number);
  for (let k = j + 1; k <= ALL; k++) {
    const all = (WORKING[k] as number) * (open[k - j] as number) + (OPEN[k] as number) * (working[k - j] as number);
    work += ((k === 1 ? offset : step) * (before + all)) / 2;
    before = all;
  }
  put(candidate, weight, lost(grid, OPEN, open, j), work + (OPEN[ALL] as number) * (open[ALL - j] as number));
}

/** What is lost of the value by jobs that are open so long, when one more copy is launched at moment i. */
function lost(
  { cuts, drops }: Pick<Grid, "cuts" | "drops">,
  open: Float64Array,
  fresh: Float64Array,
  i: number,
): number {
  let late = 0;
  for (let cut = 0; cut < cuts.length; cut++) {
    const k = cuts[cut] as number;
    const share = (drops[cut] as number) * (open[k] as number);
    late += k < i ? share : share * (fresh[k - i] as number);
  }
  return late;
}

function put(candidate: number, weight: number, late: number, work: number): void {
  LATE[candidate] = (LATE[candidate] as number) + weight * late;
  WORK[candidate] = (WORK[candidate] as number) + weight * work;
}

function worthHaving(grid: Grid, total: number, candidates: number, until: number): Frontier {
  // From late launches to early ones work rises, so that hardly anything is to be sorted.
  for (let place = 0; place < candidates; place++) {
    const candidate = candidates - 1 - place;
    let at = place;
    while (at > 0 && isDearer(ORDER[at - 1] as number, candidate)) {
      ORDER[at] = ORDER[at - 1] as number;
      at--;
    }
    ORDER[at] = candidate;
  }
  const plans: Plan[] = [];
  let best = Number.POSITIVE_INFINITY;
  for (let place = 0; place < candidates; place++) {
    const candidate = ORDER[place] as number;
    const late = (LATE[candidate] as number) / total;
    if (late >= best) continue;
    best = late;
    const launches = (CANDIDATES[candidate] as readonly number[]).map((index) => momentAt(grid, index));
    plans.push({ launches, late, work: (WORK[candidate] as number) / total });
  }
  return { plans, corners: cornersOf(plans), until, chosen: [] };
}

function isDearer(a: number, b: number): boolean {
  const [one, other] = [WORK[a] as number, WORK[b] as number];
  return one > other || (one === other && (LATE[a] as number) > (LATE[b] as number));
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
