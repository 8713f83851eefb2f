import type { Common } from "@ethereumjs/common";
import { createFeeMarket1559Tx } from "@ethereumjs/tx";
import { createAddressFromString } from "@ethereumjs/util";
import { ZERO_HASH } from "../../scheduler/proofs/digest.ts";
import type { EvmHead } from "./block.ts";
import { type DiscoveredCall, InferenceSession } from "./inference.ts";
import { type BlockEnvironment, type Machine, type MachineRun, ownMs } from "./machine.ts";
import type { RecordingState } from "./recording-state.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { type EvmTransaction, machineForm, withSender } from "./transaction.ts";
import type { World } from "./world.ts";

/** What one run found. Read keys: "a:<address>", "s:<address>:<slot>", "b:<field>". */
export type EvmRun =
  /** It asked something whose result it did not have. */
  | { readonly kind: "calls"; readonly calls: readonly DiscoveredCall[]; readonly readSet: readonly string[] }
  /** It had all results, and would be in the block like this; `reverted`: it fails there too, and pays for gas. */
  | {
      readonly kind: "completed";
      readonly calls: readonly DiscoveredCall[];
      readonly readSet: readonly string[];
      readonly gasUsed: bigint;
      readonly reverted: boolean;
    }
  /** It cannot be in a block now. */
  | ({ readonly kind: "invalid" } & Refusal);

/** A message call that is tried out. Addresses are "0x" and 40 lower-case digits, amounts wei. */
export interface CallRequest {
  readonly from: string | undefined;
  /** `undefined`: `data` is a contract's creation. */
  readonly to: string | undefined;
  readonly data: Uint8Array;
  readonly value: bigint;
  /** `undefined`: as much as a block has. */
  readonly gas: bigint | undefined;
  /** `undefined`: gas is free, and no balance is asked for it. */
  readonly maxFeePerGas: bigint | undefined;
  readonly maxPriorityFeePerGas: bigint | undefined;
  readonly accessList: readonly { readonly address: string; readonly storageKeys: readonly string[] }[];
}

export type CallOutcome =
  | {
      readonly kind: "ran";
      readonly ok: boolean;
      /** What it returned, or with what it reverted. */
      readonly returnData: Uint8Array;
      /** The machine's word for why it failed, such as "revert" or "out of gas"; `undefined` if it did not. */
      readonly error: string | undefined;
      readonly gasUsed: bigint;
      /** Gas that came back at the end, which it nevertheless had to have. */
      readonly refunded: bigint;
      /** Questions that zeros stood for. */
      readonly pendingCalls: readonly DiscoveredCall[];
    }
  | ({ readonly kind: "refused" } & Refusal);

export type GasEstimate =
  | { readonly kind: "enough"; readonly gas: bigint; readonly pendingCalls: readonly DiscoveredCall[] }
  /** It fails with as much gas as there is, or cannot begin. */
  | { readonly kind: "fails"; readonly outcome: CallOutcome };

export interface TrialLimits {
  /**
   * Longest that a pre-execution, or a call that is tried, may take of the processor, in milliseconds: what a block leaves no time
   * for.
   */
  readonly runMs: number;
}

export interface Standing {
  readonly world: World;
  readonly head: EvmHead;
}

const NOBODY = `0x${"0".repeat(40)}`;
const NO_RESULTS: ReadonlyMap<string, Uint8Array> = new Map();
/** Of its gas a frame keeps a 64th part for itself, and a transfer hands 2,300 on that need not be spent: what a limit must cover. */
const MIN_STEP = 2_300n;
/** An estimate is at the most this part of itself above what is needed. */
const ESTIMATE_TOLERANCE = 64n;
const MAX_ESTIMATE_RUNS = 24;
/** A byte that makes a number, or a text, of whatever form: a question mark, and 0.75 as a float of 32 bits. */
const NO_ZERO = 0x3f;

/** Runs that leave nothing behind: each stands on a state of its own, which the next one clears. */
export class Trial {
  readonly #machine: Machine;
  readonly #state: RecordingState;
  readonly #common: Common;
  readonly #pipeChainId: string;
  readonly #limits: TrialLimits;

