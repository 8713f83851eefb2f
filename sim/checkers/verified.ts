import type { CallResult, ChallengeOutcome, Support, TransactionView } from "../../scheduler/engine/commands.ts";
import type { Books, CopyRecord } from "./books.ts";
import type { Agreement, Checker, Report } from "./checker.ts";
import type { ConflictRule } from "../../scheduler/shared/vocabulary.ts";

/**
 * P2: verified or absent. A decision's copy had an accepted verdict on that very answer before, and so had each that it names
 * as a supporter; together they are what the call's conflict rule asks for. Each call of a sealed transaction carries the
 * decided result and no other. The outcome of a challenge follows from accepted answers of as many other operators. And what the
 * verifier accepted was worth it, where that can be known without asking it.
 */
export function verified(books: Books, agreement: Agreement, report: Report): Checker {
  function genuine(copy: CopyRecord): void {
    const answer = copy.verified;
    if (answer !== undefined && agreement.isGenuine?.(copy, answer) === false)
      report(`copy ${copy.id} counts with a proof that does not hold: the verifier is no verifier`);
  }

  function decided(result: CallResult): void {
    const copy = books.copies.get(result.copy);
    if (copy === undefined) return report(`copy ${result.copy} won without being dispatched`);
    if (copy.verified === undefined) return report(`copy ${result.copy} won without an accepted verdict`);
    if (copy.verified.answerHash !== result.answerHash || copy.verified.outputHash !== result.outputHash) {
      report(`copy ${result.copy} won with another answer than the verified one`);
    }
    genuine(copy);
    if (copy.node !== result.node || copy.nonce !== result.nonce) {
      report(`the decision names another node or nonce than copy ${result.copy} has`);
    }
    if (copy.txHash !== result.txHash || copy.callIndex !== result.callIndex || copy.digest !== result.digest) {
      report(`copy ${result.copy} ran another job than it won`);
    }
    const supporters = result.supporters.map((support) => accepted(support, result.txHash, result.callIndex));
    const call = books.transactions.get(result.txHash)?.calls[result.callIndex];
    if (call === undefined || supporters.includes(undefined)) return;
    const trouble = brokenRule(call.conflict, copy, supporters as CopyRecord[]);
    if (trouble !== undefined) report(`${result.txHash}/${result.callIndex} decided ${trouble}`);
  }

  /** The copy that a support names, if its answer was accepted before. */
  function accepted({ copy: id, node, outputHash }: Support, txHash: string, callIndex: number) {
    const copy = books.copies.get(id);
    const holds = copy?.verified?.outputHash === outputHash && copy.node === node;
    if (holds) genuine(copy);
    if (holds && copy.txHash === txHash && copy.callIndex === callIndex) return copy;
    report(`copy ${id} counts for ${txHash}/${callIndex} without an accepted verdict on that answer`);
    return undefined;
  }

  function challenged(outcome: ChallengeOutcome): void {
    const { txHash, callIndex, verdict, node, answers, dissenter, forfeitedGwei } = outcome;
    const copies = answers.map((answer) => accepted(answer, txHash, callIndex));
    if (copies.some((copy) => copy?.challenge === false)) report(`${txHash}/${callIndex} judged by its own rivals`);
    const result = books.transactions.get(txHash)?.results.get(callIndex);
    if (result?.node !== node) return report(`a challenge of ${txHash}/${callIndex} accuses ${node}`);
    const operators = new Set([books.copies.get(result.copy)?.operator, ...copies.map((copy) => copy?.operator)]);
    if (operators.size !== copies.length + 1) report(`${txHash}/${callIndex} judged by fewer operators than it seems`);
    const [first, second] = answers.map(({ outputHash }) => outputHash);
    const overturned = second !== undefined && first === second && first !== result.outputHash;
    const dissents = second === result.outputHash && first !== second;
    if ((verdict === "overturned") !== overturned)
      report(`${txHash}/${callIndex} ${verdict} by ${first} and ${second}`);
    if ((dissenter !== "") !== dissents) report(`${txHash}/${callIndex} calls ${dissenter} a dissenter`);
    if (forfeitedGwei > 0 && !overturned && !dissents) report(`${txHash}/${callIndex} forfeits without a majority`);
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
      else if (command.kind === "challengeEnded") challenged(command.outcome);
      else if (command.kind === "sealed") for (const view of command.block.transactions) sealed(view);
    },
  };
}

/** What is wrong with a decision by these copies under the rule, worked out anew from what the nodes said. */
function brokenRule(rule: ConflictRule, winner: CopyRecord, supporters: readonly CopyRecord[]): string | undefined {
  const counted = [winner, ...supporters];
  if (rule.kind === "first-valid") return supporters.length === 0 ? undefined : "with supporters that it needs not";
  if (counted.length !== rule.k) return `by ${counted.length} answers where its rule asks for ${rule.k}`;
  if (new Set(counted.map(({ operator }) => operator)).size !== rule.k) return "by two answers of one operator";
  if (rule.kind === "agree") {
    const outputs = new Set(counted.map(({ verified: answer }) => answer?.outputHash));
    return outputs.size === 1 ? undefined : "by answers that do not agree";
  }
  const value = winner.verified?.value ?? Number.NaN;
  const below = counted.filter(({ verified: answer }) => (answer?.value ?? Number.NaN) < value).length;
  const above = counted.filter(({ verified: answer }) => (answer?.value ?? Number.NaN) > value).length;
  if (below > (rule.k - 1) >> 1 || above > rule.k >> 1) return "by an answer that is not the median";
  const far = counted.some(
    ({ verified: answer }) => !(Math.abs((answer?.value ?? Number.NaN) - value) <= rule.tolerance),
  );
  return far ? "by an answer too far from the median" : undefined;
}
