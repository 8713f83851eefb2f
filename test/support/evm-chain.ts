import { encodeFunctionData, type Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { DEFAULT_EVM_LIMITS, EvmChain, type EvmLimits } from "../../mempool/evm/chain.ts";
import type { EvmGenesis, GenesisAccount } from "../../mempool/evm/genesis.ts";
import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import { type EvmTransaction, parseTransaction } from "../../mempool/evm/transaction.ts";
import type { EvmRun } from "../../mempool/evm/trial.ts";
import { type CompiledContract, exampleContract, testContract } from "./solidity.ts";

/** An EVM chain for tests: accounts with keys, contracts that stand there from the beginning, and models that answer at once. */
export const CHAIN_ID = 1_337n;
export const PIPE_CHAIN = "evm-test";
export const GWEI = 10n ** 9n;
export const ETHER = 10n ** 18n;
export const COINBASE = `0x${"c0".repeat(20)}`;

/** Senders with keys 1, 2, 3, …, who have a thousand ether each. */
export const SENDERS = Array.from({ length: 12 }, (_, index) =>
  privateKeyToAccount(`0x${(index + 1).toString(16).padStart(64, "0")}`),
);

export function senderAddress(index: number): string {
  return sender(index).address.toLowerCase();
}

function sender(index: number) {
  const found = SENDERS[index];
  if (found === undefined) throw new RangeError("there are not as many senders");
  return found;
}

const EXAMPLES = ["TwoStep", "BatchOfTen"] as const;
const TROUBLE = [
  "BlockReader",
  "Garbage",
  "GasBurner",
  "Looper",
  "NonTerminating",
  "RevertAfter",
  "SharedState",
  "Tolerant",
  "ChainProbe",
] as const;
export type ContractName = (typeof EXAMPLES)[number] | (typeof TROUBLE)[number];

const NAMES: readonly ContractName[] = [...EXAMPLES, ...TROUBLE];
const isExample = (name: ContractName) => EXAMPLES.some((example) => example === name);

/** Where a contract stands. */
export function addressOf(name: ContractName): Hex {
  return `0x${(0xc000 + NAMES.indexOf(name)).toString(16).padStart(40, "0")}`;
}

export function abiOf(name: ContractName) {
  return compiled(name).abi;
}

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/^0x/, ""), "hex"));
}

/** All of them, as a chain begins with them. */
export function contracts(): GenesisAccount[] {
  return NAMES.map((name) => {
    return { address: addressOf(name), balanceWei: 0n, code: bytesOf(compiled(name).deployedBytecode) };
  });
}

const known = new Map<ContractName, CompiledContract>();

function compiled(name: ContractName): CompiledContract {
  const contract = known.get(name) ?? (isExample(name) ? exampleContract(name) : testContract(name));
  known.set(name, contract);
  return contract;
}

export function genesisOf(more: Partial<EvmGenesis> = {}): EvmGenesis {
  return {
    chainId: CHAIN_ID,
    pipeChainId: PIPE_CHAIN,
    hardfork: "prague",
    alloc: [
      ...SENDERS.map((_, index) => ({ address: senderAddress(index), balanceWei: 1_000n * ETHER })),
      ...contracts(),
    ],
    gasLimit: 60_000_000n,
    baseFeePerGas: GWEI,
    coinbase: COINBASE,
    timestamp: 1_000,
    ...more,
  };
}

/** Nothing that is tested here should fail because others use the machine. */
const PATIENT: EvmLimits = { ...DEFAULT_EVM_LIMITS, runMs: 30_000 };

export function newChain(more: Partial<EvmGenesis> = {}, limits = PATIENT): Promise<EvmChain> {
  return EvmChain.create(genesisOf(more), limits);
}

export interface Wanted {
  readonly from?: number;
  readonly nonce?: number;
  readonly to?: string | undefined;
  readonly data?: string;
  readonly value?: bigint;
  readonly gas?: bigint;
  readonly type?: "legacy" | "eip2930" | "eip1559";
}

/** A signed transaction, raw. */
export async function sign(wanted: Wanted): Promise<Uint8Array> {
  const { from = 0, nonce = 0, to, data = "0x", value = 0n, gas = 1_500_000n, type = "eip1559" } = wanted;
  const common = { chainId: Number(CHAIN_ID), nonce, data: data as Hex, value, gas };
  const target = to === undefined ? {} : { to: to as Hex };
  const price = { gasPrice: 10n * GWEI };
  const account = sender(from);
  if (type === "legacy") return bytesOf(await account.signTransaction({ ...common, ...target, ...price, type }));
  if (type === "eip2930")
    return bytesOf(await account.signTransaction({ ...common, ...target, ...price, type, accessList: [] }));
  const fees = { maxFeePerGas: 10n * GWEI, maxPriorityFeePerGas: GWEI };
  return bytesOf(await account.signTransaction({ ...common, ...target, ...fees, type }));
}

export async function transaction(wanted: Wanted): Promise<EvmTransaction> {
  const parsed = parseTransaction(await sign(wanted), { chainId: CHAIN_ID });
  if (!parsed.ok) throw new Error(`a test's transaction is refused: ${parsed.problem.message}`);
  return parsed.transaction;
}

export function calldata(name: ContractName, functionName: string, args: readonly unknown[] = []): Hex {
  return encodeFunctionData({ abi: [...abiOf(name)], functionName, args: [...args] } as Parameters<
    typeof encodeFunctionData
  >[0]);
}

/** A transaction that calls a function of a contract. */
export function asking(
  name: ContractName,
  functionName: string,
  args: readonly unknown[] = [],
  more: Wanted = {},
): Promise<EvmTransaction> {
  return transaction({ to: addressOf(name), data: calldata(name, functionName, args), ...more });
}

/** A model whose answer follows from its input: as many bytes as the contract takes, or fewer. */
export function answerTo({ inputHash, maxOutputBytes }: DiscoveredCall): Uint8Array {
  const answer = new Uint8Array(maxOutputBytes);
  const hash = bytesOf(inputHash);
  for (let i = 0; i < answer.length; i++) answer[i] = (hash[i % 32] ?? 0) & 0x3f;
  return answer;
}

export interface Solved {
  /** One for each pre-execution. */
  readonly runs: readonly EvmRun[];
  readonly results: ReadonlyMap<string, Uint8Array>;
}

/** Runs the transaction until it asks nothing new, with all that it asked answered in between. */
export async function solve(chain: EvmChain, tx: EvmTransaction, answer = answerTo): Promise<Solved> {
  const runs: EvmRun[] = [];
  let results = new Map<string, Uint8Array>();
  const env = chain.nextEnvironment(chain.head.timestamp + 1);
  for (;;) {
    const run = await chain.preExecute(tx, results, env);
    runs.push(run);
    if (run.kind !== "calls") return { runs, results: run.kind === "completed" ? results : new Map() };
    results = new Map(run.calls.map((call) => [call.digest, results.get(call.digest) ?? answer(call)]));
    if (runs.length > 40) throw new Error("it never ends");
  }
}

export function lastRun({ runs }: Solved): EvmRun {
  const last = runs.at(-1);
  if (last === undefined) throw new Error("nothing was run");
  return last;
}

export const ANY_TIME = 60_000;
/** What compiling all contracts may take where nothing is compiled yet. */
export const COMPILING = 120_000;
export const NO_RESULTS: ReadonlyMap<string, Uint8Array> = new Map();
