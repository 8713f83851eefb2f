import type { Rejection } from "../../mempool/rejection.ts";
import { unreachable } from "../shared/assert.ts";

/** Why the mempool refused a transaction, and what its sender can do about it, in one or two sentences. */
export function describeRejection(rejection: Rejection): string {
  switch (rejection.reason) {
    case "duplicate":
      return "This transaction is known already. Nothing needs to be done; ask for its status by its hash.";
    case "nonce-used":
      return `The nonce is used up. Sign with nonce ${rejection.expectedNonce}, the sender's next.`;
    case "nonce-gap":
      return `Earlier transactions of this sender are missing. Send the one with nonce ${rejection.expectedNonce} first.`;
    case "underpriced-replacement":
      return `Another transaction holds this nonce. To replace it, offer a gas price of at least ${rejection.minimumGasPriceGwei} gwei.`;
    case "underfunded":
      return underfunded(rejection.availableGwei, rejection.neededGwei);
    case "fee-too-low":
      return `No node takes call ${rejection.callIndex} for this fee. Offer a maximum fee of at least ${rejection.minimumFeeGwei} gwei.`;
    case "sender-limit":
      return `${rejection.limit} transactions of this sender are waiting, which is the limit. Send again when one has been sealed or refunded.`;
    case "pool-full":
      return `The mempool holds ${rejection.limit} transactions, which is its limit. Send again after the next blocks.`;
    case "too-many-accounts":
      return `${rejection.limit} accounts are known, which is the limit. Send from an account that is known, or ask the block producer.`;
    case "unknown-model":
      return `No node offers the model ${rejection.model} in mode ${rejection.mode}, as call ${rejection.callIndex} asks. Choose another model or mode, or send again when a node has joined that offers it.`;
    case "infeasible":
      return infeasible(rejection);
    case "out-of-range":
      return `The field ${rejection.field} is outside its range, whose limit is ${rejection.limit}. Change it and sign again.`;
    default:
      return unreachable(rejection);
  }
}

function underfunded(availableGwei: number, neededGwei: number): string {
  const missingGwei = neededGwei - availableGwei;
  return `The deposit has ${availableGwei} gwei free, the calls may cost ${neededGwei}. Deposit ${missingGwei} gwei more, or lower the maximum fees.`;
}

function infeasible(rejection: Extract<Rejection, { reason: "infeasible" }>): string {
  const percent = (rejection.probability * 100).toPrecision(2);
  return `Call ${rejection.callIndex} would be answered within ${rejection.ttlBlocks} blocks with a probability of only ${percent} %. Allow more blocks (ttlBlocks), ask for fewer tokens, or choose a faster model.`;
}
