import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { type Command, Recorder } from "../../scheduler/engine/recorder.ts";
import { assert } from "../../scheduler/shared/assert.ts";
import type { Machine, MachineMaker } from "../checkers/replay.ts";

/** One step as it was taken. */
export interface Step {
  /** What the clock showed. */
  readonly nowUs: number;
  /** The engine's time: the latest that any clock showed it. */
  readonly atUs: number;
  readonly event: EngineEvent;
  readonly commands: readonly Command[];
  /** JSON of the commands. */
  readonly text: string;
  readonly nextWakeUs: number;
}

/** What a crash left of the records that nobody had acknowledged yet. */
export interface Salvage {
  /** Durable after all, although their commands never left. */
  readonly kept: readonly Step[];
  readonly lost: readonly Step[];
}

/**
 * The live shell as far as crashes are concerned: steps the machine, writes each step down as one line of a journal, keeps a
 * snapshot, and comes back from snapshot and journal. A line that has no end was being written when the machine died.
 */
export class Shell {
  readonly #maker: MachineMaker;
  readonly #recorder = new Recorder();
  readonly #complain: ((message: string) => void) | undefined;
  #machine: Machine;
  #atUs = 0;
  #snapshot: string | undefined;
  /** Records since the snapshot. */
  #journal: Step[] = [];
  /** How many of the last ones nobody acknowledged yet. */
  #unacknowledged = 0;

  /** With `complain` every step is taken a second time from the snapshot before it, and must come out the same (P13). */
  constructor(maker: MachineMaker, complain: ((message: string) => void) | undefined) {
    this.#maker = maker;
    this.#complain = complain;
    this.#machine = maker.make();
  }

  nextWakeUs(): number {
    return this.#machine.nextWakeUs();
  }

  step(nowUs: number, event: EngineEvent): Step {
    this.#machine.step(nowUs, event, this.#recorder);
    const commands = this.#recorder.take();
    const text = JSON.stringify(commands);
    this.#atUs = Math.max(this.#atUs, nowUs);
    const step: Step = { nowUs, atUs: this.#atUs, event, commands, text, nextWakeUs: this.#machine.nextWakeUs() };
    this.#journal.push(step);
    this.#unacknowledged++;
    return step;
  }

  /** Everything written so far is durable. */
  acknowledge(): void {
    this.#unacknowledged = 0;
  }

  /** Restart begins here from now on. Only what is durable may go into a snapshot. */
  takeSnapshot(): void {
    assert(this.#unacknowledged === 0, "a snapshot of what may still be lost");
    const text = JSON.stringify(this.#machine.snapshot());
    if (this.#complain !== undefined) {
      const again = JSON.stringify(this.#recovered(this.#journal).snapshot());
      if (again !== text) this.#complain(`replay ends in another state: ${firstDifference(text, again)}`);
    }
    this.#snapshot = text;
    this.#journal = [];
  }

  /**
   * The process dies and comes back. Of the records that were not acknowledged the first `durable` were written all the
   * same; with `torn`, part of the next one was, too.
   */
  crash(durable: number, torn: boolean): Salvage {
    const acknowledged = this.#journal.length - this.#unacknowledged;
    const lost = this.#journal.splice(acknowledged + durable);
    const next = torn && lost[0] !== undefined ? lineOf(lost[0]) : "";
    const written = this.#journal.map(lineOf).join("") + next.slice(0, next.length >> 1);
    this.#machine = this.#recovered(readJournal(written));
    this.#unacknowledged = 0;
    return { kept: this.#journal.slice(acknowledged), lost };
  }

  /** The machine that snapshot and journal make. */
  #recovered(journal: readonly Omit<Step, "atUs" | "commands">[]): Machine {
    const machine =
      this.#snapshot === undefined ? this.#maker.make() : this.#maker.restore(JSON.parse(this.#snapshot) as unknown);
    for (const { nowUs, event, text, nextWakeUs } of journal) {
      machine.step(nowUs, event, this.#recorder);
      const again = this.#recorder.take();
      if (this.#complain === undefined) continue;
      const textAgain = JSON.stringify(again);
      if (textAgain !== text) this.#complain(`replay of ${event.kind} gives ${firstDifference(text, textAgain)}`);
      const dueUs = machine.nextWakeUs();
      if (dueUs !== nextWakeUs) this.#complain(`replay of ${event.kind} wakes at ${dueUs} instead of ${nextWakeUs}`);
    }
    return machine;
  }
}

/** JSON has neither tabs nor line ends in it. */
function lineOf({ nowUs, event, nextWakeUs, text }: Step): string {
  return `${nowUs}\t${JSON.stringify(event)}\t${nextWakeUs}\t${text}\n`;
}

/** The records of a journal's text. A last line without an end is cut off. */
function readJournal(text: string): Omit<Step, "atUs" | "commands">[] {
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line) => {
    const [nowUs = "", event = "", nextWakeUs = "", commands = ""] = line.split("\t");
    return {
      nowUs: Number(nowUs),
      event: JSON.parse(event) as EngineEvent,
      nextWakeUs: Number(nextWakeUs),
      text: commands,
    };
  });
}

/** The neighbourhood of the first difference of two texts. */
function firstDifference(expected: string, actual: string): string {
  let at = 0;
  while (at < expected.length && expected[at] === actual[at]) at++;
  const from = Math.max(0, at - 60);
  return `…${actual.slice(from, at + 60)}… instead of …${expected.slice(from, at + 60)}…`;
}
