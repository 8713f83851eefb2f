import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { Learning } from "../learning/learning.ts";
import type { Explanation, RacePicture } from "../policy.ts";
import type { Frontier, Plan } from "./frontier.ts";
import { DeadlineMemory } from "./memory.ts";
import { planAt } from "./price.ts";
import type { DeadlineSpec } from "./spec.ts";
import { shareLeft } from "./staircase.ts";
import { staircaseOf, valueGwei } from "./value.ts";

/** What `deadline` makes of a race as it stands: the plan, what it is chosen from, and at which price. */
export function explainDeadline(spec: DeadlineSpec, race: RacePicture, nowUs: number): Explanation {
  const { learning, memory, targetUs, call } = race;
  const aim = aimOf(spec, race);
  const value = valueGwei(spec, call);
  const only = (words: string, numbers: Explanation["numbers"] = {}) => ({ words: [`${aim}${words}`], numbers });
  if (targetUs === NEVER) return only(", but this one has no deadline: one copy is enough.");
  if (value === 0) return only(": one copy is enough.");
  const frontier =
    memory instanceof DeadlineMemory && learning?.known === true ? memory.plansFor(race, learning) : undefined;
  if (frontier === undefined || !(memory instanceof DeadlineMemory) || learning === undefined) {
    const cold = "Nothing is learned of durations yet, so a second copy is launched at 40 % of the time there is.";
    return { words: [`${aim}.`, cold], numbers: { leftMs: (targetUs - nowUs) / 1_000 } };
  }
  const known = { spec, race, nowUs, learning, memory, frontier };
  return value === undefined ? ofTarget(aim, known) : ofValue(aim, known, value);
}

interface Known {
  readonly spec: DeadlineSpec;
  readonly race: RacePicture;
  readonly nowUs: number;
  readonly learning: Learning;
  readonly memory: DeadlineMemory;
  readonly frontier: Frontier;
}

function aimOf(spec: DeadlineSpec, { call }: RacePicture): string {
  const value = valueGwei(spec, call);
  if (value === undefined) return `${100 * spec.target} % of the calls are to be answered in time`;
  if (value === 0) return "Sealing this call is worth nothing";
  const { lossPerBlock = 0 } = spec;
  const loss =
    lossPerBlock === 0 ? "as much in each of its blocks" : `${percent(lossPerBlock)} of it less in each later one`;
  const whose = spec.sealGwei === "fee" ? ", its max fee" : "";
  return `Sealing this call in the open block is worth ${gwei(value)}${whose}, and ${loss}`;
}

function ofTarget(aim: string, { race, nowUs, learning, memory, frontier }: Known): Explanation {
  const { price } = memory;
  const { busy, slots } = race.room;
  const crowding = memory.crowdingAt(busy);
  const plan = planAt({ frontier, crowding }, price);
  const alone = aloneOf(frontier);
  const expectedMs = learning.expectedUs(race.call) / 1_000;
  return {
    words: [
      `${aim}.`,
      takes(learning, expectedMs),
      planned(plan, expectedMs, "what it would save is not worth its work now"),
      `Of recent calls, the target takes that one more in time is worth ${price.above.toFixed(1)} runs of a copy; a run costs the others ${(100 * crowding).toFixed(2)} % of one in time, since ${busy} of ${slots} slots are busy.`,
    ],
    numbers: {
      ...known({ race, nowUs, learning, memory }, expectedMs),
      lateAlone: (alone ?? plan).late,
      latePlanned: plan.late,
      workPlannedMs: plan.work * expectedMs,
      worthRuns: price.above,
      crowding,
    },
  };
}

function ofValue(aim: string, given: Known, value: number): Explanation {
  const { spec, race, nowUs, learning, memory, frontier } = given;
  const { busy, slots } = race.room;
  const expectedUs = learning.expectedUs(race.call);
  const expectedMs = expectedUs / 1_000;
  const worth = memory.worthOf(race, expectedUs) ?? 0;
  const workGweiPerS = memory.gweiPerS(race.askedGwei);
  const runGwei = (workGweiPerS * expectedMs) / 1_000;
  const crowding = memory.crowdingAt(busy);
  const plan = memory.planOf(frontier, busy, worth);
  const alone = aloneOf(frontier) ?? plan;
  const left = shareLeft(staircaseOf(spec, race, nowUs, expectedUs));
  const gain = (alone.late - plan.late) * value - (plan.work - alone.work) * runGwei;
  const asked =
    typeof spec.workGweiPerS === "number" ? "" : ": what nodes ask for an answer, by the time that answers take";
  return {
    words: [
      `${aim}; a machine-second costs ${gwei(workGweiPerS)}${asked}.`,
      takes(learning, expectedMs),
      left === 0
        ? "Nothing is left of its value, so that one copy is enough."
        : planned(plan, expectedMs, "none saves more of its value than it costs"),
      `With one copy ${gwei(alone.late * value)} would be lost by its block on average, for ${gwei(alone.work * runGwei)} of work; as planned ${gwei(plan.late * value)}, for ${gwei(plan.work * runGwei)}: better by ${gwei(gain)}.`,
      `A run costs ${gwei(runGwei)}${crowding < 1e-3 ? "" : `, and the others ${gwei(crowding * runGwei)} of their value besides`}: ${busy} of ${slots} slots are busy.`,
    ],
    numbers: {
      ...known(given, expectedMs),
      valueGwei: value,
      workGweiPerS,
      worthRuns: worth,
      lossAloneGwei: alone.late * value,
      lossPlannedGwei: plan.late * value,
      workAloneGwei: alone.work * runGwei,
      workPlannedGwei: plan.work * runGwei,
      gainGwei: gain,
      crowding,
    },
  };
}

function aloneOf({ plans }: Frontier): Plan | undefined {
  return plans.find(({ launches }) => launches.length === 0);
}

function takes(learning: Learning, expectedMs: number): string {
  const drift = learning.drift.drifting ? ", while the whole class is out of its usual pace" : "";
  return `A copy of this call takes ${seconds(expectedMs)} on average${drift}.`;
}

function planned({ launches }: Plan, expectedMs: number, why: string): string {
  if (launches.length === 0) return `No further copy is planned: ${why}.`;
  const times = launches.map((launch) =>
    launch === 0 ? "with it" : `${seconds(launch * expectedMs)} after the first`,
  );
  return `Unless it is answered before, further copies are launched ${times.join(" and ")}.`;
}

function known({ race, nowUs, learning, memory }: Omit<Known, "spec" | "frontier">, expectedMs: number) {
  return {
    expectedMs,
    leftMs: (race.targetUs - nowUs) / 1_000,
    utilisation: memory.utilisation,
    correlation: memory.law?.phi ?? 0,
    pace: learning.drift.pace,
    observations: learning.law.weight,
  };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toPrecision(3)} s`;
}

function gwei(amount: number): string {
  return `${Number.isInteger(amount) ? amount : Number(amount.toPrecision(3))} gwei`;
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
