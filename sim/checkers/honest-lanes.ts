import type { TransactionView } from "../../scheduler/engine/commands.ts";
import type { Books } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * P14: the slow lane is entered openly. Whoever ends, or is given copies, in the slow lane was told of it before, with a
 * reason; a reason is given for the slow lane only.
 */
export function honestLanes(books: Books, report: Report): Checker {
  const told = new Set<number>();

  function shown(view: TransactionView): void {
    if (view.lane === "fast" && view.slowReason !== undefined)
      report(`${view.hash} is in the fast lane with a reason to be slow`);
    if (view.lane === "slow" && view.slowReason === undefined)
      report(`${view.hash} is in the slow lane without a reason`);
  }

  return {
    promise: "P14",
    command(command) {
      if (command.kind === "notify") {
        const { id, lane, state, slowReason, hash } = command.transaction;
        shown(command.transaction);
        const ends = state === "sealed" || state === "refunded";
        if (lane === "slow" && ends && !told.has(id)) report(`${hash} is ${state} in the slow lane without notice`);
        if (lane === "slow" && slowReason !== undefined && !ends) told.add(id);
        if (lane === "fast") told.delete(id);
      } else if (command.kind === "sealed") {
        for (const view of command.block.transactions) {
          shown(view);
          if (view.lane === "slow" && !told.has(view.id)) report(`${view.hash} sealed in the slow lane without notice`);
        }
      } else if (command.kind === "dispatch") {
        const { race, id } = command.copy;
        // A challenge delays nobody.
        const delays = books.copies.get(id)?.challenge === false;
        if (delays && race.lane === "slow" && !told.has(race.tx.id))
          report(`copy ${id} was sent in the slow lane without notice`);
      } else if (command.kind === "decided") {
        const record = books.transactions.get(command.result.txHash);
        if (command.result.lane === "slow" && record !== undefined && !told.has(record.id)) {
          report(`${record.hash}/${command.result.callIndex} was decided in the slow lane without notice`);
        }
      }
    },
  };
}
