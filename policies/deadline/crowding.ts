/** Slots above which the system is scaled down: beyond, nothing changes but the time that the recursion takes. */
const MOST_SLOTS = 256;
/** From here on a fleet has hardly any slots to spare: the figures stand still instead of running away. */
const MOST_UTILISATION = 0.97;
const WAITING = 1.5;
/** More slots than this stand for a fleet without queues. */
const UNLIMITED = 10_000;

/**
 * What a unit of speculative work costs everybody else, by how many slots are busy: the expected number of later jobs that find
 * no free node on its account, times the probability to be late that each of them gains by waiting.
 *
 * In Erlang's loss system a job that is let in while n of c slots are busy displaces B(c, a) / B(n, a) later ones on average,
 * with B Erlang's blocking probability and a the offered load (Krishnan, "Markov decision algorithms for dynamic routing", IEEE
 * Communications Magazine 28(10), 1990). Ours wait instead of being lost, and who waits displaces others in turn: the mean wait grows as
 * 1/(1 − ρ), its slope as 1/(1 − ρ)². The exponent between the two is the one under which nothing was lost at a load of 0.9
 * in the simulator, and little at 0.5.
 */
export class Crowding {
  readonly utilisation: number;
  readonly slots: number;
  /** P(late) that a job gains when it has to wait for the rest of another's run. */
  readonly displaced: number;
  readonly #costs: Float64Array | undefined;

  constructor(given: { utilisation: number; slots: number; displaced: number }) {
    this.utilisation = given.utilisation;
    this.slots = given.slots;
    this.displaced = given.displaced;
    if (given.slots <= UNLIMITED && given.slots > 0) this.#costs = costsOf(this);
  }

  /** Numbers, from 0, of the states that have a cost of their own. */
  stateOf(busy: number): number {
    const costs = this.#costs;
    if (costs === undefined) return 0;
    const last = costs.length - 1;
    return Math.max(0, Math.min(last, Math.round((busy / this.slots) * last)));
  }

  /** P(late), summed over everybody else, per unit of work: one mean run of one copy. */
  at(busy: number): number {
    return this.#costs?.[this.stateOf(busy)] ?? 0;
  }
}

function costsOf({ utilisation, slots, displaced }: Crowding): Float64Array {
  const scaled = Math.min(slots, MOST_SLOTS);
  const load = Math.max(1e-3, Math.min(utilisation, MOST_UTILISATION));
  const offered = load * scaled;
  const blocking = new Float64Array(scaled + 1);
  blocking[0] = 1;
  for (let n = 1; n <= scaled; n++) {
    const before = offered * (blocking[n - 1] as number);
    blocking[n] = before / (n + before);
  }
  const all = (blocking[scaled] as number) * (displaced / (1 - load) ** WAITING);
  return blocking.map((one) => all / one);
}
