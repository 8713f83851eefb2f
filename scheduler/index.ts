import { Effect, Layer, Logger, ManagedRuntime, References } from "effect";
import type { Logger as Pino } from "pino";
import { requirePlacement } from "../policies/placement.ts";
import { type PolicySpec, requirePolicy } from "../policies/policy.ts";
import { DEFAULT_CONFIG, type EngineConfig } from "./engine/config.ts";
import type { TransactionView } from "./engine/commands.ts";
import type { SealEstimate } from "./engine/engine.ts";
import { versioned } from "./files/policy-version.ts";
import { createPino, type LogLevel, pinoLogger } from "./live/logger.ts";
import {
  Directory,
  PipeFailed,
  PipeService,
  PreExecutorService,
  RegistryService,
  Settings,
  TransportService,
} from "./live/layers.ts";
import type { OpenJournal } from "./live/journal-store.ts";
import type { LatencyName, LatencySummary } from "./live/latency.ts";
import { assertLiveLimits, DEFAULT_LIVE_LIMITS, type LiveLimits } from "./live/limits.ts";
import type { PipeEvent } from "./live/notices.ts";
import { CLOSED, type SealOutcome, type SubmitOutcome } from "./live/outcomes.ts";
import { declaredCalls, type PreExecutor } from "./live/pre-executor.ts";
import { PROGRAM } from "./live/program.ts";
import { assertProofSettings, DEFAULT_PROOF_SETTINGS, type ProofSettings } from "./live/proof-settings.ts";
import type { Quote, QuoteQuestion } from "./live/quote.ts";
import type { BlockRecord } from "./live/records.ts";
import type {
  AccountView,
  OpaqueTransaction,
  ReadyTransaction,
  SealRequest,
  ServiceStatistics,
} from "./live/service-views.ts";
import type { Transport } from "./live/transport.ts";
import type { EmbeddedNode } from "./node/embedded-node.ts";
import { Registry } from "./registry/registry.ts";
import { intakeOf } from "./proofs/transaction-digest.ts";
import type { SignedTransaction } from "./proofs/transaction.ts";

export type { PolicySpec } from "../policies/policy.ts";
export type { PolicyIdentity } from "./files/policy-version.ts";
export { loadPolicyFile, PolicyFileError } from "./files/policy-file.ts";
export type { FileProblem as PolicyProblem } from "./files/problems.ts";
export type { Rejection } from "../mempool/rejection.ts";
export type { CallResult, SealRefusal, TransactionView } from "./engine/commands.ts";
export { DEFAULT_CONFIG, type EngineConfig } from "./engine/config.ts";
export type { SealEstimate } from "./engine/engine.ts";
export { type BlockProducer, type BlockProducerOptions, startBlockProducer } from "./live/block-producer.ts";
export { createInProcessTransport, defaultFleet } from "./live/in-process-transport.ts";
export * as layers from "./live/layers.ts";
export { OpenFailed, PipeFailed } from "./live/layers.ts";
export type { OpenJournal } from "./live/journal-store.ts";
export { DEFAULT_LIVE_LIMITS, type LiveLimits } from "./live/limits.ts";
export type { PipeEvent } from "./live/notices.ts";
export type { SealOutcome, SubmitOutcome, SubmitProblem } from "./live/outcomes.ts";
export { declaredCalls, type PreExecution, type PreExecutionRequest, type PreExecutor } from "./live/pre-executor.ts";
export { DEFAULT_PROOF_SETTINGS, type ProofSettings } from "./live/proof-settings.ts";
export type { ModeQuote, Quote, QuotedLatency, QuoteQuestion } from "./live/quote.ts";
export type { BlockRecord } from "./live/records.ts";
export type {
  AccountView,
  OpaqueTransaction,
  ReadyTransaction,
  SealRequest,
  ServiceStatistics,
} from "./live/service-views.ts";
export { readRegistryView } from "./live/registry-view-file.ts";
export { ServiceFailed } from "./live/service-failed.ts";
export type { Assignment, NodeMessage, Proof, Transport } from "./live/transport.ts";
export type { EmbeddedNode } from "./node/embedded-node.ts";
export { createEmulatorRoot, type EmulatorRoot } from "./node/enclave-emulator.ts";
export { type SigningKey, signingKeyFromSeed } from "./proofs/keys.ts";
export type { Receipt } from "./proofs/receipt.ts";
export type { RegistryEntry } from "./proofs/registry-log.ts";
export { RegistryView } from "./proofs/registry-view.ts";
export {
  type SignedTransaction,
  signTransaction,
  transactionHash,
  type UnsignedTransaction,
} from "./proofs/transaction.ts";
export type { CallRefusal } from "./registry/call-check.ts";
export { Registry, type RegisteredModel, type RegisteredNode, type RegisteredRoot } from "./registry/registry.ts";
export { loadRegistry, RegistryError } from "./registry/registry-file.ts";
export { type BlockCheck, type BlockFinding, verifyBlock } from "./proofs/verify-block.ts";
export type { CallTerms, Lane, Mode, NodeTerms, Offer, TransactionState } from "./shared/vocabulary.ts";

