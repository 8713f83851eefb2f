import { AbiParameters, Hex } from "ox";
import type { EvmChain } from "../../mempool/evm/chain.ts";
import { INFERENCE_ADDRESS, MANY_REQUESTS, SELECTORS } from "../../mempool/evm/precompile-interface.ts";

/** As often as it takes until the engine of JavaScript has compiled what a call runs through; less than a second in all. */
const ROUNDS = 30;
const REQUESTS = 10;

/**
 * Lets the machine of a new thread answer made-up questions, and forgets them: cold, it takes longer for its first batch of ten
 * than a block has time, and the first transactions that ask would miss their block for that.
 */
export async function warmUp(chain: EvmChain): Promise<void> {
  const conflict = { kind: 0, quorum: 0, toleranceWad: 0n };
  const terms = { maxFeeGwei: 1n, validityBlocks: 1, maxOutputBytes: 32, tokensIn: 0, tokensOut: 0, conflict };
  const question = { model: Hex.fromString("warm-up"), mode: 0, input: Hex.fromBytes(new Uint8Array(64)), terms };
  const encoded = AbiParameters.encode(MANY_REQUESTS, [Array.from({ length: REQUESTS }, () => question)]);
  const call = {
    ...{ from: undefined, to: INFERENCE_ADDRESS, data: Hex.toBytes(Hex.concat(SELECTORS.inferMany, encoded)) },
    ...{ value: 0n, gas: undefined, maxFeePerGas: undefined, maxPriorityFeePerGas: undefined, accessList: [] },
  };
  const env = chain.nextEnvironment(chain.head.timestamp);
  for (let round = 0; round < ROUNDS; round++) await chain.call(call, env);
}
