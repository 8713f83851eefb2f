import { Context, Effect, Layer, Schema, Stream } from "effect";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { EngineConfig } from "../engine/config.ts";
import { type EmbeddedNode, embeddedNodeTerms } from "../node/embedded-node.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import { PolicyFileError, readPolicyFile } from "../files/policy-file.ts";
import type { SigningKey } from "../proofs/keys.ts";
import { BlockArchive } from "./block-archive.ts";
import { createLiveClock } from "./clock.ts";
import { loadEmulatorRoot } from "./emulator-root.ts";
import { createInProcessTransport } from "./in-process-transport.ts";
import type { Deposit } from "./keyed-deposits.ts";
import type { JournalStore, OpenJournal } from "./journal-store.ts";
import { hasJournal, memoryStore, openFileStore } from "./journal-store.ts";
import { Latencies, startLatencyLog } from "./latency.ts";
import type { LiveLimits } from "./limits.ts";
import { Metrics } from "./metrics.ts";
import type { PipeEvent } from "./notices.ts";
import { PolicyWatch } from "./policy-watch.ts";
import type { OpaqueTransaction } from "./service-views.ts";
import type { PreExecutor } from "./pre-executor.ts";
import type { EmulatorRoot } from "../node/enclave-emulator.ts";
import { embeddedRegistry, openRegistry } from "../registry/default-registry.ts";
import type { Registry } from "../registry/registry.ts";
import { loadRegistry } from "../registry/registry-file.ts";
import type { ProofSettings } from "./proof-settings.ts";
import type { QuoteQuestion } from "./quote.ts";
import { writeManifest } from "./records.ts";
import type { ServiceState } from "./recovery.ts";
import { recover } from "./recovery.ts";
import { epochSeeds, loadSecret, nodeSeedHex, schedulerKey, temporarySecret } from "./secret.ts";
import type { Log } from "./service.ts";
import { Service } from "./service.ts";
import { ServiceFailed } from "./service-failed.ts";
import type { Transport } from "./transport.ts";
import type { Verifier } from "./verification.ts";
import { trustIn } from "../proofs/stage-runner.ts";
import { VerifierPool, verifyWorkerUrl } from "./verifier-pool.ts";

/** A part could not be brought up. `reason` is the part's own word for it, where it has one. */
export class OpenFailed extends Schema.TaggedError<OpenFailed>()("OpenFailed", {
  part: Schema.Literals(["directory", "registry", "policy", "journal", "records", "transport", "service"]),
  reason: Schema.String,
  message: Schema.String,
}) {}

/**
 * A question that was not answered. `failed`: the service is over; what was acknowledged is safe in its directory. `closed`: it
 * was stopped. `overloaded`: too many questions wait; nothing was done, ask again.
 */
export class PipeFailed extends Schema.TaggedError<PipeFailed>()("PipeFailed", {
  reason: Schema.Literals(["failed", "closed", "overloaded"]),
  message: Schema.String,
}) {}

export interface SettingsShape {
  readonly chainId: string;
  /** Version of this program. */
  readonly program: string;
  readonly engine: EngineConfig;
  /** Taken up at every start; `undefined` leaves the one in force. */
  readonly policy: PolicySpec | undefined;
  /** A file that decides the policy, at the start and whenever it changes. */
  readonly policyFile?: FollowedFile;
  readonly limits: LiveLimits;
  readonly proofs: ProofSettings;
  /** Keeps the whole journal, so that it can be replayed from its beginning. */
  readonly retainAll: boolean;
  /** Opens a journal that is kept elsewhere, too; with a directory only. Without it there are the directory's files alone. */
  readonly openJournal?: OpenJournal;
}

/** A policy file as it was found at the start. */
export interface FollowedFile {
  readonly path: string;
  readonly said: string;
  /** Why it could not be followed then. A journal that there is goes on under its own policy; a new one is not begun. */
  readonly refused: PolicyFileError | undefined;
}

/** What the service is made with. */
export class Settings extends Context.Service<Settings, SettingsShape>()("pipe/Settings") {
  static readonly layer = (settings: SettingsShape) => Layer.succeed(Settings, settings);

  /** The policy is what a file says (docs/TUNING.md); what the settings say of it is left aside. */
  static readonly following = (path: string, settings: Omit<SettingsShape, "policy" | "policyFile">) =>
    Layer.effect(
      Settings,
      Effect.promise(async () => {
        const { said, read } = await readPolicyFile(path);
        if (read instanceof PolicyFileError) {
          return { ...settings, policy: undefined, policyFile: { path, said, refused: read } };
        }
        const engine = { ...settings.engine, policy: read };
        return { ...settings, engine, policy: read, policyFile: { path, said, refused: undefined } };
      }),
    );
}

