import type { EngineConfig } from "../../scheduler/engine/config.ts";
import type { Commands } from "../../scheduler/engine/commands.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { type Command, Recorder } from "../../scheduler/engine/recorder.ts";
import { unreachable } from "../../scheduler/shared/assert.ts";
import type { PromiseName } from "../../sim/checkers/checker.ts";
import type { Machine, MachineMaker } from "../../sim/checkers/replay.ts";
import { engineMaker } from "../../sim/swarm/engine-machine.ts";

/**
 * Planted errors, each a way in which a scheduler could break a promise. They sit around the engine, between it and the
 * world: what it is told and what it says is changed, its own code is not.
 */
export interface Mutant {
  readonly name: string;
  /** The promises any of whose checkers may be the one to notice. */
  readonly breaks: readonly PromiseName[];
  readonly plant: (config: EngineConfig) => Tampering;
  /** What the complaint must say, where the promise alone does not tell the reason. */
  readonly shows?: RegExp;
  /** The engine is made with this, while the checkers go by what was agreed. */
  readonly configure?: (config: EngineConfig) => EngineConfig;
}

export interface Tampering {
  /** What the engine is told instead; `undefined` for nothing at all. */
  readonly hear?: (event: EngineEvent) => EngineEvent | undefined;
  /** What is said instead; `tell` lets the engine step once more in secret and answers with its commands. */
  readonly say?: (commands: readonly Command[], event: EngineEvent, tell: Tell) => readonly Command[];
}

export type Tell = (event: EngineEvent) => readonly Command[];

export function mutantMaker(config: EngineConfig, mutant: Mutant): MachineMaker {
  const maker = engineMaker(mutant.configure?.(config) ?? config);
  const tampering = mutant.plant(config);
  return {
    make: () => tampered(maker.make(), tampering),
    restore: (snapshot) => tampered(maker.restore(snapshot), tampering),
  };
}

function tampered(machine: Machine, { hear, say }: Tampering): Machine {
  const recorder = new Recorder();
  return {
    step(nowUs, event, commands) {
      const tell: Tell = (secret) => {
        machine.step(nowUs, secret, recorder);
        return recorder.take();
      };
      const heard = hear === undefined ? event : hear(event);
      const said = heard === undefined ? [] : tell(heard);
      for (const command of say?.(said, event, tell) ?? said) repeat(command, commands);
    },
    nextWakeUs: () => machine.nextWakeUs(),
    snapshot: () => machine.snapshot(),
  };
}

/** Says a recorded command to another sink. */
function repeat(command: Command, to: Commands): void {
  switch (command.kind) {
    case "accepted":
    case "preExecute":
    case "notify":
      return to[command.kind](command.transaction);
    case "dispatch":
    case "verify":
      return to[command.kind](command.copy);
    case "committed":
    case "reverted":
      return to[command.kind](command.height);
    case "rejected":
      return to.rejected(command.hash, command.rejection);
    case "ordered":
      return to.ordered(command.entry);
    case "cancel":
      return to.cancel(command.copy, command.reason);
    case "decided":
      return to.decided(command.result);
    case "moved":
      return to.moved(command.movement);
    case "sealed":
      return to.sealed(command.block);
    case "sealRefused":
      return to.sealRefused(command.refusal);
    case "suspect":
      return to.suspect(command.suspicion);
    case "evidence":
      return to.evidence(command.evidence);
    case "challengeEnded":
      return to.challengeEnded(command.outcome);
    case "alarm":
      return to.alarm(command.alarm);
    case "lost":
      return to.lost(command.copy, command.reason);
    default:
      return unreachable(command);
  }
}
