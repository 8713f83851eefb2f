import { unreachable } from "../shared/assert.ts";
import { quorum } from "../shared/vocabulary.ts";
import { answerHash } from "./answer.ts";
import { sha256Hex } from "./digest.ts";
import type { ProofFault } from "./judge.ts";
import { outputNumber } from "./output-number.ts";
import type { Receipt, SignedAnswer } from "./receipt.ts";
import { receiptFeesGwei, statementOf } from "./receipt.ts";
import type { NodeRegistration, RegistryView } from "./registry-view.ts";
import { jobDigest } from "./transaction-digest.ts";

/** What is wrong with a receipt, or with a block; `message` is a sentence without its subject. */
export interface ReceiptFinding {
  readonly fault: ReceiptFault;
  readonly message: string;
}

export type ReceiptFault =
  /** Output, answer or digest is not the one that is claimed. */
  | "content"
  /** The node was not registered like that. */
  | "registration"
  /** A proof does not hold. */
  | "proof"
  /** The answers do not decide by the call's conflict rule. */
  | "conflict"
  | "fee"
  | "bond"
  | "times"
  | "one-winner";

/**
 * Everything that can be said of a receipt by itself and by the registry: that each answer that counted was given by the node
 * that is paid for it, to this very assignment, with a proof that held when it arrived (P2, P3), and that they decide the race
 * by the call's rule (P1).
 */
export function receiptFindings(receipt: Receipt, registry: RegistryView): ReceiptFinding[] {
  const answers = [receipt, ...receipt.supporters].map((answer) => ({
    answer,
    ...answerOf(receipt, answer, registry),
  }));
  return [
    ...answers.flatMap(({ findings }) => findings),
    ...conflictFindings(
      receipt,
      answers.map(({ registration }) => registration),
      registry,
    ),
    ...termFindings(receipt),
  ];
}

/** One of the answers that a receipt tells of: the winner's, or a supporter's, or a challenger's to the same call. */
export function answerOf(
  receipt: Receipt,
  answer: SignedAnswer,
  registry: RegistryView,
): { readonly findings: ReceiptFinding[]; readonly registration: NodeRegistration | undefined } {
  const findings: ReceiptFinding[] = [];
  const { node, nodeKey: key, proof, answeredUs } = answer;
  const output = new Uint8Array(Buffer.from(answer.output, "base64"));
  if (sha256Hex(output) !== answer.outputHash)
    findings.push({ fault: "content", message: "the output is not the one whose hash won" });
  if (answerHash({ output, proof }) !== answer.answerHash)
    findings.push({ fault: "content", message: "the answer is not the one that won" });
  const attestation = proof.kind === "tee" ? proof.attestation : undefined;
  const claim = { node, key, attestation, fromUs: receipt.openedUs, toUs: answeredUs };
  const registration = registry.registration(claim);
  if (registration === undefined) {
    const message = `the key is none under which the node ${node} is in the registry`;
    findings.push({ fault: "registration", message });
  }
  const registered = registration === undefined ? { key, attestation: undefined } : registry.registered(registration);
  const statement = statementOf(receipt, answer);
  const input = receipt.mode === "zkml" ? new Uint8Array(Buffer.from(receipt.input, "base64")) : undefined;
  const verdict = registry.judge({ statement, registered, proof, output, input }, answeredUs);
  // That the output is another one is told already.
  if (verdict !== "valid" && verdict !== "output-mismatch") {
    findings.push({ fault: "proof", message: describeProofFault(verdict) });
  }
  return { findings, registration };
}

function describeProofFault(fault: ProofFault): string {
  if (fault === "bad-signature") return "P3: the proof is not the node's signature over this statement";
  return `P2: the proof does not hold: ${fault}`;
}

/** Whether the answers come from as many operators, are comparable, and agree as the rule wants it. */
function conflictFindings(
  receipt: Receipt,
  registrations: readonly (NodeRegistration | undefined)[],
  registry: RegistryView,
): ReceiptFinding[] {
  const { conflict, supporters, mode, model } = receipt;
  const needed = quorum(conflict);
  const find = (message: string): ReceiptFinding[] => [{ fault: "conflict", message }];
  if (supporters.length !== needed - 1)
    return find(`${supporters.length + 1} answers are told where the conflict rule counts ${needed}`);
  const operators = registrations.map((registration) => registration?.terms.operator);
  if (new Set(operators).size !== needed) return find("answers that count together are of one operator");
  if (needed > 1) {
    const labels = registrations.map((registration) => {
      return registration?.terms.offers.find((offer) => offer.model === model && offer.mode === mode)?.equivalence;
    });
    if (new Set(labels).size !== 1) return find("answers of nodes that are not comparable count together");
  }
  switch (conflict.kind) {
    case "first-valid":
      return [];
    case "agree":
      return supporters.every(({ outputHash }) => outputHash === receipt.outputHash)
        ? []
        : find("the answers that count together differ");
    case "median":
      return isMedian(receipt, conflict.tolerance, registry)
        ? []
        : find("the winner is not the median of the answers, or one of them is too far from it");
    default:
      return unreachable(conflict);
  }
}

function isMedian(receipt: Receipt, tolerance: number, registry: RegistryView): boolean {
  const form = registry.modelRules(receipt.model, receipt.answeredUs)?.output ?? "bytes";
  const values = [receipt, ...receipt.supporters].map(({ output }) => {
    return outputNumber(form, new Uint8Array(Buffer.from(output, "base64"))) ?? Number.NaN;
  });
  const median = values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? Number.NaN;
  return values[0] === median && values.every((value) => Math.abs(value - median) <= tolerance);
}

/** Fees, bond and times. */
function termFindings(receipt: Receipt): ReceiptFinding[] {
  const findings: ReceiptFinding[] = [];
  const { supporters, mode, bondGwei, challengeBlocks, conflict, maxFeeGwei } = receipt;
  const find = (fault: ReceiptFault, message: string): number => findings.push({ fault, message });
  if (jobDigest(receipt) !== receipt.digest) find("content", "the digest is not that of this job");
  const dearest = Math.max(receipt.feeGwei, ...supporters.map(({ feeGwei }) => feeGwei));
  if (dearest * quorum(conflict) > maxFeeGwei || receiptFeesGwei(receipt) > maxFeeGwei)
    find("fee", "the fee is above what the sender offered");
  if (receipt.rivals.some(({ end }) => end === "won" || end === "supported"))
    find("one-winner", "P1: another copy is said to have won too");
  if (mode === "optimistic" ? challengeBlocks === 0 : bondGwei !== 0 || challengeBlocks !== 0)
    find("bond", "its bond and challenge window are not those of its mode");
  if (mode === "zkml" ? sha256Hex(Buffer.from(receipt.input, "base64")) !== receipt.inputHash : receipt.input !== "")
    find("content", "the input is not the one whose hash was asked about");
  const { openedUs, launchedUs, answeredUs, decidedUs, sealedUs } = receipt;
  const inOrder =
    openedUs <= launchedUs && launchedUs <= answeredUs && answeredUs <= decidedUs && decidedUs <= sealedUs;
  const allInOrder = supporters.every((one) => openedUs <= one.answeredUs && one.answeredUs <= decidedUs);
  if (!inOrder || !allInOrder) find("times", "its times are out of order");
  return findings;
}