/** The directory and the secret in it. Opened first and closed last: then it gets its manifest, if all went well. */
export class Directory extends Context.Service<
  Directory,
  {
    readonly path: string | undefined;
    readonly secret: Uint8Array;
    /** The root of embedded nodes' enclaves, which are emulated; made when it is first asked for. */
    readonly emulatorRoot: () => Promise<EmulatorRoot>;
    /** Whether what is in it is whole, asked when it is closed: the service was up and everything ended as it should. */
    sound: boolean;
  }
>()("pipe/Directory") {
  static readonly memory = Layer.sync(Directory, () => directoryOf(undefined, temporarySecret()));

  static readonly layer = (path: string) =>
    Layer.effect(
      Directory,
      Effect.acquireRelease(
        opening("directory", () => openDirectory(path)),
        (directory) => (directory.sound ? Effect.promise(() => writeManifest(path)) : Effect.void),
      ),
    );
}

async function openDirectory(path: string): Promise<Context.Service.Shape<typeof Directory>> {
  await mkdir(path, { recursive: true });
  return directoryOf(path, await loadSecret(path));
}

function directoryOf(path: string | undefined, secret: Uint8Array): Context.Service.Shape<typeof Directory> {
  let root: Promise<EmulatorRoot> | undefined;
  const emulatorRoot = () => {
    root ??= loadEmulatorRoot(path, Date.now());
    return root;
  };
  return { path, secret, emulatorRoot, sound: false };
}

/** Makes batches durable, or, without a directory, pretends to. */
export class JournalService extends Context.Service<JournalService, JournalStore>()("pipe/Journal") {
  static readonly layer = Layer.effect(
    JournalService,
    Effect.gen(function* () {
      const { chainId, engine, program, retainAll, policyFile, openJournal = openFileStore } = yield* Settings;
      const place = yield* Directory;
      const refused = policyFile?.refused;
      const directory = place.path === undefined ? undefined : join(place.path, "journal");
      if (refused !== undefined && (directory === undefined || !(yield* Effect.promise(() => hasJournal(directory))))) {
        return yield* opening("policy", () => Promise.reject(refused));
      }
      if (directory === undefined) return memoryStore(engine);
      const open = opening("journal", () => openJournal({ directory, program, chainId, config: engine, retainAll }));
      return yield* Effect.acquireRelease(open, (store) =>
        Effect.promise(async () => {
          const whole = place.sound;
          place.sound = false;
          await store.close(Date.now() * 1000);
          place.sound = whole;
        }),
      );
    }),
  );
}

/** Engine, custody and records as the journal left them, and the blocks that can be asked for. */
export class StateService extends Context.Service<
  StateService,
  { readonly state: ServiceState; readonly archive: BlockArchive; readonly key: SigningKey }
>()("pipe/State") {
  static readonly layer = Layer.effect(
    StateService,
    Effect.gen(function* () {
      const { chainId, engine, proofs, limits } = yield* Settings;
      const { challenges } = proofs;
      const { eventsPerSnapshot } = limits;
      const { path: directory, secret } = yield* Directory;
      const store = yield* JournalService;
      const key = schedulerKey(secret);
      const archive = new BlockArchive(directory, engine.limits.maxReorgDepth + 1);
      const state = yield* Effect.acquireRelease(
        opening("records", () =>
          recover({
            store,
            directory,
            chainId,
            key,
            archive,
            challenges,
            seeds: epochSeeds(secret),
            eventsPerSnapshot,
          }),
        ),
        ({ records }) => Effect.promise(() => records.close()),
      );
      return { state, archive, key };
    }),
  );
}

/** Which models there are, what makes an answer of them valid, and which nodes may answer. */
export class RegistryService extends Context.Service<RegistryService, Registry>()("pipe/Registry") {
  static readonly given = (registry: Registry) => Layer.succeed(RegistryService, registry);

  /** From a file; docs/REGISTRY.md says what stands in it. */
  static readonly file = (path: string) =>
    Layer.effect(
      RegistryService,
      opening("registry", () => loadRegistry(path)),
    );

  /** The package's models, and these nodes alone. */
  static readonly embedded = (nodes: readonly Omit<EmbeddedNode, "seedHex">[]) =>
    Layer.effect(
      RegistryService,
      Effect.gen(function* () {
        const { secret, emulatorRoot } = yield* Directory;
        const listed = keyedNodes(nodes, secret).map((node) => ({
          ...embeddedNodeTerms(node),
          bondGwei: node.bondGwei,
        }));
        return embeddedRegistry(listed, yield* opening("registry", emulatorRoot));
      }),
    );

  /** The package's models, and any node in its own words. */
  static readonly open = Layer.sync(RegistryService, openRegistry);
}

function keyedNodes(nodes: readonly Omit<EmbeddedNode, "seedHex">[], secret: Uint8Array): readonly EmbeddedNode[] {
  return nodes.map((node) => ({ ...node, seedHex: nodeSeedHex(secret, node.id) }));
}

