import { assert } from "../../scheduler/shared/assert.ts";
import type { Law } from "./laws.ts";
import { fastestOf } from "./laws.ts";
import { mg1Mean } from "./queues.ts";

export interface RedundancyD {
  readonly servers: number;
  /** Copies per job, on distinct servers chosen uniformly. */
  readonly copies: number;
  /** Arrivals per server and unit of time, below `mu`. */
  readonly lambda: number;
  readonly mu: number;
}

/**
 * Mean response of Redundancy-d: n servers, Poisson arrivals nλ, exponential service, cancelled on completion:
 * Σ_{i=d}^{n} 1 / (nμ·C(n−1,d−1)/C(i−1,d−1) − nλ) (Gardner, Harchol-Balter, Scheller-Wolf, Velednitsky and Zbarsky,
 * "Redundancy-d: the power of d choices for redundancy", Operations Research 2017).
 */
export function redundancyMean({ servers, copies, lambda, mu }: RedundancyD): number {
  assert(lambda < mu && copies <= servers, "the system is stable and large enough");
  let mean = 0;
  // C(n−1,d−1) / C(i−1,d−1), from i = n (where it is 1) downwards.
  let ratio = 1;
  for (let i = servers; i >= copies; i--) {
    mean += 1 / (servers * (mu * ratio - lambda));
    if (i > copies) ratio *= (i - 1) / (i - copies);
  }
  return mean;
}

/** The same paper's limit of many servers: P(T > t) = [ρ + (1 − ρ)e^{μ(d−1)t}]^{−d/(d−1)}, for d ≥ 2. */
export function redundancyLimitSurvival(t: number, { copies, lambda, mu }: Omit<RedundancyD, "servers">): number {
  assert(copies >= 2, "the limit's form is for two copies or more");
  const load = lambda / mu;
  return (load + (1 - load) * Math.exp(mu * (copies - 1) * t)) ** (-copies / (copies - 1));
}

/** Copies to all servers, cancelled on completion: one queue whose service is the fastest of n (Joshi, Soljanin and Wornell 2017). */
export function fullRedundancyMean(lambdaPerServer: number, servers: number, law: Law): number {
  return mg1Mean(lambdaPerServer * servers, fastestOf(servers, law));
}

/**
 * Two copies on two of infinitely many servers and no cancellation: each server is an M/M/1 queue at twice the load, and the
 * queues are independent. Lower than a single copy's 1/(μ − λ) exactly for loads below a third.
 */
export function uncancelledPairMean({ lambda, mu }: { readonly lambda: number; readonly mu: number }): number {
  assert(2 * lambda < mu, "the doubled load is stable");
  return 1 / (2 * (mu - 2 * lambda));
}
