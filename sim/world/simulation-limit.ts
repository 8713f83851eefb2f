/** A run went beyond what is ever simulated; the message says beyond what, and what to change. */
export class SimulationLimit extends Error {
  override readonly name = "SimulationLimit";
}

/** Moments stay exact integers of microseconds, and nobody means a run of 140 years. */
export const LAST_US = 2 ** 52;

/** How long a run may take, in kernel events. */
export interface RunLimits {
  /** Without a counted job's end or arrival. */
  readonly patience: number;
  /** In all. */
  readonly events: number;
}

/** Sees to it that every run comes to an end. */
export class Patience {
  /** When to look next: after so many events, or when this moment is past. */
  lookAt: number;
  readonly lastUs = LAST_US;
  readonly #limits: RunLimits;
  #ended = -1;
  #arrived = -1;

  constructor(limits: RunLimits) {
    this.#limits = limits;
    this.lookAt = limits.patience;
  }

  /**
   * Throws `SimulationLimit` when since the last look no counted job has come to its end, and none arrived of those that are
   * simulated before the last counted one or as it.
   */
  look(now: { readonly us: number; readonly events: number; readonly ended: number; readonly arrived: number }): void {
    if (now.us > LAST_US) {
      throw new SimulationLimit(
        "the run has lasted 140 simulated years: raise arrivals.ratePerS, or lower the times and factors of service and faults",
      );
    }
    const { patience, events } = this.#limits;
    if (now.events > events) {
      throw new SimulationLimit(`the run was given up after ${events} events, its share for so many jobs`);
    }
    if (now.arrived === this.#arrived && now.ended === this.#ended) {
      throw new SimulationLimit(
        `none of the counted jobs has come to its end in ${patience} events, and no further one arrived: raise arrivals.ratePerS where jobs are rare beside what befalls nodes and blocks; with faults a copy ends by its lease, after 30 s at the latest, so service times must be shorter, and some node must answer some time`,
      );
    }
    this.#ended = now.ended;
    this.#arrived = now.arrived;
    this.lookAt = now.events + patience;
  }
}
