import type { BlockEnvironment } from "./machine.ts";
import type { EvmTransaction } from "./transaction.ts";
import type { Code } from "./world.ts";

/** Why a transaction cannot be in a block now; `message` is a sentence without its subject. */
export interface Refusal {
  readonly reason:
    | "nonce-too-low"
    | "nonce-too-high"
    | "insufficient-funds"
    | "fee-too-low"
    | "gas-limit"
    | "sender-is-contract"
    /** It ran for longer than anything may. */
    | "too-slow"
    /** The machine would not take it. */
    | "machine";
  readonly message: string;
}

/** Account that has not been seen. */
const NOBODY = { nonce: 0n, balance: 0n, code: undefined };

/** What the machine would refuse too, found without it and in few words. `laterNonces`: those before may still come. */
export function refusalOf(
  tx: EvmTransaction,
  about: {
    readonly account: { readonly nonce: bigint; readonly balance: bigint; readonly code: Code } | undefined;
    readonly env: BlockEnvironment;
    readonly laterNonces: boolean;
  },
): Refusal | undefined {
  const { env, laterNonces } = about;
  const { nonce, balance, code } = about.account ?? NOBODY;
  const next = Number(nonce);
  if (tx.nonce < next)
    return { reason: "nonce-too-low", message: `has the nonce ${tx.nonce}, its sender is at ${next}` };
  if (tx.nonce > next && !laterNonces)
    return { reason: "nonce-too-high", message: `has the nonce ${tx.nonce}, its sender is at ${next}` };
  if (tx.maxFeePerGas < env.baseFeePerGas)
    return {
      reason: "fee-too-low",
      message: `pays ${tx.maxFeePerGas} wei for gas, of which ${env.baseFeePerGas} burn`,
    };
  const cost = tx.gasLimit * tx.maxFeePerGas + tx.value;
  if (balance < cost)
    return { reason: "insufficient-funds", message: `may cost ${cost} wei, and its sender has ${balance}` };
  if (code !== undefined && code.bytes.length > 0 && !isDelegation(code.bytes))
    return { reason: "sender-is-contract", message: "is sent by a contract" };
  return undefined;
}

/** EIP-7702: an account that runs another's code is its key's all the same. */
function isDelegation(code: Uint8Array): boolean {
  return code.length === 23 && code[0] === 0xef && code[1] === 0x01 && code[2] === 0x00;
}
