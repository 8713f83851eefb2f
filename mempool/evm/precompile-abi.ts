import { AbiParameters, Hex } from "ox";
import { isCanonicalLayout } from "./abi-layout.ts";
import { decodeChat, decodeCompletion } from "./chat-calls.ts";
import { lengthGas, numbersGas, requestGas } from "./gas.ts";
import { decodeModelInference } from "./model-calls.ts";
import { invalidRequest, outputTooLong } from "./precompile-errors.ts";
import {
  encodeAnnounced,
  encodeBytes,
  encodeBytesList,
  encodeKnownBytes,
  MANY_REQUESTS,
  ONE_REQUEST,
  SELECTORS,
} from "./precompile-interface.ts";
import type { EncodedResult, Outputs, UnderstoodCall } from "./understood-call.ts";
import { returned } from "./understood-call.ts";
import {
  type DecodedTerms,
  demand,
  type InferenceRequest,
  InvalidRequestError,
  REQUEST_LIMITS,
  requestOf,
} from "./requests.ts";

export { INFERENCE_ADDRESS } from "./precompile-interface.ts";
export type { InferenceRequest } from "./requests.ts";

/** A call of the precompile, understood or refused. */
export type DecodedCall =
  | {
      readonly ok: true;
      /** In order; each counts as one call of the transaction. */
      readonly requests: readonly InferenceRequest[];
      /** Whether the contract goes on without a result. */
      readonly tolerant: boolean;
      /** Whether the call only announces its question and returns no answer. */
      readonly announces: boolean;
      /** Gas of the call: a function of the calldata alone. */
      readonly gas: bigint;
      /**
       * The ABI-encoded return value; one output for each request. `undefined` stands for a result that is not known: where the
       * call is tolerant it is reported as such, elsewhere a marker takes its place, which only `eth_call` and `eth_estimateGas`
       * may see. An output longer than asked, or of another form, gives a revert. Never throws.
       */
      encode(outputs: Outputs): EncodedResult;
    }
  | {
      readonly ok: false;
      readonly gas: bigint;
      /** ABI-encoded custom error. */
      readonly revert: Uint8Array;
    };

/** A function of the precompile: from its arguments to what a call of it is. Throws InvalidRequestError. */
type Decoder = (argumentBytes: Uint8Array) => UnderstoodCall;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  [SELECTORS.infer, decodeInfer],
  [SELECTORS.inferMany, decodeInferMany],
  [SELECTORS.tryInfer, decodeTryInfer],
  [SELECTORS.prefetch, decodePrefetch],
  [SELECTORS.runModelInference, decodeModelInference],
  [SELECTORS.runLLMCompletion, decodeCompletion],
  [SELECTORS.runLLMChat, decodeChat],
]);

/**
 * What a contract asks with this calldata. Never throws; work is linear in the calldata, of which too much is refused unread.
 * With a `gasLimit` below what the mere length costs nothing is read either: the `gas` of the answer then is above that limit.
 */
export function decodeCall(data: Uint8Array, gasLimit?: bigint): DecodedCall {
  const gas = lengthGas(data.length);
  if (gasLimit !== undefined && gas > gasLimit) return { ok: false, gas, revert: invalidRequest("out of gas") };
  try {
    demand(data.length <= REQUEST_LIMITS.maxCallBytes, "calldata: too long");
    const decoder = DECODERS.get(Hex.fromBytes(data.subarray(0, 4)));
    demand(decoder !== undefined, "function: not known");
    return accepted(gas, decoder(data.subarray(4)));
  } catch (cause) {
    const reason = cause instanceof InvalidRequestError ? cause.message : "calldata: a value is out of its range";
    return { ok: false, gas, revert: invalidRequest(reason) };
  }
}

function accepted(bare: bigint, { requests, tolerant, announces, numbers, respond }: UnderstoodCall): DecodedCall {
  const gas = requests.reduce((sum, request) => sum + requestGas(request), bare + numbersGas(numbers));
  return {
    ok: true,
    requests,
    tolerant,
    announces,
    gas,
    encode(outputs) {
      for (const [index, { maxOutputBytes }] of requests.entries()) {
        const found = outputs[index]?.length ?? 0;
        if (found > maxOutputBytes) return { ok: false, revert: outputTooLong(found, maxOutputBytes) };
      }
      return respond(outputs);
    },
  };
}

/** The output, or zeros of the asked length. */
function orMarker(request: InferenceRequest, output: Uint8Array | undefined): Uint8Array {
  return output ?? new Uint8Array(request.maxOutputBytes);
}

function decodeInfer(data: Uint8Array): UnderstoodCall {
  const request = oneRequest(data);
  const respond = ([output]: Outputs) => returned(encodeBytes(orMarker(request, output)));
  return { requests: [request], tolerant: false, announces: false, numbers: 0, respond };
}

function decodeTryInfer(data: Uint8Array): UnderstoodCall {
  const respond = ([output]: Outputs) => returned(encodeKnownBytes(output));
  return { requests: [oneRequest(data)], tolerant: true, announces: false, numbers: 0, respond };
}

function decodePrefetch(data: Uint8Array): UnderstoodCall {
  const respond = () => returned(encodeAnnounced());
  return { requests: [oneRequest(data)], tolerant: true, announces: true, numbers: 0, respond };
}

function decodeInferMany(data: Uint8Array): UnderstoodCall {
  demand(isCanonicalLayout(MANY_REQUESTS, data), "calldata: not the encoding of requests");
  const [list] = AbiParameters.decode(MANY_REQUESTS, data);
  demand(list.length >= 1 && list.length <= REQUEST_LIMITS.maxRequests, "requests: 1 to 16");
  const requests = list.map(plainRequest);
  const respond = (outputs: Outputs) =>
    returned(encodeBytesList(requests.map((request, index) => orMarker(request, outputs[index]))));
  return { requests, tolerant: false, announces: false, numbers: 0, respond };
}

function oneRequest(data: Uint8Array): InferenceRequest {
  demand(isCanonicalLayout(ONE_REQUEST, data), "calldata: not the encoding of a request");
  const [request] = AbiParameters.decode(ONE_REQUEST, data);
  return plainRequest(request);
}

function plainRequest(request: {
  readonly model: Hex.Hex;
  readonly mode: number;
  readonly input: Hex.Hex;
  readonly terms: DecodedTerms;
}): InferenceRequest {
  const { mode, terms } = request;
  return requestOf({ model: Hex.toBytes(request.model), mode, input: Hex.toBytes(request.input), terms });
}
