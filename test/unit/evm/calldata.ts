import { type Abi, decodeErrorResult, decodeFunctionResult, encodeFunctionData, type Hex } from "viem";
import { type DecodedCall, decodeCall } from "../../../mempool/evm/precompile-abi.ts";
import { libraryContracts } from "../../support/solidity.ts";

/** The precompile's interface as the compiler understood it: what clients and contracts go by. */
export function inferenceAbi(): Abi {
  const abi = libraryContracts()["IPipeInference"]?.abi;
  if (abi === undefined) throw new Error("the library has no IPipeInference");
  return abi;
}

export function bytesOf(hex: Hex): Uint8Array {
  return new Uint8Array(Buffer.from(hex.slice(2), "hex"));
}

export function hexOf(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}

/** Calldata as viem encodes it. */
export function calldata(functionName: string, args: readonly unknown[]): Uint8Array {
  return bytesOf(encodeFunctionData({ abi: inferenceAbi(), functionName, args }));
}

export const TERMS = {
  maxFeeGwei: 50_000n,
  validityBlocks: 32,
  maxOutputBytes: 64,
  tokensIn: 3,
  tokensOut: 5,
  conflict: { kind: 0, quorum: 0, toleranceWad: 0n },
};

export const REQUEST = { model: "risk-small", mode: 2, input: "0x00112233" as Hex, terms: TERMS };

export type Understood = DecodedCall & { readonly ok: true };

/** The call, which must be well formed. */
export function understood(data: Uint8Array): Understood {
  const call = decodeCall(data);
  if (!call.ok) throw new Error(`refused: ${reasonOf(call)}`);
  return call;
}

/** The custom error that a revert carries, as viem reads it. */
export function errorOf(revert: Uint8Array): { readonly errorName: string; readonly args: readonly unknown[] } {
  const { errorName, args } = decodeErrorResult({ abi: inferenceAbi(), data: hexOf(revert) });
  return { errorName, args: args ?? [] };
}

/** Why a call was refused. */
export function reasonOf(call: DecodedCall): unknown {
  if (call.ok) return undefined;
  const { errorName, args } = errorOf(call.revert);
  return errorName === "InvalidRequest" ? args[0] : errorName;
}

/** What the call returns to its contract for these outputs, or the error with which it reverts. */
export function resultOf(
  functionName: string,
  call: Understood,
  outputs: readonly (Uint8Array | undefined)[],
): unknown {
  const encoded = call.encode(outputs);
  if (!encoded.ok) return errorOf(encoded.revert);
  return decodeFunctionResult({ abi: inferenceAbi(), functionName, data: hexOf(encoded.data) });
}
