import type { Block } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import { assert } from "../../scheduler/shared/assert.ts";
import { type EncodedBlock, type EvmHead, encodeBlock, environmentFaults, type Executed } from "./block.ts";
import { type DiscoveredCall, InferenceSession } from "./inference.ts";
import type { GasPace } from "./gas-pace.ts";
import { type BlockEnvironment, type Machine, wallMs } from "./machine.ts";
import type { RecordingState } from "./recording-state.ts";
import { refusalOf, type Refusal } from "./refusal.ts";
import { type EvmTransaction, machineForm } from "./transaction.ts";
import type { StateDiff, World } from "./world.ts";

export type Addition =
  | {
      readonly kind: "included";
      readonly gasUsed: bigint;
      /** What it took to run it. */
      readonly ms: number;
      readonly calls: readonly DiscoveredCall[];
    }
  /** It cannot be in this block: nonce, balance, fee. */
  | ({ readonly kind: "invalid" } & Refusal)
  /** It asks other questions here than those whose results came with it; as many as it came to. */
  | { readonly kind: "asks"; readonly calls: readonly DiscoveredCall[] }
  /** Its gas, or the time that this may take, is more than what is left. */
  | { readonly kind: "no-room"; readonly of: "gas" | "time" }
  /** It took all the time that there was, or far more than in its last run, and was taken back. */
  | { readonly kind: "overran" };

export interface Sealed extends EncodedBlock {
  readonly diff: StateDiff;
  readonly world: World;
  /** What changed, as read sets name it: accounts, slots, and the fields that every block has anew. */
  readonly changedKeys: readonly string[];
}

interface BuildTerms {
  readonly parent: EvmHead;
  readonly world: World;
  readonly env: BlockEnvironment;
  readonly machine: Machine;
  readonly state: RecordingState;
  readonly pace: GasPace;
  readonly common: Common;
  readonly pipeChainId: string;
}

/** One block under construction. */
export class BlockBuild {
  readonly #terms: BuildTerms;
  readonly #block: Block;
  readonly #executed: Executed[] = [];
  #gasUsed = 0n;

  constructor(terms: BuildTerms) {
    this.#terms = terms;
    terms.state.reset(terms.world);
    this.#block = terms.machine.blockOf(terms.env, Buffer.from(terms.parent.hash, "hex"));
  }

  /** `expectedGas`: what it took in its last run. */
  async add(
    tx: EvmTransaction,
    results: ReadonlyMap<string, Uint8Array>,
    leftMs: number,
    expectedGas: bigint,
  ): Promise<Addition> {
    const { env, machine, state, pace, common, pipeChainId } = this.#terms;
    if (tx.gasLimit > env.gasLimit)
      return { kind: "invalid", reason: "gas-limit", message: "asks for more gas than a block has" };
    if (this.#gasUsed + tx.gasLimit > env.gasLimit) return { kind: "no-room", of: "gas" };
    // The first one is tried in any case: otherwise nothing would show that the machine has become faster.
    const expectedMs = pace.msFor(expectedGas);
    if (this.#executed.length > 0 && expectedMs > leftMs) return { kind: "no-room", of: "time" };
    const refusal = refusalOf(tx, { account: state.held(tx.sender), env, laterNonces: false });
    if (refusal !== undefined) return { kind: "invalid", ...refusal };
    const session = new InferenceSession({ mode: "sealed", pipeChainId, txHash: tx.hash, results });
    const mark = state.mark();
    const startedMs = performance.now();
    const form = machineForm(tx, common);
    const run = await machine.run({
      tx: form,
      block: this.#block,
      session,
      blockGasUsed: this.#gasUsed,
      // One that was quick in its last run, and now is not, must not have all the time that the block has.
      limitMs: leftMs === Number.POSITIVE_INFINITY ? leftMs : Math.min(leftMs, fairMs(expectedMs)),
      clock: wallMs,
      tried: false,
    });
    const ms = performance.now() - startedMs;
    if (run.kind !== "done" || !session.usedAll) state.rewind(mark);
    if (run.kind === "refused") return { kind: "invalid", reason: "machine", message: run.message };
    if (run.kind === "stopped" && run.reason === "deadline") return { kind: "overran" };
    if (run.kind === "stopped" || !session.usedAll) return { kind: "asks", calls: session.calls };
    state.settle();
    const { totalGasSpent, execResult } = run.result;
    pace.measured(execResult.executionGasUsed, ms);
    this.#gasUsed += totalGasSpent;
    this.#executed.push({ transaction: tx, type: form.type, result: run.result });
    return { kind: "included", gasUsed: totalGasSpent, ms, calls: session.calls };
  }

  seal(extraData: Uint8Array): Sealed {
    const { env, parent, state, world: before, common } = this.#terms;
    assert(extraData.length <= 32, "extra data has 32 bytes at the most");
    const diff = state.diff();
    const world = before.with(diff);
    const encoded = encodeBlock({
      env,
      parentHash: parent.hash,
      stateRoot: world.root,
      executed: this.#executed,
      extraData,
      common,
    });
    return { ...encoded, diff, world, changedKeys: [...changedKeys(before, diff), ...changedFields(parent, env)] };
  }
}

/** Longest that a transaction may take which is expected to take so long: machines have pauses, and states change a little. */
function fairMs(expectedMs: number): number {
  return Math.max(FAIR_MS, FAIR_FACTOR * expectedMs);
}

const FAIR_MS = 100;
const FAIR_FACTOR = 4;

/** Stops on a block that does not follow from its parent: whoever builds takes the next environment from the chain. */
export function assertFollows(parent: EvmHead, env: BlockEnvironment): void {
  const faults = environmentFaults(parent, env);
  assert(faults.length === 0, `a block does not follow from its parent: ${faults.join(", ")}`);
}

function changedKeys(before: World, diff: StateDiff): string[] {
  const keys: string[] = [];
  for (const { address, gone, nonce, balance, code, cleared, storage } of diff) {
    const old = before.account(address.slice(2));
    // Slots that went with their account are read by that account's code only, and that reads the account.
    if (gone || cleared || code !== undefined || old?.nonce !== nonce || old.balance !== balance)
      keys.push(`a:${address}`);
    for (const [slot] of storage) keys.push(`s:${address}:${slot}`);
  }
  return keys;
}

/** Fields that the block after this one has other than this one, or may have. */
function changedFields(parent: EvmHead, env: BlockEnvironment): string[] {
  const fields = ["number", "timestamp", "prevRandao", "hash", "baseFeePerGas"];
  if (parent.coinbase !== env.coinbase) fields.push("coinbase");
  if (parent.gasLimit !== env.gasLimit) fields.push("gasLimit");
  return fields.map((field) => `b:${field}`);
}
