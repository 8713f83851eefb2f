import type { PromiseName, Violation } from "../checkers/checker.ts";
import type { MachineMaker } from "../checkers/replay.ts";
import { engineMaker } from "./engine-machine.ts";
import type { FaultCounts } from "./faults.ts";
import { type Outcome, play } from "./harness.ts";
import { planOf } from "./plan.ts";
import { engineConfig, type Scenario } from "./scenario.ts";
import type { PlayOptions } from "./system.ts";

/** What one seed came to. Plain data, so that it crosses threads. */
export interface SeedResult {
  readonly seed: number;
  /** The first violation and those of the same step; empty when every promise was kept. */
  readonly violations: readonly Violation[];
  readonly faults: FaultCounts;
  /** Engine events. */
  readonly events: number;
  readonly transactions: number;
  /** Calls that were raced, each time that they were. */
  readonly jobs: number;
  readonly copies: number;
  readonly decided: number;
  readonly committed: number;
}

const WHOLE_RUN: PlayOptions = { keepTrace: false, checkReplay: true, probes: 3 };

/** Plays the scenario of a seed on the production engine, every promise checked at every step. */
export function runSeed(seed: number, onStep?: PlayOptions["onStep"]): SeedResult {
  const scenario = planOf(seed);
  return resultOf(seed, playWhole(scenario, engineMaker(engineConfig(scenario)), onStep));
}

/** Plays a scenario with everything that the swarm asks of a run: replay of every step, and answers after healing. */
export function playWhole(scenario: Scenario, maker: MachineMaker, onStep?: PlayOptions["onStep"]): Outcome {
  return play(scenario, maker, onStep === undefined ? WHOLE_RUN : { ...WHOLE_RUN, onStep });
}

function resultOf(seed: number, { violations, faults, steps, audit }: Outcome): SeedResult {
  let decided = 0;
  let committed = 0;
  const { transactions, races, copies } = audit.books;
  for (const { stage, results } of transactions.values()) {
    decided += results.size;
    if (stage === "committed") committed++;
  }
  return {
    seed,
    violations: violations.slice(0, 10),
    faults,
    events: steps,
    transactions: transactions.size,
    jobs: races.size,
    copies: copies.size,
    decided,
    committed,
  };
}

/** The promises that a run broke, each once. */
export function brokenPromises(violations: readonly Violation[]): PromiseName[] {
  return [...new Set(violations.map(({ promise }) => promise))];
}
