import { inspect } from "node:util";
import type { TransactionView } from "../engine/commands.ts";
import { isHashHex } from "../proofs/digest.ts";
import { WIRE_LIMITS } from "../proofs/wire-limits.ts";
import type { Custody } from "./custody.ts";
import type { Deposit } from "./keyed-deposits.ts";
import type { OpaqueTransaction, ReadyTransaction } from "./service-views.ts";

/** The engine's view is its own record, which changes: a copy is what leaves. */
export function copyOf(view: TransactionView | undefined): TransactionView | undefined {
  if (view === undefined) return undefined;
  const { id, hash, sender, nonce, gasPriceGwei, seq, admittedUs, admittedHeight, expiryHeight, escrowGwei } = view;
  const { state, lane, slowReason, refundReason, finalHeight, round } = view;
  const calls = view.calls.map(({ terms, result }) => ({ terms, result }));
  const about = { id, hash, sender, nonce, gasPriceGwei, seq, admittedUs, admittedHeight, expiryHeight, escrowGwei };
  return { ...about, state, lane, slowReason, refundReason, finalHeight, round, calls };
}

/** With what it was submitted as, and what its calls were answered. */
export function readyOf({ hash, calls }: TransactionView, custody: Custody): ReadyTransaction {
  const outputs = calls.map(({ terms, result }) => ({
    digest: terms.digest,
    output: result && custody.answer(result.answerHash)?.output,
  }));
  return { hash, payload: custody.payload(hash), outputs };
}

export function requireNatural(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${name} must be a non-negative integer, not ${value}`);
}

/** Throws a `RangeError` for what the engine, or the journal, could not hold. */
export function requireOpaque(terms: OpaqueTransaction, payload: Uint8Array): void {
  if (!isHashHex(terms.hash)) throw new RangeError("hash must be 64 hexadecimal digits");
  if (!isAccountName(terms.sender)) throw new RangeError("sender must be text of at most 256 characters");
  for (const field of ["nonce", "gasPriceGwei", "ttlBlocks", "escrowGwei"] as const)
    requireNatural(field, terms[field]);
  if (terms.chainNonce !== undefined) requireNatural("chainNonce", terms.chainNonce);
  if (payload.length > WIRE_LIMITS.maxTransactionBytes)
    throw new RangeError(`the payload must have at most ${WIRE_LIMITS.maxTransactionBytes} bytes`);
}

/** What the ledger's lines can hold (`Name`). */
export function isAccountName(account: string): boolean {
  return typeof account === "string" && account.length <= 256 && account.isWellFormed();
}

/** What the ledger can credit; a key is as short as HTTP lets it be. */
export function isDeposit({ account, amountGwei, key = "" }: Deposit): boolean {
  const isAmount = Number.isSafeInteger(amountGwei) && amountGwei > 0;
  return isAmount && isAccountName(account) && key.length <= 128 && key.isWellFormed();
}

/** Enough of it for a log, whatever it is: JSON would throw at some values, and write others in full first. */
export function preview(said: unknown): string {
  return inspect(said, { depth: 1, maxArrayLength: 8, maxStringLength: 100, breakLength: Infinity }).slice(0, 200);
}
