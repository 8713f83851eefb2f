import { ID_PATTERN, WIRE_LIMITS } from "../../scheduler/proofs/wire-limits.ts";
import type { ConflictRule, Mode } from "../../scheduler/shared/vocabulary.ts";
import { DEFAULT_MEMPOOL_LIMITS } from "../limits.ts";
import { wadToNumber } from "./numbers.ts";

/** One question as a contract asked it. */
export interface InferenceRequest {
  readonly model: string;
  readonly mode: Mode;
  readonly input: Uint8Array;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly maxFeeGwei: number;
  readonly validityBlocks: number;
  readonly conflict: ConflictRule;
  /** Longest answer that the contract takes; gas is paid for it, and a marker has this length (zeros). */
  readonly maxOutputBytes: number;
}

/**
 * What all nodes of a chain must agree on, since it decides whether a call reverts. Hence the limits of the wire and the mempool's
 * default ones, not what one operator sets.
 */
export const REQUEST_LIMITS = {
  maxRequests: Math.min(WIRE_LIMITS.maxCalls, DEFAULT_MEMPOOL_LIMITS.maxCallsPerTransaction),
  maxInputBytes: WIRE_LIMITS.maxInputBytes,
  maxOutputBytes: WIRE_LIMITS.maxOutputBytes,
  maxFeeGwei: Math.min(WIRE_LIMITS.maxFeeGwei, DEFAULT_MEMPOOL_LIMITS.maxFeeGwei),
  maxValidityBlocks: WIRE_LIMITS.maxValidityBlocks,
  maxTokens: WIRE_LIMITS.maxTokens,
  maxQuorum: Math.min(WIRE_LIMITS.maxQuorum, DEFAULT_MEMPOOL_LIMITS.maxQuorum),
  /** A float32 tensor that fills the input takes two words for each number; and room for the rest of a call. */
  maxCallBytes: (WIRE_LIMITS.maxInputBytes / 4) * 64 + 64 * 1024,
} as const;

/** Thrown inside the codec for what a contract got wrong, and turned into the revert `InvalidRequest` at its edge. */
export class InvalidRequestError extends Error {
  override readonly name = "InvalidRequestError";
}

/** Refuses the request unless the condition holds; the reason is plain ASCII. */
export function demand(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new InvalidRequestError(reason);
}

/** `Terms` as decoded. */
export interface DecodedTerms {
  readonly maxFeeGwei: bigint;
  readonly validityBlocks: number;
  readonly maxOutputBytes: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly conflict: { readonly kind: number; readonly quorum: number; readonly toleranceWad: bigint };
}

/** The modes by their number in Solidity: OpenGradient's three, and ours. */
export const SOLIDITY_MODES = ["vanilla", "zkml", "tee", "optimistic"] as const satisfies readonly Mode[];

/** The question, checked. Throws InvalidRequestError. */
export function requestOf(question: {
  readonly model: Uint8Array;
  readonly mode: number;
  readonly input: Uint8Array;
  readonly terms: DecodedTerms;
}): InferenceRequest {
  const { input, terms } = question;
  const model = Buffer.from(question.model.subarray(0, WIRE_LIMITS.maxIdLength + 1)).toString("latin1");
  demand(ID_PATTERN.test(model), "model: 1 to 64 letters, digits, dots, hyphens, underscores");
  const mode = SOLIDITY_MODES[question.mode];
  demand(mode !== undefined, "mode: not known");
  demand(input.length <= REQUEST_LIMITS.maxInputBytes, "input: too long");
  demand(terms.maxFeeGwei <= BigInt(REQUEST_LIMITS.maxFeeGwei), "maxFeeGwei: too high");
  demand(terms.validityBlocks <= REQUEST_LIMITS.maxValidityBlocks, "validityBlocks: too many");
  demand(terms.tokensIn <= REQUEST_LIMITS.maxTokens, "tokensIn: too many");
  demand(terms.tokensOut <= REQUEST_LIMITS.maxTokens, "tokensOut: too many");
  demand(terms.maxOutputBytes >= 1, "maxOutputBytes: at least one");
  demand(terms.maxOutputBytes <= REQUEST_LIMITS.maxOutputBytes, "maxOutputBytes: too many");
  const { validityBlocks, tokensIn, tokensOut, maxOutputBytes } = terms;
  const maxFeeGwei = Number(terms.maxFeeGwei);
  const conflict = conflictOf(terms.conflict);
  return { model, mode, input, tokensIn, tokensOut, maxFeeGwei, validityBlocks, conflict, maxOutputBytes };
}

/** What a rule does not use must be zero, so that one question has one form. */
function conflictOf({ kind, quorum: k, toleranceWad }: DecodedTerms["conflict"]): ConflictRule {
  demand(kind <= 2, "conflict: kind not known");
  demand(kind === 2 || toleranceWad === 0n, "conflict: only a median has a tolerance");
  if (kind === 0) {
    demand(k === 0, "conflict: the first valid answer has no quorum");
    return { kind: "first-valid" };
  }
  demand(k >= 1 && k <= REQUEST_LIMITS.maxQuorum, "conflict: quorum of 1 to 5");
  return kind === 1 ? { kind: "agree", k } : { kind: "median", k, tolerance: wadToNumber(toleranceWad) };
}
