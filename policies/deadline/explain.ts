import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { Explanation, RacePicture } from "../policy.ts";
import { DeadlineMemory } from "./memory.ts";
import { planAt } from "./price.ts";
import type { DeadlineSpec } from "./spec.ts";

/** What `deadline` makes of a race as it stands: the plan, what it is chosen from, and at which price. */
export function explainDeadline(spec: DeadlineSpec, race: RacePicture, nowUs: number): Explanation {
  const { learning, memory, targetUs, room, call } = race;
  const target = `${100 * spec.target} % of the calls are to be answered in time`;
  if (targetUs === NEVER)
    return { words: [`${target}, but this one has no deadline: one copy is enough.`], numbers: {} };
  const frontier =
    memory instanceof DeadlineMemory && learning?.known === true ? memory.plansFor(race, learning) : undefined;
  if (frontier === undefined || !(memory instanceof DeadlineMemory) || learning === undefined) {
    const words = [
      `${target}.`,
      "Nothing is learned of durations yet, so a second copy is launched at 40 % of the time there is.",
    ];
    return { words, numbers: { leftMs: (targetUs - nowUs) / 1_000 } };
  }
  const { price, law, utilisation } = memory;
  const crowding = memory.crowdingAt(room.busy);
  const plan = planAt({ frontier, crowding }, price);
  const [alone] = frontier.plans;
  const expectedMs = learning.expectedUs(call) / 1_000;
  const launches = plan.launches.map((launch) => `${seconds(launch * expectedMs)} after the first`);
  const words = [
    `${target}.`,
    `A copy of this call takes ${seconds(expectedMs)} on average${learning.drift.drifting ? ", while the whole class is out of its usual pace" : ""}.`,
    launches.length === 0
      ? "No further copy is planned: what it would save is not worth its work now."
      : `Unless it is answered before, further copies are launched ${launches.join(" and ")}.`,
    `Of recent calls, the target takes that one more in time is worth ${price.above.toFixed(1)} runs of a copy; a run costs the others ${(100 * crowding).toFixed(2)} % of one in time, since ${room.busy} of ${room.slots} slots are busy.`,
  ];
  return {
    words,
    numbers: {
      expectedMs,
      leftMs: (targetUs - nowUs) / 1_000,
      lateAlone: alone?.launches.length === 0 ? alone.late : plan.late,
      latePlanned: plan.late,
      workPlannedMs: plan.work * expectedMs,
      worthRuns: price.above,
      crowding,
      utilisation,
      correlation: law?.phi ?? 0,
      pace: learning.drift.pace,
      observations: learning.law.weight,
    },
  };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toPrecision(3)} s`;
}
