import type { CallResult, TransactionView } from "../../scheduler/engine/commands.ts";
import type { Books } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * P2: verified or absent. A decision's copy had an accepted verdict on that very answer before, and each call of a sealed
 * transaction carries the decided result and no other.
 */
export function verified(books: Books, report: Report): Checker {
  function decided(result: CallResult): void {
    const copy = books.copies.get(result.copy);
    if (copy === undefined) return report(`copy ${result.copy} won without being dispatched`);
    if (copy.verified === undefined) return report(`copy ${result.copy} won without an accepted verdict`);
    if (copy.verified.answerHash !== result.answerHash || copy.verified.outputHash !== result.outputHash) {
      report(`copy ${result.copy} won with another answer than the verified one`);
    }
    if (copy.node !== result.node || copy.nonce !== result.nonce) {
      report(`the decision names another node or nonce than copy ${result.copy} has`);
    }
    if (copy.txHash !== result.txHash || copy.callIndex !== result.callIndex || copy.digest !== result.digest) {
      report(`copy ${result.copy} ran another job than it won`);
    }
  }

  function sealed(view: TransactionView): void {
    const record = books.transactions.get(view.hash);
    for (const [index, { terms, result }] of view.calls.entries()) {
      const decision = record?.results.get(index);
      if (result === undefined || decision === undefined) {
        report(`${view.hash} sealed without a decided result for call ${index}`);
        continue;
      }
      if (decision.copy !== result.copy || decision.outputHash !== result.outputHash) {
        report(`${view.hash} sealed with another result than the decided one for call ${index}`);
      }
      if (decision.digest !== terms.digest)
        report(`${view.hash} sealed with another question's result in call ${index}`);
    }
  }

  return {
    promise: "P2",
    command(command) {
      if (command.kind === "decided") decided(command.result);
      else if (command.kind === "sealed") for (const view of command.block.transactions) sealed(view);
    },
  };
}
