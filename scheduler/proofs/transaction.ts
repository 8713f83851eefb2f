import { Result, Schema, SchemaIssue } from "effect";
import type { TransactionTerms } from "../shared/vocabulary.ts";
import type { SigningKey } from "./keys.ts";
import { verifySignature } from "./keys.ts";
import { encodeTransaction, intakeOf } from "./transaction-digest.ts";
import type { SignedTransaction, UnsignedTransaction } from "./transaction-schema.ts";
import { SignedTransactionSchema } from "./transaction-schema.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

export { describeRejection } from "./rejection-advice.ts";
export { jobDigest, transactionHash } from "./transaction-digest.ts";
export type { SignedCall, SignedTransaction, UnsignedTransaction } from "./transaction-schema.ts";

/** Why a message is no transaction of this chain; `advice` says what its sender can do. */
export type IntakeProblem =
  | { readonly kind: "malformed"; readonly path: string; readonly message: string; readonly advice: string }
  | {
      readonly kind: "oversized";
      readonly what: "transaction" | "calls" | "input";
      readonly size: number;
      readonly limit: number;
      readonly advice: string;
    }
  | { readonly kind: "wrong-chain"; readonly chainId: string; readonly expected: string; readonly advice: string }
  | { readonly kind: "bad-signature"; readonly advice: string };

export type IntakeResult =
  | {
      readonly ok: true;
      readonly transaction: SignedTransaction;
      readonly terms: TransactionTerms;
      readonly inputs: Map<string, Uint8Array>;
    }
  | { readonly ok: false; readonly problem: IntakeProblem };

/** Problems come back with their path; the first one is enough for an answer, and bounds the work. */
const decode = Schema.decodeUnknownResult(SignedTransactionSchema, { onExcessProperty: "error", errors: "first" });
const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1();

/** Length of the base64 text of the largest input. */
const MAX_INPUT_TEXT = 4 * Math.ceil(WIRE_LIMITS.maxInputBytes / 3);

/** Signs for the sender. Throws a RangeError when `unsigned.sender` is not the key's public key: nobody would accept that. */
export function signTransaction(unsigned: UnsignedTransaction, key: SigningKey): SignedTransaction {
  if (unsigned.sender !== key.publicKeyHex) throw new RangeError("the sender is not the public key of the signing key");
  return { ...unsigned, signature: key.sign(encodeTransaction(unsigned)) };
}

/**
 * Checks a transaction that came as bytes or text: its size before it is parsed, then as `checkTransaction`. Never throws.
 */
export function parseTransaction(message: Uint8Array | string, chainId: string): IntakeResult {
  const size = typeof message === "string" ? Buffer.byteLength(message) : message.length;
  if (size > WIRE_LIMITS.maxTransactionBytes) return refuse(oversized("transaction", size));
  let input: unknown;
  try {
    const text = typeof message === "string" ? message : new TextDecoder("utf-8", { fatal: true }).decode(message);
    input = JSON.parse(text);
  } catch {
    return refuse(malformed("", "not JSON in UTF-8"));
  }
  return checkTransaction(input, chainId);
}

/**
 * Checks a transaction from outside, cheap checks first: sizes, then shape, chain, and last the signature. On success gives
 * the transaction, what the engine is told of it, and the input bytes by hash. Never throws.
 */
export function checkTransaction(input: unknown, chainId: string): IntakeResult {
  const tooLarge = findOversize(input);
  if (tooLarge !== undefined) return refuse(tooLarge);
  const decoded = decode(input);
  if (Result.isFailure(decoded)) return refuse(describeIssue(decoded.failure.issue));
  const transaction = decoded.success;
  if (transaction.chainId !== chainId) return refuse(wrongChain(transaction.chainId, chainId));
  if (!verifySignature(transaction.sender, encodeTransaction(transaction), transaction.signature)) {
    return refuse(badSignature());
  }
  return { ok: true, transaction, ...intakeOf(transaction) };
}

/** Looks at lengths only, so that a huge message costs nothing; what has no length is left to the schema. */
function findOversize(input: unknown): IntakeProblem | undefined {
  const calls = isRecord(input) ? input["calls"] : undefined;
  if (!Array.isArray(calls)) return undefined;
  if (calls.length > WIRE_LIMITS.maxCalls) return oversized("calls", calls.length);
  let inputText = 0;
  for (const call of calls) {
    const text: unknown = isRecord(call) ? call["input"] : undefined;
    if (typeof text !== "string") continue;
    if (text.length > MAX_INPUT_TEXT) return oversized("input", Math.floor((text.length * 3) / 4));
    const bytes = Buffer.byteLength(text, "base64");
    if (bytes > WIRE_LIMITS.maxInputBytes) return oversized("input", bytes);
    inputText += text.length;
  }
  // Ids, keys and numbers are bounded by the schema to far less than the envelope's allowance.
  const size = inputText + WIRE_LIMITS.maxEnvelopeBytes;
  return size > WIRE_LIMITS.maxTransactionBytes ? oversized("transaction", size) : undefined;
}

function describeIssue(issue: SchemaIssue.Issue): IntakeProblem {
  const [first] = formatIssue(issue).issues;
  const path = (first?.path ?? []).map((step) => String(typeof step === "object" ? step.key : step).slice(0, 64));
  return malformed(path.join("."), (first?.message ?? "not a transaction").slice(0, 256));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function refuse(problem: IntakeProblem): IntakeResult {
  return { ok: false, problem };
}

function malformed(path: string, message: string): IntakeProblem {
  const place = path === "" ? "the message" : `the field ${path}`;
  return { kind: "malformed", path, message, advice: `Correct ${place} and sign again: ${message}.` };
}

const OVERSIZE_ADVICE = {
  transaction: { limit: WIRE_LIMITS.maxTransactionBytes, advice: "Split the calls over several transactions." },
  calls: { limit: WIRE_LIMITS.maxCalls, advice: "Split the calls over several transactions." },
  input: {
    limit: WIRE_LIMITS.maxInputBytes,
    advice: "Shorten the input, or send its digest and keep the text elsewhere.",
  },
} as const;

function oversized(what: "transaction" | "calls" | "input", size: number): IntakeProblem {
  return { kind: "oversized", what, size, ...OVERSIZE_ADVICE[what] };
}

function wrongChain(chainId: string, expected: string): IntakeProblem {
  const advice = `This scheduler serves the chain ${expected}: sign for that chain, or send the transaction to a scheduler of ${chainId}.`;
  return { kind: "wrong-chain", chainId, expected, advice };
}

function badSignature(): IntakeProblem {
  const advice =
    "Sign the encoded transaction with the Ed25519 key whose public half is `sender`, after the last change to any field.";
  return { kind: "bad-signature", advice };
}
