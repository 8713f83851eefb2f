import type { Common } from "@ethereumjs/common";
import type { BlockEnvironment } from "../../mempool/evm/machine.ts";
import type { CallOutcome, CallRequest } from "../../mempool/evm/trial.ts";
import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { TransactionPool } from "../../mempool/evm/transaction-pool.ts";
import type { Pipe, TransactionView } from "../index.ts";
import type { ChainThread } from "./chain-thread.ts";
import type { EvmIntake } from "./intake.ts";
import type { Outcomes } from "./outcomes.ts";
import type {
  BackendEvent,
  CallResult,
  EvmBackend,
  Outcome,
  PendingCall,
  PipeStatus,
  StatePoint,
} from "./rpc/backend.ts";
import type { ChainIndex } from "./rpc/chain-index.ts";
import { indexedTransaction } from "./rpc/from-rlp.ts";
import type { EvmProblem } from "./rpc/problems.ts";

export interface BackendParts {
  readonly chainId: bigint;
  readonly clientVersion: string;
  readonly common: Common;
  readonly simulator: ChainThread;
  readonly pipe: Pipe;
  readonly pool: TransactionPool;
  readonly index: ChainIndex;
  readonly intake: EvmIntake;
  readonly outcomes: Outcomes;
  readonly nextBlock: () => BlockEnvironment;
  readonly nonceBuilt: (sender: string, chainNonce: number) => number;
  readonly suggestedTipWei: bigint;
  readonly follow: (listener: (event: BackendEvent) => void) => () => void;
}

/** Questions to the simulator that wait at once, tried calls among them. */
const MAX_WAITING = 4_096;

/** The producer as the JSON-RPC face sees it. */
export function createBackend(parts: BackendParts): EvmBackend {
  const { simulator, pool, pipe, index, outcomes, nextBlock } = parts;

  /** Asks the simulator about the state at this point; a state that is no more kept is a problem of the asker's. */
  async function atState<T>(at: StatePoint, ask: (root: string | undefined) => Promise<T>): Promise<Outcome<T>> {
    if (simulator.waiting >= MAX_WAITING) return { ok: false, problem: { kind: "overloaded" } };
    const root = at.kind === "block" ? at.stateRoot : undefined;
    if (root !== undefined && !(await simulator.ask("keeps", root)))
      return { ok: false, problem: { kind: "state-unavailable" } };
    return { ok: true, value: await ask(root) };
  }

  async function tried<T>(
    at: StatePoint,
    ask: (root: string | undefined) => Promise<T>,
    read: (told: T) => Outcome<CallResult> | Outcome<{ gas: bigint; pendingCalls: readonly PendingCall[] }>,
  ) {
    const told = await atState(at, ask);
    return told.ok ? read(told.value) : told;
  }

  return {
    chainId: parts.chainId,
    clientVersion: parts.clientVersion,
    sendRawTransaction: (raw) => parts.intake.send(raw),
    pendingTransaction(hash) {
      const entry = pool.get(hash);
      return entry && indexedTransaction(entry.transaction, parts.common);
    },
    async pendingNonce(address) {
      const { nonce } = await simulator.ask("account", address);
      return { ok: true, value: pool.pendingNonce(address, parts.nonceBuilt(address, nonce)) };
    },
    call: (request: CallRequest, at: StatePoint) =>
      tried(at, (root) => simulator.askInTurn("calls", "call", request, nextBlock(), root), callResult) as Promise<
        Outcome<CallResult>
      >,
    estimateGas: (request, at) =>
      tried(
        at,
        (root) => simulator.askInTurn("calls", "estimateGas", request, nextBlock(), root),
        (told) => {
          if (told.kind === "enough")
            return { ok: true, value: { gas: told.gas, pendingCalls: told.pendingCalls.map(pendingCall) } };
          const result = callResult(told.outcome);
          return result.ok
            ? { ok: false, problem: { kind: "gas-exceeds-allowance", allowance: nextBlock().gasLimit } }
            : result;
        },
      ) as Promise<Outcome<{ gas: bigint; pendingCalls: readonly PendingCall[] }>>,
    balance: (address, at) => atState(at, async (root) => (await simulator.ask("account", address, root)).balance),
    nonce: (address, at) => atState(at, async (root) => (await simulator.ask("account", address, root)).nonce),
    code: (address, at) => atState(at, (root) => simulator.ask("code", address, root)),
    storage: (address, slot, at) =>
      atState(at, (root) => simulator.ask("storage", address, slot.toString(16).padStart(64, "0"), root)),
    nextBlock,
    suggestedTip: () => parts.suggestedTipWei,
    pipeStatus: (hash) => statusOf(hash, { pool, pipe, index, outcomes }),
    async pipeEstimate(hash) {
      const estimates = await pipe.estimate(hash);
      return estimates.length === 0 && (await statusOf(hash, { pool, pipe, index, outcomes })) === undefined
        ? undefined
        : estimates;
    },
    follow: parts.follow,
  };
}

function callResult(outcome: CallOutcome): Outcome<CallResult> {
  if (outcome.kind === "refused") return { ok: false, problem: { kind: "failed", message: outcome.message } };
  const { ok, returnData, error, gasUsed, pendingCalls } = outcome;
  if (ok) return { ok: true, value: { output: returnData, gasUsed, pendingCalls: pendingCalls.map(pendingCall) } };
  const problem: EvmProblem =
    error === "revert" ? { kind: "reverted", data: returnData } : { kind: "failed", message: error ?? "failed" };
  return { ok: false, problem };
}

function pendingCall({ model, mode, input, maxOutputBytes, maxFeeGwei }: DiscoveredCall): PendingCall {
  return { model, mode, inputBytes: input.length, maxOutputBytes, maxFeeGwei };
}

interface Known {
  readonly pool: TransactionPool;
  readonly pipe: Pipe;
  readonly index: ChainIndex;
  readonly outcomes: Outcomes;
}

async function statusOf(hash: string, { pool, pipe, index, outcomes }: Known): Promise<PipeStatus | undefined> {
  const view = await pipe.status(hash);
  const place = index.transaction(hash);
  const blockNumber = place?.block.number;
  if (view !== undefined) return inferenceStatus(view, blockNumber);
  const entry = pool.get(hash);
  if (entry !== undefined) return { ...UNKNOWN, hash, kind: entry.kind, state: "pending" };
  if (place !== undefined) {
    const asked = place.block.inference?.header.transactions.includes(hash) === true;
    const state = place.block.number <= index.finalBlock.number ? "committed" : "sealed";
    return { ...UNKNOWN, hash, kind: asked ? "inference" : "ordinary", state, blockNumber };
  }
  const outcome = outcomes.get(hash);
  return outcome && { ...UNKNOWN, hash, ...outcome };
}

function inferenceStatus(view: TransactionView, blockNumber: number | undefined): PipeStatus {
  const { hash, state, lane, expiryHeight, calls } = view;
  return {
    ...{ hash, kind: "inference", state, lane, blockNumber, expiryBlock: expiryHeight, advice: undefined },
    reason: view.slowReason ?? view.refundReason,
    calls: calls.map(({ terms: { model, mode }, result }, index) => {
      return { index, model, mode, result: result && { node: result.node, feeGwei: result.feeGwei } };
    }),
  };
}

const UNKNOWN = {
  kind: "undetermined",
  lane: undefined,
  reason: undefined,
  advice: undefined,
  blockNumber: undefined,
  expiryBlock: undefined,
  calls: [],
} as const;
