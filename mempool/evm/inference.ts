import { EVMError, type ExecResult, type PrecompileInput } from "@ethereumjs/evm";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { jobDigest } from "../../scheduler/proofs/transaction-digest.ts";
import { decodeCall, type InferenceRequest } from "./precompile-abi.ts";
import { invalidRequest } from "./precompile-errors.ts";
import { REQUEST_LIMITS } from "./requests.ts";

/** A question that a run asked. Its place among the run's calls is the `callIndex` of its digest. */
export interface DiscoveredCall extends InferenceRequest {
  /** The job's digest. */
  readonly digest: string;
  /** SHA-256 of the input. */
  readonly inputHash: string;
  /** Whether the run had its result. */
  readonly known: boolean;
}

/**
 * What an unknown question does. `discover`: it is noted, and ends the run unless the contract goes on without. `sealed`: it ends
 * the run, since in a block every question has its result. `estimate`: zeros stand for the answer.
 */
export type InferenceMode = "discover" | "sealed" | "estimate";

/**
 * Ends a run, out of the contract's reach: an exception of the host, which no frame catches. `unanswered`: a question that has no
 * result. `deadline`: the run took more time than it was given.
 */
export class RunStopped extends Error {
  override readonly name = "RunStopped";
  readonly reason: "unanswered" | "deadline";

  constructor(reason: "unanswered" | "deadline") {
    super(`the run stops: ${reason}`);
    this.reason = reason;
  }
}

export interface SessionTerms {
  readonly mode: InferenceMode;
  readonly pipeChainId: string;
  readonly txHash: string;
  /** Outputs by the digest of their question. */
  readonly results: ReadonlyMap<string, Uint8Array>;
  /** For `estimate`: this byte in all places stands for an answer, as if it were one. Without, a marker does, and is told as such. */
  readonly fill?: number;
}

/**
 * The precompile's side of one run. Calls are counted as they come, in frames that revert too, so that a question's number does not
 * depend on what becomes of its frame. A question that was announced keeps its number when it is asked for good.
 */
export class InferenceSession {
  readonly #terms: SessionTerms;
  readonly #calls: DiscoveredCall[] = [];
  /** Numbers of announced questions that nobody has asked for yet, by what they ask. */
  readonly #announced = new Map<string, number[]>();

  constructor(terms: SessionTerms) {
    this.#terms = terms;
  }

  get calls(): readonly DiscoveredCall[] {
    return this.#calls;
  }

  /** Whether all results were asked for. */
  get usedAll(): boolean {
    const asked = new Set(this.#calls.map(({ digest }) => digest));
    return [...this.#terms.results.keys()].every((digest) => asked.has(digest));
  }

  /** Throws RunStopped. */
  call({ data, gasLimit }: Pick<PrecompileInput, "data" | "gasLimit">): ExecResult {
    const call = decodeCall(data, gasLimit);
    if (call.gas > gasLimit) return outOfGas(gasLimit);
    if (!call.ok) return reverted(call.gas, call.revert);
    const { requests, gas } = call;
    const fresh = call.announces ? requests.length : requests.length - this.#countAnnounced(requests);
    if (this.#calls.length + fresh > REQUEST_LIMITS.maxRequests) return reverted(gas, TOO_MANY);
    const asked = requests.map((request) => this.#ask(request, call.announces));
    const outputs = asked.map(({ digest }) => this.#terms.results.get(digest));
    if (outputs.includes(undefined)) this.#miss(call.tolerant);
    const { fill } = this.#terms;
    const encoded = call.encode(
      fill === undefined
        ? outputs
        : outputs.map((output, index) => output ?? new Uint8Array(requests[index]?.maxOutputBytes ?? 0).fill(fill)),
    );
    return encoded.ok ? { executionGasUsed: gas, returnValue: encoded.data } : reverted(gas, encoded.revert);
  }

  #miss(tolerant: boolean): void {
    const { mode } = this.#terms;
    if (mode === "sealed" || (mode === "discover" && !tolerant)) throw new RunStopped("unanswered");
  }

  #countAnnounced(requests: readonly InferenceRequest[]): number {
    const wanted = new Map<string, number>();
    let found = 0;
    for (const request of requests) {
      const key = questionOf(request, sha256Hex(request.input));
      const before = wanted.get(key) ?? 0;
      wanted.set(key, before + 1);
      if (before < (this.#announced.get(key)?.length ?? 0)) found++;
    }
    return found;
  }

  #ask(request: InferenceRequest, announces: boolean): DiscoveredCall {
    const inputHash = sha256Hex(request.input);
    const question = questionOf(request, inputHash);
    const waiting = this.#announced.get(question);
    const number = announces ? undefined : waiting?.shift();
    const known = number === undefined ? undefined : this.#calls[number];
    if (known !== undefined) return known;
    const callIndex = this.#calls.length;
    const { pipeChainId: chainId, txHash, results } = this.#terms;
    const { model, mode, conflict } = request;
    const digest = jobDigest({ chainId, txHash, callIndex, model, inputHash, mode, conflict });
    const call = { ...request, digest, inputHash, known: results.has(digest) };
    this.#calls.push(call);
    if (announces) this.#announced.set(question, [...(waiting ?? []), callIndex]);
    return call;
  }
}

/** All that a contract can say of a question: an announced one is asked for by saying the same again. */
function questionOf(request: InferenceRequest, inputHash: string): string {
  const { model, mode, tokensIn, tokensOut, maxFeeGwei, validityBlocks, conflict, maxOutputBytes } = request;
  return JSON.stringify([
    model,
    mode,
    inputHash,
    tokensIn,
    tokensOut,
    maxFeeGwei,
    validityBlocks,
    conflict,
    maxOutputBytes,
  ]);
}

/** A transaction that asks for more fails there, in every run alike, unless its contract is content with an error. */
const TOO_MANY = invalidRequest(`calls: more than ${REQUEST_LIMITS.maxRequests} in one transaction`);

function reverted(gas: bigint, returnValue: Uint8Array): ExecResult {
  return { executionGasUsed: gas, returnValue, exceptionError: new EVMError(EVMError.errorMessages.REVERT) };
}

function outOfGas(gasLimit: bigint): ExecResult {
  return {
    executionGasUsed: gasLimit,
    returnValue: new Uint8Array(0),
    exceptionError: new EVMError(EVMError.errorMessages.OUT_OF_GAS),
  };
}
