import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { TransactionTerms } from "../../scheduler/shared/vocabulary.ts";
import type { Books, CopyRecord } from "./books.ts";
import type { Agreement, Checker, Report } from "./checker.ts";

/**
 * P11: bounded. Each submitted transaction gets exactly one answer, accepted or rejected, in its own step, and a rejection
 * is right about what the sender can do; what waits stays
 * within the limits; and no node is given more copies than it said it takes.
 */
export function bounded(books: Books, agreement: Agreement, report: Report): Checker {
  const room = new Map<string, number>();
  /** Copies by node; those that ended are dropped when somebody looks. */
  const running = new Map<string, CopyRecord[]>();
  let answers = 0;
  let current: EngineEvent | undefined;
  let replacement = false;

  function overflowing(sender: string): void {
    let pending = 0;
    let mine = 0;
    for (const record of books.pending()) {
      pending++;
      if (record.sender === sender) mine++;
    }
    if (pending > agreement.maxPending) report(`${pending} transactions pending, ${agreement.maxPending} allowed`);
    const limit = agreement.maxPendingPerSender;
    if (mine > limit) report(`${mine} transactions of ${sender} pending, ${limit} allowed`);
  }

  /** A rejection tells its sender what to do: the lowest nonce that nothing of theirs has taken. */
  function expectedNonce({ sender }: TransactionTerms, answered: number): void {
    const taken = new Set<number>();
    for (const record of books.transactions.values()) {
      if (record.sender === sender && record.stage !== "ended") taken.add(record.nonce);
    }
    let free = 0;
    while (taken.has(free)) free++;
    if (answered !== free) report(`${sender} was told to use nonce ${answered}, ${free} is free`);
  }

  function overloaded(node: string, copy: CopyRecord): void {
    const still = (running.get(node) ?? []).filter((other) => books.running(other));
    if (!still.includes(copy)) still.push(copy);
    running.set(node, still);
    const limit = room.get(node);
    if (limit === undefined) return report(`a copy was sent to ${node}, which never joined or has left`);
    if (still.length > limit) report(`${node} got copy ${still.length} with room for ${limit}`);
  }

  return {
    promise: "P11",
    event(event) {
      answers = 0;
      current = event;
      replacement = false;
      if (event.kind === "node-joined") room.set(event.node.id, event.node.slots + event.node.queueLimit);
      else if (event.kind === "node-left") room.delete(event.node);
    },
    command(command) {
      if (command.kind === "preExecute") {
        const { calls, hash } = command.transaction;
        if (calls.length > agreement.maxCallsPerTransaction) report(`${hash} goes on with ${calls.length} calls`);
      } else if (command.kind === "dispatch") {
        // The same copy again, after a restart, takes no further room.
        const copy = books.copies.get(command.copy.id);
        if (copy?.launchedUs === books.nowUs) overloaded(command.copy.node.id, copy);
      } else if (command.kind === "accepted" || command.kind === "rejected") {
        answers++;
        const told =
          command.kind === "rejected" && "expectedNonce" in command.rejection ? command.rejection : undefined;
        if (told !== undefined && current?.kind === "submitted") expectedNonce(current.transaction, told.expectedNonce);
      } else if (command.kind === "notify" && command.transaction.state === "replaced") {
        replacement = true;
      }
    },
    stepped(event) {
      if (event.kind === "submitted") {
        if (answers !== 1) report(`${event.transaction.hash} was answered ${answers} times`);
        // A reorg may bring back more than the limit; but then nobody else is let in, unless one goes for another.
        const admitted = books.transactions.get(event.transaction.hash)?.acceptedStep === books.step;
        if (admitted && !replacement) overflowing(event.transaction.sender);
      } else {
        if (answers > 0) report(`${answers} transactions accepted or rejected on ${event.kind}`);
      }
    },
  };
}
