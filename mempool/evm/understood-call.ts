import type { InferenceRequest } from "./requests.ts";

/** One output for each request of a call; `undefined` where it is not known. */
export type Outputs = readonly (Uint8Array | undefined)[];

/** What a call returns, or with what it reverts. */
export type EncodedResult =
  | { readonly ok: true; readonly data: Uint8Array }
  | { readonly ok: false; readonly revert: Uint8Array };

/** A call whose arguments are well formed, as one of the precompile's functions understood it. */
export interface UnderstoodCall {
  readonly requests: readonly InferenceRequest[];
  readonly tolerant: boolean;
  readonly announces: boolean;
  /** Numbers that the answer may have at the most, for gas; zero where it stays bytes. */
  readonly numbers: number;
  /** The return value. Outputs are no longer than asked. Never throws. */
  respond(outputs: Outputs): EncodedResult;
}

/** A return value. */
export function returned(data: Uint8Array): EncodedResult {
  return { ok: true, data };
}
