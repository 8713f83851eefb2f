import type { Books } from "./books.ts";
import type { Agreement, Checker, Report } from "./checker.ts";

/**
 * P7: blocks never wait. A seal request is answered in its own step, once, for its height, within its limit; a transaction
 * without calls is ready in the step that accepts it. (That gas prices change nothing in the order of launches takes two
 * runs; see the property test.)
 */
export function blocksNeverWait(books: Books, agreement: Agreement, report: Report): Checker {
  let answers = 0;
  const ready = new Set<string>();

  return {
    promise: "P7",
    event() {
      answers = 0;
      ready.clear();
    },
    command(command) {
      if (command.kind === "sealed") answers++;
      else if (command.kind === "sealRefused") answers++;
      else if (command.kind === "accepted" || command.kind === "notify") {
        if (command.transaction.state === "ready") ready.add(command.transaction.hash);
      }
      if (command.kind === "sealed" && books.sealedAgain) {
        const { height, transactions } = command.block;
        const same = transactions.map(({ hash }) => hash).join() === books.blocks.get(height)?.join();
        if (!same) report(`block ${height} was sealed again with other transactions`);
      }
      if (command.kind === "sealed" && command.block.transactions.length > agreement.maxTransactionsPerBlock) {
        report(`block ${command.block.height} carries ${command.block.transactions.length} transactions`);
      }
    },
    stepped(event) {
      if (event.kind === "seal-requested") {
        if (answers !== 1) report(`seal request for ${event.height} got ${answers} answers`);
      } else if (answers !== 0) report(`${answers} seals on ${event.kind}`);
      if (event.kind === "submitted" && event.transaction.calls?.length === 0) {
        const record = books.transactions.get(event.transaction.hash);
        const acceptedNow = record?.acceptedStep === books.step;
        if (acceptedNow && !ready.has(event.transaction.hash))
          report(`${event.transaction.hash} has no calls and has to wait`);
      }
    },
  };
}