/** A node in a thread of this process. Its key is derived from the directory's secret, whatever seed it comes with. */
export type EmbeddedNodeOptions = Omit<EmbeddedNode, "seedHex">;

export interface PipeOptions {
  /** Journal, records and keys; made when it is not there. `undefined`: nothing survives this process. */
  readonly directory: string | undefined;
  readonly chainId: string;
  /** Who runs the models: nodes in this process, or a transport to others. It is closed with the scheduler. */
  readonly fleet: { readonly nodes: readonly EmbeddedNodeOptions[] } | { readonly transport: Transport };
  /** Taken up at the start. Without it a directory's own policy stays in force, and a new one begins with the default. */
  readonly policy?: PolicySpec;
  /**
   * A policy file (docs/TUNING.md) in place of `policy`. It is followed: what it says when it changes is in force for the races
   * that open from then on. A file that cannot be followed is refused with a warning, and what was in force stays so.
   */
  readonly policyFile?: string;
  /** What differs from `DEFAULT_CONFIG`. A directory goes on only with the configuration that it was begun with. */
  readonly engine?: Partial<Omit<EngineConfig, "policy">>;
  /** What differs from `DEFAULT_LIVE_LIMITS`. */
  readonly limits?: Partial<LiveLimits>;
  /** What differs from `DEFAULT_PROOF_SETTINGS`. */
  readonly proofs?: Partial<ProofSettings>;
  /**
   * Which models there are, what makes an answer valid, and which nodes may join: a registry or its file (docs/REGISTRY.md). Without
   * it there are the package's models; of `nodes` in this process all may join and no others, by a `transport` whoever comes.
   */
  readonly registry?: Registry | string;
  /** Finds out the calls of transactions; without it they are those that the sender declared. */
  readonly preExecutor?: PreExecutor;
  /** A pino logger, or the level from which on lines go to standard error. Without it warnings and errors do. */
  readonly logger?: Pino | LogLevel;
  /**
   * Keeps the journal elsewhere, too, as `openShard` of `pipe-scheduler/nats` does: then this scheduler may have to wait, as a
   * standby, before `createPipe` resolves. Needs a directory.
   */
  readonly journal?: OpenJournal;
  /** Deletes parts of the journal that no restart needs. Then the whole of it cannot be replayed any more. */
  readonly pruneJournal?: boolean;
}

/**
 * The scheduler, for programs that do not use Effect. Expected outcomes are returned. A promise rejects with `PipeFailed` when
 * the scheduler has failed, is closed, or has too much to do, and with a `RangeError` for an argument that makes no sense.
 */
export interface Pipe {
  /** Public key that signs block headers, hexadecimal. */
  readonly schedulerKey: string;
  /** Which models and nodes there are. */
  readonly registry: Registry;
  /** Resolves when the scheduler cannot go on. Start it again from its directory. */
  readonly failed: Promise<Error>;

