import { Recorder } from "../../scheduler/engine/recorder.ts";
import { type MachineMaker, replayed } from "../../sim/checkers/replay.ts";
import { drawer } from "../../sim/swarm/draw.ts";
import { type Outcome, play } from "../../sim/swarm/harness.ts";
import type { Scenario } from "../../sim/swarm/scenario.ts";

/** What is asked of a whole run, besides what the auditors watch step by step. Each answers with complaints. */

export function complaintsOf({ violations }: Outcome): string[] {
  return violations.map(({ promise, message, step }) => `${promise} at step ${step}: ${message}`);
}

/** P13: the run's events give its commands again, with the engine taken apart and restored at random moments. */
export function replays(scenario: Scenario, maker: MachineMaker): string[] {
  const { trace } = play(scenario, maker);
  const draw = drawer(scenario.seed);
  const restoreBefore = new Set([...trace.keys()].filter((step) => draw("restore", step) < 0.05));
  const violation = replayed(trace, maker, new Recorder(), restoreBefore);
  return violation === undefined ? [] : [`${violation.promise} at step ${violation.step}: ${violation.message}`];
}

/** Where there is an honest node and time enough, every transaction that was admitted is sealed and committed (P1, P4). */
export function sealsEverything(scenario: Scenario, maker: MachineMaker, lanes: "fast" | "any"): string[] {
  const outcome = play(scenario, maker);
  const found = complaintsOf(outcome);
  if (found.length > 0) return found;
  for (const { hash, stage, lane, endReason } of outcome.audit.books.transactions.values()) {
    if (stage !== "committed") found.push(`${hash} is ${stage}${endReason === undefined ? "" : ` (${endReason})`}`);
    else if (lanes === "fast" && lane !== "fast") found.push(`P14: ${hash} went to the slow lane`);
  }
  return found;
}

/** P7: the ordering log is the same, entry by entry and to the microsecond, whatever the gas prices are. */
export function ignoresGasPrices(drawn: Scenario, maker: MachineMaker): string[] {
  const scenario = withoutPriceEffects(drawn);
  const one = orderOf(play(scenario, maker));
  const other = orderOf(play(repriced(scenario), maker));
  const length = Math.max(one.length, other.length);
  for (let index = 0; index < length; index++) {
    if (one[index] !== other[index])
      return [`P7: entry ${index} is ${one[index]} or ${other[index]}, depending on gas prices`];
  }
  return [];
}

/** Replacement compares prices and sealing may sort by them: that is what they are for. The rest must not look at them. */
function withoutPriceEffects(scenario: Scenario): Scenario {
  const comparing = ["replace", "underpriced", "used", "gap"];
  const actions = scenario.actions
    .filter((action) => action.do !== "submit" || !comparing.includes(action.kind))
    .map((action) => {
      if (action.do === "block") return { ...action, order: "arrival" as const };
      // Whoever has no answer yet may use a nonce twice, which is a replacement.
      return action.do === "crash" ? { ...action, steps: 0 } : action;
    });
  return { ...scenario, actions };
}

/** Reverses the order of the prices. */
function repriced(scenario: Scenario): Scenario {
  const actions = scenario.actions.map((action) =>
    action.do === "submit" ? { ...action, gasPriceGwei: 1_000 - 7 * action.gasPriceGwei } : action,
  );
  return { ...scenario, actions };
}

function orderOf({ trace }: Outcome): string[] {
  return trace.flatMap(({ commands }) =>
    (JSON.parse(commands) as { kind: string; entry?: unknown }[])
      .filter(({ kind }) => kind === "ordered")
      .map(({ entry }) => JSON.stringify(entry)),
  );
}
