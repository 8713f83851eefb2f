import type { ArrivalSpec } from "../experiment/types.ts";
import type { FileReader } from "./csv.ts";
import { gammaVariate } from "./families.ts";
import type { Stream } from "./streams.ts";
import { TraceArrivals } from "./trace.ts";

/** When jobs come. */
export interface Arrivals {
  /** Time of the next arrival in microseconds, with a fraction; never before the one given last, the first after 0. */
  nextUs(): number;
  /** Of the question and of the answer of the arrival given last, where arrivals come from a trace. One object, refilled. */
  readonly tokens: ArrivalTokens | undefined;
}

export interface ArrivalTokens {
  readonly in: number;
  readonly out: number;
}

export function arrivalsOf(spec: ArrivalSpec, stream: Stream, files: FileReader): Arrivals {
  switch (spec.kind) {
    case "poisson":
      return renewal(1e6 / spec.ratePerS, () => stream.exponential());
    case "gamma":
      return gammaRenewal(spec, stream);
    case "onoff":
      return new OnOffArrivals(spec, stream);
    case "trace":
      return new TraceArrivals(spec, stream, files);
  }
}

/** Independent times between arrivals, `gap` of mean 1. */
function renewal(meanUs: number, gap: () => number): Arrivals {
  let us = 0;
  return {
    nextUs: () => {
      us += meanUs * gap();
      return us;
    },
    tokens: undefined,
  };
}

/** The coefficient of variation of a gamma distribution is 1/√shape; none at all means regular arrivals. */
function gammaRenewal(spec: { ratePerS: number; cv: number }, stream: Stream): Arrivals {
  const meanUs = 1e6 / spec.ratePerS;
  if (spec.cv === 0) return renewal(meanUs, () => 1);
  const shape = 1 / (spec.cv * spec.cv);
  return renewal(meanUs, () => gammaVariate(stream, shape) / shape);
}

/**
 * An interrupted Poisson process. It begins in the middle of things: in a burst with the share of time that bursts take, and
 * since exponential phases forget how long they have lasted, a fresh one serves as the rest of the first.
 */
class OnOffArrivals implements Arrivals {
  readonly tokens = undefined;
  readonly #stream: Stream;
  readonly #gapUs: number;
  readonly #onUs: number;
  readonly #offUs: number;
  #us = 0;
  #burstEndsUs: number;

  constructor(spec: { ratePerS: number; onMs: number; offMs: number }, stream: Stream) {
    this.#stream = stream;
    this.#gapUs = 1e6 / spec.ratePerS;
    this.#onUs = spec.onMs * 1_000;
    this.#offUs = spec.offMs * 1_000;
    if (stream.unit() >= spec.onMs / (spec.onMs + spec.offMs)) this.#us = this.#offUs * stream.exponential();
    this.#burstEndsUs = this.#us + this.#onUs * stream.exponential();
  }

  nextUs(): number {
    const stream = this.#stream;
    for (;;) {
      const us = this.#us + this.#gapUs * stream.exponential();
      if (us <= this.#burstEndsUs) {
        this.#us = us;
        return us;
      }
      // A Poisson process forgets too, so the wait starts anew with the next burst.
      this.#us = this.#burstEndsUs + this.#offUs * stream.exponential();
      this.#burstEndsUs = this.#us + this.#onUs * stream.exponential();
    }
  }
}
