import { it } from "vitest";
import type { Machine, MachineMaker } from "../../sim/checkers/replay.ts";
import { engineMaker } from "../../sim/swarm/engine-machine.ts";
import { play } from "../../sim/swarm/harness.ts";
import { engineConfig, type Scenario } from "../../sim/swarm/scenario.ts";
import { scenarios } from "../support/arbitraries.ts";
import { holds } from "../support/reproducible.ts";

const FILE = "test/property/snapshot-copy.test.ts";
const STEPS_PER_SNAPSHOT = 25;

/** Whatever is changed of it from now on throws, since modules are strict. */
function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
}

/** An engine that goes on while all of its snapshots are frozen. */
function frozen(maker: MachineMaker): MachineMaker {
  const wrap = (machine: Machine): Machine => {
    let steps = 0;
    return {
      step(nowUs, event, commands) {
        machine.step(nowUs, event, commands);
        steps += 1;
        if (steps % STEPS_PER_SNAPSHOT === 0) freeze(machine.snapshot());
      },
      nextWakeUs: () => machine.nextWakeUs(),
      snapshot: () => machine.snapshot(),
    };
  };
  return { make: () => wrap(maker.make()), restore: (snapshot) => wrap(maker.restore(snapshot)) };
}

function complaintsOf(scenario: Scenario): string[] {
  const { violations } = play(scenario, frozen(engineMaker(engineConfig(scenario))));
  return violations.map((violation) => JSON.stringify(violation));
}

it("P13: an engine never changes what it gave as a snapshot, which is written while it goes on", () => {
  holds(FILE, "P13", { runs: 200, seconds: 5 }, scenarios, complaintsOf);
});