/** Carries assignments to nodes. */
export class TransportService extends Context.Service<TransportService, Transport>()("pipe/Transport") {
  /** Nodes in threads of this process; their keys are derived from the directory's secret, their enclaves are emulated. */
  static readonly embedded = (nodes: readonly Omit<EmbeddedNode, "seedHex">[]) =>
    Layer.effect(
      TransportService,
      Effect.gen(function* () {
        const { secret, emulatorRoot } = yield* Directory;
        const log = yield* logOf;
        const emulator = yield* opening("transport", emulatorRoot);
        const keyed = keyedNodes(nodes, secret);
        const onCrash = (node: string, error: Error) =>
          log("Warn", "a node's thread died", { node, error: error.message });
        const create = opening("transport", async () => createInProcessTransport({ nodes: keyed, emulator, onCrash }));
        return yield* Effect.acquireRelease(create, (transport) => Effect.promise(() => transport.close()));
      }),
    );

  /** One that the embedder made; it is started and closed with the service. */
  static readonly given = (transport: Transport) =>
    Layer.effect(
      TransportService,
      Effect.acquireRelease(Effect.succeed(transport), () => Effect.promise(() => transport.close())),
    );
}

/** Judges proofs. */
export class VerifierService extends Context.Service<VerifierService, Verifier>()("pipe/Verifier") {
  static readonly layer = Layer.effect(
    VerifierService,
    Effect.gen(function* () {
      const { limits } = yield* Settings;
      const { roots } = yield* RegistryService;
      const trust = trustIn(roots);
      const log = yield* logOf;
      const onReplaced = (reason: string, said: string) => log("Warn", "a verifier was replaced", { reason, said });
      const workers = Math.min(MAX_VERIFIERS, Math.max(MIN_VERIFIERS, availableParallelism() - 1));
      const pool = Effect.sync(
        () => new VerifierPool({ workers, limits, trust, workerUrl: verifyWorkerUrl(), onReplaced }),
      );
      const verifier = yield* Effect.acquireRelease(pool, (opened) => Effect.promise(() => opened.close()));
      // The first answers should not wait, and maybe lose their race, for a process that starts.
      yield* Effect.promise(() => verifier.ready);
      return verifier;
    }),
  );
}

/** Two even where there is one core to spare: only the machine can interrupt a pairing for a signature that comes meanwhile. */
const MIN_VERIFIERS = 2;
/** Each checks some ten thousand signatures a second: four are more than the loop can use. */
const MAX_VERIFIERS = 4;

/** Finds out which calls a transaction needs. */
export class PreExecutorService extends Context.Service<PreExecutorService, PreExecutor>()("pipe/PreExecutor") {
  static readonly layer = (preExecutor: PreExecutor) => Layer.succeed(PreExecutorService, preExecutor);
}

/** Asks the service, with its failure as a typed error. A `RangeError` of a wrong argument is the caller's bug. */
function ask<A extends readonly unknown[], B>(question: (...args: A) => Promise<B>) {
  return (...args: A): Effect.Effect<B, PipeFailed> =>
    Effect.tryPromise({ try: () => question(...args), catch: (error) => error }).pipe(
      Effect.catch((error) =>
        error instanceof ServiceFailed
          ? Effect.fail(new PipeFailed({ reason: error.reason, message: error.message }))
          : Effect.die(error),
      ),
    );
}

function effectsOf(service: Service, registry: Registry, latencies: Latencies, key: SigningKey) {
  return {
    submit: ask((signed: unknown) => service.submit(signed)),
    withdraw: ask((hash: string) => service.withdraw(hash)),
    deposit: ask(
      async (account: string, amountGwei: number) => (await service.deposit({ account, amountGwei })) === "made",
    ),
    depositOnce: ask((deposit: Deposit) => service.deposit(deposit)),
    submitOpaque: ask((terms: OpaqueTransaction, payload: Uint8Array) => service.submitOpaque(terms, payload)),
    ready: ask((limit: number) => service.ready(limit)),
    status: ask((hash: string) => service.status(hash)),
    account: ask((id: string) => service.account(id)),
    bond: ask((node: string, bondGwei: number) => service.bond(node, bondGwei)),
    quote: ask((question: QuoteQuestion) => service.quote(question)),
    estimate: ask((question: Parameters<Service["estimate"]>[0]) => service.estimate(question)),
    openBlock: ask((height: number, sealAtUs: number) => service.openBlock(height, sealAtUs)),
    seal: ask((request: Parameters<Service["seal"]>[0]) => service.seal(request)),
    committed: ask((height: number) => service.committed(height)),
    reorged: ask((height: number) => service.reorged(height)),
    stateChanged: ask((keys: readonly string[]) => service.stateChanged(keys)),
    block: ask((height: number) => service.block(height)),
    recentBlock: (height: number) => service.recentBlock(height),
    policy: ask(() => service.policy()),
    setPolicy: ask((policy: PolicySpec) => service.setPolicy(policy)),
    statistics: ask(() => service.statistics()),
    /** Events from now on, for one follower; `undefined` when there are too many. */
    follow: (): AsyncIterableIterator<PipeEvent> | undefined => service.events(),
    /** The same as a stream, which dies when there are too many followers. */
    events: Stream.suspend(() => {
      const followed = service.events();
      if (followed === undefined) return Stream.die(new Error("too many subscribers"));
      return Stream.fromAsyncIterable(
        followed,
        (error) => new PipeFailed({ reason: "failed", message: String(error) }),
      );
    }),
    failed: service.failed,
    registry,
    latencies,
    schedulerKey: key.publicKeyHex,
  };
}

