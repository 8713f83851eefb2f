import type { CopyView } from "../../scheduler/engine/commands.ts";
import type { Books } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * P3: an answer counts for its own assignment only. What goes to the verifier and what wins was said by the copy's own node
 * for that copy; no nonce is assigned twice, no handle given out twice; evidence against a node is what that node said.
 */
export function bound(books: Books, report: Report): Checker {
  const nonces = new Map<number, number>();

  function dispatched(copy: CopyView): void {
    const holder = nonces.get(copy.nonce);
    if (holder !== undefined && holder !== copy.id) report(`copies ${holder} and ${copy.id} share nonce ${copy.nonce}`);
    nonces.set(copy.nonce, copy.id);
    const record = books.copies.get(copy.id);
    if (
      record !== undefined &&
      (record.nonce !== copy.nonce || record.node !== copy.node.id || record.race !== copy.race.id)
    ) {
      report(`copy ${copy.id} was dispatched again as a different assignment`);
    }
  }

  function saidByItsNode(copyId: number, answerHash: string, outputHash: string): boolean {
    const answers = books.copies.get(copyId)?.answers ?? [];
    return answers.some((answer) => answer.answerHash === answerHash && answer.outputHash === outputHash);
  }

  return {
    promise: "P3",
    command(command) {
      if (command.kind === "dispatch") dispatched(command.copy);
      else if (command.kind === "verify") {
        const { id, answerHash, outputHash } = command.copy;
        if (!saidByItsNode(id, answerHash, outputHash))
          report(`copy ${id}: an answer to verify that its node never gave`);
      } else if (command.kind === "decided") {
        for (const { copy, answerHash, outputHash } of [command.result, ...command.result.supporters]) {
          if (!saidByItsNode(copy, answerHash, outputHash))
            report(`copy ${copy} counts with an answer that its node never gave`);
        }
      } else if (command.kind === "evidence") {
        const { copy, node, firstAnswerHash, secondAnswerHash } = command.evidence;
        const record = books.copies.get(copy);
        const said = new Set(record?.answers.map(({ answerHash }) => answerHash));
        const holds = record?.node === node && said.has(firstAnswerHash) && said.has(secondAnswerHash);
        if (!holds || firstAnswerHash === secondAnswerHash)
          report(`evidence against ${node} on copy ${copy} that does not hold`);
      }
    },
  };
}