  /** Anything; a `SignedTransaction` if all is well. Resolves when the outcome is durable. */
  submit(signed: unknown): Promise<SubmitOutcome>;
  /**
   * A transaction in the chain's own format, whose signature the caller has checked and whose calls the pre-executor finds. The
   * payload is what that is given. Rejects with a `RangeError` for terms that cannot be.
   */
  submitOpaque(transaction: OpaqueTransaction, payload: Uint8Array): Promise<SubmitOutcome>;
  /** Transactions that have all of their results, at most so many: what a producer that executes them itself chooses from. */
  ready(limit: number): Promise<readonly ReadyTransaction[]>;
  /** Takes a transaction out of the mempool and refunds it. False when it is not in there. */
  withdraw(hash: string): Promise<boolean>;
  /** Credits an account that pays for inference, as the chain says. False when the amount is out of range. */
  deposit(deposit: { readonly account: string; readonly amountGwei: number }): Promise<boolean>;
  status(hash: string): Promise<TransactionView | undefined>;
  account(id: string): Promise<AccountView | undefined>;
  /** The probability of sealing by each block that may still carry it; of one not submitted yet, as if it were now. */
  estimate(transaction: string | SignedTransaction): Promise<readonly SealEstimate[]>;
  /** What a call costs, takes and guarantees in each mode: how much proof to buy. */
  quote(question: QuoteQuestion): Promise<Quote>;
  /** What a node has put up in all, as the chain says. False when the amount is out of range, or there are too many nodes. */
  bond(bond: { readonly node: string; readonly amountGwei: number }): Promise<boolean>;

  /** Which block is being built, and when it seals (Unix milliseconds). */
  openBlock(block: { readonly height: number; readonly sealAtMs: number }): Promise<void>;
  /** The block with its receipts and their root. Asked again, it is the same block. */
  seal(request: SealRequest): Promise<SealOutcome>;
  /** The chain confirmed this block and all before it: their fees are paid. False when that was known. */
  committed(height: number): Promise<boolean>;
  /** The chain took back this block and all after it. False when none of them is known, or they are final. */
  reorged(height: number): Promise<boolean>;
  /** The chain's state changed under these keys. */
  stateChanged(keys: readonly string[]): Promise<void>;
  /** The block on the chain at this height, with its receipts and their proofs. */
  receipts(height: number): Promise<BlockRecord | undefined>;

  /** Everything that happens from now on. A slow follower gets `lagged` in place of what it missed. */
  events(): AsyncIterableIterator<PipeEvent>;
  setPolicy(policy: PolicySpec): Promise<void>;
  statistics(): Promise<ServiceStatistics>;
  latency(name: LatencyName): LatencySummary;
  /** Finishes what is under way, makes it durable, and ends everything that `createPipe` started. */
  close(): Promise<void>;
}

