import type { CopyView } from "../../scheduler/engine/commands.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import type { Books } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * P1 across crashes: a job is answered if an honest proof can be verified in time, so whatever may have been lost with the
 * process is asked for again in the very step in which it comes back: each pre-execution without an answer, and each copy
 * that can still win is dispatched, handed to the verifier, or given up.
 */
export function resumed(books: Books, report: Report): Checker {
  /** Copies that nobody ended yet, as far as the stream tells. */
  const open = new Map<number, CopyView>();
  let owedCopies = new Set<number>();
  let owedRounds = new Set<number>();

  function came(command: Command): void {
    switch (command.kind) {
      case "dispatch":
      case "verify":
        owedCopies.delete(command.copy.id);
        open.set(command.copy.id, command.copy);
        return;
      case "cancel":
      case "lost":
        owedCopies.delete(command.copy.id);
        open.delete(command.copy.id);
        return;
      case "decided":
        for (const { id } of books.races.get(books.copies.get(command.result.copy)?.race ?? -1) ?? []) open.delete(id);
        return;
      case "preExecute":
        owedRounds.delete(command.transaction.id);
        return;
      default:
        return;
    }
  }

  /** Its transaction still waits, and for the answer to this very question. */
  function wanted({ race }: CopyView): boolean {
    const record = books.transactionsById.get(race.tx.id);
    return record?.stage === "pending" && record.calls[race.callIndex]?.digest === race.call.digest;
  }

  return {
    promise: "P1",
    event(event) {
      owedCopies = new Set();
      owedRounds = new Set();
      if (event.kind !== "restarted") return;
      for (const [id, copy] of open) {
        // An answer that was accepted waits for others: nothing of it can be lost.
        if (books.copies.get(id)?.verified !== undefined) continue;
        if (wanted(copy)) owedCopies.add(id);
        else open.delete(id);
      }
      for (const record of books.pending()) if (record.roundOpen) owedRounds.add(record.id);
    },
    command: came,
    stepped() {
      for (const id of owedCopies) report(`copy ${id} was forgotten in the restart`);
      for (const id of owedRounds) report(`the pre-execution of transaction ${id} was forgotten in the restart`);
    },
  };
}
