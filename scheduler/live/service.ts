import type { TransactionView } from "../engine/commands.ts";
import type { Engine, SealEstimate } from "../engine/engine.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { Command } from "../engine/recorder.ts";
import { type PolicySpec, requirePolicy } from "../../policies/policy.ts";
import { isHashHex, sha256Hex } from "../proofs/digest.ts";
import { identityOf, versioned } from "../files/policy-version.ts";
import { checkTransaction } from "../proofs/transaction.ts";
import type { TransactionTerms } from "../shared/vocabulary.ts";
import { refuseCalls } from "../registry/call-check.ts";
import type { Registry } from "../registry/registry.ts";
import type { BlockArchive } from "./block-archive.ts";
import { ChallengeSampler } from "./challenge-sampler.ts";
import type { LiveClock } from "./clock.ts";
import type { Blob } from "./inbox.ts";
import type { Deposit, DepositOutcome } from "./keyed-deposits.ts";
import type { JournalStore } from "./journal-store.ts";
import type { Latencies } from "./latency.ts";
import type { LiveLimits } from "./limits.ts";
import type { SteppedBatch } from "./loop.ts";
import { Loop } from "./loop.ts";
import type { Metrics } from "./metrics.ts";
import type { PipeEvent } from "./notices.ts";
import { noticeOf } from "./notices.ts";
import type { SealOutcome, SubmitOutcome } from "./outcomes.ts";
import { CLOSED, OVERLOADED, refusedByRegistry, rejected, sealRefused } from "./outcomes.ts";
import type { PreExecutor } from "./pre-executor.ts";
import type { ProofSettings } from "./proof-settings.ts";
import { type Quote, type QuoteQuestion, quoteOf } from "./quote.ts";
import type { BlockRecord } from "./records.ts";
import type { EpochSeeds } from "./records-registry.ts";
import type { ServiceState } from "./recovery.ts";
import { isRepeat, snapshotOf, writeDown } from "./recovery.ts";
import { announceEpochs } from "./registration-announcements.ts";
import { RegistrationEpochs } from "./registration-epochs.ts";
import { Registrations } from "./registrations.ts";
import { failureOf, ServiceFailed } from "./service-failed.ts";
import { copyOf, isDeposit, isAccountName, preview, readyOf, requireNatural, requireOpaque } from "./service-checks.ts";
import type * as View from "./service-views.ts";
import { Subscribers } from "./subscribers.ts";
import type { Transport } from "./transport.ts";
import type { Verifier } from "./verification.ts";
import { World } from "./world.ts";

