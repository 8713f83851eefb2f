import { isHashHex, sha256Hex } from "../proofs/digest.ts";
import type { Assignment } from "../live/transport.ts";
import type { FailureReason, NodeTerms } from "../shared/vocabulary.ts";
import { NODE_LIMITS } from "./limits.ts";

/**
 * Why a node with these terms cannot take the assignment, or `undefined`. What it signs must be what it computed: the input
 * hash is compared with the input, and whatever a statement could not carry is refused here.
 */
export function assignmentFault(assignment: Assignment, terms: NodeTerms): FailureReason | undefined {
  const { model, mode } = assignment;
  if (!terms.offers.some((offer) => offer.model === model && offer.mode === mode)) return "unknown-model";
  return fitsStatement(assignment, terms) && withinLimits(assignment) ? undefined : "error";
}

function fitsStatement(assignment: Assignment, terms: NodeTerms): boolean {
  return (
    assignment.node === terms.id &&
    assignment.chainId.isWellFormed() &&
    isHashHex(assignment.txHash) &&
    isCount(assignment.callIndex) &&
    isCount(assignment.nonce)
  );
}

function withinLimits(assignment: Assignment): boolean {
  return (
    isCount(assignment.tokensOut) &&
    assignment.tokensOut <= NODE_LIMITS.maxTokensOut &&
    assignment.leaseMs > 0 &&
    assignment.input.length <= NODE_LIMITS.maxInputBytes &&
    sha256Hex(assignment.input) === assignment.inputHash
  );
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
