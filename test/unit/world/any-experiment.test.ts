import { it } from "vitest";
import { parseExperiment } from "../../../sim/experiment/parse.ts";
import type { ReplicationResult } from "../../../sim/experiment/types.ts";
import { simulate } from "../../../sim/world/simulate.ts";
import { smallExperiments } from "../../support/experiment-arbitrary.ts";
import { holds } from "../../support/reproducible.ts";

/** Far more events than any of these runs has between two ends of jobs. */
const PATIENCE = 3_000_000;

function complaintsAbout(run: ReplicationResult, chain: boolean): string[] {
  const { jobs, decided, sealed, refunded, refused, copies, lost, rejectedProofs, cancelled, onTime, workUs } = run;
  const laws: readonly (readonly [boolean, string])[] = [
    [chain || decided === jobs, "without blocks every job is decided"],
    [!chain || sealed + refunded + refused === jobs, "with blocks every job is sealed, refunded or refused"],
    [!chain || (decided >= sealed && decided <= jobs), "what is sealed was decided, once"],
    [copies >= decided, "a decision needs a copy"],
    [lost + rejectedProofs + decided <= copies, "a copy ends once"],
    [cancelled <= copies, "a copy is cancelled once"],
    [onTime <= decided, "who is on time was decided"],
    [workUs >= 0 && Number.isFinite(workUs), "work is an amount of time"],
  ];
  return laws
    .filter(([kept]) => !kept)
    .map(([, law]) => `${law}: ${JSON.stringify({ ...run, responseHistogram: "" })}`);
}

const FILE = "test/unit/world/any-experiment.test.ts";

it("every experiment comes to an end in which each counted job has one outcome, the same each time", {
  timeout: 120_000,
}, () => {
  const title = "every experiment comes to an end in which each counted job has one outcome, the same each time";
  holds(FILE, title, { runs: 300, seconds: 40 }, smallExperiments, (section) => {
    const parsed = parseExperiment(section, "");
    if (!parsed.ok) return parsed.troubles;
    const options = { samples: 3, limits: { patience: PATIENCE, events: Number.MAX_SAFE_INTEGER } };
    try {
      const { elapsedMs: _, ...once } = simulate(parsed.value, 0, options);
      const { elapsedMs: __, ...again } = simulate(parsed.value, 0, options);
      const same = JSON.stringify(once) === JSON.stringify(again) ? [] : ["another result from the same seed"];
      return [...complaintsAbout({ ...once, elapsedMs: 0 }, parsed.value.blocks !== "none"), ...same];
    } catch (error) {
      return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
    }
  });
});
