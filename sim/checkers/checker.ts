import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import type { AgreedBudget } from "./work-budget.ts";

/** The numbered promises of the design, and `sound` for what every engine owes anyway: no failed assertion, no runaway. */
export type PromiseName =
  | "P1"
  | "P2"
  | "P3"
  | "P4"
  | "P5"
  | "P6"
  | "P7"
  | "P8"
  | "P9"
  | "P10"
  | "P11"
  | "P12"
  | "P13"
  | "P14"
  | "sound";

export interface Violation {
  readonly promise: PromiseName;
  readonly message: string;
  /** Which `step` of the run, counted from zero. */
  readonly step: number;
}

/** What was agreed with the engine, as far as a promise can only be judged with it. Never read from the engine itself. */
export interface Agreement {
  /** Microseconds of speculative work allowed at once, and per microsecond of primary work; `undefined`: no bound. */
  readonly budget: AgreedBudget | undefined;
  readonly maxPending: number;
  readonly maxPendingPerSender: number;
  readonly maxCallsPerTransaction: number;
  readonly maxRounds: number;
  readonly maxTransactionsPerBlock: number;
  readonly maxReorgDepth: number;
  /** Blocks after its own in which a result of mode `optimistic` can be challenged. */
  readonly challengeBlocks: number;
  /** Whether a proof holds, whatever the verifier said of it; left out where proofs are not told apart. */
  readonly isGenuine?: (
    copy: AnsweredAssignment,
    answer: { readonly outputHash: string; readonly answerHash: string },
  ) => boolean;
}

/** An assignment, as far as a proof is bound to it. */
export interface AnsweredAssignment {
  readonly id: number;
  readonly nonce: number;
  readonly node: string;
}

/**
 * Watches what goes into an engine and what comes out, and nothing else. For each step: `event`, then `command` for each
 * command in order, then `stepped`. The books are one entry ahead: they already hold what the call is about.
 */
export interface Checker {
  readonly promise: PromiseName;
  event?(event: EngineEvent): void;
  command?(command: Command): void;
  stepped?(event: EngineEvent): void;
  /** The run has healed and every time to live has passed: what should have ended by now? */
  ended?(): void;
}

/** Told of each violation; the harness adds promise and step. */
export type Report = (message: string) => void;
