import { createEVM, type PrecompileInput } from "@ethereumjs/evm";
import { createAddressFromString } from "@ethereumjs/util";
import { type Abi, decodeEventLog, decodeFunctionResult, encodeFunctionData, type Hex } from "viem";
import { decodeCall, INFERENCE_ADDRESS, type InferenceRequest } from "../../../mempool/evm/precompile-abi.ts";
import type { CompiledContract } from "../solidity.ts";

const CALLER = createAddressFromString("0x1111111111111111111111111111111111111111");
const toBytes = (hex: Hex): Uint8Array => new Uint8Array(Buffer.from(hex.slice(2), "hex"));
const toHex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString("hex")}`;

/** What a call did, and what it asked meanwhile. */
export interface Scripted {
  readonly asked: readonly InferenceRequest[];
  /** Whether it reverted, or ran out of gas. */
  readonly failed: boolean;
  readonly result: unknown;
  /** Arguments of its events, in order. */
  readonly events: readonly unknown[];
}

/**
 * A contract deployed into an EVM of its own, where the precompile gives the answers of a script. For tests of contracts and of the
 * codec: nothing is raced or proved here.
 */
export async function scriptedContract(
  { abi, bytecode }: CompiledContract,
  { valueWei = 0n }: { readonly valueWei?: bigint } = {},
): Promise<(name: string, args: readonly unknown[], script: Script) => Promise<Scripted>> {
  let answer: Script = () => undefined;
  const asked: InferenceRequest[] = [];
  const precompile = ({ data, gasLimit }: PrecompileInput) => {
    const call = decodeCall(data, gasLimit);
    if (!call.ok) throw new Error("the contract asks what the codec does not understand");
    asked.push(...call.requests);
    const encoded = call.encode(call.requests.map(answer));
    return { executionGasUsed: call.gas, returnValue: encoded.ok ? encoded.data : encoded.revert };
  };
  const evm = await createEVM({
    customPrecompiles: [{ address: createAddressFromString(INFERENCE_ADDRESS), function: precompile }],
  });
  const common = { caller: CALLER, gasLimit: 30_000_000n, skipBalance: true };
  const { createdAddress: to } = await evm.runCall({ ...common, data: toBytes(bytecode), value: valueWei });
  if (to === undefined) throw new Error("the contract was not deployed");
  return async (name, args, script) => {
    answer = script;
    asked.length = 0;
    const data = toBytes(encodeFunctionData({ abi: abi as Abi, functionName: name, args }));
    const { execResult } = await evm.runCall({ ...common, to, data });
    const failed = execResult.exceptionError !== undefined;
    const returned = toHex(execResult.returnValue);
    return {
      asked: [...asked],
      failed,
      result: failed ? undefined : decodeFunctionResult({ abi: abi as Abi, functionName: name, data: returned }),
      events: (execResult.logs ?? []).map(([, topics, logged]) => {
        const [first = "0x", ...rest] = topics.map(toHex);
        return decodeEventLog({ abi: abi as Abi, topics: [first, ...rest], data: toHex(logged) }).args;
      }),
    };
  };
}

/** The answer to a question; `undefined` for one that is not known. */
type Script = (request: InferenceRequest) => Uint8Array | undefined;
