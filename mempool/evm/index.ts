/** Ethereum transactions that ask models: an EVM chain in memory that pre-executes them, builds blocks, and replays them. */

export type { EncodedBlock, EvmHead, EvmLog, EvmReceipt, HeaderFields } from "./block.ts";
export { nextBaseFee } from "./block.ts";
export type { Addition } from "./build.ts";
export type { EvmLimits, SealedEvmBlock } from "./chain.ts";
export { DEFAULT_EVM_LIMITS, EvmChain, FollowError } from "./chain.ts";
export type { EvmGenesis, EvmHardfork, GenesisAccount } from "./genesis.ts";
export { HARDFORKS } from "./genesis.ts";
export type { DiscoveredCall } from "./inference.ts";
export type { BlockEnvironment } from "./machine.ts";
export type { AccessEntry, InferenceOptions, OptionsResult } from "./options.ts";
export { inferenceOptions, readOptions } from "./options.ts";
export { decodeCall, INFERENCE_ADDRESS, type DecodedCall, type InferenceRequest } from "./precompile-abi.ts";
export type { Refusal } from "./refusal.ts";
export type { EvmTransaction, ParsedTransaction, TransactionProblem } from "./transaction.ts";
export { parseTransaction, TRANSACTION_LIMITS } from "./transaction.ts";
export type { CallOutcome, CallRequest, EvmRun, GasEstimate } from "./trial.ts";
export type { AccountChange, StateDiff } from "./world.ts";
export type { EvmBlock, EvmFault, EvmFinding, EvmVerdict } from "./replay.ts";
export { verifyEvmBlock } from "./replay.ts";
