import type { CopyView, Equivocation } from "../../scheduler/engine/commands.ts";
import type { Books } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * P3: an answer counts for its own assignment only. What goes to the verifier and what wins was said by the copy's own node
 * for that copy; no nonce is assigned twice, no handle given out twice; evidence against a node is two
 * different outputs that it said for one copy, once both were found to be signed by it, and what is found to be so is evidence.
 */
export function bound(books: Books, report: Report): Checker {
  const nonces = new Map<number, number>();
  const suspected = new Set<number>();
  /** The copy of which this step's event says that its node signed two answers. */
  let convicted: number | undefined;
  let accused: string | undefined;

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

  function evidence({ copy, node, firstAnswerHash, secondAnswerHash }: Equivocation): void {
    accused = node;
    const record = books.copies.get(copy);
    const outputs = [firstAnswerHash, secondAnswerHash].map(
      (hash) => record?.answers.find(({ answerHash }) => answerHash === hash)?.outputHash,
    );
    const holds = record?.node === node && !outputs.includes(undefined) && outputs[0] !== outputs[1];
    if (!holds) report(`evidence against ${node} on copy ${copy} that does not hold`);
    if (convicted !== copy) report(`evidence against ${node} on copy ${copy}, of which nobody knows who signed it`);
    if (convicted === copy) convicted = undefined;
  }

  return {
    promise: "P3",
    event(event) {
      const isSigned = event.kind === "suspicion-judged" && event.signed && suspected.has(event.copy);
      convicted = isSigned ? event.copy : undefined;
      accused = undefined;
      if (event.kind === "suspicion-judged") suspected.delete(event.copy);
    },
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
      } else if (command.kind === "suspect") suspected.add(command.suspicion.copy);
      else if (command.kind === "evidence") evidence(command.evidence);
      else if (command.kind === "alarm" && command.alarm.kind === "node-quarantined") {
        const { node, reason } = command.alarm;
        if (reason === "equivocation" && node !== accused) report(`${node} rests for equivocation without evidence`);
      }
    },
    stepped() {
      if (convicted !== undefined) report(`copy ${convicted} has two signed answers, and nobody is told`);
    },
  };
}
