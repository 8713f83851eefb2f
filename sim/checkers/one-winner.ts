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
  const decisions = new Map<string, Decision>();
  const winners = new Set<number>();

  function decided(result: CallResult): void {
    const record = books.transactions.get(result.txHash);
    if (record === undefined) return report(`decision for ${result.txHash}, which was never accepted`);
    if (winners.has(result.copy)) report(`copy ${result.copy} won twice`);
    winners.add(result.copy);
    const key = `${record.id}/${result.callIndex}`;
    const earlier = decisions.get(key);
    decisions.set(key, { result, askedHeight: 0 });
    if (earlier === undefined || earlier.result.digest !== result.digest) return;
    const { copy, validUntilHeight } = earlier.result;
    if (validUntilHeight < earlier.askedHeight) return;
    report(`${key} decided twice: copies ${copy} and ${result.copy}, the first valid until ${validUntilHeight}`);
  }

  /** A call that is no more, or is another question now, has no decision. */
  function forgetDropped(tx: number): void {
    const record = books.transactionsById.get(tx);
    for (const [key, { result }] of decisions) {
      const [id, callIndex] = key.split("/").map(Number);
      if (id === tx && record?.calls[callIndex ?? -1]?.digest !== result.digest) decisions.delete(key);
    }
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
      for (const decision of decisions.values()) decision.askedHeight = Math.max(decision.askedHeight, height);
    },
  };
}
