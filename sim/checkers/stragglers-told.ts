import type { ChallengeOutcome } from "../../scheduler/engine/commands.ts";
import type { Books, CopyRecord } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * P9: when a race is decided or its transaction leaves, each of its copies has answered, failed, run into its lease, or is
 * told to stop in that very step. A copy is not told to stop because of a decision that was not taken. Copies that challenge
 * a sealed result are told when the challenge ends.
 */
export function stragglersTold(books: Books, report: Report): Checker {
  const decidedRaces = new Set<number>();
  /** Of a challenge that has an answer: no decision tells of it, but the verdict on it is heard. */
  let answeredRace: number | undefined;
  const leftTransactions = new Set<number>();
  const endedChallenges: ChallengeOutcome[] = [];
  /** Races by transaction. */
  const racesOf = new Map<number, Set<number>>();
  /** Copies told that they were outrun, with their race. The cancels may precede the decision within the step. */
  const outrun = new Map<number, number>();

  function untold(copies: readonly CopyRecord[], why: string, challenge = false): void {
    for (const copy of copies)
      if (copy.challenge === challenge && books.running(copy))
        report(`copy ${copy.id} on ${copy.node} runs on after ${why}`);
  }

  return {
    promise: "P9",
    event(event) {
      const judged = event.kind === "verdict" && event.accepted ? books.copies.get(event.copy) : undefined;
      answeredRace = judged?.challenge === true ? judged.race : undefined;
      decidedRaces.clear();
      leftTransactions.clear();
      endedChallenges.length = 0;
      outrun.clear();
    },
    command(command) {
      if (command.kind === "dispatch") {
        const { race } = command.copy;
        const races = racesOf.get(race.tx.id);
        if (races === undefined) racesOf.set(race.tx.id, new Set([race.id]));
        else races.add(race.id);
      } else if (command.kind === "decided") {
        const copy = books.copies.get(command.result.copy);
        if (copy !== undefined) decidedRaces.add(copy.race);
      } else if (command.kind === "challengeEnded") endedChallenges.push(command.outcome);
      else if (command.kind === "notify") {
        const { id, state } = command.transaction;
        if (state !== "discovering" && state !== "racing") leftTransactions.add(id);
      } else if (command.kind === "cancel" && command.reason === "race-decided") {
        outrun.set(command.copy.id, command.copy.race.id);
      }
    },
    stepped() {
      for (const [copy, race] of outrun) {
        if (!decidedRaces.has(race) && race !== answeredRace) report(`copy ${copy} was outrun by nobody`);
      }
      for (const race of decidedRaces) untold(books.races.get(race) ?? [], "its race was decided");
      for (const { txHash, callIndex } of endedChallenges) {
        const ended = [...books.copies.values()].filter(
          (copy) => copy.txHash === txHash && copy.callIndex === callIndex,
        );
        untold(ended, "its challenge ended", true);
      }
      for (const id of leftTransactions) {
        for (const race of racesOf.get(id) ?? []) {
          untold(books.races.get(race) ?? [], "its transaction had all it needs or left");
        }
      }
    },
    ended() {
      for (const copies of books.races.values()) {
        untold(copies, "everything ended");
        untold(copies, "everything ended", true);
      }
    },
  };
}
