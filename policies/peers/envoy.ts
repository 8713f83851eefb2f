import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { CopyEnd, PlainData, PolicyMemory } from "../memory.ts";
import type { Policy } from "../policy.ts";
import { lookAt, memoryOf, needed, replacements } from "./reading.ts";

export interface EnvoySpec {
  readonly kind: "envoy";
  /** After so long without an answer a try is retried, and goes on. */
  readonly perTryTimeoutMs: number;
  /** Retries of one request. */
  readonly numRetries: number;
  /** Retries under way, in percent of all requests under way. */
  readonly budgetPercent: number;
  /** The budget never goes below so many retries under way. */
  readonly minRetryConcurrency: number;
}

/**
 * Envoy's `hedge_on_per_try_timeout` with its retry budget: each try calls for one retry, by its timeout or by its failure,
 * whichever comes first, as long as the request has retries left and the cluster's budget has room. Its back-off of at most
 * some tens of milliseconds before a retry is left out.
 */
export function envoy(spec: EnvoySpec): Policy {
  const timeoutUs = spec.perTryTimeoutMs * 1_000;
  return {
    spec,
    decide(race, { nowUs }, decision) {
      const lost = replacements(race);
      const retries = race.launched - needed(race) + lost;
      let called = 0;
      let nextUs = NEVER;
      for (const { launchedUs, live, endedUs, outcome } of race.copies) {
        const timesOutUs = launchedUs + timeoutUs;
        if (Math.min(nowUs, endedUs) >= timesOutUs) called++;
        else if (live) nextUs = Math.min(nextUs, timesOutUs);
        else if (outcome !== undefined && outcome !== "accepted") called++;
      }
      // At most one at a time: a retry for which the budget had no room is not made up for.
      const due = Math.min(called, spec.numRetries) > retries && memoryOf(race, EnvoyBudget).allowsRetry;
      decision.launch = lost + (due ? 1 : 0);
      const left = spec.numRetries - retries - (due ? 1 : 0);
      if (decision.launch > 0) nextUs = Math.min(nextUs, nowUs + timeoutUs);
      decision.lookAtUs = left > 0 ? lookAt(nextUs, nowUs) : NEVER;
    },
    remember: (snapshot) => new EnvoyBudget(spec, snapshot),
  };
}

/** Requests of the (model, mode) under way, and those among them that are retries. */
class EnvoyBudget implements PolicyMemory {
  readonly #share: number;
  readonly #least: number;
  #active: number;
  #retries: number;

  constructor({ budgetPercent, minRetryConcurrency }: EnvoySpec, snapshot?: PlainData) {
    this.#share = budgetPercent / 100;
    this.#least = minRetryConcurrency;
    const { active, retries } = (snapshot ?? { active: 0, retries: 0 }) as { active: number; retries: number };
    this.#active = active;
    this.#retries = retries;
  }

  get allowsRetry(): boolean {
    return this.#retries < Math.max(Math.floor(this.#share * this.#active), this.#least);
  }

  launched({ speculative }: { readonly speculative: boolean }): void {
    this.#active++;
    if (speculative) this.#retries++;
  }

  ended({ speculative }: CopyEnd): void {
    this.#active--;
    if (speculative) this.#retries--;
  }

  opened(): void {}
  decided(): void {}

  snapshot(): PlainData {
    return { active: this.#active, retries: this.#retries };
  }
}
