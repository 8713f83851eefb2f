import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, layer } from "@effect/vitest";
import { Effect, Exit, Layer, Logger, Scope } from "effect";
import { DEFAULT_CONFIG, DEFAULT_LIVE_LIMITS, declaredCalls, defaultFleet, layers } from "../../scheduler/index.ts";
import { DEFAULT_PROOF_SETTINGS } from "../../scheduler/live/proof-settings.ts";
import { ECHO_REGISTRY } from "./support/registries.ts";
import { honest, ScriptedNodes, scriptedNode } from "./support/scripted-nodes.ts";
import { CHAIN, User } from "./support/users.ts";

const {
  Directory,
  OpenFailed,
  PipeFailed,
  PipeService,
  PreExecutorService,
  RegistryService,
  Settings,
  TransportService,
} = layers;

const temporaryDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "pipe-layers-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true })),
);

interface Parts {
  readonly nodes?: ScriptedNodes;
  readonly chainId?: string;
}

function scripted(): ScriptedNodes {
  return new ScriptedNodes([scriptedNode(0, honest), scriptedNode(1, honest)]);
}

/** The service over a directory. Fresh, since Effect gives a layer that it has built already a second time. */
function pipeIn(directory: string, { nodes = scripted(), chainId = CHAIN }: Parts = {}) {
  const settings = Settings.layer({
    chainId,
    program: "layers-test/1.0.0",
    engine: DEFAULT_CONFIG,
    policy: undefined,
    limits: DEFAULT_LIVE_LIMITS,
    proofs: DEFAULT_PROOF_SETTINGS,
    retainAll: true,
  });
  const fleet = Layer.mergeAll(TransportService.given(nodes), PreExecutorService.layer(declaredCalls));
  const parts = Layer.merge(fleet, RegistryService.given(ECHO_REGISTRY));
  const wired = PipeService.wired.pipe(Layer.provide(parts), Layer.provide(Directory.layer(directory)));
  return Layer.fresh(wired.pipe(Layer.provide(settings), Layer.provide(Logger.layer([]))));
}

const service = PipeService.use(Effect.succeed);
/** Opens the layer and leaves it at once. */
const openedOnce = (made: ReturnType<typeof pipeIn>) => Effect.asVoid(service.pipe(Effect.provide(made)));

describe("OpenFailed names the part that could not be opened", () => {
  it.effect("the directory, where there can be none", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "file");
      yield* Effect.promise(() => writeFile(file, ""));
      const error = yield* Effect.flip(openedOnce(pipeIn(join(file, "below"))));
      expect(error).toBeInstanceOf(OpenFailed);
      expect(error).toMatchObject({ _tag: "OpenFailed", part: "directory", reason: "ENOTDIR" });
    }),
  );

  it.effect("the journal, while another service has it, and only so long", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory;
      const second = openedOnce(pipeIn(directory)).pipe(
        Effect.as("open"),
        Effect.catchTag("OpenFailed", ({ part, reason }) => Effect.succeed(`${part} ${reason}`)),
      );
      const meanwhile = yield* second.pipe(Effect.provide(pipeIn(directory)));
      expect(meanwhile).toBe("journal locked");
      expect(yield* second).toBe("open");
    }),
  );

  it.effect("the journal, when it is another chain's", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory;
      yield* openedOnce(pipeIn(directory));
      const error = yield* Effect.flip(openedOnce(pipeIn(directory, { chainId: "another-chain" })));
      expect(error).toMatchObject({ part: "journal", reason: "foreign" });
    }),
  );

  it.effect("the service, when its nodes do not start; what was open by then is closed", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory;
      const nodes = scripted();
      nodes.start = () => Promise.reject(new Error("no route to the nodes"));
      const error = yield* Effect.flip(openedOnce(pipeIn(directory, { nodes })));
      expect(error).toMatchObject({ part: "service", message: "no route to the nodes" });
      expect(nodes.closed).toBe(true);
      expect(existsSync(join(directory, "journal", "lock"))).toBe(false);
      yield* openedOnce(pipeIn(directory));
    }),
  );
});

describe("closing the scope", () => {
  it.live("closes nodes, lock and directory, in an order that leaves a manifest", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory;
      const nodes = scripted();
      const scope = yield* Scope.make();
      yield* Layer.buildWithScope(pipeIn(directory, { nodes }), scope);
      const seen = () => ({
        closed: nodes.closed,
        lock: existsSync(join(directory, "journal", "lock")),
        manifest: existsSync(join(directory, "MANIFEST.sha256")),
      });
      expect(seen()).toEqual({ closed: false, lock: true, manifest: false });
      yield* Scope.close(scope, Exit.void);
      expect(seen()).toEqual({ closed: true, lock: false, manifest: true });
    }),
  );

  it.live("makes what would change the service fail with PipeFailed", () =>
    Effect.gen(function* () {
      const closed = yield* service.pipe(Effect.provide(pipeIn(yield* temporaryDirectory)));
      const error = yield* Effect.flip(closed.openBlock(1, 1_000_000));
      expect(error).toBeInstanceOf(PipeFailed);
      const reason = yield* closed
        .deposit(new User(1).id, 1)
        .pipe(Effect.catchTag("PipeFailed", (failed) => Effect.succeed(failed.reason)));
      expect(reason).toBe("closed");
    }),
  );

  it.live("closes it also when what used it fails", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory;
      const nodes = scripted();
      const failing = Effect.andThen(service, Effect.fail("a producer's own trouble" as const));
      const exit = yield* Effect.exit(failing.pipe(Effect.provide(pipeIn(directory, { nodes }))));
      expect(exit).toEqual(Exit.fail("a producer's own trouble"));
      expect(nodes.closed).toBe(true);
      yield* openedOnce(pipeIn(directory));
    }),
  );

  it.live("ends the threads of embedded nodes", () =>
    Effect.gen(function* () {
      const threads = () => process.getActiveResourcesInfo().filter((kind) => kind === "MessagePort").length;
      const before = threads();
      const nodes = defaultFleet({ count: 2, seedHex: "00".repeat(32), latency: "none", faults: "none" });
      const fleet = TransportService.embedded(nodes).pipe(Layer.provide(Directory.memory));
      const started = yield* Effect.gen(function* () {
        const transport = yield* TransportService;
        transport.onMessage(() => undefined);
        yield* Effect.promise(() => transport.start());
        return threads();
      }).pipe(Effect.provide(Layer.fresh(fleet)));
      expect(started).toBeGreaterThan(before);
      expect(threads()).toBe(before);
    }),
  );
});

const shared = Layer.unwrap(Effect.map(temporaryDirectory, (directory) => pipeIn(directory)));

layer(shared, { excludeTestServices: true })("one service for several questions", (one) => {
  const user = new User(1);

  one.effect("takes deposits", () =>
    Effect.gen(function* () {
      const { deposit, account } = yield* PipeService;
      expect(yield* deposit(user.id, 1_000)).toBe(true);
      expect(yield* account(user.id)).toMatchObject({ depositGwei: 1_000 });
    }),
  );

  one.effect("answers refusals as values, not as errors", () =>
    Effect.gen(function* () {
      const { submit } = yield* PipeService;
      expect(yield* submit({ no: "transaction" })).toMatchObject({ ok: false, problem: { kind: "malformed" } });
    }),
  );
});
