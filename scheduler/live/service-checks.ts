import { inspect } from "node:util";
import type { TransactionView } from "../engine/commands.ts";

/** The engine's view is its own record, which changes: a copy is what leaves. */
export function copyOf(view: TransactionView | undefined): TransactionView | undefined {
  if (view === undefined) return undefined;
  const { id, hash, sender, nonce, gasPriceGwei, seq, admittedUs, admittedHeight, expiryHeight, escrowGwei } = view;
  const { state, lane, slowReason, refundReason, finalHeight, round } = view;
  const calls = view.calls.map(({ terms, result }) => ({ terms, result }));
  const about = { id, hash, sender, nonce, gasPriceGwei, seq, admittedUs, admittedHeight, expiryHeight, escrowGwei };
  return { ...about, state, lane, slowReason, refundReason, finalHeight, round, calls };
}

export function requireNatural(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${name} must be a non-negative integer, not ${value}`);
}

/** What the ledger's lines can hold (`Name`). */
export function isAccountName(account: string): boolean {
  return typeof account === "string" && account.length <= 256 && account.isWellFormed();
}

/** Enough of it for a log, whatever it is: JSON would throw at some values, and write others in full first. */
export function preview(said: unknown): string {
  return inspect(said, { depth: 1, maxArrayLength: 8, maxStringLength: 100, breakLength: Infinity }).slice(0, 200);
}
