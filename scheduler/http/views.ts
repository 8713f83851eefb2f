import type { TransactionView } from "../engine/commands.ts";
import type { TransactionStatus } from "./schemas.ts";

/** The same type with what may be undefined as what may be left out. */
export type Defined<T> = T extends readonly (infer E)[]
  ? readonly Defined<E>[]
  : T extends object
    ? { readonly [K in keyof T as undefined extends T[K] ? never : K]: Defined<T[K]> } & {
        readonly [K in keyof T as undefined extends T[K] ? K : never]?: Defined<Exclude<T[K], undefined>>;
      }
    : T;

/** The same plain data without the members that are undefined. */
export function defined<T>(value: T): Defined<T> {
  return without(value) as Defined<T>;
}

function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(without);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(members.map(([key, inner]) => [key, without(inner)]));
}

/** A transaction as everybody may see it; what else the engine keeps of it is its own concern. */
export function statusOf(view: TransactionView): typeof TransactionStatus.Type {
  const { hash, sender, nonce, gasPriceGwei, seq, state, lane, slowReason, refundReason } = view;
  const { admittedUs, admittedHeight, expiryHeight, finalHeight, escrowGwei } = view;
  const calls = view.calls.map(({ terms, result }) => {
    const { model, mode, digest, inputHash, maxFeeGwei } = terms;
    return { model, mode, digest, inputHash, maxFeeGwei, result: result && resultOf(result) };
  });
  const about = { hash, sender, nonce, gasPriceGwei, seq, state, lane, slowReason, refundReason };
  return defined({ ...about, admittedUs, admittedHeight, expiryHeight, finalHeight, escrowGwei, calls });
}

function resultOf(result: NonNullable<TransactionView["calls"][number]["result"]>) {
  const { node, outputHash, feeGwei, speculative, decidedUs, decidedHeight, validUntilHeight } = result;
  return { node, outputHash, feeGwei, speculative, decidedUs, decidedHeight, validUntilHeight };
}