/** Writes to the service's log. */
export type Log = (
  level: "Info" | "Warn" | "Error",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

export interface ServiceParts {
  readonly chainId: string;
  readonly limits: LiveLimits;
  readonly clock: LiveClock;
  readonly store: JournalStore;
  readonly state: ServiceState;
  readonly archive: BlockArchive;
  readonly transport: Transport;
  readonly verifier: Verifier;
  readonly preExecutor: PreExecutor;
  readonly registry: Registry;
  readonly proofs: ProofSettings;
  readonly seeds: EpochSeeds;
  readonly metrics: Metrics;
  readonly latencies: Latencies;
  readonly log: Log;
}

/**
 * The live service: loop, world, records and those who ask, wired together. Every answer that it gives is durable. It ends
 * by `stop`, or by a failure after which every question is answered with `ServiceFailed`.
 */
export class Service {
  readonly #parts: ServiceParts;
  readonly #loop: Loop<Engine>;
  readonly #world: World;
  readonly #registrations: Registrations;
  readonly #epochs: RegistrationEpochs;
  readonly #sampler: ChallengeSampler;
  readonly #subscribers: Subscribers;
  readonly #sealing = new Map<number, Promise<SealOutcome>>();
  readonly #failed = Promise.withResolvers<Error>();
  /** The snapshot that is being written. */
  #snapshot: Promise<void> | undefined;
  /** Who joined while the transport started. */
  #joining: Set<string> | undefined;
  #renewals: NodeJS.Timeout | undefined;
  #closing = false;
  #stopping: Promise<void> | undefined;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    const { limits, state, transport, verifier, preExecutor, clock, store, chainId } = parts;
    const { maxSubscribers, maxWaitingNotices } = limits;
    this.#subscribers = new Subscribers({ maxSubscribers, maxWaiting: maxWaitingNotices });
    this.#loop = new Loop({
      engine: state.engine,
      clock,
      limits,
      journal: { append: (batch) => this.#timed(store.append(batch)) },
      firstBatch: store.nextBatch,
      carryOut: (batch) => this.#carryOut(batch),
      takeSnapshot: (at) => this.#takeSnapshot(at),
      failureOf,
      onFailure: (failure) => this.#end(failure),
    });
    const { registry, seeds, log } = parts;
    const nowMs = () => Math.floor(clock.nowUs() / 1000);
    this.#epochs = new RegistrationEpochs(chainId, parts.proofs.registrationEpochMs, (epoch) =>
      seeds.registration(epoch),
    );
    this.#registrations = new Registrations({
      chainId,
      nowMs,
      registry,
      epochs: this.#epochs,
      verifier,
      admitted: (node) => this.#joining?.add(node),
      say: (node, event, blobs) => this.#loop.registration(node, event, blobs),
      warn: (message, fields) => log("Warn", message, fields),
    });
    this.#sampler = new ChallengeSampler({
      terms: parts.proofs.challenges,
      seedOf: (epoch) => seeds.challenge(epoch),
      say: (event) => this.#loop.reply(event),
    });
    this.#world = new World({
      chainId,
      clock,
      limits,
      custody: state.custody,
      transport,
      verifier,
      preExecutor,
      registry,
      registrations: this.#registrations,
      epochs: this.#epochs,
      reply: (event, blobs) => this.#loop.reply(event, blobs),
      message: (event, blobs) => this.#loop.message(event, blobs),
      onVerdict: ({ reason }, mode, waitedUs) => {
        parts.metrics.count("verdicts", 1, { reason, mode });
        parts.metrics.observeUs("proofWait", waitedUs, { mode });
        parts.latencies.record(`wait-${mode}`, waitedUs);
      },
      onMalformed: (said) => parts.log("Warn", "a node said something that is no message", { said: preview(said) }),
    });
  }

  /**
   * Brings the nodes up and goes on where the journal ends. Nodes that the journal knows and that are not there any more
   * have left. `policy` is taken up when it differs from the one in force; `undefined` leaves that.
   */
  async start(policy: PolicySpec | undefined): Promise<void> {
    const { transport, state, store, log } = this.#parts;
    const joined = new Set<string>();
    this.#joining = joined;
    transport.onMessage((message) => {
      if (!this.#closing) this.#world.hear(message);
    });
    void store.ended?.then((error) => this.#loop.abort(error));
    const known = [...state.custody.nodes.keys()];
    await this.#announceModels();
    this.#renewals = announceEpochs(this.#parts, this.#epochs);
    await transport.start();
    await this.#registrations.settled();
    this.#joining = undefined;
    if (policy !== undefined) await this.followPolicy(policy);
    this.#parts.metrics.policy(identityOf(state.engine.policy));
    // With it come the nodes that have joined by now: who asks after the start finds them.
    if (store.recovered === undefined) return void (await this.#ask({ kind: "woken" }, true));
    for (const node of known) if (!joined.has(node)) this.#loop.reply({ kind: "node-left", node });
    await this.#ask({ kind: "restarted" }, true);
    this.#sampler.resume({
      blocks: state.custody.blocks,
      transaction: (hash) => state.engine.status(hash),
      wasChallenged: (txHash, callIndex) => state.custody.wasChallenged(txHash, callIndex),
    });
    const { lastBatch, tornTail, closedCleanly, refusedSnapshots } = store.recovered;
    log("Info", "went on from the journal", { lastBatch, tornTail, closedCleanly, refusedSnapshots });
  }

  /**
   * Before any node joins the journal says which models are known, and what makes their answers valid. Bonds are told when the
   * registry is another one than last time: what has been forfeited since must not come back with every start.
   */
  async #announceModels(): Promise<void> {
    const { registry, state } = this.#parts;
    if (registry.digest === state.custody.models) return;
    const bonds = [...registry.nodes.values()].filter(
      ({ id, bondGwei }) => state.engine.bond(id).bondGwei !== bondGwei,
    );
    await Promise.all(bonds.map(({ id, bondGwei }) => this.#ask({ kind: "bond-changed", node: id, bondGwei }, true)));
    const bytes = Buffer.from(registry.lines.map((line) => `${line}\n`).join(""));
    await this.#loop.ask({ kind: "registry-changed", hash: registry.digest }, [{ hash: registry.digest, bytes }], true);
  }

  /** Resolves when the service has failed; never when it is stopped. */
  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  // ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Checks and admits a signed transaction. Answers when the outcome is durable. */
  async submit(signed: unknown): Promise<SubmitOutcome> {
    if (this.#closing) return CLOSED;
    const checked = checkTransaction(signed, this.#parts.chainId);
    if (!checked.ok) return checked;
    const refusal = refuseCalls(this.#parts.registry, checked.terms.calls ?? [], (hash) => checked.inputs.get(hash));
    if (refusal !== undefined) return refusedByRegistry(refusal);
    const blobs = [...checked.inputs].map(([hash, bytes]) => ({ hash, bytes }));
    return this.#admit(checked.terms, blobs);
  }

  /**
   * Admits a transaction in the chain's own format, whose signature the caller has checked and whose calls the pre-executor
   * finds; the payload is what that is given. Rejects with a `RangeError` for terms that cannot be.
   */
  async submitOpaque(terms: View.OpaqueTransaction, payload: Uint8Array): Promise<SubmitOutcome> {
    requireOpaque(terms, payload);
    if (this.#closing) return CLOSED;
    return this.#admit({ ...terms, calls: undefined }, [{ hash: sha256Hex(payload), bytes: payload }]);
  }

  async #admit(transaction: TransactionTerms, blobs: readonly Blob[]): Promise<SubmitOutcome> {
    if (!this.#hasRoomFor(blobs)) return OVERLOADED;
    const produced = this.#loop.ask({ kind: "submitted", transaction }, blobs, false);
    if (produced === undefined) return OVERLOADED;
    for (const command of await produced) if (command.kind === "rejected") return rejected(command.rejection);
    return { ok: true, hash: transaction.hash };
  }

  /** False when it is not in the mempool (any more). */
  async withdraw(hash: string): Promise<boolean> {
    if (!isHashHex(hash)) return false;
    const commands = await this.#ask({ kind: "withdrawn", hash }, false);
    return commands.some(({ kind }) => kind === "notify");
  }

  /** Credits an account, as the chain's deposit contract told; with a key once, but for those that are under way together. */
  async deposit(deposit: Deposit): Promise<DepositOutcome> {
    const known = isDeposit(deposit) ? this.#parts.state.custody.deposits.outcomeOf(deposit) : "refused";
    if (known !== undefined) return known;
    const commands = await this.#ask({ kind: "deposited", ...deposit }, false);
    return commands.some(({ kind }) => kind === "moved") ? "made" : "refused";
  }

  /** What a node has put up in all, as the chain says. False when that was not taken. */
  async bond(node: string, bondGwei: number): Promise<boolean> {
    if (!isAccountName(node) || !Number.isSafeInteger(bondGwei) || bondGwei < 0) return false;
    await this.#ask({ kind: "bond-changed", node, bondGwei }, false);
    return this.#read((engine) => engine.bond(node).bondGwei === bondGwei);
  }

  /**
   * Transactions that have all of their results, at most so many, in the mempool's order, with what they were submitted as and
   * the outputs of their calls: what a producer that executes them itself chooses from.
   */
  ready(limit: number): Promise<readonly View.ReadyTransaction[]> {
    return this.#read((engine) => engine.ready(limit).map((view) => readyOf(view, this.#parts.state.custody)));
  }

  status(hash: string): Promise<TransactionView | undefined> {
    return this.#read((engine) => copyOf(engine.status(hash)));
  }

  account(id: string): Promise<View.AccountView | undefined> {
    return this.#read((engine) => engine.account(id));
  }

  /** P(sealing by block b) for each block that may still carry it; empty for an unknown hash (P14). */
  estimate(question: string | TransactionTerms): Promise<readonly SealEstimate[]> {
    return this.#read((engine, nowUs) => engine.estimate(question, nowUs));
  }

  /** What a call costs, takes and guarantees in each mode. Rejects with a `RangeError` for a question that makes no sense. */
  quote(question: QuoteQuestion): Promise<Quote> {
    return this.#read((engine, nowUs) => quoteOf(engine, this.#parts.registry, question, nowUs));
  }

  // ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Tells which block is being built and when it seals. */
  async openBlock(height: number, sealAtUs: number): Promise<void> {
    requireNatural("height", height);
    requireNatural("sealAtUs", sealAtUs);
    await this.#ask({ kind: "block-opened", height, sealAtUs }, true);
  }

  /** The block with its receipts; the same one whenever it is asked for again. */
  async seal(request: View.SealRequest): Promise<SealOutcome> {
    const { height } = request;
    requireNatural("height", height);
    requireNatural("maxTransactions", request.maxTransactions);
    const under = this.#sealing.get(height);
    if (under !== undefined) return under;
    const outcome = this.#seal(request).finally(() => this.#sealing.delete(height));
    this.#sealing.set(height, outcome);
    return outcome;
  }

  async #seal({ height, maxTransactions, order }: View.SealRequest): Promise<SealOutcome> {
    const { archive } = this.#parts;
    const known = archive.recent(height);
    if (known !== undefined) return { ok: true, block: known };
    const commands = await this.#ask({ kind: "seal-requested", height, maxTransactions, order }, true);
    // Found also where the engine refuses because it has forgotten a final block.
    const block = await archive.find(height);
    if (block !== undefined) return { ok: true, block };
    for (const command of commands) if (command.kind === "sealRefused") return sealRefused(command.refusal);
    throw new ServiceFailed("failed", `block ${height} was sealed, but its record cannot be found`);
  }

  /** The chain confirmed the block, and so every one before it: their fees are paid. False when there was nothing to pay. */
  async committed(height: number): Promise<boolean> {
    requireNatural("height", height);
    const heights = this.#parts.state.custody.uncommittedThrough(height);
    const answers = heights.map((one) => this.#ask({ kind: "block-committed", height: one }, true));
    const commands = (await Promise.all(answers)).flat();
    return commands.some(({ kind }) => kind === "committed");
  }

  /** The chain took back the block and every later one. False when none of them is known, or they are final. */
  async reorged(height: number): Promise<boolean> {
    requireNatural("height", height);
    const commands = await this.#ask({ kind: "block-reverted", height }, true);
    return commands.some(({ kind }) => kind === "reverted");
  }

  /** The chain's state changed under these keys: transactions that read one of them are pre-executed again. */
  async stateChanged(keys: readonly string[]): Promise<void> {
    await this.#ask({ kind: "state-changed", keys }, true);
  }

  /** The block that is on the chain at this height, with its receipts. */
  async block(height: number): Promise<BlockRecord | undefined> {
    await this.#parts.state.records.flush();
    return this.#parts.archive.find(height);
  }

  /** The same if it is at hand: nothing is looked up. */
  recentBlock(height: number): BlockRecord | undefined {
    return this.#parts.archive.recent(height);
  }

  // ── operation ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Rejects with a `RangeError` for what is no policy. */
  async setPolicy(policy: PolicySpec): Promise<void> {
    requirePolicy(policy);
    await this.#ask({ kind: "policy-changed", policy: versioned(policy) }, true);
  }

  /** In force for races that open now. */
  policy(): Promise<PolicySpec> {
    return this.#read((engine) => engine.policy);
  }

  /** Takes it up unless what is in force says the same. */
  async followPolicy(policy: PolicySpec): Promise<void> {
    const inForce = await this.#read((engine) => identityOf(engine.policy).version);
    if (identityOf(versioned(policy)).version !== inForce) await this.setPolicy(policy);
  }

  /** A policy file cannot be followed. */
  policyRefused(file: string, problems: readonly string[]): void {
    const { log, metrics, state } = this.#parts;
    const { name, version } = identityOf(state.engine.policy);
    metrics.count("policies", 1, { became: "refused" });
    log("Warn", "the policy file is refused, the policy in force stays", { file, problems, name, version });
    this.#subscribers.publish({ kind: "policy-refused", file, problems });
  }

  /** Events from now on; `undefined` when there are too many subscribers. */
  events(): AsyncIterableIterator<PipeEvent> | undefined {
    return this.#subscribers.subscribe();
  }

  statistics(): Promise<View.ServiceStatistics> {
    return this.#read((engine) => ({
      counters: { ...engine.counters },
      sizes: engine.sizes,
      ledger: engine.ledger,
      droppedMessages: this.#loop.inbox.dropped,
      blobBytes: this.#parts.state.custody.blobBytes,
      policy: identityOf(engine.policy),
    }));
  }

  /** Takes no more, finishes what is under way, and keeps the state in a last snapshot. Stopping twice is stopping once. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#renewals);
    await this.#loop.stop();
    this.#subscribers.close();
    const n = this.#loop.lastBatch;
    await this.#snapshot;
    if (this.#loop.failure === undefined && n > 0) await this.#takeSnapshot({ n, atUs: this.#parts.clock.nowUs() });
    await this.#snapshot;
  }

  /** Whether everything that was acknowledged is in the journal and the records. */
  get sound(): boolean {
    return this.#loop.failure === undefined;
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `urgent`: what few send, and everything waits for. */
  #ask(event: EngineEvent, urgent: boolean): Promise<readonly Command[]> {
    if (this.#closing) return Promise.reject(new ServiceFailed("closed", "the service is closed"));
    const overloaded = (): ServiceFailed => new ServiceFailed("overloaded", "too many requests wait; ask again later");
    return this.#loop.ask(event, [], urgent) ?? Promise.reject(overloaded());
  }

  #read<A>(look: (engine: Engine, nowUs: number) => A): Promise<A> {
    if (this.#closing) return Promise.reject(new ServiceFailed("closed", "the service is closed"));
    return this.#loop.read(look);
  }

  #hasRoomFor(blobs: readonly Blob[]): boolean {
    // Those that wait for the loop count: a thousand requests of one moment must not pass where one would not.
    const bytes = blobs.reduce((sum, blob) => sum + blob.bytes.length, this.#loop.inbox.requestBytes);
    return this.#parts.state.custody.blobBytes + bytes <= this.#parts.limits.maxBlobBytes;
  }

  #carryOut(batch: SteppedBatch): void {
    const { state, archive, metrics, latencies, store } = this.#parts;
    for (const step of batch.steps) {
      const news = step.commands.filter((command) => !isRepeat(command, state.custody));
      writeDown(step, batch.atUs, state, archive);
      if (step.event.kind === "policy-changed") this.#policyChanged(step.event.policy);
      for (const command of news) {
        this.#world.carryOut(command);
        if (command.kind === "sealed") this.#sampler.sealed(command.block);
        metrics.note(command);
        latencies.note(command);
        if (this.#subscribers.count === 0) continue;
        const notice = noticeOf(command);
        if (notice !== undefined) this.#subscribers.publish(notice);
      }
    }
    state.records.flush().catch((error: unknown) => this.#loop.abort(error));
    metrics.count("events", batch.steps.length);
    metrics.gauge("proofs", this.#parts.verifier.queueLength);
    metrics.gauge("nodes", state.custody.nodes.size);
    metrics.gauge("waiting", this.#loop.inbox.length);
    metrics.gauge("dropped", this.#loop.inbox.dropped);
    metrics.gauge("blobs", state.custody.blobBytes);
    metrics.gauge("journal", store.backlogBytes);
  }

  #policyChanged(spec: PolicySpec): void {
    const { log, metrics } = this.#parts;
    const policy = identityOf(spec);
    metrics.policy(policy);
    metrics.count("policies", 1, { became: "changed" });
    log("Info", "another policy is in force", { ...policy });
    this.#subscribers.publish({ kind: "policy-changed", policy });
  }

  /**
   * Called when batch n is carried out and nothing after it is stepped. The records must be durable as far as the snapshot
   * says, and the copy is taken at once; writing it holds nobody up.
   */
  async #takeSnapshot({ n, atUs }: { readonly n: number; readonly atUs: number }): Promise<void> {
    const { state, store, log } = this.#parts;
    // On a slow disk the next one is due too early: to wait would stop the loop, to leave it out lengthens a restart.
    if (this.#snapshot !== undefined) return log("Warn", "a snapshot was left out: the last is being written", {});
    const snapshot = await snapshotOf(state);
    this.#snapshot = store
      .writeSnapshot({ n, atUs, state: snapshot })
      .catch((error: unknown) => log("Warn", "a snapshot could not be written", { error: String(error) }))
      .then(() => {
        this.#snapshot = undefined;
      });
  }

  async #timed(durable: Promise<void>): Promise<void> {
    const startedMs = performance.now();
    await durable;
    const tookUs = (performance.now() - startedMs) * 1000;
    this.#parts.latencies.record("journal", tookUs);
    this.#parts.metrics.observeUs("journal", tookUs);
  }

  #end(failure: Error): void {
    clearInterval(this.#renewals);
    this.#parts.log("Error", failure.message, { cause: String(failure.cause) });
    this.#subscribers.close();
    this.#failed.resolve(failure);
  }
}
