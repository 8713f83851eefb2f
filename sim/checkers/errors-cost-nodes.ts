import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { CopyView, TransactionView } from "../../scheduler/engine/commands.ts";
import type { Agreement, Checker, Report } from "./checker.ts";
import type { Books } from "./books.ts";

/**
 * P4: a node's error never ends a job. A transaction leaves unsealed only for one of the reasons that are its own or its
 * sender's: its time passed, it was withdrawn or replaced, or its pre-execution failed, and the stream shows that this is so.
 * A copy is given up for a reason that the stream shows, too, and never wins after that.
 */
export function errorsCostNodes(books: Books, agreement: Agreement, report: Report): Checker {
  let current: EngineEvent | undefined;
  const givenUp = new Set<number>();

  function left(view: TransactionView): void {
    const why = view.refundReason;
    const excused =
      why === "expired"
        ? books.openHeight > view.expiryHeight
        : why === "withdrawn"
          ? current?.kind === "withdrawn" && current.hash === view.hash
          : why === "replaced"
            ? replacedBy(view)
            : why === "pre-execution-failed"
              ? preExecutionEnded(view)
              : false;
    if (!excused) report(`${view.hash} left as ${view.state} (${why ?? "no reason"}) on ${current?.kind ?? "nothing"}`);
  }

  function replacedBy(view: TransactionView): boolean {
    if (current?.kind !== "submitted") return false;
    const { sender, nonce, hash } = current.transaction;
    return sender === view.sender && nonce === view.nonce && hash !== view.hash;
  }

  function preExecutionEnded(view: TransactionView): boolean {
    switch (current?.kind) {
      case "pre-execution-failed":
      case "calls-discovered":
      case "pre-executed":
        return current.tx === view.id;
      default:
        // A transaction that would need one more round than allowed is a loop, whatever made it necessary.
        return view.round >= agreement.maxRounds;
    }
  }

  function lost(copy: CopyView): void {
    givenUp.add(copy.id);
    const failed = current?.kind === "copy-failed" && current.copy === copy.id && current.node === copy.node.id;
    const refuted = current?.kind === "verdict" && current.copy === copy.id && !current.accepted;
    // Silence needs no event of its own: time has passed since the launch.
    const silent = books.nowUs > copy.launchedUs && (current?.kind === "woken" || current?.kind === "restarted");
    if (!failed && !refuted && !silent) report(`copy ${copy.id} given up on ${current?.kind ?? "nothing"}`);
  }

  return {
    promise: "P4",
    event(event) {
      current = event;
    },
    command(command) {
      if (command.kind === "lost") lost(command.copy);
      if (command.kind === "decided" && givenUp.has(command.result.copy))
        report(`copy ${command.result.copy} won after it was given up`);
      if (command.kind !== "notify") return;
      const { state } = command.transaction;
      if (state === "refunded" || state === "withdrawn" || state === "replaced") left(command.transaction);
    },
    stepped(event) {
      // Losing a copy must leave the transaction where it was.
      const lost = event.kind === "copy-failed" || (event.kind === "verdict" && !event.accepted);
      if (!lost) return;
      const copy = books.copies.get(event.copy);
      const record = copy && books.transactionsById.get(copy.txId);
      if (record?.stage === "ended" && record.endedStep === books.step) {
        report(`${event.kind} of copy ${event.copy} ended ${record.hash}`);
      }
    },
  };
}
