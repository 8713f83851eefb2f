import type { Books } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/** P8: once a block beyond its expiry height is open, an accepted transaction is in a block or has ended. */
export function noStarvation(books: Books, report: Report): Checker {
  function overdue(): void {
    for (const record of books.pending()) {
      if (record.expiryHeight < books.openHeight) {
        report(`${record.hash} still pending at height ${books.openHeight}, expired after ${record.expiryHeight}`);
      }
    }
  }

  return {
    promise: "P8",
    command(command) {
      if (command.kind !== "accepted") return;
      const { admittedHeight, expiryHeight, hash } = command.transaction;
      const terms = books.transactions.get(hash)?.terms;
      if (terms !== undefined && expiryHeight > admittedHeight + terms.ttlBlocks)
        report(`${hash} may stay longer than its sender allowed`);
    },
    stepped(event) {
      if (event.kind === "block-opened") overdue();
    },
    ended() {
      overdue();
      for (const { hash, stage } of books.transactions.values()) {
        if (stage === "pending" || stage === "sealed") report(`${hash} is still ${stage} at the end`);
      }
    },
  };
}
