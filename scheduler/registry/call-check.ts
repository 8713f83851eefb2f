import { unreachable } from "../shared/assert.ts";
import type { CallTerms, Mode } from "../shared/vocabulary.ts";
import type { RegisteredModel } from "./registry.ts";

/** A call as intake or a pre-executor brings it. */
export interface AskedCall extends Pick<CallTerms, "model" | "mode" | "tokensIn" | "tokensOut" | "conflict"> {
  readonly callIndex: number;
  readonly inputBytes: number;
}

/** Why the registry does not let a call be raced. */
export type CallRefusal =
  | { readonly reason: "unknown-model"; readonly callIndex: number; readonly model: string }
  | {
      readonly reason: "mode-not-allowed";
      readonly callIndex: number;
      readonly model: string;
      readonly mode: Mode;
      readonly allowed: readonly Mode[];
    }
  | {
      readonly reason: "beyond-limit";
      readonly callIndex: number;
      readonly model: string;
      readonly field: "inputBytes" | "tokensIn" | "tokensOut";
      readonly given: number;
      readonly limit: number;
    }
  | { readonly reason: "no-number"; readonly callIndex: number; readonly model: string };

export function callRefusal(known: RegisteredModel | undefined, call: AskedCall): CallRefusal | undefined {
  const { callIndex, model, mode } = call;
  if (known === undefined) return { reason: "unknown-model", callIndex, model };
  const { modes, limits, rules } = known;
  if (!modes.includes(mode)) return { reason: "mode-not-allowed", callIndex, model, mode, allowed: modes };
  for (const field of ["inputBytes", "tokensIn", "tokensOut"] as const) {
    const given = call[field];
    if (given > limits[field]) return { reason: "beyond-limit", callIndex, model, field, given, limit: limits[field] };
  }
  if (call.conflict.kind === "median" && rules.output === "bytes") return { reason: "no-number", callIndex, model };
  return undefined;
}

/** Of calls the first that must not be raced, and why. `inputOf`: the bytes of an input by its hash. */
export function refuseCalls(
  registry: { refuse(call: AskedCall): CallRefusal | undefined },
  calls: readonly CallTerms[],
  inputOf: (inputHash: string) => Uint8Array | undefined,
): CallRefusal | undefined {
  for (const [callIndex, { model, mode, tokensIn, tokensOut, conflict, inputHash }] of calls.entries()) {
    const inputBytes = inputOf(inputHash)?.length ?? 0;
    const refusal = registry.refuse({ callIndex, model, mode, tokensIn, tokensOut, conflict, inputBytes });
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

const FIELD_WORDS = {
  inputBytes: "bytes of input",
  tokensIn: "tokens of input",
  tokensOut: "tokens of output",
} as const;

/** What the sender can do about it. */
export function describeCallRefusal(refusal: CallRefusal): string {
  const { callIndex, model } = refusal;
  switch (refusal.reason) {
    case "unknown-model":
      return `Call ${callIndex} asks the model ${model}, which is not in the registry. Choose one that is.`;
    case "mode-not-allowed":
      return `Call ${callIndex} asks ${model} in mode ${refusal.mode}. It is offered in mode ${refusal.allowed.join(", ")}: choose one of these.`;
    case "beyond-limit":
      return `Call ${callIndex} has ${refusal.given} ${FIELD_WORDS[refusal.field]}; ${model} takes at most ${refusal.limit}. Shorten it, or split it over several calls.`;
    case "no-number":
      return `Call ${callIndex} asks for a median, but what ${model} gives is no number. Ask with first-valid or agree.`;
    default:
      return unreachable(refusal);
  }
}
