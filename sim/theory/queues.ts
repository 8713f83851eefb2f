import { assert } from "../../scheduler/shared/assert.ts";
import type { Law } from "./laws.ts";

/** Poisson arrivals, first come first served. Any unit of time, the same one throughout (Kleinrock, Queueing Systems I). */
export interface Rates {
  /** Arrivals per unit of time. */
  readonly lambda: number;
  /** Jobs that one server finishes per unit of time. */
  readonly mu: number;
}

/** M/M/1: the response time is exponential with rate μ − λ. */
export function mm1({ lambda, mu }: Rates): {
  readonly mean: number;
  survival(t: number): number;
  quantile(p: number): number;
} {
  assert(lambda < mu, "the queue is stable");
  return {
    mean: 1 / (mu - lambda),
    survival: (t) => Math.exp(-(mu - lambda) * t),
    quantile: (p) => -Math.log1p(-p) / (mu - lambda),
  };
}

/** M/M/c: `waiting` is Erlang's C, the probability of having to wait (Erlang 1917). */
export function mmc({ lambda, mu, servers }: Rates & { readonly servers: number }): {
  readonly waiting: number;
  readonly mean: number;
  survival(t: number): number;
} {
  const load = lambda / mu;
  assert(load < servers, "the queue is stable");
  let blocking = 1;
  for (let k = 1; k <= servers; k++) blocking = (load * blocking) / (k + load * blocking);
  const waiting = blocking / (1 - (load / servers) * (1 - blocking));
  const drain = servers * mu - lambda;
  return {
    waiting,
    mean: 1 / mu + waiting / drain,
    // Service alone, or an exponential wait of rate cμ − λ before it.
    survival: (t) => {
      const service = Math.exp(-mu * t);
      if (Math.abs(drain - mu) < 1e-12) return service * (1 + waiting * mu * t);
      return service + ((waiting * mu) / (drain - mu)) * (service - Math.exp(-drain * t));
    },
  };
}

/** M/G/1: mean response E[S] + λE[S²]/(2(1 − ρ)) (Pollaczek 1930, Khinchine 1932). */
export function mg1Mean(lambda: number, law: Law): number {
  const load = lambda * law.mean;
  assert(load < 1, "the queue is stable");
  return law.mean + (lambda * law.secondMoment) / (2 * (1 - load));
}

/** M/G/1 with processor sharing: E[S]/(1 − ρ), whatever the law of service (Kleinrock 1967; insensitivity: Sakata et al. 1971). */
export function processorSharingMean(lambda: number, law: Law): number {
  const load = lambda * law.mean;
  assert(load < 1, "the queue is stable");
  return law.mean / (1 - load);
}

/**
 * A node with continuous batching: `slots` exponential copies of mean 1/μ together, of which each of n runs at
 * 1 / (1 + x(n − 1)), the others waiting. The number in the system is a birth and death process; Little's law gives the mean.
 */
export function batchingMean({ lambda, mu, slots, slowdown }: Rates & { slots: number; slowdown: number }): number {
  const rate = (present: number): number => {
    const together = Math.min(present, slots);
    return (mu * together) / (1 + slowdown * (together - 1));
  };
  assert(lambda < rate(slots), "the queue is stable");
  let [probability, total, number] = [1, 1, 0];
  for (let present = 1; present <= slots || probability * present > 1e-15 * number; present++) {
    probability *= lambda / rate(present);
    total += probability;
    number += present * probability;
  }
  return number / total / lambda;
}
