import type { Books } from "./books.ts";
import type { Agreement, Checker, Report } from "./checker.ts";

/**
 * P7: blocks never wait. A seal request is answered in its own step, once, for its height, within its limit; a transaction
 * without calls is ready in the step that accepts it. (That gas prices change nothing in the order of launches takes two
 * runs; see the property test.)
 */
export function blocksNeverWait(books: Books, agreement: Agreement, report: Report): Checker {
  let answers = 0;
  /** The request is for the last block, which was sealed before: its producer missed the answer. */
  let missed = false;
  let given = false;
  /** Heights of blocks whose seal the chain is known to have heard of. */
  const committed = new Set<number>();
  const ready = new Set<string>();

  return {
    promise: "P7",
    event(event) {
      answers = 0;
      given = false;
      missed = event.kind === "seal-requested" && event.height === lastSealed(books) && !committed.has(event.height);
      ready.clear();
    },
    command(command) {
      if (command.kind === "committed") committed.add(command.height);
      else if (command.kind === "reverted") committed.delete(command.height);
      if (command.kind === "sealed") answers++;
      else if (command.kind === "sealRefused") answers++;
      else if (command.kind === "accepted" || command.kind === "notify") {
        if (command.transaction.state === "ready") ready.add(command.transaction.hash);
      }
      if (command.kind === "sealed" && books.sealedAgain) {
        given = true;
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
        if (missed && !given) report(`block ${event.height} was sealed before, and is not given again`);
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

/** The highest block that is sealed and was not taken back; −1 for none. */
function lastSealed(books: Books): number {
  let last = -1;
  for (const height of books.blocks.keys()) last = Math.max(last, height);
  return last;
}
