import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Effect, Layer, Logger } from "effect";
import { afterEach, expect, test } from "vitest";
import { DEFAULT_CONFIG, type EngineConfig } from "../../scheduler/engine/config.ts";
import { Recorder } from "../../scheduler/engine/recorder.ts";
import { BlockArchive } from "../../scheduler/live/block-archive.ts";
import type { Batch } from "../../scheduler/live/journal-format.ts";
import { JournalReader } from "../../scheduler/live/journal-reader.ts";
import { loadSnapshot, type Snapshot } from "../../scheduler/live/journal-snapshots.ts";
import { type JournalStore, memoryStore, openFileStore } from "../../scheduler/live/journal-store.ts";
import * as layers from "../../scheduler/live/layers.ts";
import { DEFAULT_LIVE_LIMITS } from "../../scheduler/live/limits.ts";
import { declaredCalls } from "../../scheduler/live/pre-executor.ts";
import { fileOf, RECORD_LOGS } from "../../scheduler/live/records-lines.ts";
import { recover, type ServiceState } from "../../scheduler/live/recovery.ts";
import { epochSeeds, loadSecret, schedulerKey } from "../../scheduler/live/secret.ts";
import { DEFAULT_PROOF_SETTINGS } from "../../scheduler/live/proof-settings.ts";
import { ECHO_REGISTRY } from "./support/registries.ts";
import { honest, type Script, ScriptedNodes, scriptedNode } from "./support/scripted-nodes.ts";
import { CHAIN, User } from "./support/users.ts";

const CONFIG: EngineConfig = { ...DEFAULT_CONFIG, policy: { kind: "fixed", copies: 2 } };
const BLOCKS = 12;
const BLOCK_MS = 25;

const directories: string[] = [];
afterEach(async () => {
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-restart-"));
  directories.push(directory);
  return directory;
}

/** The journal in the directory; of each snapshot it keeps the text at the moment at which it is taken. */
async function watchedStore(directory: string, taken: Snapshot[], changed: number[]): Promise<JournalStore> {
  const identity = { program: "test", chainId: CHAIN, config: CONFIG, retainAll: true };
  const store = await openFileStore({ directory: join(directory, "journal"), ...identity });
  return {
    recovered: store.recovered,
    config: store.config,
    get nextBatch() {
      return store.nextBatch;
    },
    get backlogBytes() {
      return store.backlogBytes;
    },
    append: (batch) => store.append(batch),
    close: (atUs) => store.close(atUs),
    writeSnapshot: async (snapshot) => {
      const text = JSON.stringify(snapshot.state);
      taken.push({ ...snapshot, state: JSON.parse(text) });
      await store.writeSnapshot(snapshot);
      if (JSON.stringify(snapshot.state) !== text) changed.push(snapshot.n);
    },
  };
}

/** Each third copy is answered late, so that snapshots meet races in every state. */
const uneven: Script = (assignment, node, say) => {
  if (assignment.copy % 3 !== 0) return honest(assignment, node, say);
  setTimeout(() => honest(assignment, node, say), 2 * BLOCK_MS);
};

type Asked = layers.PipeService["Service"];

/** Transactions without pause, blocks with commits, and once the chain takes two blocks back. */
async function drive(service: Asked): Promise<void> {
  const run = Effect.runPromise;
  const user = new User(1);
  await run(service.deposit(user.id, 1_000_000));
  let reorged = false;
  for (let height = 1; height <= BLOCKS; height += 1) {
    await run(service.openBlock(height, (Date.now() + BLOCK_MS) * 1_000));
    for (let i = 0; i < 8; i += 1) {
      await run(service.submit(user.sign({}, i % 3)));
      await sleep(BLOCK_MS / 12);
    }
    await run(service.seal({ height, maxTransactions: 6, order: height % 2 === 0 ? "gas" : "arrival" }));
    if (height > 2) await run(service.committed(height - 2));
    if (height !== 8 || reorged) continue;
    reorged = true;
    await run(service.reorged(7));
    height = 6;
  }
}

/** A service that lives once in the directory; the snapshots that it took. */
async function live(directory: string): Promise<{ readonly taken: readonly Snapshot[]; readonly changed: number[] }> {
  const taken: Snapshot[] = [];
  const changed: number[] = [];
  const store = Effect.acquireRelease(
    Effect.promise(() => watchedStore(directory, taken, changed)),
    (opened) => Effect.promise(() => opened.close(Date.now() * 1_000)),
  );
  const nodes = new ScriptedNodes([0, 1, 2].map((index) => scriptedNode(index, uneven)));
  const settings = layers.Settings.layer({
    chainId: CHAIN,
    program: "test",
    engine: CONFIG,
    policy: undefined,
    limits: { ...DEFAULT_LIVE_LIMITS, batchesPerSnapshot: 9 },
    proofs: DEFAULT_PROOF_SETTINGS,
    retainAll: true,
  });
  const layer = layers.PipeService.layer.pipe(
    Layer.provide(layers.VerifierService.layer),
    Layer.provide(layers.StateService.layer),
    Layer.provide(Layer.effect(layers.JournalService, store)),
    Layer.provide(layers.TransportService.given(nodes)),
    Layer.provide(layers.RegistryService.given(ECHO_REGISTRY)),
    Layer.provide(layers.PreExecutorService.layer(declaredCalls)),
    Layer.provide(layers.Directory.layer(directory)),
    Layer.provide(settings),
    Layer.provide(Logger.layer([])),
  );
  const program = Effect.gen(function* () {
    const service = yield* layers.PipeService;
    yield* Effect.promise(() => drive(service));
  });
  await Effect.runPromise(program.pipe(Effect.provide(layer), Effect.scoped));
  return { taken, changed };
}

async function batchesOf(directory: string): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const record of new JournalReader(join(directory, "journal"), undefined).records()) {
    if (record.kind === "batch") batches.push(record.decode());
  }
  return batches;
}

