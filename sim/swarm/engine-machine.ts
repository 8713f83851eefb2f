import type { EngineConfig } from "../../scheduler/engine/config.ts";
import { Engine, type EngineSnapshot } from "../../scheduler/engine/engine.ts";
import type { MachineMaker } from "../checkers/replay.ts";

/** The engine itself, as a machine under test. */
export function engineMaker(config: EngineConfig): MachineMaker {
  return {
    make: () => new Engine(config),
    restore: (snapshot) => Engine.restore(config, snapshot as EngineSnapshot),
  };
}
