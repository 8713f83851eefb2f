import type { Engine } from "../../scheduler/engine/engine.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import type { CallTerms, Lane, Mode, TransactionTerms } from "../../scheduler/shared/vocabulary.ts";

/** What came of a run, real or played. */
export interface Outcome {
  /** Each race that was decided, in order. */
  readonly jobs: readonly DecidedJob[];
  readonly transactions: TransactionCounts;
  readonly copies: number;
  readonly speculativeCopies: number;
  readonly speculativeWins: number;
  /** Machine-time of all copies, and of speculative ones, in microseconds. */
  readonly workUs: number;
  readonly speculativeWorkUs: number;
  readonly ledger: Engine["ledger"];
}

export interface DecidedJob {
  readonly txHash: string;
  readonly callIndex: number;
  readonly model: string;
  readonly mode: Mode;
  readonly node: string;
  /** From the race's opening to its decision. */
  readonly latencyUs: number;
}

/** Counts; all but `submitted` are of transactions that ask for inference. */
export interface TransactionCounts {
  readonly submitted: number;
  readonly withCalls: number;
  /** Sealed in the fast lane, and so within the time to live. */
  readonly onTime: number;
  /** Sealed, but settled slowly. */
  readonly late: number;
  readonly refunded: number;
  /** Not admitted. */
  readonly refused: number;
  /** Replaced or withdrawn by their senders. */
  readonly takenBack: number;
  /** Not over when the recording ends. */
  readonly pending: number;
}

/** Keeps count of what an engine's commands say. */
export class OutcomeBook {
  readonly #jobs: DecidedJob[] = [];
  #submitted = 0;
  /** Where transactions with calls stand. */
  readonly #standing = new Map<string, { end: keyof TransactionCounts; lane: Lane }>();

  submitted({ hash, calls }: TransactionTerms): void {
    this.#submitted++;
    if (asks(calls) && !this.#standing.has(hash)) this.#standing.set(hash, { end: "pending", lane: "fast" });
  }

  note(command: Command): void {
    if (command.kind === "decided") {
      const { txHash, callIndex, model, mode, node, openedUs, decidedUs } = command.result;
      this.#jobs.push({ txHash, callIndex, model, mode, node, latencyUs: decidedUs - openedUs });
    } else if (command.kind === "rejected") {
      const standing = this.#standing.get(command.hash);
      // The same transaction again, while it is known, changes nothing.
      if (standing?.end === "pending" && command.rejection.reason !== "duplicate") standing.end = "refused";
    } else if (command.kind === "accepted" || command.kind === "notify") {
      const { hash, state, lane } = command.transaction;
      const standing = this.#standing.get(hash);
      if (standing === undefined) return;
      standing.lane = lane;
      standing.end = endOf(state, lane);
    }
  }

  outcome({ counters, ledger }: Pick<Engine, "counters" | "ledger">): Outcome {
    const count = (end: keyof TransactionCounts): number =>
      [...this.#standing.values()].filter((standing) => standing.end === end).length;
    return {
      jobs: this.#jobs,
      transactions: {
        submitted: this.#submitted,
        withCalls: this.#standing.size,
        onTime: count("onTime"),
        late: count("late"),
        refunded: count("refunded"),
        refused: count("refused"),
        takenBack: count("takenBack"),
        pending: count("pending"),
      },
      copies: counters.copiesLaunched,
      speculativeCopies: counters.speculativeCopies,
      speculativeWins: counters.speculativeWins,
      workUs: counters.workUs,
      speculativeWorkUs: counters.speculativeWorkUs,
      ledger,
    };
  }
}

/** What is to be discovered counts as asking: only running it tells. */
function asks(calls: readonly CallTerms[] | undefined): boolean {
  return calls === undefined || calls.length > 0;
}

function endOf(state: string, lane: Lane): keyof TransactionCounts {
  switch (state) {
    case "sealed":
    case "committed":
      return lane === "fast" ? "onTime" : "late";
    case "refunded":
      return "refunded";
    case "replaced":
    case "withdrawn":
      return "takenBack";
    default:
      return "pending";
  }
}