/** Starts a scheduler, or goes on where the directory's journal ends. Rejects with `OpenFailed`. */
export async function createPipe(options: PipeOptions): Promise<Pipe> {
  const runtime = ManagedRuntime.make(pipeLayer(options));
  try {
    return facadeOf(await runtime.runPromise(PipeService.use(Effect.succeed)), runtime);
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}

type Service = PipeService["Service"];

function facadeOf(service: Service, runtime: ManagedRuntime.ManagedRuntime<PipeService, unknown>): Pipe {
  let closing: Promise<void> | undefined;
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
    closing === undefined
      ? runtime.runPromise(effect)
      : Promise.reject(new PipeFailed({ reason: "closed", message: "the scheduler is closed" }));
  return {
    schedulerKey: service.schedulerKey,
    registry: service.registry,
    failed: service.failed,
    submit: (signed) => (closing === undefined ? run(service.submit(signed)) : Promise.resolve(CLOSED)),
    submitOpaque: (transaction, payload) =>
      closing === undefined ? run(service.submitOpaque(transaction, payload)) : Promise.resolve(CLOSED),
    ready: (limit) => run(service.ready(limit)),
    withdraw: (hash) => run(service.withdraw(hash)),
    deposit: ({ account, amountGwei }) => run(service.deposit(account, amountGwei)),
    status: (hash) => run(service.status(hash)),
    account: (id) => run(service.account(id)),
    estimate: (question) => run(service.estimate(typeof question === "string" ? question : intakeOf(question).terms)),
    quote: (question) => run(service.quote(question)),
    bond: ({ node, amountGwei }) => run(service.bond(node, amountGwei)),
    openBlock: ({ height, sealAtMs }) => run(service.openBlock(height, Math.round(sealAtMs * 1000))),
    seal: (request) => run(service.seal(request)),
    committed: (height) => run(service.committed(height)),
    reorged: (height) => run(service.reorged(height)),
    stateChanged: (keys) => run(service.stateChanged(keys)),
    receipts: (height) => run(service.block(height)),
    events: () => {
      const events = service.follow();
      if (events === undefined)
        throw new RangeError("too many subscribers: leave the loops of those that are not needed");
      return events;
    },
    setPolicy: (policy) => run(service.setPolicy(policy)),
    statistics: () => run(service.statistics()),
    latency: (name) => service.latencies.summary(name),
    close: () => {
      closing ??= runtime.dispose();
      return closing;
    },
  };
}

/** The layer that `createPipe` runs, for programs with Effect that want the same of it. Building it fails with `OpenFailed`. */
export function pipeLayer(options: PipeOptions) {
  const { chainId, directory, fleet, policyFile, preExecutor = declaredCalls } = options;
  const limits = { ...DEFAULT_LIVE_LIMITS, ...options.limits };
  assertLiveLimits(limits);
  if (options.policy !== undefined) requirePolicy(options.policy);
  if (options.policy !== undefined && policyFile !== undefined)
    throw new RangeError("give a policy or a policy file, not both: the file would be followed");
  const policy = options.policy === undefined ? undefined : versioned(options.policy);
  const engine = { ...DEFAULT_CONFIG, ...options.engine, policy: policy ?? DEFAULT_CONFIG.policy };
  requirePlacement(engine.placement);
  const retainAll = options.pruneJournal !== true;
  const proofs = { ...DEFAULT_PROOF_SETTINGS, ...options.proofs };
  assertProofSettings(proofs);
  const { journal: openJournal } = options;
  if (openJournal !== undefined && directory === undefined)
    throw new RangeError("a journal that is kept elsewhere, too, needs a directory of this machine's");
  const about = {
    ...{ chainId, program: PROGRAM, engine, limits, retainAll, proofs },
    ...(openJournal === undefined ? {} : { openJournal }),
  };
  const settings =
    policyFile === undefined ? Settings.layer({ ...about, policy }) : Settings.following(policyFile, about);
  const transport = "nodes" in fleet ? TransportService.embedded(fleet.nodes) : TransportService.given(fleet.transport);
  return PipeService.wired.pipe(
    Layer.provide(transport),
    Layer.provide(registryOf(options)),
    Layer.provide(PreExecutorService.layer(preExecutor)),
    Layer.provide(directory === undefined ? Directory.memory : Directory.layer(directory)),
    Layer.provide(settings),
    Layer.provideMerge(loggingTo(options.logger ?? "warn")),
  );
}

function registryOf({ registry, fleet }: PipeOptions) {
  if (registry instanceof Registry) return RegistryService.given(registry);
  if (registry !== undefined) return RegistryService.file(registry);
  return "nodes" in fleet ? RegistryService.embedded(fleet.nodes) : RegistryService.open;
}

function loggingTo(logger: Pino | LogLevel) {
  const root = typeof logger === "string" ? createPino(logger) : logger;
  // The level is pino's to decide.
  return Layer.mergeAll(Logger.layer([pinoLogger(root)]), Layer.succeed(References.MinimumLogLevel, "Trace"));
}
