import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { TransactionView } from "../../scheduler/engine/commands.ts";
import type { Books, TransactionRecord } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/** What is known of a transaction's last complete pre-execution. */
interface Execution {
  /** State keys that the run under way may have read before they changed; any of them in its read set spoils it. */
  changedMeanwhile: Set<string>;
  readSet: ReadonlySet<string> | undefined;
  stale: boolean;
}

/**
 * P10: all results or none, none past its validity, and none computed for a state that has changed since. Validity is
 * counted anew from the height of the decision; a pre-execution that began before a change of something that it read is as
 * stale as one that ended before it.
 */
export function atomic(books: Books, report: Report): Checker {
  const executions = new Map<number, Execution>();

  function execution(id: number): Execution {
    let entry = executions.get(id);
    if (entry === undefined) {
      entry = { changedMeanwhile: new Set(), readSet: undefined, stale: false };
      executions.set(id, entry);
    }
    return entry;
  }

  function stateChanged(keys: readonly string[]): void {
    for (const entry of executions.values()) {
      for (const key of keys) {
        entry.changedMeanwhile.add(key);
        if (entry.readSet?.has(key)) entry.stale = true;
      }
    }
  }

  /** The round that was asked for last came to its end; late answers to older rounds do not get here. */
  function executed(event: EngineEvent & { kind: "pre-executed" }): void {
    const entry = execution(event.tx);
    entry.readSet = new Set(event.readSet);
    entry.stale = event.readSet.some((key) => entry.changedMeanwhile.has(key));
  }

  function sealed(view: TransactionView, height: number): void {
    const record = books.transactions.get(view.hash);
    if (record === undefined) return report(`${view.hash} sealed without being accepted`);
    if (height > record.expiryHeight)
      report(`${view.hash} sealed at ${height}, after its expiry at ${record.expiryHeight}`);
    whole(view, record);
    for (const [index, { terms }] of view.calls.entries()) {
      const decision = record.results.get(index);
      const known = record.calls[index] ?? terms;
      if (decision !== undefined && height > decision.decidedHeight + known.validityBlocks) {
        report(
          `${view.hash} sealed at ${height} with call ${index} decided at ${decision.decidedHeight}, good for ${known.validityBlocks} blocks`,
        );
      }
    }
    const entry = executions.get(view.id);
    if (record.terms.calls === undefined && entry?.readSet === undefined)
      report(`${view.hash} sealed before its pre-execution was complete`);
    if (entry?.stale) report(`${view.hash} sealed although what it read has changed`);
    if (record.roundOpen) report(`${view.hash} sealed while its pre-execution was under way`);
  }

  function whole(view: TransactionView, record: TransactionRecord): void {
    if (view.calls.length !== record.calls.length) {
      return report(`${view.hash} sealed with ${view.calls.length} of ${record.calls.length} calls`);
    }
    for (const [index, { terms, result }] of view.calls.entries()) {
      const asked = record.calls[index]?.digest;
      if (terms.digest !== asked) report(`${view.hash} sealed with another question in call ${index}`);
      if (result?.digest !== asked) report(`${view.hash} sealed without a result that answers call ${index}`);
    }
  }

  const openRounds = new Map<number, number>();
  return {
    promise: "P10",
    event(event) {
      if (event.kind === "state-changed") stateChanged(event.keys);
      else if (event.kind === "pre-executed" && openRounds.get(event.tx) === event.round) {
        openRounds.delete(event.tx);
        executed(event);
      } else if (event.kind === "calls-discovered" || event.kind === "pre-execution-failed") {
        if (openRounds.get(event.tx) === event.round) openRounds.delete(event.tx);
      }
    },
    command(command) {
      if (command.kind === "preExecute") {
        const { id, round } = command.transaction;
        openRounds.set(id, round);
        execution(id).changedMeanwhile.clear();
      } else if (command.kind === "sealed" && !books.sealedAgain) {
        for (const view of command.block.transactions) sealed(view, command.block.height);
      }
    },
  };
}
