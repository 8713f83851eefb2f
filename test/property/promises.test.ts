import { describe, it } from "vitest";
import type { MachineMaker } from "../../sim/checkers/replay.ts";
import { healthyScenarios, hostileScenarios, scenarios } from "../support/arbitraries.ts";
import { engineMaker } from "../../sim/swarm/engine-machine.ts";
import { play } from "../../sim/swarm/harness.ts";
import { complaintsOf, ignoresGasPrices, replays, sealsEverything } from "../support/properties.ts";
import { holds } from "../support/reproducible.ts";
import { engineConfig, type Scenario } from "../../sim/swarm/scenario.ts";

const FILE = "test/property/promises.test.ts";
const TIMEOUT = { timeout: 3_600_000 };

function engine(scenario: Scenario): MachineMaker {
  return engineMaker(engineConfig(scenario));
}

describe("the engine", () => {
  it("keeps its promises under any configuration, fault and order of events", TIMEOUT, () => {
    const check = (scenario: Scenario): string[] => complaintsOf(play(scenario, engine(scenario)));
    holds(FILE, "keeps its promises", { runs: 2_000, seconds: 15 }, scenarios, check);
  });

  it("P13: gives the same commands again, also from snapshots", TIMEOUT, () => {
    holds(FILE, "P13", { runs: 300, seconds: 8 }, scenarios, (scenario) => replays(scenario, engine(scenario)));
  });

  it("P1: seals everything in the fast lane when nobody fails", TIMEOUT, () => {
    const check = (scenario: Scenario): string[] => sealsEverything(scenario, engine(scenario), "fast");
    holds(FILE, "P1", { runs: 400, seconds: 6 }, healthyScenarios, check);
  });

  it("P4: seals everything as long as some nodes are honest", TIMEOUT, () => {
    const check = (scenario: Scenario): string[] => sealsEverything(scenario, engine(scenario), "any");
    holds(FILE, "P4", { runs: 400, seconds: 6 }, hostileScenarios, check);
  });

  it("P7: launches in the same order whatever the gas prices are", TIMEOUT, () => {
    const check = (scenario: Scenario): string[] => ignoresGasPrices(scenario, engine(scenario));
    holds(FILE, "P7", { runs: 300, seconds: 6 }, scenarios, check);
  });
});
