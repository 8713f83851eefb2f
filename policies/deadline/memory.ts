import type { Learning } from "../learning/learning.ts";
import type { CopyEnd, PlainData, PolicyMemory } from "../memory.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { CopyPicture, RacePicture } from "../policy.ts";
import type { DeadlineSpec } from "./spec.ts";
import { gridOf, momentAt, type Staircase } from "./staircase.ts";
import { gweiPerS, inRuns, staircaseOf, valueGwei } from "./value.ts";
import { type Frontier, frontierOf, type Plan } from "./frontier.ts";
import type { Prospect } from "./survival.ts";
import { FrozenLaw } from "./law.ts";
import { Crowding } from "./crowding.ts";
import { bestPlan, COLD_PRICE, planAt, type Price, priceFor } from "./price.ts";

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
/** Of a staircase, passed ones as well: more than a transaction lives. */
const MOST_BLOCKS = 16_384;
const ALIVE_STEPS = 400;
/** A job whose deadline is further off than this many expected durations is not planned any closer. */
const FAR = 24;
const NEAR = 0.01;
/** Plans that are kept: about one a horizon. */
const MAX_PLANS = 4_096;
/** The load is what it was over about so many mean durations. */
const LOAD_MEMORY = 5;

/**
 * A job with one copy, in steps: the time to the next cut-off, the copy's pace, P(alive), wait and age; and the rest of the
 * staircase, whose interval is 0 where there is one step.
 */
type Key = readonly [
  first: number,
  pace: number,
  alive: number,
  wait: number,
  age: number,
  interval: number,
  blocks: number,
  passed: number,
];

/** A recent job: what there was to choose from when it was launched, how many slots were busy, and what it was worth. */
interface Recent {
  readonly key: Key;
  readonly busy: number;
  readonly expectedUs: number;
  readonly valueGwei: number;
  readonly askedGwei: number;
}

/**
 * What `deadline` holds of the races of one class: the law as it was at the last epoch, the price that the target had then, and
 * the last jobs, by which the next price is set. Plans are a function of these, so that they need not be remembered.
 */
export class DeadlineMemory implements PolicyMemory {
  readonly #spec: DeadlineSpec;
  readonly #most: number;
  #law: FrozenLaw | undefined;
  #price: Price = COLD_PRICE;
  #crowding = new Crowding({ utilisation: 0, slots: 0, displaced: 0 });
  #epochAt = 0;
  readonly #recent: Recent[] = [];
  #next = 0;
  #utilisation = 0;
  #slots = 1;
  #loadUs = 0;
  /** How long recent jobs were expected to take on average, as of the last epoch. */
  #usualUs = 0;
  /** The plans that were chosen since the last epoch, by what there was to choose from and how busy the nodes were. */
  readonly #chosen = new Map<Frontier, Plan[]>();
  /** By staircase, and then by the rest of the key. */
  readonly #plans = new Map<number, Map<number, Frontier>>();
  #planned = 0;

