import type { Learning } from "../learning/learning.ts";
import type { CopyEnd, PlainData, PolicyMemory } from "../memory.ts";
import type { RacePicture } from "../policy.ts";
import { Crowding } from "./crowding.ts";
import { type Frontier, frontierOf, type Plan } from "./frontier.ts";
import { FrozenLaw } from "./law.ts";
import { coarser, type Key, keyOf, prospectOf, stairsOf, stepsOf } from "./plan-key.ts";
import { PlanShelf } from "./plan-shelf.ts";
import { bestPlan, COLD_PRICE, planAt, type Price, priceFor } from "./price.ts";
import type { DeadlineSpec } from "./spec.ts";
import { gridOf, momentAt, type Staircase } from "./staircase.ts";
import type { Prospect } from "./survival.ts";
import { gweiPerS, inRuns, valueGwei } from "./value.ts";

/** Recent jobs by which the price is set. */
const RECENT = 64;
/** What has been learned is taken over after so many observations, fewer while little is known. */
const EPOCH = 1_024;
const FIRST_EPOCH = 16;
/** The load is what it was over about so many mean durations. */
const LOAD_MEMORY = 5;

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
  readonly #plans = new PlanShelf();
  /** The last key that was asked for; worth nothing but time. */
  readonly #last = {
    race: undefined as RacePicture | undefined,
    atUs: 0,
    version: -1,
    key: undefined as Key | undefined,
  };

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
    const key = this.#keyOf(race, learning, nowUs);
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
    const state = this.#crowding.stateOf(busy);
    const { chosen } = frontier;
    chosen[state] ??= planAt({ frontier, crowding: this.#crowding.at(busy) }, this.#price);
    return chosen[state];
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
    const key = this.#keyOf(race, learning, first.launchedUs);
    return key === undefined ? undefined : this.#frontier(law, key);
  }

  /** The policy is asked as soon as the race is opened, and then there is the same again. */
  #keyOf(race: RacePicture, learning: Learning, atUs: number): Key | undefined {
    const last = this.#last;
    if (last.race === race && last.atUs === atUs && last.version === learning.version) return last.key;
    last.key = keyOf(this.#spec, race, learning, atUs);
    last.race = race;
    last.atUs = atUs;
    last.version = learning.version;
    return last.key;
  }

  /** What there is to choose from with these copies under way. */
  plansFrom(law: FrozenLaw, copies: readonly Prospect[], stairs: Staircase, most: number): Frontier {
    const [only] = copies;
    if (only === undefined || copies.length > 1 || most < this.#most) return frontierOf(law, copies, stairs, most);
    // Asked again and again while a job waits for a free node: near enough is good enough.
    return this.#frontier(law, coarser(stepsOf(only, stairs)));
  }

  #frontier(law: FrozenLaw, key: Key): Frontier {
    return (
      this.#plans.get(key) ??
      this.#plans.keep(key, frontierOf(law, [prospectOf(key)], stairsOf(key, this.#spec.lossPerBlock ?? 0), this.#most))
    );
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
      recent: this.#recent.map((one) => ({ ...one, key: { ...one.key } })),
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
