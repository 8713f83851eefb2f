import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { Registry } from "../index.ts";
import { type CallRefusal, describeCallRefusal } from "../registry/call-check.ts";

/** The first of a contract's questions that the registry does not let be raced, and why. */
export function callRefusalOf(
  registry: Pick<Registry, "refuse">,
  calls: readonly DiscoveredCall[],
): { readonly reason: CallRefusal["reason"]; readonly message: string } | undefined {
  for (const [callIndex, { model, mode, tokensIn, tokensOut, conflict, input }] of calls.entries()) {
    const asked = { callIndex, model, mode, tokensIn, tokensOut, conflict, inputBytes: input.length };
    const refusal = registry.refuse(asked);
    if (refusal !== undefined) return { reason: refusal.reason, message: describeCallRefusal(refusal) };
  }
  return undefined;
}
