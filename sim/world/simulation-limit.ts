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

/** How far a run is. */
export interface HowFar {
  readonly simulatedUs: number;
  /** Of the kernel. */
  readonly events: number;
  /** Counted jobs that are over, and how many there are. */
  readonly ended: number;
  readonly of: number;
  /** Jobs that are over, the warm-up's included. */
  readonly endedInAll: number;
}

/** So many events are a few hundredths of a second. */
const LOOK_EVENTS = 131_072;

/** Sees to it that every run comes to an end, and lets others see how far it is. */
export class Patience {
  /** When to look next: after so many events, or when this moment is past. */
  lookAt: number;
  readonly lastUs = LAST_US;
  readonly #limits: RunLimits;
  readonly #onLook: (far: HowFar) => void;
  #ended = -1;
  #arrived = -1;
  #changedAt = 0;

  constructor(limits: RunLimits, onLook: (far: HowFar) => void) {
    this.#limits = limits;
    this.#onLook = onLook;
    this.lookAt = Math.min(limits.patience, LOOK_EVENTS);
  }

  /**
   * Throws `SimulationLimit` when for so many events no counted job has come to its end, and none arrived of those that are
   * simulated before the last counted one or as it. `arrived`: of those.
   */
  look(far: HowFar, arrived: number): void {
    if (far.simulatedUs > LAST_US) {
      throw new SimulationLimit(
        "the run has lasted 140 simulated years: raise arrivals.ratePerS, or lower the times and factors of service and faults",
      );
    }
    const { patience, events } = this.#limits;
    if (far.events > events) {
      throw new SimulationLimit(`the run was given up after ${events} events, its share for so many jobs`);
    }
    if (arrived !== this.#arrived || far.ended !== this.#ended) this.#changedAt = far.events;
    else if (far.events - this.#changedAt >= patience) {
      throw new SimulationLimit(
        `none of the counted jobs has come to its end in ${patience} events, and no further one arrived: raise arrivals.ratePerS where jobs are rare beside what befalls nodes and blocks; with faults a copy ends by its lease, after 30 s at the latest, so service times must be shorter, and some node must answer some time`,
      );
    }
    this.#ended = far.ended;
    this.#arrived = arrived;
    this.lookAt = far.events + Math.min(this.#limits.patience, LOOK_EVENTS);
    this.#onLook(far);
  }
}