/** What a restart from the snapshot (`undefined`: from nothing) finds, in a copy of the directory. */
async function restart(original: string, snapshot: Snapshot | undefined, batches: readonly Batch[]) {
  const directory = await temporaryDirectory();
  await cp(original, directory, { recursive: true });
  const tail = batches.filter(({ n }) => n > (snapshot?.n ?? 0));
  async function* replayed(): AsyncGenerator<Batch, void, undefined> {
    yield* tail;
  }
  const recovered = { snapshot, batches: replayed() } as unknown as NonNullable<JournalStore["recovered"]>;
  const store: JournalStore = { ...memoryStore(CONFIG), recovered };
  const secret = await loadSecret(directory);
  const key = schedulerKey(secret);
  const about = {
    challenges: DEFAULT_PROOF_SETTINGS.challenges,
    seeds: epochSeeds(secret),
    eventsPerSnapshot: DEFAULT_LIVE_LIMITS.eventsPerSnapshot,
  };
  const archive = new BlockArchive(directory, CONFIG.limits.maxReorgDepth + 1);
  const state = await recover({ store, directory, chainId: CHAIN, key, archive, ...about });
  const files = await Promise.all(RECORD_LOGS.map((log) => readFile(join(directory, fileOf(log)), "utf8")));
  const found = { files, state: JSON.stringify([state.engine.snapshot(), state.custody.snapshot()]) };
  const position = JSON.stringify(state.records.position());
  const commands = goOn(state, batches.at(-1)?.atUs ?? 0);
  await state.records.close();
  return { ...found, position, commands };
}

/** What the engine does next: it gives its commands again, wakes for whatever is due, and seals a block. */
function goOn({ engine }: ServiceState, lastUs: number): string {
  const recorder = new Recorder();
  const height = BLOCKS + 1;
  engine.step(lastUs + 1, { kind: "restarted" }, recorder);
  engine.step(lastUs + 2, { kind: "block-opened", height, sealAtUs: lastUs + 500_000 }, recorder);
  for (let wakes = 0, atUs = engine.nextWakeUs(); wakes < 500 && Number.isFinite(atUs); wakes += 1) {
    engine.step(Math.max(atUs, lastUs + 3), { kind: "woken" }, recorder);
    atUs = engine.nextWakeUs();
  }
  engine.step(lastUs + 3_600_000_000, { kind: "seal-requested", height, maxTransactions: 100, order: "gas" }, recorder);
  return JSON.stringify(recorder.take());
}

test("P13: a restart from any snapshot that was taken while batches streamed equals one from the beginning", async () => {
  const directory = await temporaryDirectory();
  const { taken, changed } = await live(directory);
  // Fewer than fall due where the disk is slow: one is left out while the last is written.
  expect(taken.length).toBeGreaterThan(3);
  expect(changed, "snapshots that changed while they were written").toEqual([]);

  const batches = await batchesOf(directory);
  const whole = await restart(directory, undefined, batches);
  const written = await Promise.all(RECORD_LOGS.map((log) => readFile(join(directory, fileOf(log)), "utf8")));
  expect(whole.files).toEqual(written);
  expect(whole.files.join("")).toContain('"reverted"');
  expect(whole.commands.length).toBeGreaterThan(1_000);
  for (const snapshot of taken) {
    expect(await restart(directory, snapshot, batches), `from batch ${snapshot.n}`).toEqual(whole);
  }
  const last = taken.at(-1);
  expect(last?.n).toBe(batches.length);
  expect(await loadSnapshot(join(directory, "journal", `snapshot-${last?.n}.json`))).toMatchObject({ ...last });
});
