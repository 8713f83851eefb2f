import { sharedCommon } from "../../mempool/evm/transaction.ts";
import type { EvmGenesis, GenesisAccount } from "../../mempool/evm/genesis.ts";
import { DEPOSIT_ADDRESS, depositCode } from "../../mempool/evm/deposit.ts";
import { DEFAULT_POOL_LIMITS, type PoolLimits, TransactionPool } from "../../mempool/evm/transaction-pool.ts";
import { createPipe, type Pipe, type PipeOptions } from "../index.ts";
import { PROGRAM } from "../live/program.ts";
import { createBackend } from "./backend.ts";
import type { BuiltBlock } from "./block-building.ts";
import { callRefusalOf } from "./call-refusal.ts";
import { ChainThread } from "./chain-thread.ts";
import { followPipe } from "./following.ts";
import { EvmIntake } from "./intake.ts";
import { DEFAULT_PRODUCER_LIMITS, type ProducerLimits } from "./limits.ts";
import { Outcomes } from "./outcomes.ts";
import { EvmPreExecutor } from "./pre-executor.ts";
import { type BlockTimes, DEFAULT_TIMES, EvmProducer } from "./producer.ts";
import type { BackendEvent } from "./rpc/backend.ts";
import { ChainIndex } from "./rpc/chain-index.ts";
import { indexedBlock, indexedTransaction } from "./rpc/from-rlp.ts";
import type { EvmBackend } from "./rpc/backend.ts";
import { genesisBlock, indexedReceipts } from "./indexing.ts";
import { Withdrawals } from "./withdrawals.ts";

export interface EvmDevnetOptions {
  readonly chainId: bigint;
  /** Accounts that the chain begins with, besides the deposit contract. */
  readonly alloc: readonly GenesisAccount[];
  /** Who runs the models, under which policy; what `createPipe` takes. */
  readonly pipe: Omit<PipeOptions, "chainId" | "preExecutor" | "directory">;
  /**
   * Where the scheduler keeps its journal and records, for those who check them: a new one, since the chain itself begins anew with
   * each process. `undefined` keeps none.
   */
  readonly directory?: string;
  readonly gasLimit?: bigint;
  /** Wei. */
  readonly baseFeePerGas?: bigint;
  readonly coinbase?: string;
  readonly times?: Partial<BlockTimes>;
  readonly limits?: Partial<ProducerLimits>;
  readonly pool?: Partial<PoolLimits>;
  /** Blocks of which the JSON-RPC face knows. */
  readonly keptBlocks?: number;
  readonly onBlock?: (block: BuiltBlock, times: { readonly sealAtMs: number; readonly lateMs: number }) => void;
}

