import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { Registry } from "../index.ts";
import { type CallRefusal, describeCallRefusal, refuseCalls } from "../registry/call-check.ts";

/** The first of a contract's questions that the registry does not let be raced, and why. */
export function callRefusalOf(
  registry: Pick<Registry, "refuse">,
  calls: readonly DiscoveredCall[],
): { readonly reason: CallRefusal["reason"]; readonly message: string } | undefined {
  const inputs = new Map(calls.map(({ inputHash, input }) => [inputHash, input]));
  const refusal = refuseCalls(registry, calls, (inputHash) => inputs.get(inputHash));
  return refusal && { reason: refusal.reason, message: describeCallRefusal(refusal) };
}
