import type { CallTerms, ConflictRule, Mode, TransactionTerms } from "../shared/vocabulary.ts";
import { conflictField } from "./conflict-rule.ts";
import { sha256Hex } from "./digest.ts";
import type { Field } from "./encoding.ts";
import { encodeFields } from "./encoding.ts";
import type { SignedCall, SignedTransaction, UnsignedTransaction } from "./transaction-schema.ts";

const TRANSACTION_DOMAIN = "pipe/transaction/v2";
const JOB_DOMAIN = "pipe/job/v2";

/** What makes two jobs the same question. */
export interface JobIdentity {
  readonly chainId: string;
  readonly txHash: string;
  readonly callIndex: number;
  readonly model: string;
  readonly inputHash: string;
  readonly mode: Mode;
  /** Under which its answers are weighed: a result that one rule decided is none under another. */
  readonly conflict: ConflictRule;
}

/** What the engine is told of a transaction, and the bytes that stay at the edge. */
export interface Intake {
  readonly terms: TransactionTerms;
  /** Input bytes by their SHA-256; calls with the same input share an entry. */
  readonly inputs: Map<string, Uint8Array>;
}

/**
 * The bytes that the sender signs, and whose SHA-256 is the transaction's hash. The signature is no part of them; inputs stand
 * in them as their hashes. Throws a RangeError for numbers that are no safe unsigned integers.
 */
export function encodeTransaction(tx: UnsignedTransaction): Uint8Array {
  return encodeFields(TRANSACTION_DOMAIN, [
    tx.chainId,
    Buffer.from(tx.sender, "hex"),
    tx.nonce,
    tx.gasPriceGwei,
    tx.ttlBlocks,
    tx.calls.map(callFields),
  ]);
}

/** SHA-256 of the encoding, as lower-case hexadecimal. */
export function transactionHash(tx: UnsignedTransaction): string {
  return sha256Hex(encodeTransaction(tx));
}

/** The job's digest: SHA-256 over chain, transaction, call index, model, input hash, mode and conflict rule. */
export function jobDigest({ chainId, txHash, callIndex, model, inputHash, mode, conflict }: JobIdentity): string {
  return sha256Hex(
    encodeFields(JOB_DOMAIN, [chainId, txHash, callIndex, model, inputHash, mode, conflictField(conflict)]),
  );
}

/** Hashes and digests of a transaction that is known to be well formed. */
export function intakeOf(tx: SignedTransaction): Intake {
  const hash = transactionHash(tx);
  const inputs = new Map<string, Uint8Array>();
  const calls = tx.calls.map((call, callIndex): CallTerms => {
    const input = new Uint8Array(Buffer.from(call.input, "base64"));
    const inputHash = sha256Hex(input);
    inputs.set(inputHash, input);
    const { model, mode, tokensIn, tokensOut, maxFeeGwei, conflict, validityBlocks } = call;
    const digest = jobDigest({ chainId: tx.chainId, txHash: hash, callIndex, model, inputHash, mode, conflict });
    return { model, mode, digest, inputHash, tokensIn, tokensOut, maxFeeGwei, conflict, validityBlocks };
  });
  const { sender, nonce, gasPriceGwei, ttlBlocks } = tx;
  const escrowGwei = calls.reduce((sum, call) => sum + call.maxFeeGwei, 0);
  return { terms: { hash, sender, nonce, gasPriceGwei, ttlBlocks, escrowGwei, calls }, inputs };
}

function callFields(call: SignedCall): Field[] {
  return [
    call.model,
    call.mode,
    Buffer.from(sha256Hex(Buffer.from(call.input, "base64")), "hex"),
    call.tokensIn,
    call.tokensOut,
    call.maxFeeGwei,
    conflictField(call.conflict),
    call.validityBlocks,
  ];
}
