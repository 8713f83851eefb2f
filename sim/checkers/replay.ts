import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Commands } from "../../scheduler/engine/commands.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import type { Violation } from "./checker.ts";

/** What a shell can do with an engine. Snapshots are plain JSON. */
export interface Machine {
  step(nowUs: number, event: EngineEvent, commands: Commands): void;
  nextWakeUs(): number;
  snapshot(): unknown;
}

/** How to get one, fresh or from a snapshot's JSON. */
export interface MachineMaker {
  make(): Machine;
  restore(snapshot: unknown): Machine;
}

/** One step as it was recorded. */
export interface RecordedStep {
  readonly nowUs: number;
  readonly event: EngineEvent;
  /** JSON of the commands. */
  readonly commands: string;
  readonly nextWakeUs: number;
}

/**
 * P13: the same events give the same commands and the same next wake-up, on a fresh engine, and on one that was taken apart
 * into its snapshot's JSON and put together again before each of the given steps.
 */
export function replayed(
  trace: readonly RecordedStep[],
  maker: MachineMaker,
  recorder: Commands & { take(): Command[] },
  restoreBefore: ReadonlySet<number>,
): Violation | undefined {
  let machine = maker.make();
  for (const [step, recorded] of trace.entries()) {
    if (restoreBefore.has(step)) {
      const text = JSON.stringify(machine.snapshot());
      machine = maker.restore(JSON.parse(text));
      const again = JSON.stringify(machine.snapshot());
      if (again !== text)
        return { promise: "P13", step, message: `a restored snapshot differs: ${firstDifference(text, again)}` };
    }
    machine.step(recorded.nowUs, recorded.event, recorder);
    const commands = JSON.stringify(recorder.take());
    if (commands !== recorded.commands) {
      return {
        promise: "P13",
        step,
        message: `${recorded.event.kind} gave ${firstDifference(recorded.commands, commands)}`,
      };
    }
    if (machine.nextWakeUs() !== recorded.nextWakeUs) {
      return {
        promise: "P13",
        step,
        message: `next wake-up ${machine.nextWakeUs()} instead of ${recorded.nextWakeUs}`,
      };
    }
  }
  return undefined;
}

/** The neighbourhood of the first difference of two texts. */
function firstDifference(expected: string, actual: string): string {
  let at = 0;
  while (at < expected.length && expected[at] === actual[at]) at++;
  const from = Math.max(0, at - 60);
  return `…${actual.slice(from, at + 60)}… instead of …${expected.slice(from, at + 60)}…`;
}
