import type { Learning } from "../learning/learning.ts";
import type { CopyEnd, PlainData, PolicyMemory } from "../memory.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { CopyPicture, RacePicture } from "../policy.ts";
import { type Frontier, frontierOf, type Plan, type Prospect } from "./frontier.ts";
import { FrozenLaw } from "./law.ts";
import { Crowding } from "./crowding.ts";
import { COLD_PRICE, planAt, type Price, priceFor } from "./price.ts";

/** Recent jobs by which the price is set. */
const RECENT = 64;
/** What has been learned is taken over after so many observations, fewer while little is known. */
const EPOCH = 1_024;
const FIRST_EPOCH = 16;
/** Jobs whose horizons differ by less share a plan. */
const HORIZON_STEP = 0.005;
const PACE_STEP = 0.05;
const WAIT_STEP = 0.025;
/** Of waits and ages; a key's number has room for no more. */
const MOST_STEPS = 511;
const ALIVE_STEPS = 400;
/** A job whose deadline is further off than this many expected durations is not planned any closer. */
const FAR = 24;
const NEAR = 0.01;
/** Plans that are kept: about one a horizon. */
const MAX_PLANS = 4_096;
/** The load is what it was over about so many mean durations. */
const LOAD_MEMORY = 5;

/** A job with one copy: horizon, the copy's pace, P(alive), wait and age, in steps, and how many slots were busy. */
type Key = readonly [horizon: number, pace: number, alive: number, wait: number, age: number, busy: number];

/**
 * What `deadline` holds of the races of one class: the law as it was at the last epoch, the price that the target had then, and
 * the last jobs, by which the next price is set. Plans are a function of these, so that they need not be remembered.
 */
export class DeadlineMemory implements PolicyMemory {
  readonly #target: number;
  readonly #most: number;
  #law: FrozenLaw | undefined;
  #price: Price = COLD_PRICE;
  #crowding = new Crowding({ utilisation: 0, slots: 0, displaced: 0 });
  #epochAt = 0;
  readonly #recent: Key[] = [];
  #next = 0;
  #utilisation = 0;
  #slots = 1;
  #loadUs = 0;
  /** The plans that were chosen since the last epoch, by what there was to choose from and how busy the nodes were. */
  readonly #chosen = new Map<Frontier, Plan[]>();
  readonly #plans = new Map<number, Frontier>();

  constructor(target: number, most: number, snapshot?: PlainData) {
    this.#target = target;
    this.#most = most;
    if (snapshot !== undefined) this.#restore(snapshot);
  }

  get law(): FrozenLaw | undefined {
    return this.#law;
  }

  get price(): Price {
    return this.#price;
  }

  get utilisation(): number {
    return this.#utilisation;
  }

  opened(race: RacePicture, nowUs: number): void {
    const { learning } = race;
    if (learning === undefined) return;
    this.#observeLoad(race, learning, nowUs);
    if (!learning.known) return;
    const key = keyOf(race, learning, nowUs, race.room.busy);
    if (key !== undefined) {
      this.#recent[this.#next] = key;
      this.#next = (this.#next + 1) % RECENT;
    }
    if (learning.version >= this.#epochAt) this.#begin(learning);
  }

  #observeLoad(race: RacePicture, learning: Learning, nowUs: number): void {
    const { busy, slots } = race.room;
    const spanUs = LOAD_MEMORY * learning.expectedUs(race.call);
    const share = spanUs === 0 ? 0 : 1 - Math.exp(-Math.max(0, nowUs - this.#loadUs) / spanUs);
    this.#loadUs = nowUs;
    this.#slots = slots;
    this.#utilisation += share * (Math.min(1, busy / Math.max(1, slots)) - this.#utilisation);
  }

  /** A new epoch: what has been learned is taken over. */
  #begin(learning: Learning): void {
    const { version } = learning;
    this.#epochAt = version + Math.min(EPOCH, Math.max(FIRST_EPOCH, Math.floor(version / 8)));
    const law = FrozenLaw.of(learning);
    this.#law = law;
    this.#plans.clear();
    this.#chosen.clear();
    if (this.#recent.length === 0) return;
    let displaced = 0;
    for (const key of this.#recent) displaced += displacedOf(law, prospectOf(key)) / this.#recent.length;
    this.#crowding = new Crowding({ utilisation: this.#utilisation, slots: this.#slots, displaced });
    const recent = this.#recent.map((key) => ({
      frontier: this.#frontier(law, key),
      crowding: this.#crowding.at(key[5]),
    }));
    this.#price = priceFor(recent, this.#target);
  }

