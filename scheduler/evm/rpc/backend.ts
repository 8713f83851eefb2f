import type { CallRequest } from "../../../mempool/evm/trial.ts";
import type { SealEstimate } from "../../index.ts";
import type { IndexedTransaction } from "./indexed.ts";
import type { EvmProblem } from "./problems.ts";

/** A result, or why there is none. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: EvmProblem };

/** Which state is meant: after a block that the index has, or as the next block will find it. */
export type StatePoint =
  | { readonly kind: "block"; readonly number: number; readonly hash: string; readonly stateRoot: string }
  | { readonly kind: "pending" };

/** A question to a model that a tried call asked, and that has no result there: zeros stood for it. */
export interface PendingCall {
  readonly model: string;
  readonly mode: string;
  readonly inputBytes: number;
  readonly maxOutputBytes: number;
  readonly maxFeeGwei: number;
}

export interface CallResult {
  readonly output: Uint8Array;
  readonly gasUsed: bigint;
  readonly pendingCalls: readonly PendingCall[];
}

/** What the next block is expected to be. */
export interface NextBlock {
  readonly number: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly coinbase: string;
  readonly gasLimit: bigint;
  readonly baseFeePerGas: bigint;
}

/** How a transaction is, as the scheduler sees it. Plain JSON; `hash` without prefix. */
export interface PipeStatus {
  readonly hash: string;
  /** `ordinary` ones ask no model; `undetermined` until the first run has told. */
  readonly kind: "undetermined" | "ordinary" | "inference";
  /** Such as `discovering`, `racing`, `ready`, `sealed`, `committed`, `refunded`, `replaced`, `withdrawn`, `pending`, `refused`. */
  readonly state: string;
  readonly lane: "fast" | "slow" | undefined;
  /** Why it is in the slow lane, was refunded, or was refused; with what can be done about it. */
  readonly reason: string | undefined;
  readonly advice: string | undefined;
  /** The block that carries it, and the last one that may. */
  readonly blockNumber: number | undefined;
  readonly expiryBlock: number | undefined;
  readonly calls: readonly PipeCallStatus[];
}

export interface PipeCallStatus {
  readonly index: number;
  readonly model: string;
  readonly mode: string;
  /** `undefined` until its race is decided. */
  readonly result: { readonly node: string; readonly feeGwei: number } | undefined;
}

/** What happened to a transaction that asks models. Plain JSON: it goes to subscribers as it is. `transaction` without prefix. */
export interface PipeEventView {
  readonly event: string;
  readonly transaction: string;
  readonly [detail: string]: unknown;
}

export type BackendEvent =
  /** A transaction that can be in a block is known from now on. */
  | { readonly kind: "pending"; readonly transaction: IndexedTransaction }
  | { readonly kind: "pipe"; readonly event: PipeEventView };

/**
 * What the JSON-RPC face asks of the chain, beside the index. Every argument is checked before: addresses are "0x" and 40
 * lower-case digits, hashes 64 digits without prefix. A promise rejects for a fault of our own only; the asker hears of an
 * internal error then, and nothing of its text.
 */
export interface EvmBackend {
  readonly chainId: bigint;
  /** As `web3_clientVersion` says it: `name/version/platform/runtime`. */
  readonly clientVersion: string;

  /** The transaction's hash once it is taken. */
  sendRawTransaction(raw: Uint8Array): Promise<Outcome<string>>;
  /** A known transaction that is in no block. */
  pendingTransaction(hash: string): IndexedTransaction | undefined;
  /** The next nonce of the sender, with what waits counted. */
  pendingNonce(address: string): Promise<Outcome<number>>;

  call(request: CallRequest, at: StatePoint): Promise<Outcome<CallResult>>;
  /** Gas limit with which it succeeds, with the calls that were not answered. */
  estimateGas(
    request: CallRequest,
    at: StatePoint,
  ): Promise<Outcome<Pick<CallResult, "pendingCalls"> & { readonly gas: bigint }>>;
  balance(address: string, at: StatePoint): Promise<Outcome<bigint>>;
  nonce(address: string, at: StatePoint): Promise<Outcome<number>>;
  code(address: string, at: StatePoint): Promise<Outcome<Uint8Array>>;
  /** The slot's 32 bytes; fewer stand for their value. */
  storage(address: string, slot: bigint, at: StatePoint): Promise<Outcome<Uint8Array>>;

  nextBlock(): NextBlock;
  /** What a sender may offer above the base fee, in wei. */
  suggestedTip(): bigint;

  /** `undefined` for one that is not known, or forgotten. */
  pipeStatus(hash: string): Promise<PipeStatus | undefined>;
  /** Empty where nothing can be said; `undefined` for a transaction that is not known. */
  pipeEstimate(hash: string): Promise<readonly SealEstimate[] | undefined>;

  /** Calls the listener at each event until the function that it returns is called. New blocks come from the index instead. */
  follow(listener: (event: BackendEvent) => void): () => void;
}
