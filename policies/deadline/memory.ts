import type { Learning } from "../learning/learning.ts";
import type { CopyEnd, PlainData, PolicyMemory } from "../memory.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { RacePicture } from "../policy.ts";
import { frontierOf, type Plan, type Prospect } from "./frontier.ts";
import { FrozenLaw } from "./law.ts";
import { COLD_PRICE, crowdingAt, type Price, priceFor } from "./price.ts";

/** Recent jobs by which the price is set. */
const RECENT = 128;
/** What has been learned is taken over after so many observations, fewer while little is known. */
const EPOCH = 1_024;
const FIRST_EPOCH = 16;
/** Jobs whose horizons differ by less share a plan. */
const HORIZON_STEP = 0.005;
const PACE_STEP = 0.05;
const WAIT_STEP = 0.02;
const ALIVE_STEPS = 50;
/** A job whose deadline is further off than this many expected durations is not planned any closer. */
const FAR = 24;
/** Plans that are kept: about one a horizon. */
const MAX_PLANS = 4_096;
/** The load is what it was over about so many mean durations. */
const LOAD_MEMORY = 5;

/** A job as it stood when its first copy was launched: horizon, pace, P(alive) and wait, in steps. */
type Key = readonly [horizon: number, pace: number, alive: number, wait: number];

/**
 * What `deadline` holds of the races of one class: the law as it was at the last epoch, the price that the target had then, and
 * the last jobs, by which the next price is set. Plans are a function of these, so that they need not be remembered.
 */
export class DeadlineMemory implements PolicyMemory {
  readonly #target: number;
  readonly #most: number;
  #law: FrozenLaw | undefined;
  #price: Price = COLD_PRICE;
  #epochAt = 0;
  readonly #recent: Key[] = [];
  #next = 0;
  #utilisation = 0;
  #slots = 1;
  #loadUs = 0;
  readonly #plans = new Map<number, readonly Plan[]>();

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
    const key = keyOf(race, learning, nowUs);
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
    if (this.#recent.length === 0) return;
    const frontiers = this.#recent.map((key) => this.#frontier(law, key));
    const density = this.#recent.reduce((sum, key) => sum + densityAt(law, prospectOf(key)), 0) / this.#recent.length;
    const crowding = crowdingAt({ utilisation: this.#utilisation, slots: this.#slots, scv: law.scv, density });
    this.#price = priceFor(frontiers, this.#target, crowding);
  }

  /** What there is to choose from for a race in which one copy runs, as it was when that was launched. */
  plansFor(race: RacePicture, learning: Learning): readonly Plan[] | undefined {
    const law = this.#law;
    const first = race.copies[0];
    if (law === undefined || first === undefined) return undefined;
    const key = keyOf(race, learning, first.launchedUs);
    return key === undefined ? undefined : this.#frontier(law, key);
  }

  #frontier(law: FrozenLaw, key: Key): readonly Plan[] {
    const [horizon, pace, alive, wait] = key;
    const number = ((horizon * 256 + (pace + 128)) * 64 + alive) * 2_048 + wait;
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
      epochAt: number;
      recent: readonly Key[];
      next: number;
      utilisation: number;
      slots: number;
      loadUs: number;
    };
    this.#law = plain.law === null ? undefined : FrozenLaw.restore(plain.law);
    this.#price = plain.price;
    this.#epochAt = plain.epochAt;
    this.#recent.push(...plain.recent);
    this.#next = plain.next;
    this.#utilisation = plain.utilisation;
    this.#slots = plain.slots;
    this.#loadUs = plain.loadUs;
  }
}

/** `undefined` for a race without a deadline, or past it. */
function keyOf(race: RacePicture, learning: Learning, nowUs: number): Key | undefined {
  const { copies, call, targetUs } = race;
  const [first] = copies;
  if (first === undefined || targetUs === NEVER) return undefined;
  const expectedUs = learning.expectedUs(call);
  const horizon = (targetUs - nowUs) / expectedUs;
  if (!(horizon > 0)) return undefined;
  const { node } = first;
  const waitUs = first.startedUs === NEVER ? first.ahead * expectedUs : Math.max(0, first.startedUs - first.launchedUs);
  return [
    Math.round(Math.log(Math.min(FAR, horizon)) / HORIZON_STEP) + 1_024,
    Math.max(-127, Math.min(127, Math.round(Math.log(learning.paces.pace(node.id)) / PACE_STEP))),
    Math.round(ALIVE_STEPS * learning.paces.alive(node.id)),
    Math.min(2_047, Math.round(waitUs / expectedUs / WAIT_STEP)),
  ];
}

function prospectOf([horizon, pace, alive, wait]: Key): { readonly copy: Prospect; readonly horizon: number } {
  return {
    horizon: Math.exp((horizon - 1_024) * HORIZON_STEP),
    copy: { pace: Math.exp(pace * PACE_STEP), alive: alive / ALIVE_STEPS, age: 0, wait: wait * WAIT_STEP },
  };
}

/** How fast the probability to be done grows at the deadline. */
function densityAt(law: FrozenLaw, { copy, horizon }: { copy: Prospect; horizon: number }): number {
  const at = (t: number) => law.survival(Math.max(0, t - copy.wait) / copy.pace);
  return Math.max(0, (at(0.95 * horizon) - at(1.05 * horizon)) / (0.1 * horizon));
}