  /** The plan of a job that has these to choose from, while so many slots are busy. */
  planOf(frontier: Frontier, busy: number): Plan {
    let byState = this.#chosen.get(frontier);
    if (byState === undefined) {
      if (this.#chosen.size >= MAX_PLANS) this.#chosen.clear();
      byState = [];
      this.#chosen.set(frontier, byState);
    }
    const state = this.#crowding.stateOf(busy);
    byState[state] ??= planAt({ frontier, crowding: this.#crowding.at(busy) }, this.#price);
    return byState[state];
  }

  /** What a unit of work costs everybody else now. */
  crowdingAt(busy: number): number {
    return this.#crowding.at(busy);
  }

  /** What there is to choose from for a race in which one copy runs, as it was when that was launched. */
  plansFor(race: RacePicture, learning: Learning): Frontier | undefined {
    const law = this.#law;
    const first = race.copies[0];
    if (law === undefined || first === undefined) return undefined;
    const key = keyOf(race, learning, first.launchedUs, 0);
    return key === undefined ? undefined : this.#frontier(law, key);
  }

  /** What there is to choose from with these copies under way, and so long, in expected durations, until the deadline. */
  plansFrom(law: FrozenLaw, copies: readonly Prospect[], horizon: number, most: number): Frontier {
    const [only] = copies;
    if (only === undefined || copies.length > 1 || most < this.#most) return frontierOf(law, copies, horizon, most);
    // Asked again and again while a job waits for a free node: near enough is good enough.
    const [span, pace, alive, wait, age] = stepsOf(only, horizon, 0);
    const key = [coarse(span, 8), pace, alive, coarseStep(wait), coarseStep(age), 0] as const;
    return this.#frontier(law, key);
  }

  #frontier(law: FrozenLaw, key: Key): Frontier {
    const [horizon, pace, alive, wait, age] = key;
    const number = (((horizon * 256 + (pace + 128)) * 512 + alive) * 512 + wait) * 512 + age;
    let plans = this.#plans.get(number);
    if (plans === undefined) {
      const { copy, horizon: span } = prospectOf(key);
      plans = frontierOf(law, [copy], span, this.#most);
      if (this.#plans.size >= MAX_PLANS) this.#plans.clear();
      this.#plans.set(number, plans);
    }
    return plans;
  }

  launched(): void {}
  ended(_end: CopyEnd): void {}
  decided(): void {}

  snapshot(): PlainData {
    return {
      law: this.#law?.snapshot() ?? null,
      price: { ...this.#price },
      crowding: {
        utilisation: this.#crowding.utilisation,
        slots: this.#crowding.slots,
        displaced: this.#crowding.displaced,
      },
      epochAt: this.#epochAt,
      recent: this.#recent.map((key) => [...key]),
      next: this.#next,
      utilisation: this.#utilisation,
      slots: this.#slots,
      loadUs: this.#loadUs,
    };
  }

  #restore(snapshot: PlainData): void {
    const plain = snapshot as unknown as {
      law: PlainData;
      price: Price;
      crowding: { utilisation: number; slots: number; displaced: number };
      epochAt: number;
      recent: readonly Key[];
      next: number;
      utilisation: number;
      slots: number;
      loadUs: number;
    };
    this.#law = plain.law === null ? undefined : FrozenLaw.restore(plain.law);
    this.#price = plain.price;
    this.#crowding = new Crowding(plain.crowding);
    this.#epochAt = plain.epochAt;
    this.#recent.push(...plain.recent);
    this.#next = plain.next;
    this.#utilisation = plain.utilisation;
    this.#slots = plain.slots;
    this.#loadUs = plain.loadUs;
  }
}

/** `undefined` for a race without a deadline, or past it. */
function keyOf(race: RacePicture, learning: Learning, nowUs: number, busy: number): Key | undefined {
  const { copies, call, targetUs } = race;
  const [first] = copies;
  if (first === undefined || targetUs === NEVER) return undefined;
  const expectedUs = learning.expectedUs(call);
  const horizon = (targetUs - nowUs) / expectedUs;
  if (!(horizon > 0)) return undefined;
  const { node } = first;
  const waitUs =
    first.startedUs === NEVER ? turnsOf(first) * expectedUs : Math.max(0, first.startedUs - first.launchedUs);
  const [pace, alive] = [learning.paces.pace(node.id), learning.paces.alive(node.id)];
  return stepsOf({ pace, alive, wait: waitUs / expectedUs, age: 0 }, horizon, busy);
}

/** Runs of others that it had to wait for at its launch, one that was under way counting half. */
export function turnsOf({ ahead, node: { slots } }: CopyPicture): number {
  return ahead < slots ? 0 : (ahead - slots + 0.5) / Math.max(1, slots);
}

function stepsOf({ pace, alive, wait, age }: Prospect, horizon: number, busy: number): Key {
  return [
    Math.round(Math.log(Math.min(FAR, Math.max(NEAR, horizon))) / HORIZON_STEP) + 1_024,
    Math.max(-127, Math.min(127, Math.round(Math.log(pace) / PACE_STEP))),
    Math.round(ALIVE_STEPS * alive),
    Math.min(MOST_STEPS, Math.round(wait / WAIT_STEP)),
    Math.min(MOST_STEPS, Math.round(age / WAIT_STEP)),
    busy,
  ];
}

function coarse(steps: number, by: number): number {
  return by * Math.round(steps / by);
}

/** Rounded up beyond the last step it would be another key's number. */
function coarseStep(steps: number): number {
  return Math.min(MOST_STEPS, coarse(steps, 4));
}

function prospectOf([horizon, pace, alive, wait, age]: Key): { readonly copy: Prospect; readonly horizon: number } {
  return {
    horizon: Math.exp((horizon - 1_024) * HORIZON_STEP),
    copy: {
      pace: Math.exp(pace * PACE_STEP),
      alive: alive / ALIVE_STEPS,
      age: age * WAIT_STEP,
      wait: wait * WAIT_STEP,
    },
  };
}

/** How much likelier it would be late if it had to wait for the rest of another job's run, with one copy. */
function displacedOf(law: FrozenLaw, { copy, horizon }: { copy: Prospect; horizon: number }): number {
  const late = (t: number) => law.survival(Math.max(0, t) / copy.pace);
  const rest = (law.mean * (1 + law.scv)) / 2;
  return Math.max(0, late(horizon - rest) - late(horizon));
}