  constructor(terms: {
    readonly machine: Machine;
    readonly state: RecordingState;
    readonly common: Common;
    readonly pipeChainId: string;
    readonly limits: TrialLimits;
  }) {
    this.#machine = terms.machine;
    this.#state = terms.state;
    this.#common = terms.common;
    this.#pipeChainId = terms.pipeChainId;
    this.#limits = terms.limits;
  }

  /** As in the next block, and as if the sender's nonce were the transaction's. */
  async preExecute(
    tx: EvmTransaction,
    results: ReadonlyMap<string, Uint8Array>,
    { standing, env }: { readonly standing: Standing; readonly env: BlockEnvironment },
  ): Promise<EvmRun> {
    const state = this.#state;
    state.reset(standing.world);
    if (tx.gasLimit > env.gasLimit)
      return { kind: "invalid", reason: "gas-limit", message: "asks for more gas than a block has" };
    const refusal = refusalOf(tx, { account: state.held(tx.sender), env, laterNonces: true });
    if (refusal !== undefined) return { kind: "invalid", ...refusal };
    state.setNonce(tx.sender, BigInt(tx.nonce));
    state.record(tx.sender.slice(2));
    const pipeChainId = this.#pipeChainId;
    const session = new InferenceSession({ mode: "discover", pipeChainId, txHash: tx.hash, results });
    const { runMs: limitMs } = this.#limits;
    const run = await this.#run(machineForm(tx, this.#common), { standing, env, session, tried: false, limitMs });
    const readSet = state.takeReads();
    const { calls } = session;
    if (run.kind === "refused") return { kind: "invalid", reason: "machine", message: run.message };
    if (run.kind === "stopped" && run.reason === "deadline") return { kind: "invalid", ...this.#tooSlow() };
    if (run.kind === "stopped" || calls.some(({ known }) => !known)) return { kind: "calls", calls, readSet };
    const { totalGasSpent: gasUsed, execResult } = run.result;
    return { kind: "completed", calls, readSet, gasUsed, reverted: execResult.exceptionError !== undefined };
  }

  /** With markers for answers. */
  call(request: CallRequest, standing: Standing, env: BlockEnvironment): Promise<CallOutcome> {
    return this.#call(request, { standing, env, fill: undefined, limitMs: this.#limits.runMs });
  }

  async #call(
    request: CallRequest,
    terms: {
      readonly standing: Standing;
      readonly env: BlockEnvironment;
      readonly fill: number | undefined;
      readonly limitMs: number;
    },
  ): Promise<CallOutcome> {
    const { standing, env, fill, limitMs } = terms;
    const state = this.#state;
    state.reset(standing.world);
    const from = request.from ?? NOBODY;
    const account = state.held(from);
    const free = request.maxFeePerGas === undefined;
    const price = request.maxFeePerGas ?? 0n;
    const wanted = request.gas ?? env.gasLimit;
    const gasLimit = wanted < env.gasLimit ? wanted : env.gasLimit;
    const cost = price * gasLimit + request.value;
    const balance = account?.balance ?? 0n;
    if (balance < cost)
      return {
        kind: "refused",
        reason: "insufficient-funds",
        message: `may cost ${cost} wei, and its sender has ${balance}`,
      };
    state.disguise(from.slice(2));
    const tip = request.maxPriorityFeePerGas ?? 0n;
    const tx = createFeeMarket1559Tx(
      {
        nonce: account?.nonce ?? 0n,
        gasLimit,
        maxFeePerGas: price,
        maxPriorityFeePerGas: tip < price ? tip : price,
        value: request.value,
        data: request.data,
        ...(request.to === undefined ? {} : { to: createAddressFromString(request.to) }),
        accessList: request.accessList.map(({ address, storageKeys }) => {
          return [bytesOf(address), storageKeys.map(bytesOf)] as [Uint8Array, Uint8Array[]];
        }),
      },
      { common: this.#common, freeze: false, allowUnlimitedInitCodeSize: false },
    );
    withSender(tx, createAddressFromString(from));
    const asking = { pipeChainId: this.#pipeChainId, txHash: ZERO_HASH, results: NO_RESULTS };
    const session = new InferenceSession({ mode: "estimate", ...asking, ...(fill === undefined ? {} : { fill }) });
    const seen = free ? { ...env, baseFeePerGas: 0n } : env;
    const run = await this.#run(tx, { standing, env: seen, session, tried: true, limitMs });
    if (run.kind === "refused") return { kind: "refused", reason: "machine", message: run.message };
    if (run.kind === "stopped") return { kind: "refused", ...this.#tooSlow() };
    const { execResult, totalGasSpent } = run.result;
    const { exceptionError, returnValue } = execResult;
    return {
      kind: "ran",
      ok: exceptionError === undefined,
      returnData: returnValue,
      error: exceptionError?.error,
      gasUsed: totalGasSpent,
      refunded: run.result.gasRefund ?? 0n,
      pendingCalls: session.calls,
    };
  }

  /**
   * A gas limit with which it succeeds, at most a 64th part above the least one if that is found in the time that one run has: all
   * of it takes no longer than a few runs, since others wait. Answers are not known: what they cost that are
   * kept is told by answers without a zero, since a zero costs next to nothing to keep. A contract that does not take these, or
   * not those, is estimated by the other ones.
   */
  async estimateGas(request: CallRequest, standing: Standing, env: BlockEnvironment): Promise<GasEstimate> {
    const endMs = ownMs() + this.#limits.runMs;
    const marked = await this.#leastGas(request, { standing, env, fill: undefined, endMs });
    const pending = marked.kind === "enough" ? marked.pendingCalls : pendingOf(marked.outcome);
    if (pending.length === 0) return marked;
    const filled = await this.#leastGas(request, { standing, env, fill: NO_ZERO, endMs });
    if (filled.kind === "fails") return marked;
    return marked.kind === "fails" || marked.gas < filled.gas ? filled : marked;
  }

  async #leastGas(
    request: CallRequest,
    terms: {
      readonly standing: Standing;
      readonly env: BlockEnvironment;
      readonly fill: number | undefined;
      readonly endMs: number;
    },
  ): Promise<GasEstimate> {
    const { standing, env, fill, endMs } = terms;
    const { runMs } = this.#limits;
    const whole = await this.#call(request, { standing, env, fill, limitMs: runMs });
    if (whole.kind === "refused" || !whole.ok) return { kind: "fails", outcome: whole };
    const { gasUsed, refunded, pendingCalls } = whole;
    let enough = request.gas !== undefined && request.gas < env.gasLimit ? request.gas : env.gasLimit;
    let tooLittle = gasUsed - 1n;
    let guess = ((gasUsed + refunded + MIN_STEP) * 64n) / 63n;
    for (let runs = 0; runs < MAX_ESTIMATE_RUNS && enough - tooLittle > enough / ESTIMATE_TOLERANCE; runs++) {
      const leftMs = endMs - ownMs();
      if (leftMs <= 0) break;
      const gas = guess > tooLittle && guess < enough ? guess : (enough + tooLittle) / 2n;
      const outcome = await this.#call({ ...request, gas }, { standing, env, fill, limitMs: leftMs });
      // It had too little time, not too little gas.
      if (outcome.kind === "refused" && outcome.reason === "too-slow") break;
      if (outcome.kind === "ran" && outcome.ok) enough = gas;
      else tooLittle = gas;
      guess = (enough + tooLittle) / 2n;
    }
    return { kind: "enough", gas: enough, pendingCalls };
  }

  #run(
    tx: Parameters<Machine["run"]>[0]["tx"],
    terms: Pick<Parameters<Machine["run"]>[0], "session" | "tried" | "limitMs"> & {
      readonly standing: Standing;
      readonly env: BlockEnvironment;
    },
  ): Promise<MachineRun> {
    const { standing, env, session, tried, limitMs } = terms;
    const block = this.#machine.blockOf(env, Buffer.from(standing.head.hash, "hex"));
    return this.#machine.run({ tx, block, session, tried, blockGasUsed: 0n, limitMs, clock: ownMs });
  }

  #tooSlow(): Refusal {
    return { reason: "too-slow", message: `ran for more than ${this.#limits.runMs} ms` };
  }
}

function pendingOf(outcome: CallOutcome): readonly DiscoveredCall[] {
  return outcome.kind === "ran" ? outcome.pendingCalls : [];
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.slice(2), "hex"));
}