  constructor(spec: DeadlineSpec, snapshot?: PlainData) {
    this.#spec = spec;
    this.#most = Math.min(2, spec.maxCopies - 1);
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
    const key = keyOf(this.#spec, race, learning, nowUs);
    if (key !== undefined) {
      const { call, askedGwei, room } = race;
      const expectedUs = learning.expectedUs(call);
      const worthGwei = valueGwei(this.#spec, call) ?? 0;
      this.#recent[this.#next] = { key, busy: room.busy, expectedUs, valueGwei: worthGwei, askedGwei };
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
    this.#planned = 0;
    this.#chosen.clear();
    const recent = this.#recent;
    if (recent.length === 0) return;
    this.#usualUs = mean(recent, ({ expectedUs }) => expectedUs);
    const { sealGwei, lossPerBlock = 0 } = this.#spec;
    const byValue = sealGwei !== undefined;
    const displaced = mean(
      recent,
      (one) => displacedOf(law, one.key, lossPerBlock) * (byValue ? this.#worthOf(one) : 1),
    );
    this.#crowding = new Crowding({ utilisation: this.#utilisation, slots: this.#slots, displaced });
    if (byValue) return;
    const choices = recent.map(({ key, busy }) => ({
      frontier: this.#frontier(law, key),
      crowding: this.#crowding.at(busy),
    }));
    this.#price = priceFor(choices, this.#spec.target);
  }

  /** The plan of a job that has these to choose from, while so many slots are busy. */
  planOf(frontier: Frontier, busy: number, worth: number | undefined): Plan {
    // What is to be gained is in runs as it is, and what others lose is, too.
    if (worth !== undefined) return bestPlan(frontier, worth, 1 + this.#crowding.at(busy));
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

  /** What sealing in the first block is worth, in runs of the call's copies; `undefined` where a target is to be met. */
  worthOf(race: RacePicture, expectedUs: number): number | undefined {
    const gwei = valueGwei(this.#spec, race.call);
    return gwei === undefined ? undefined : this.#worthOf({ valueGwei: gwei, askedGwei: race.askedGwei, expectedUs });
  }

  #worthOf({ valueGwei: gwei, askedGwei, expectedUs }: Pick<Recent, "valueGwei" | "askedGwei" | "expectedUs">): number {
    return inRuns(gwei, this.gweiPerS(askedGwei), expectedUs);
  }

  /** What a machine-second costs where nodes ask so much for an answer. */
  gweiPerS(askedGwei: number): number {
    return gweiPerS(this.#spec, { askedGwei, usualUs: this.#usualUs });
  }

  /** What a unit of work costs everybody else now: P(late) summed up, or runs where jobs have a value. */
  crowdingAt(busy: number): number {
    return this.#crowding.at(busy);
  }

  /** What there is to choose from for a race in which one copy runs, as it was when that was launched. */
  plansFor(race: RacePicture, learning: Learning): Frontier | undefined {
    const law = this.#law;
    const first = race.copies[0];
    if (law === undefined || first === undefined) return undefined;
    const key = keyOf(this.#spec, race, learning, first.launchedUs);
    return key === undefined ? undefined : this.#frontier(law, key);
  }

  /** What there is to choose from with these copies under way. */
  plansFrom(law: FrozenLaw, copies: readonly Prospect[], stairs: Staircase, most: number): Frontier {
    const [only] = copies;
    if (only === undefined || copies.length > 1 || most < this.#most) return frontierOf(law, copies, stairs, most);
    // Asked again and again while a job waits for a free node: near enough is good enough.
    const [first, pace, alive, wait, age, ...rest] = stepsOf(only, stairs);
    return this.#frontier(law, [coarse(first, 8), pace, alive, coarseStep(wait), coarseStep(age), ...rest]);
  }

  #frontier(law: FrozenLaw, key: Key): Frontier {
    const [first, pace, alive, wait, age, interval, blocks, passed] = key;
    const staircase = (interval * MOST_BLOCKS + blocks) * MOST_BLOCKS + passed;
    let byCopy = this.#plans.get(staircase);
    if (byCopy === undefined) {
      byCopy = new Map();
      this.#plans.set(staircase, byCopy);
    }
    const number = (((first * 256 + (pace + 128)) * 512 + alive) * 512 + wait) * 512 + age;
    let plans = byCopy.get(number);
    if (plans === undefined) {
      plans = frontierOf(law, [prospectOf(key)], stairsOf(key, this.#spec.lossPerBlock ?? 0), this.#most);
      if (this.#planned >= MAX_PLANS) {
        this.#plans.clear();
        byCopy.clear();
        this.#plans.set(staircase, byCopy);
        this.#planned = 0;
      }
      byCopy.set(number, plans);
      this.#planned++;
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
      recent: this.#recent.map(({ key, ...rest }) => ({ key: [...key], ...rest })),
      next: this.#next,
      utilisation: this.#utilisation,
      slots: this.#slots,
      loadUs: this.#loadUs,
      usualUs: this.#usualUs,
    };
  }

  #restore(snapshot: PlainData): void {
    const plain = snapshot as unknown as {
      law: PlainData;
      price: Price;
      crowding: { utilisation: number; slots: number; displaced: number };
      epochAt: number;
      recent: readonly Recent[];
      next: number;
      utilisation: number;
      slots: number;
      loadUs: number;
      usualUs: number;
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
    this.#usualUs = plain.usualUs;
  }
}

/** `undefined` for a race without a deadline, or past it. */
function keyOf(spec: DeadlineSpec, race: RacePicture, learning: Learning, nowUs: number): Key | undefined {
  const { copies, call, targetUs } = race;
  const [first] = copies;
  if (first === undefined || targetUs === NEVER || !(targetUs > nowUs)) return undefined;
  const expectedUs = learning.expectedUs(call);
  const { node } = first;
  const waitUs =
    first.startedUs === NEVER ? turnsOf(first) * expectedUs : Math.max(0, first.startedUs - first.launchedUs);
  const [pace, alive] = [learning.paces.pace(node.id), learning.paces.alive(node.id)];
  return stepsOf({ pace, alive, wait: waitUs / expectedUs, age: 0 }, staircaseOf(spec, race, nowUs, expectedUs));
}

/** Runs of others that it had to wait for at its launch, one that was under way counting half. */
export function turnsOf({ ahead, node: { slots } }: CopyPicture): number {
  return ahead < slots ? 0 : (ahead - slots + 0.5) / Math.max(1, slots);
}

function stepsOf({ pace, alive, wait, age }: Prospect, { first, interval, blocks, passed }: Staircase): Key {
  return [
    Math.round(Math.log(Math.min(FAR, Math.max(NEAR, first))) / HORIZON_STEP) + 1_024,
    Math.max(-127, Math.min(127, Math.round(Math.log(pace) / PACE_STEP))),
    Math.round(ALIVE_STEPS * alive),
    Math.min(MOST_STEPS, Math.round(wait / WAIT_STEP)),
    Math.min(MOST_STEPS, Math.round(age / WAIT_STEP)),
    interval === 0 ? 0 : Math.max(1, Math.round(Math.log(interval) / HORIZON_STEP) + 4_096),
    Math.min(MOST_BLOCKS - 1, blocks),
    Math.min(MOST_BLOCKS - 1, passed),
  ];
}

function coarse(steps: number, by: number): number {
  return by * Math.round(steps / by);
}

/** Rounded up beyond the last step it would be another key's number. */
function coarseStep(steps: number): number {
  return Math.min(MOST_STEPS, coarse(steps, 4));
}

function prospectOf([, pace, alive, wait, age]: Key): Prospect {
  return {
    pace: Math.exp(pace * PACE_STEP),
    alive: alive / ALIVE_STEPS,
    age: age * WAIT_STEP,
    wait: wait * WAIT_STEP,
  };
}

function stairsOf([first, , , , , interval, blocks, passed]: Key, lossPerBlock: number): Staircase {
  const [next, between] = [first - 1_024, interval - 4_096].map((steps) => Math.exp(steps * HORIZON_STEP));
  return { first: next as number, interval: interval === 0 ? 0 : (between as number), blocks, passed, lossPerBlock };
}

/** How much more it would lose if it had to wait for the rest of another job's run, with one copy. */
function displacedOf(law: FrozenLaw, key: Key, lossPerBlock: number): number {
  const { pace } = prospectOf(key);
  const grid = gridOf(stairsOf(key, lossPerBlock));
  const late = (t: number) => law.survival(Math.max(0, t) / pace);
  const rest = (law.mean * (1 + law.scv)) / 2;
  let lost = 0;
  for (const [place, cut] of grid.cuts.entries()) {
    const at = momentAt(grid, cut);
    lost += (grid.drops[place] as number) * Math.max(0, late(at - rest) - late(at));
  }
  return lost;
}

function mean<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((sum, value) => sum + of(value), 0) / values.length;
}
