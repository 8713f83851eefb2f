import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Layer } from "effect";
import { expect, onTestFinished, test } from "vitest";
import { verifyReceipts } from "../../scheduler/cli/receipts.ts";
import { DEFAULT_CONFIG } from "../../scheduler/index.ts";
import {
  Directory,
  PipeService,
  PreExecutorService,
  RegistryService,
  Settings,
  StateService,
  JournalService,
  TransportService,
  VerifierService,
} from "../../scheduler/live/layers.ts";
import { DEFAULT_LIVE_LIMITS } from "../../scheduler/live/limits.ts";
import { declaredCalls } from "../../scheduler/live/pre-executor.ts";
import { DEFAULT_PROOF_SETTINGS } from "../../scheduler/live/proof-settings.ts";
import { VALID, type Verifier } from "../../scheduler/live/verification.ts";
import { ECHO_REGISTRY } from "./support/registries.ts";
import { answerTo, type Script, ScriptedNodes, scriptedNode } from "./support/scripted-nodes.ts";
import { CHAIN, User } from "./support/users.ts";

/** A verifier that answers true, whatever it is asked. */
const credulous: Verifier = {
  queueLength: 0,
  expect: () => undefined,
  check: (_, done) => setImmediate(() => done(VALID, 0)),
  attest: (_, done) => setImmediate(() => done({ ok: false, reason: "verifier-closed" })),
  close: () => Promise.resolve(),
};

/** Signs another assignment than the one that it was given. */
const forges: Script = (assignment, node, say) => say(answerTo(node, assignment, { nonce: 1 }));

test("P2: what a verifier that answers true lets through, whoever checks the receipts finds out", async () => {
  const directory = await mkdtemp(join(tmpdir(), "pipe-credulous-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const settings = Settings.layer({
    chainId: CHAIN,
    program: "test",
    engine: { ...DEFAULT_CONFIG, races: { ...DEFAULT_CONFIG.races, redundancyFloor: 0 } },
    policy: undefined,
    limits: DEFAULT_LIVE_LIMITS,
    proofs: DEFAULT_PROOF_SETTINGS,
    retainAll: false,
  });
  const parts = Layer.mergeAll(
    StateService.layer.pipe(Layer.provideMerge(JournalService.layer)),
    TransportService.given(new ScriptedNodes([scriptedNode(0, forges)])),
    Layer.succeed(VerifierService, credulous),
    PreExecutorService.layer(declaredCalls),
    RegistryService.given(ECHO_REGISTRY),
  ).pipe(Layer.provideMerge(Layer.merge(settings, Directory.layer(directory))));
  const life = Effect.gen(function* () {
    const pipe = yield* PipeService;
    const user = new User(1);
    yield* pipe.deposit(user.id, 1_000_000);
    yield* pipe.openBlock(1, Date.now() * 1_000 + 60_000_000);
    const outcome = yield* pipe.submit(user.sign());
    if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
    for (let state = ""; state !== "ready"; yield* Effect.sleep(5)) {
      state = (yield* pipe.status(outcome.hash))?.state ?? "gone";
    }
    const sealed = yield* pipe.seal({ height: 1, maxTransactions: 10, order: "arrival" });
    return sealed.ok ? sealed.block.receipts.length : 0;
  });
  expect(await Effect.runPromise(life.pipe(Effect.provide(PipeService.layer.pipe(Layer.provide(parts)))))).toBe(1);
  const { findings } = await verifyReceipts(directory, { key: undefined });
  expect(findings.map(({ message }) => message)).toEqual([
    "P3: the proof is not the node's signature over this statement",
  ]);
});
