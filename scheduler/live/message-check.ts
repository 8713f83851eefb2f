import { isConflictRule } from "../proofs/conflict-rule.ts";
import { isHashHex } from "../proofs/digest.ts";
import { ID_PATTERN, WIRE_LIMITS } from "../proofs/wire-limits.ts";
import { type CallTerms, MODES, type NodeTerms } from "../shared/vocabulary.ts";
import type { PreExecution } from "./pre-executor.ts";
import type { NodeMessage } from "./transport.ts";

/** Offers, and warm models, that one node may name: more than any machine has memory for. */
const MAX_MODELS = 256;
const FAILURES: ReadonlySet<unknown> = new Set(["error", "overloaded", "unknown-model", "drained", "cancelled"]);

/**
 * Whether a message is what its type says. Nodes are not ours, and what they say goes into the journal, which must give
 * every number back as it was. An answer's proof is no part of it: a node that sends a bad one has failed its copy.
 */
export function isWellFormed(said: NodeMessage): boolean {
  try {
    return isMessage(said);
  } catch {
    // Nothing where something should be, or something that throws when it is looked at.
    return false;
  }
}

function isMessage(said: NodeMessage): boolean {
  switch (said.kind) {
    case "joined":
      return areTerms(said.terms) && isDocument(said.attestation);
    case "left":
      return isId(said.node);
    case "reported":
      return isId(said.node) && isNatural(said.running) && isNatural(said.queued) && isListOf(said.warm, isId);
    case "accepted":
      return isId(said.node) && isNatural(said.copy);
    case "progressed":
      return isId(said.node) && isNatural(said.copy) && isNatural(said.tokens);
    case "answered":
      return isId(said.node) && isNatural(said.copy) && said.output instanceof Uint8Array;
    case "failed":
      return isId(said.node) && isNatural(said.copy) && FAILURES.has(said.reason);
    default:
      return false;
  }
}

/** Whether what a pre-executor found out is what its type says: contracts are not ours, and may lead it to anything. */
export function isPreExecution(found: PreExecution): boolean {
  try {
    if (found.kind === "failed") return isText(found.reason, Number.POSITIVE_INFINITY);
    if (found.kind === "pre-executed") {
      const { readSet, calls = [] } = found;
      return Array.isArray(readSet) && readSet.every(isString) && Array.isArray(calls) && calls.every(isCall);
    }
    if (found.kind !== "calls-discovered") return false;
    const { calls, inputs = [] } = found;
    return Array.isArray(calls) && calls.every(isCall) && Array.isArray(inputs) && inputs.every(isInput);
  } catch {
    return false;
  }
}

function isInput(input: unknown): boolean {
  return input instanceof Uint8Array && input.length <= WIRE_LIMITS.maxInputBytes;
}

function isCall(call: CallTerms): boolean {
  const { model, mode, digest, inputHash, tokensIn, tokensOut, maxFeeGwei, conflict, validityBlocks } = call;
  return (
    [model, digest, inputHash].every(isString) &&
    MODES.includes(mode) &&
    isConflictRule(conflict) &&
    [tokensIn, tokensOut, maxFeeGwei, validityBlocks].every(isNatural)
  );
}

function isString(value: unknown): boolean {
  return typeof value === "string";
}

function areTerms(terms: NodeTerms): boolean {
  const { id, key, operator, region, hardware, slots, queueLimit, offers, attestation } = terms;
  return (
    [id, operator, region, hardware].every(isId) &&
    isHashHex(key) &&
    isNatural(slots) &&
    isNatural(queueLimit) &&
    (attestation === undefined || (isHashHex(attestation.hash) && isNatural(attestation.epoch))) &&
    isListOf(offers, ({ model, mode, priceGwei }) => isId(model) && MODES.includes(mode) && isNatural(priceGwei))
  );
}

/** Of an attestation document only its size is looked at here. */
function isDocument(document: unknown): boolean {
  if (document === undefined) return true;
  return document instanceof Uint8Array && document.length <= WIRE_LIMITS.maxAttestationBytes;
}

function isListOf<A>(list: readonly A[], check: (element: A) => boolean): boolean {
  return Array.isArray(list) && list.length <= MAX_MODELS && list.every(check);
}

function isId(value: unknown): boolean {
  return typeof value === "string" && ID_PATTERN.test(value);
}

function isText(value: unknown, maxLength: number): boolean {
  return typeof value === "string" && value.length <= maxLength && value.isWellFormed();
}

function isNatural(value: unknown): boolean {
  // Minus zero comes back from the journal as zero, and dividing by the two is not the same.
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}
