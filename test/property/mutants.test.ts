import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Recorder } from "../../scheduler/engine/recorder.ts";
import type { PromiseName } from "../../sim/checkers/checker.ts";
import { type MachineMaker, replayed } from "../../sim/checkers/replay.ts";
import { hostileScenarios, scenarios } from "../support/arbitraries.ts";
import { engineMaker } from "../../sim/swarm/engine-machine.ts";
import { play, SMALL_RUN } from "../../sim/swarm/harness.ts";
import { IDLERS, MUTANTS, PRICE_MINDED } from "../support/mutants.ts";
import { type Mutant, mutantMaker } from "../support/tampering.ts";
import { ignoresGasPrices, sealsEverything } from "../support/properties.ts";
import { engineConfig, type Scenario } from "../../sim/swarm/scenario.ts";

/** Scenarios within which each planted error must be noticed. Always the same ones: a mutant is caught or it is not. */
const RUNS = 400;
const SCENARIOS: readonly Scenario[] = fc.sample(scenarios, { numRuns: RUNS, seed: 20_261_123 });

/** The promises that the first caught run saw broken, and how many runs it took. */
function hunt(mutant: Mutant): { runs: number; broken: readonly PromiseName[]; messages: readonly string[] } {
  for (const [index, scenario] of SCENARIOS.entries()) {
    const { violations } = play(scenario, mutantMaker(engineConfig(scenario), mutant));
    if (violations.length === 0) continue;
    const broken = violations.map(({ promise }) => promise);
    return { runs: index + 1, broken, messages: violations.map(({ message }) => message) };
  }
  return { runs: RUNS, broken: [], messages: [] };
}

describe("an engine that", () => {
  it.each(MUTANTS)("$name is caught", { timeout: 60_000 }, (mutant) => {
    const { runs, broken, messages } = hunt(mutant);
    expect(broken.length, `not caught within ${runs} runs`).toBeGreaterThan(0);
    // A mutant that falls over for another reason than its own would say nothing about the checker.
    expect(
      broken.some((promise) => mutant.breaks.includes(promise)),
      messages.join("\n"),
    ).toBe(true);
    if (mutant.shows !== undefined) expect(messages.join("\n")).toMatch(mutant.shows);
  });

  it.each(IDLERS)("$name is caught", (mutant) => {
    const hostile = fc.sample(hostileScenarios, { numRuns: 50, seed: 20_261_124 });
    const caught = hostile.some((scenario) => {
      const maker = mutantMaker(engineConfig(scenario), mutant);
      return sealsEverything(scenario, maker, "any").some((complaint) => complaint.includes("(expired)"));
    });
    expect(caught).toBe(true);
  });

  it("has a verifier that answers true is caught (P2)", () => {
    const caught = SCENARIOS.slice(0, 100).some((scenario) => {
      const { violations } = play(scenario, engineMaker(engineConfig(scenario)), { ...SMALL_RUN, credulous: true });
      return violations.some(({ promise, message }) => promise === "P2" && message.includes("does not hold"));
    });
    expect(caught).toBe(true);
  });

  it("minds gas prices is caught", () => {
    const caught = SCENARIOS.slice(0, 100).some(
      (scenario) => ignoresGasPrices(scenario, mutantMaker(engineConfig(scenario), PRICE_MINDED)).length > 0,
    );
    expect(caught).toBe(true);
  });

  it("draws on something else than its journal is caught", () => {
    const recorder = new Recorder();
    const caught = SCENARIOS.slice(0, 100).some((scenario) => {
      const config = engineConfig(scenario);
      const { trace } = play(scenario, engineMaker(config));
      return replayed(trace, engineMaker({ ...config, seed: config.seed ^ 1 }), recorder, new Set())?.promise === "P13";
    });
    expect(caught).toBe(true);
  });

  it("forgets something in its snapshot is caught", () => {
    const recorder = new Recorder();
    const caught = SCENARIOS.slice(0, 100).some((scenario) => {
      const maker = engineMaker(engineConfig(scenario));
      const { trace } = play(scenario, maker);
      const forgetful: MachineMaker = { make: maker.make, restore: maker.make };
      return replayed(trace, forgetful, recorder, new Set([trace.length >> 1]))?.promise === "P13";
    });
    expect(caught).toBe(true);
  });

  it("is not tampered with is caught in nothing", { timeout: 60_000 }, () => {
    const untouched: Mutant = { name: "is not tampered with", breaks: [], plant: () => ({}) };
    const { broken, messages, runs } = hunt(untouched);
    expect(broken, `run ${runs}: ${messages.join("\n")}`).toEqual([]);
  });
});
