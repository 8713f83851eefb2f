/** A run went beyond what is ever simulated; the message says beyond what, and what to change. */
export class SimulationLimit extends Error {
  override readonly name = "SimulationLimit";
}

/** Moments stay exact integers of microseconds, and nobody means a run of 140 years. */
const LAST_US = 2 ** 52;

/** Sees to it that every run comes to an end. */
export class Patience {
  /** When to look next: after so many events, or when this moment is past. */
  lookAt: number;
  readonly lastUs = LAST_US;
  readonly #events: number;
  #ended = -1;

  constructor(events: number) {
    this.#events = events;
    this.lookAt = events;
  }

  /** Throws `SimulationLimit` when no counted job has come to its end since the last look though all had arrived. */
  look(now: { readonly us: number; readonly events: number; readonly ended: number; readonly arrived: boolean }): void {
    if (now.us > LAST_US) {
      throw new SimulationLimit(
        "the run has lasted 140 simulated years: raise arrivals.ratePerS, or lower the times and factors of service and faults",
      );
    }
    if (now.arrived && now.ended === this.#ended) {
      throw new SimulationLimit(
        `none of the counted jobs has come to its end in ${this.#events} events though all have arrived: with faults a copy ends by its lease, after 30 s at the latest, so service times must be shorter, and some node must answer some time`,
      );
    }
    this.#ended = now.arrived ? now.ended : -1;
    this.lookAt = now.events + this.#events;
  }
}
