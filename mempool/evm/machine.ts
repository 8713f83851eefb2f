import { type Block, createBlock } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import { createEVM, type EVM, type EVMMockBlockchainInterface } from "@ethereumjs/evm";
import { AssertionError, assert } from "../../scheduler/shared/assert.ts";
import type { TypedTransaction } from "@ethereumjs/tx";
import { createAddressFromString } from "@ethereumjs/util";
import { createVM, runTx, type RunTxResult, type VM } from "@ethereumjs/vm";
import { type InferenceSession, RunStopped } from "./inference.ts";
import { dearPrecompiles } from "./dear-precompiles.ts";
import { INFERENCE_ADDRESS } from "./precompile-abi.ts";
import type { RecordingState } from "./recording-state.ts";

/** What a block's transactions see of it. */
export interface BlockEnvironment {
  readonly number: number;
  /** Seconds since 1970. Blocks that come within a second have the same. */
  readonly timestamp: number;
  /** "0x" and 40 lower-case hexadecimal digits. */
  readonly coinbase: string;
  readonly gasLimit: bigint;
  /** Wei. */
  readonly baseFeePerGas: bigint;
}

/** A run of one transaction: its effects are in the state, or, if it stopped or could not begin, must be rewound by the caller. */
export type MachineRun =
  | { readonly kind: "done"; readonly result: RunTxResult }
  | { readonly kind: "stopped"; readonly reason: RunStopped["reason"] }
  | { readonly kind: "refused"; readonly message: string };

/** Milliseconds since some moment. */
type Clock = () => number;

export interface RunTerms {
  readonly tx: TypedTransaction;
  readonly block: Block;
  readonly session: InferenceSession;
  /** Gas of the transactions before it in its block. */
  readonly blockGasUsed: bigint;
  /** Milliseconds of the clock after which it is stopped, as soon as it jumps or calls. */
  readonly limitMs: number;
  readonly clock: Clock;
  /** Neither nonce nor balance are held against a call that is only tried. */
  readonly tried: boolean;
}

/** Jumps between two looks at the clock, which costs as much as a few of them. */
const JUMPS_PER_LOOK = 16;

/** Fields of a block that a contract can read, and how read sets name them. */
const FIELDS = ["number", "timestamp", "coinbase", "gasLimit", "baseFeePerGas", "prevRandao"] as const;

/** Ethereum's machine with the precompile that looks results up, over one state. One run at a time. */
export class Machine {
  readonly #vm: VM;
  readonly #evm: EVM;
  readonly #state: RecordingState;
  readonly #common: Common;
  #session: InferenceSession | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #clock: Clock = wallMs;
  #jumps = 0;

  private constructor(vm: VM, evm: EVM, state: RecordingState, common: Common) {
    this.#vm = vm;
    this.#evm = evm;
    this.#state = state;
    this.#common = common;
    state.onCheckpoint = () => this.#look();
  }

  /** `hashOf` gives a block's hash by its number, for BLOCKHASH. */
  static async create(terms: {
    readonly common: Common;
    readonly state: RecordingState;
    readonly hashOf: (number: number) => Uint8Array;
  }): Promise<Machine> {
    const { common, state, hashOf } = terms;
    let machine: Machine | undefined;
    const blockchain: EVMMockBlockchainInterface = {
      getBlock: async (number) => {
        state.note("b:hash");
        return { hash: () => hashOf(Number(number)) };
      },
      putBlock: async () => undefined,
      shallowCopy: () => blockchain,
    };
    const evm = await createEVM({
      common,
      stateManager: state,
      blockchain,
      customPrecompiles: [
        ...dearPrecompiles(common, (ms) => {
          if (machine !== undefined && machine.#clock() + ms > machine.#deadlineMs) throw new RunStopped("deadline");
        }),
        {
          address: createAddressFromString(INFERENCE_ADDRESS),
          function: (input) => {
            if (machine === undefined || machine.#session === undefined)
              throw new AssertionError("a contract runs outside a run");
            return machine.#session.call(input);
          },
        },
      ],
      customOpcodes: [
        {
          opcode: 0x5b,
          opcodeName: "JUMPDEST",
          baseFee: 1,
          logicFunction: () => {
            if (machine !== undefined && ++machine.#jumps % JUMPS_PER_LOOK === 0) machine.#look();
          },
        },
        {
          opcode: 0x3a,
          opcodeName: "GASPRICE",
          baseFee: 2,
          logicFunction: (run) => {
            // The price that is paid is the base fee and a tip.
            state.note("b:baseFeePerGas");
            run.stack.push(run.interpreter.getTxGasPrice());
          },
        },
      ],
    });
    const vm = await createVM({ common, stateManager: state, evm });
    machine = new Machine(vm, evm, state, common);
    return machine;
  }

  /**
   * The block as its transactions see it, with fields that are noted when a message reads them. PREVRANDAO is the parent's hash:
   * nothing that nobody could know before, but the same in every run.
   */
  blockOf(env: BlockEnvironment, parentHash: Uint8Array): Block {
    const { number, timestamp, gasLimit, baseFeePerGas, coinbase } = env;
    const header = {
      number,
      timestamp,
      gasLimit,
      baseFeePerGas,
      coinbase: createAddressFromString(coinbase),
      parentHash,
    };
    const block = createBlock({ header: { ...header, mixHash: parentHash } }, { common: this.#common, freeze: false });
    const getters = FIELDS.map((field) => {
      const value = block.header[field];
      const get = () => {
        this.#state.note(`b:${field}`);
        return value;
      };
      return [field, { get }] as const;
    });
    const noted: unknown = Object.create(block.header, Object.fromEntries(getters));
    return Object.create(block, { header: { value: noted } });
  }

  async run({ tx, block, session, blockGasUsed, limitMs, clock, tried }: RunTerms): Promise<MachineRun> {
    assert(this.#session === undefined, "a machine has one run at a time");
    this.#session = session;
    this.#clock = clock;
    this.#deadlineMs = this.#clock() + limitMs;
    // What a run before left that was stopped in its middle.
    this.#evm.transientStorage.clear();
    try {
      const skip = { skipNonce: tried, skipBalance: tried, skipBlockGasLimitValidation: tried };
      return { kind: "done", result: await runTx(this.#vm, { tx, block, blockGasUsed, ...skip }) };
    } catch (cause) {
      if (cause instanceof RunStopped) return { kind: "stopped", reason: cause.reason };
      if (cause instanceof AssertionError) throw cause;
      // A transaction that cannot be in a block; or a fault of the library's, which must cost that transaction only.
      return { kind: "refused", message: cause instanceof Error ? (cause.message.split(" (vm")[0] ?? "") : "" };
    } finally {
      this.#session = undefined;
    }
  }

  #look(): void {
    if (this.#clock() > this.#deadlineMs) throw new RunStopped("deadline");
  }
}

/** A block has to end in time, whoever else has work for the processor. */
export function wallMs(): number {
  return performance.now();
}

/** What is only tried counts by what it takes itself: on a busy machine nothing honest is refused for the others' sake. */
export function ownMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
