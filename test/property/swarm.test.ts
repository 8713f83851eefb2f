import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { engineMaker } from "../../sim/swarm/engine-machine.ts";
import { play } from "../../sim/swarm/harness.ts";
import type { PlayOptions } from "../../sim/swarm/system.ts";
import { planOf } from "../../sim/swarm/plan.ts";
import { runSwarm } from "../../sim/swarm/pool.ts";
import { brokenPromises, playWhole } from "../../sim/swarm/run.ts";
import { engineConfig, type Scenario } from "../../sim/swarm/scenario.ts";
import { IDLERS, MUTANTS, RARE } from "../support/mutants.ts";
import { type Mutant, mutantMaker } from "../support/tampering.ts";

/** Seeds of an ordinary run of the tests; `npm run simulate` plays five hundred, `pipe sim swarm --seeds 1..10000` is for long runs. */
const SEEDS = 80;
/** Seeds within which a planted error must be noticed. */
const MUTANT_SEEDS = 25;
/** A mutant changes what it says the second time, so that replay would always notice it first. */
const WITHOUT_REPLAY: PlayOptions = { keepTrace: false, checkReplay: false, probes: 3 };

/** One error of each part of the engine; test/property/mutants.test.ts has the others. */
const SAMPLE = [
  "decides the same race twice",
  "skips verification",
  "takes an answer from anyone",
  "decides by one answer where several are asked for",
  "dispatches the same nonce twice",
  "blames the transaction for its node",
  "pays twice",
  "keeps the fee after a reorg",
  "has no budget",
  "seals when nobody asked",
  "lets transactions live too long",
  "drops a cancel after the decision",
  "seals stale results",
  "does not see the state change",
  "rejects without a word",
  "lets jobs overtake each other",
  "keeps the slow lane secret",
];

/** Seeds that once broke a promise, and scenarios made small from such. */
interface Regression {
  readonly note: string;
  readonly seed?: number;
  readonly scenario?: Scenario;
}
const REGRESSIONS = JSON.parse(
  readFileSync(new URL("./swarm-regressions.json", import.meta.url), "utf8"),
) as readonly Regression[];

describe("the swarm", () => {
  it("finds no broken promise, with every kind of fault", { timeout: 600_000 }, async () => {
    const report = await runSwarm({
      firstSeed: 1,
      lastSeed: SEEDS,
      threads: availableParallelism(),
      onResult: () => {},
      signal: new AbortController().signal,
    });
    const broken = report.failed.map(({ seed, violations }) => {
      const what = violations.map(({ promise, step, message }) => `${promise} at step ${step}: ${message}`).join("\n");
      return `seed ${seed}: ${what}\nagain: npx pipe sim swarm --seeds ${seed}..${seed} --trace`;
    });
    expect(broken).toEqual([]);
    expect(report.seeds).toBe(SEEDS);
    expect(report.neverFired).toEqual([]);
    // It must also get somewhere: a system that refuses everything keeps its promises.
    expect(report.committed).toBeGreaterThan(report.transactions / 4);
  });

  it.each(REGRESSIONS)("does not find again: $note", { timeout: 60_000 }, ({ seed, scenario }) => {
    const played = scenario ?? planOf(seed as number);
    expect(playWhole(played, engineMaker(engineConfig(played))).violations).toEqual([]);
  });

  // Whoever does not do what should be done breaks no rule at any step; the questions after healing find out.
  const idle: readonly Mutant[] = IDLERS.map((mutant) => ({ ...mutant, breaks: ["P1"] }));
  const planted = [...MUTANTS.filter(({ name }) => SAMPLE.includes(name)), ...RARE, ...idle];
  it.each(planted)("catches an engine that $name", { timeout: 120_000 }, (mutant: Mutant) => {
    for (let seed = 1; seed <= MUTANT_SEEDS; seed++) {
      const scenario = planOf(seed);
      const { violations } = play(scenario, mutantMaker(engineConfig(scenario), mutant), WITHOUT_REPLAY);
      if (violations.length === 0) continue;
      expect(brokenPromises(violations).some((promise) => mutant.breaks.includes(promise))).toBe(true);
      return;
    }
    expect.fail(`not caught within ${MUTANT_SEEDS} seeds`);
  });

  it("knows every error of the sample", () => {
    expect(planted).toHaveLength(SAMPLE.length + RARE.length + idle.length);
  });
});