/** A chain of 500 ms blocks in this process whose contracts ask models. It lives as long as the process. */
export interface EvmDevnet {
  readonly genesis: EvmGenesis;
  readonly pipe: Pipe;
  readonly pool: TransactionPool;
  readonly index: ChainIndex;
  readonly backend: EvmBackend;
  readonly producer: EvmProducer;
  readonly preExecutor: EvmPreExecutor;
  /** Resolves when it cannot go on. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

/** Gas of a block: what this machine executes in the time that a block has. */
const GAS_LIMIT = 30_000_000n;
/** Nine million ether. */
const MAX_TOTAL_WEI = BigInt(Number.MAX_SAFE_INTEGER) * 1_000_000_000n;
const BASE_FEE_WEI = 1_000_000_000n;
const COINBASE = `0x${"c0".repeat(20)}`;
/** A run ends by itself; what takes long is to wait for one's turn while many came at once. */
const PRE_EXECUTION_MS = 30_000;
const KEPT_BLOCKS = 8_192;

/** Starts the chain with its scheduler. Rejects with `OpenFailed`, or what a thread of it died of. */
export async function startEvmDevnet(options: EvmDevnetOptions): Promise<EvmDevnet> {
  const limits = { ...DEFAULT_PRODUCER_LIMITS, ...options.limits };
  const genesis: EvmGenesis = {
    chainId: options.chainId,
    pipeChainId: `evm-${options.chainId}`,
    hardfork: "prague",
    alloc: [depositContract(), ...options.alloc],
    gasLimit: options.gasLimit ?? GAS_LIMIT,
    baseFeePerGas: options.baseFeePerGas ?? BASE_FEE_WEI,
    coinbase: options.coinbase ?? COINBASE,
    timestamp: Math.floor(Date.now() / 1000),
  };
  // Fees are counted in gwei as safe integers; who could pay in more than that could stop the chain.
  const totalWei = genesis.alloc.reduce((sum, { balanceWei }) => sum + balanceWei, 0n);
  if (totalWei > MAX_TOTAL_WEI)
    throw new RangeError(`the accounts have ${totalWei} wei together, of at most ${MAX_TOTAL_WEI}`);
  const common = sharedCommon(genesis.chainId, genesis.hardfork);
  const threads = await startThreads(genesis);
  const { builder, simulator, head } = threads;
  const failed = Promise.withResolvers<Error>();
  const fail = (error: Error) => failed.resolve(error);
  void builder.ended.then(fail);
  void simulator.ended.then(fail);

  const pool = new TransactionPool({ ...DEFAULT_POOL_LIMITS, ...options.pool });
  const outcomes = new Outcomes(limits.keptOutcomes);
  const listeners = new Set<(event: BackendEvent) => void>();
  const tell = (event: BackendEvent) => {
    for (const listener of listeners) listener(event);
  };
  let producer: EvmProducer | undefined;
  const nextBlock = () => {
    if (producer === undefined) throw new Error("the producer has not started");
    return producer.nextBlock;
  };
  const preExecutor = new EvmPreExecutor({
    simulator,
    nextBlock,
    async transactionOf(hash, payload) {
      const known = pool.get(hash)?.transaction;
      if (known !== undefined) return known;
      const parsed = await simulator.ask("parse", payload);
      return parsed.ok ? parsed.transaction : undefined;
    },
    isWaiting: (hash) => pool.get(hash)?.kind === "inference",
    refusalOf: (calls) => callRefusalOf(pipe.registry, calls)?.message,
    onCompleted(hash, gasUsed) {
      outcomes.recovered(hash);
      const entry = pool.get(hash);
      if (entry !== undefined) entry.expectedGas = gasUsed;
    },
    onFailed: (hash, reason) => outcomes.failed(hash, reason),
  });
  let pipe: Pipe;
  try {
    pipe = await createPipe({
      ...options.pipe,
      limits: { preExecutionTimeLimitMs: PRE_EXECUTION_MS, ...options.pipe.limits },
      directory: options.directory,
      chainId: genesis.pipeChainId,
      preExecutor,
    });
  } catch (error) {
    await Promise.all([builder.close(), simulator.close()]);
    throw error;
  }
  void pipe.failed.then(fail);
  const index = new ChainIndex(genesisBlock(head, genesis), { keptBlocks: options.keptBlocks ?? KEPT_BLOCKS });
  const nonceBuilt = (sender: string, chainNonce: number) => producer?.nonceBuilt(sender, chainNonce) ?? chainNonce;
  const withdrawals = new Withdrawals({ pipe, pool });
  const intake = new EvmIntake({
    ...{ chainId: genesis.chainId, limits, pool, outcomes, simulator, pipe, withdrawals, nextBlock, nonceBuilt },
    onTaken: ({ transaction }) => tell({ kind: "pending", transaction: indexedTransaction(transaction, common) }),
  });
  producer = new EvmProducer({
    ...{ limits, head, builder, simulator, pipe, pool, outcomes, preExecutor, withdrawals, intake: () => intake },
    times: { ...DEFAULT_TIMES, ...options.times },
    onBlock(block, times) {
      index.append(
        indexedBlock({
          rlp: block.raw,
          common,
          senders: block.included.map(({ transaction }) => transaction.sender),
          receipts: indexedReceipts(block.receipts),
          inference: block.inference,
        }),
      );
      index.finalize(block.head.number - (options.times?.confirmations ?? DEFAULT_TIMES.confirmations));
      options.onBlock?.(block, times);
    },
    onReorg: (toNumber) => index.rollback(toNumber),
    onFailure: fail,
  });
  const following = followPipe({ pipe, pool, outcomes, preExecutor, tell });
  const backend = createBackend({
    ...{
      chainId: genesis.chainId,
      clientVersion: `${PROGRAM}/evm/node-${process.version}`,
      common,
      simulator,
      pipe,
      pool,
    },
    ...{ index, intake, outcomes, nextBlock, nonceBuilt, suggestedTipWei: limits.minTipWei },
    follow(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  });
  producer.start();
  const running = producer;
  return {
    ...{ genesis, pipe, pool, index, backend, producer, preExecutor, failed: failed.promise },
    async close() {
      await running.stop();
      await pipe.close();
      await following;
      await Promise.all([builder.close(), simulator.close()]);
    },
  };
}

function depositContract(): GenesisAccount {
  return { address: DEPOSIT_ADDRESS, balanceWei: 0n, code: Buffer.from(depositCode().slice(2), "hex") };
}

/** Two threads over the same chain: one builds blocks, the other runs what everybody else asks. */
async function startThreads(genesis: EvmGenesis) {
  const [building, simulating] = await Promise.all([
    ChainThread.start(genesis, "evm builder"),
    ChainThread.start(genesis, "evm simulator"),
  ]);
  return { builder: building.thread, simulator: simulating.thread, head: building.head };
}
