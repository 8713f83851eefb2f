/**
 * Ethereum transactions whose contracts ask models (docs/EVM.md): a development chain that is whole, and the parts that it is made
 * of, for a chain of one's own.
 */

export { type DevAccount, DEV_MNEMONIC, devAccounts } from "./dev-accounts.ts";
export { type EvmDevnet, type EvmDevnetOptions, startEvmDevnet } from "./devnet.ts";
export type { BuiltBlock } from "./block-building.ts";
export { ChainThread } from "./chain-thread.ts";
export { EvmIntake, type IntakeOptions } from "./intake.ts";
export { DEFAULT_PRODUCER_LIMITS, type ProducerLimits } from "./limits.ts";
export { type EvmOutcome, Outcomes } from "./outcomes.ts";
export { EvmPreExecutor, type EvmPreExecutorOptions } from "./pre-executor.ts";
export { type BlockTimes, DEFAULT_TIMES, EvmProducer, type ProducerOptions } from "./producer.ts";

// JSON-RPC
export type { BackendEvent, EvmBackend, PipeEventView, PipeStatus } from "./rpc/backend.ts";
export { ChainIndex, type ChainIndexOptions } from "./rpc/chain-index.ts";
export { DEFAULT_RPC_LIMITS, type RpcLimits } from "./rpc/limits.ts";
export type { EvmProblem } from "./rpc/problems.ts";
export { type RpcServer, type RpcServerOptions, startRpcServer } from "./rpc/server.ts";

// the chain, and what a validator needs
export type { EvmHead, EvmLog, EvmReceipt, HeaderFields } from "../../mempool/evm/block.ts";
export type { Addition } from "../../mempool/evm/build.ts";
export {
  DEFAULT_EVM_LIMITS,
  EvmChain,
  type EvmLimits,
  FollowError,
  type SealedEvmBlock,
} from "../../mempool/evm/chain.ts";
export { DEPOSIT_ADDRESS, type Deposit, depositCode, depositOf } from "../../mempool/evm/deposit.ts";
export { type EvmGenesis, type EvmHardfork, type GenesisAccount, HARDFORKS } from "../../mempool/evm/genesis.ts";
export type { DiscoveredCall } from "../../mempool/evm/inference.ts";
export type { BlockEnvironment } from "../../mempool/evm/machine.ts";
export { type EvmBlock, type EvmFinding, type EvmVerdict, verifyEvmBlock } from "../../mempool/evm/replay.ts";
export type { CallOutcome, CallRequest, EvmRun, GasEstimate } from "../../mempool/evm/trial.ts";
export type { AccountChange, StateDiff } from "../../mempool/evm/world.ts";

// transactions, and what contracts and senders say
export { type AccessEntry, type InferenceOptions, inferenceOptions, readOptions } from "../../mempool/evm/options.ts";
export { type DecodedCall, decodeCall, INFERENCE_ADDRESS } from "../../mempool/evm/precompile-abi.ts";
export {
  type EvmTransaction,
  type ParsedTransaction,
  parseTransaction,
  TRANSACTION_LIMITS,
  type TransactionProblem,
} from "../../mempool/evm/transaction.ts";
export {
  DEFAULT_POOL_LIMITS,
  type PoolEntry,
  type PoolLimits,
  TransactionPool,
} from "../../mempool/evm/transaction-pool.ts";
