import { describe, expect, it } from "vitest";
import { engineMaker } from "../../../sim/swarm/engine-machine.ts";
import { play } from "../../../sim/swarm/harness.ts";
import type { PlayOptions } from "../../../sim/swarm/system.ts";
import { minimise } from "../../../sim/swarm/minimise.ts";
import { PERFECT_NETWORK } from "../../../sim/swarm/network.ts";
import { planOf } from "../../../sim/swarm/plan.ts";
import { runSeed } from "../../../sim/swarm/run.ts";
import { engineConfig, type Scenario } from "../../../sim/swarm/scenario.ts";
import { MUTANTS } from "../../support/mutants.ts";
import { mutantMaker } from "../../support/tampering.ts";

const OPTIONS: PlayOptions = { keepTrace: false, checkReplay: false, probes: 0 };

describe("minimisation", () => {
  it("leaves the actions that matter, and quiet all around", () => {
    const reverts = (scenario: Scenario): number => scenario.actions.filter((action) => action.do === "revert").length;
    const scenario = { ...planOf(3), actions: planOf(3).actions.concat({ do: "revert", depth: 1 }, { do: "commit" }) };
    const { scenario: small, cutShort } = minimise(scenario, (candidate) => reverts(candidate) > 0, 500);
    expect(small.actions.map((action) => action.do)).toEqual(["revert"]);
    expect(small.nodes).toHaveLength(1);
    expect(small).toMatchObject({ network: PERFECT_NETWORK, verifierFaults: 0, wakeLatenessMs: 0 });
    expect(cutShort).toBe(false);
  });

  it("stops at its limit with something that still fails", () => {
    const fails = (scenario: Scenario): boolean => scenario.actions.length >= 3;
    const { scenario, runs, cutShort } = minimise(planOf(3), fails, 4);
    expect(fails(scenario)).toBe(true);
    expect([runs, cutShort]).toEqual([4, true]);
  });

  it("makes a planted error small", { timeout: 60_000 }, () => {
    const mutant = MUTANTS.find(({ name }) => name === "pays twice");
    expect(mutant).toBeDefined();
    if (mutant === undefined) return;
    const fails = (scenario: Scenario): boolean =>
      play(scenario, mutantMaker(engineConfig(scenario), mutant), OPTIONS).violations.length > 0;
    const whole = planOf(1);
    expect(fails(whole)).toBe(true);
    const { scenario } = minimise(whole, fails, 400);
    expect(fails(scenario)).toBe(true);
    // A transaction with one call, and the node that answers; healing does the rest.
    expect(scenario.actions.length).toBeLessThanOrEqual(2);
    expect(play(scenario, engineMaker(engineConfig(scenario)), OPTIONS).violations).toEqual([]);
  });
});

describe("a seed", () => {
  it("means the same each time", () => {
    expect(planOf(11)).toEqual(planOf(11));
    expect(runSeed(11)).toEqual(runSeed(11));
    expect(planOf(12)).not.toEqual(planOf(11));
  });
});
