import type { Outcome, StatePoint } from "./backend.ts";
import { type RpcFace, statePoint } from "./face.ts";
import { dataHex, quantity, wordHex } from "./hex.ts";
import { answered, invalid, method, type MethodResult, type MethodTable } from "./method.ts";
import {
  aBlock,
  aCall,
  anAddress,
  anything,
  aSlot,
  type BlockReference,
  LATEST,
  needed,
  optional,
} from "./parameters.ts";

/** What is asked of the chain's state, and calls that are tried out. */
export function stateMethods(face: RpcFace): MethodTable {
  const { backend } = face;
  const block = optional("block", aBlock, LATEST);
  const address = needed("address", anAddress);
  const call = needed("call", aCall(backend.chainId));
  // What would change the state or the block that a call sees is not there: to ignore it would answer another question.
  const overrides = [
    optional("stateOverrides", anything, undefined),
    optional("blockOverrides", anything, undefined),
  ] as const;
  const at = async <T>(
    reference: BlockReference,
    question: (point: StatePoint) => Promise<Outcome<T>>,
    view: (value: T) => unknown,
  ): Promise<MethodResult> => {
    const point = statePoint(face, reference);
    return point.ok ? answered(await face.ask(() => question(point.value)), view) : point.failure;
  };
  return {
    eth_getBalance: method([address, block], ([of, reference]) =>
      at(reference, (point) => backend.balance(of, point), quantity),
    ),
    eth_getTransactionCount: method([address, block], ([of, reference]) =>
      at(
        reference,
        (point) => (point.kind === "pending" ? backend.pendingNonce(of) : backend.nonce(of, point)),
        quantity,
      ),
    ),
    eth_getCode: method([address, block], ([of, reference]) =>
      at(reference, (point) => backend.code(of, point), dataHex),
    ),
    eth_getStorageAt: method([address, needed("slot", aSlot), block], ([of, slot, reference]) =>
      at(reference, (point) => backend.storage(of, slot, point), wordHex),
    ),
    eth_call: method([call, block, ...overrides], ([request, reference, ...changes]) =>
      isPlain(changes)
        ? at(
            reference,
            (point) => backend.call(request, point),
            ({ output }) => dataHex(output),
          )
        : OVERRIDDEN,
    ),
    eth_estimateGas: method([call, block, ...overrides], ([request, reference, ...changes]) =>
      isPlain(changes)
        ? at(
            reference,
            (point) => backend.estimateGas(request, point),
            ({ gas }) => quantity(gas),
          )
        : OVERRIDDEN,
    ),
    pipe_call: method([call, block], ([request, reference]) =>
      at(
        reference,
        (point) => backend.call(request, point),
        ({ output, gasUsed, pendingCalls }) => ({ output: dataHex(output), gasUsed: quantity(gasUsed), pendingCalls }),
      ),
    ),
  };
}

const OVERRIDDEN = invalid("invalid argument 2 (stateOverrides): state and block overrides are not supported");

function isPlain(overrides: readonly unknown[]): boolean {
  return overrides.every((override) => override === undefined || JSON.stringify(override) === "{}");
}