/** The whole service. */
export class PipeService extends Context.Service<PipeService, ReturnType<typeof effectsOf>>()("pipe/PipeService") {
  static readonly layer = Layer.effect(
    PipeService,
    Effect.gen(function* () {
      const { chainId, limits, policy, policyFile, proofs } = yield* Settings;
      const registry = yield* RegistryService;
      const directory = yield* Directory;
      const store = yield* JournalService;
      const { state, archive, key } = yield* StateService;
      const transport = yield* TransportService;
      const verifier = yield* VerifierService;
      const preExecutor = yield* PreExecutorService;
      const metrics = new Metrics(yield* Effect.context<never>());
      const log = yield* logOf;
      const clock = createLiveClock(store.recovered?.lastUs ?? 0);
      if (directory.path === undefined)
        log("Warn", "no directory: nothing that this scheduler holds survives its process", {});
      const latencies = yield* latencyLog(directory.path);
      const parts = { chainId, limits, clock, store, state, archive, transport, verifier, preExecutor };
      const seeds = epochSeeds(directory.secret);
      const service = new Service({ ...parts, proofs, registry, seeds, metrics, latencies, log });
      yield* Effect.addFinalizer(() =>
        Effect.promise(async () => {
          await service.stop();
          directory.sound = service.sound;
        }),
      );
      yield* opening("service", () => service.start(policy));
      if (policyFile !== undefined) yield* following(policyFile, service, log);
      return effectsOf(service, registry, latencies, key);
    }),
  );

  /** All that it needs, but settings, directory, registry, transport and pre-executor. */
  static readonly wired = PipeService.layer.pipe(
    Layer.provide(VerifierService.layer),
    Layer.provide(StateService.layer),
    Layer.provide(JournalService.layer),
  );
}

/** Lets a file decide the policy for as long as the service runs. */
const following = (file: FollowedFile, service: Service, log: Log) => {
  const { path, said, refused } = file;
  const tell = ({ message }: PolicyFileError) => service.policyRefused(path, message.split("\n"));
  const begin = () => {
    if (refused !== undefined) tell(refused);
    const found = (spec: PolicySpec) => service.followPolicy(spec);
    const troubled = (why: string) => log("Warn", why, { file: path });
    return new PolicyWatch({ path, found, refused: tell, troubled }, said);
  };
  return Effect.acquireRelease(Effect.sync(begin), (watch) => Effect.promise(() => watch.close()));
};

/** One line per ten seconds and kind: what a day of it takes is a few megabytes. */
const LATENCY_INTERVAL_MS = 10_000;

/** Latencies, written to `latency.hlog` where there is a directory. */
const latencyLog = Effect.fnUntraced(function* (directory: string | undefined) {
  const latencies = new Latencies();
  if (directory === undefined) return latencies;
  const path = join(directory, "latency.hlog");
  yield* Effect.acquireRelease(
    Effect.sync(() => startLatencyLog(path, latencies, () => Date.now(), LATENCY_INTERVAL_MS)),
    (log) => Effect.promise(() => log.close()),
  );
  return latencies;
});

/** Effect's logger for code that is no fiber. */
const logOf: Effect.Effect<Log> = Effect.gen(function* () {
  const run = Effect.runForkWith(yield* Effect.context<never>());
  return (level, message, fields) =>
    void run(Effect.logWithLevel(level)(message).pipe(Effect.annotateLogs({ ...fields })));
});

function opening<A>(part: OpenFailed["part"], open: () => Promise<A>): Effect.Effect<A, OpenFailed> {
  return Effect.tryPromise({
    try: open,
    catch: (error) => {
      const message = error instanceof Error ? error.message : String(error);
      const reason = error instanceof Error && "code" in error ? String(error.code) : "";
      return new OpenFailed({ part, reason: reason === "" && error instanceof Error ? error.name : reason, message });
    },
  });
}
