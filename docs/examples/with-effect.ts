// The scheduler as a layer of a program that uses Effect: its errors have types, and leaving the scope closes everything.
import { existsSync } from "node:fs";
import { Effect, Fiber, Layer, Stream } from "effect";
import { DEFAULT_CONFIG, DEFAULT_LIVE_LIMITS, DEFAULT_PROOF_SETTINGS } from "pipe-scheduler";
import { declaredCalls, defaultFleet, layers } from "pipe-scheduler";
import { signingKeyFromSeed, signTransaction } from "pipe-scheduler";

const { Directory, PipeService, PreExecutorService, RegistryService, Settings, TransportService } = layers;
const CHAIN = "example-chain";
const DIRECTORY = "with-effect-data";

const policy = { kind: "hedge", delayMs: 300, maxCopies: 3 } as const;
const settings = Settings.layer({
  chainId: CHAIN,
  program: "my-producer/1.0.0",
  engine: { ...DEFAULT_CONFIG, seed: 7, policy },
  policy,
  limits: DEFAULT_LIVE_LIMITS,
  proofs: DEFAULT_PROOF_SETTINGS,
  retainAll: true,
});
const nodes = defaultFleet({ count: 3, seedHex: "00".repeat(32), latency: "none", faults: "none" });
const fleet = Layer.mergeAll(
  TransportService.embedded(nodes),
  RegistryService.embedded(nodes),
  PreExecutorService.layer(declaredCalls),
);

// Each line gives what those above it need. The directory is opened before all that is kept in it, and closed after.
const pipe = PipeService.wired.pipe(
  Layer.provide(fleet),
  Layer.provide(Directory.layer(DIRECTORY)),
  Layer.provide(settings),
);

const user = signingKeyFromSeed(new Uint8Array(32).fill(1));
const call = {
  model: "risk-small",
  mode: "vanilla",
  input: Buffer.from(new Float32Array(16).fill(0.5).buffer).toString("base64"),
  tokensIn: 16,
  tokensOut: 1,
  maxFeeGwei: 2_000,
  conflict: { kind: "first-valid" },
  validityBlocks: 8,
} as const;
const unsigned = { chainId: CHAIN, sender: user.publicKeyHex, nonce: 0, gasPriceGwei: 1, ttlBlocks: 8, calls: [call] };

/** One block with one answer in it. */
const produce = Effect.gen(function* () {
  const service = yield* PipeService;
  yield* service.deposit(user.publicKeyHex, 100_000);
  yield* service.openBlock(1, (Date.now() + 500) * 1_000);

  // Whoever waits for an event follows before it can happen.
  const ready = yield* service.events.pipe(
    Stream.takeUntil((event) => event.kind === "transaction" && event.state === "ready"),
    Stream.runDrain,
    Effect.forkScoped({ startImmediately: true }),
  );
  const submitted = yield* service.submit(signTransaction(unsigned, user));
  if (!submitted.ok) return yield* Effect.die(new Error(submitted.problem.advice));
  yield* Fiber.join(ready);

  const sealed = yield* service.seal({ height: 1, maxTransactions: 100, order: "gas" });
  if (!sealed.ok) return yield* Effect.die(new Error(sealed.advice));
  yield* service.committed(1);
  const { ledger } = yield* service.statistics();
  console.log(`sealed ${sealed.block.receipts.length} answer, held ${ledger.heldGwei} gwei`);
}).pipe(
  // It stopped in the middle: what it acknowledged is in its directory, and the next start goes on from there.
  Effect.catchTag("PipeFailed", ({ reason, message }) => Effect.sync(() => console.log(`${reason}: ${message}`))),
);

/** A directory is open once at a time. `fresh`, since Effect would give the layer that is there already. */
const second = produce.pipe(
  Effect.provide(Layer.fresh(pipe)),
  Effect.catchTag("OpenFailed", ({ part, reason }) => Effect.sync(() => console.log(`second: ${part} ${reason}`))),
);

const program = Effect.scoped(Effect.andThen(produce, second)).pipe(
  Effect.provide(pipe),
  Effect.catchTag("OpenFailed", ({ part, message }) => Effect.sync(() => console.log(`${part}: ${message}`))),
);
await Effect.runPromise(program);

// Only what was closed in order gets its manifest.
console.log("closed:", existsSync(`${DIRECTORY}/MANIFEST.sha256`));
