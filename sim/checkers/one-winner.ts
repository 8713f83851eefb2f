import type { CallResult } from "../../scheduler/engine/commands.ts";
import type { Books } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

interface Decision {
  readonly result: CallResult;
  /** The highest block that could have asked for the result since; past its validity, a new race was due. */
  askedHeight: number;
}

/**
 * P1: a job is decided once. A second decision of the same (transaction, call, digest) needs a reason that the stream shows:
 * the first result was past its validity at some time since, or the call had been dropped or had asked something else.
 */
export function oneWinner(books: Books, report: Report): Checker {
  /** By transaction, then by call index. */
  const decisions = new Map<number, Map<number, Decision>>();
  const winners = new Set<number>();

  function decided(result: CallResult): void {
    const record = books.transactions.get(result.txHash);
    if (record === undefined) return report(`decision for ${result.txHash}, which was never accepted`);
    if (winners.has(result.copy)) report(`copy ${result.copy} won twice`);
    winners.add(result.copy);
    const earlier = decisionsOf(record.id).get(result.callIndex);
    decisionsOf(record.id).set(result.callIndex, { result, askedHeight: 0 });
    if (earlier === undefined || earlier.result.digest !== result.digest) return;
    const { copy, validUntilHeight } = earlier.result;
    if (validUntilHeight < earlier.askedHeight) return;
    const job = `${record.hash}/${result.callIndex}`;
    report(`${job} decided twice: copies ${copy} and ${result.copy}, the first valid until ${validUntilHeight}`);
  }

  /** A call that is no more, or is another question now, has no decision. */
  function forgetDropped(tx: number): void {
    const record = books.transactionsById.get(tx);
    const mine = decisionsOf(tx);
    for (const [callIndex, { result }] of mine) {
      if (record?.calls[callIndex]?.digest !== result.digest) mine.delete(callIndex);
    }
  }

  function decisionsOf(tx: number): Map<number, Decision> {
    let mine = decisions.get(tx);
    if (mine === undefined) {
      mine = new Map();
      decisions.set(tx, mine);
    }
    return mine;
  }

  return {
    promise: "P1",
    event(event) {
      if (event.kind === "calls-discovered") forgetDropped(event.tx);
    },
    command(command) {
      if (command.kind === "decided") decided(command.result);
    },
    stepped(event) {
      if (event.kind !== "block-opened" && event.kind !== "seal-requested") return;
      // Once the open block is sealed, the next one is the first that could still carry the result.
      const height = books.openSealed ? books.openHeight + 1 : books.openHeight;
      for (const mine of decisions.values()) {
        for (const decision of mine.values()) decision.askedHeight = Math.max(decision.askedHeight, height);
      }
    },
  };
}
