import type { EngineConfig } from "../engine/config.ts";
import { Engine, type EngineSnapshot } from "../engine/engine.ts";
import type { Command } from "../engine/recorder.ts";
import type { ChallengeTerms } from "../proofs/challenge-sample.ts";
import type { SigningKey } from "../proofs/keys.ts";
import { assert } from "../shared/assert.ts";
import type { BlockArchive } from "./block-archive.ts";
import type { CustodySnapshot } from "./custody.ts";
import { Custody } from "./custody.ts";
import type { JournalStore } from "./journal-store.ts";
import type { Step } from "./loop.ts";
import { checkSteps, stepAgain } from "./loop.ts";
import type { RecordsPosition } from "./records.ts";
import { Records } from "./records.ts";
import type { EpochSeeds } from "./records-registry.ts";

/**
 * What a snapshot holds: the three parts that the journal's batches made, at the same batch. Plain JSON once it was written,
 * and a copy throughout, since it is written while the next batches are stepped.
 */
export interface ServiceSnapshot {
  readonly engine: EngineSnapshot;
  readonly custody: CustodySnapshot;
  readonly records: RecordsPosition;
}

export interface RecoveryOptions {
  readonly store: JournalStore;
  readonly directory: string | undefined;
  readonly chainId: string;
  readonly key: SigningKey;
  readonly archive: BlockArchive;
  readonly challenges: Pick<ChallengeTerms, "perMillion" | "epochBlocks">;
  readonly seeds: EpochSeeds;
  /** A standby writes a snapshot after so many events. */
  readonly eventsPerSnapshot: number;
}

/** What the batches so far made. */
export interface ServiceState {
  readonly engine: Engine;
  readonly custody: Custody;
  readonly records: Records;
}

/**
 * The state after the last journalled batch: from the newest snapshot, by stepping the batches after it again. Their
 * commands go into the records, which were cut back to the snapshot, and not into the world. Rejects with `ReplayDiffers`,
 * `RecordsTooShort`, a `JournalError`, or the system's error.
 */
export async function recover(options: RecoveryOptions): Promise<ServiceState> {
  const { store, archive } = options;
  const snapshot = store.recovered?.snapshot?.state as ServiceSnapshot | undefined;
  const state = await begin(options, store.config, snapshot);
  let events = 0;
  for await (const batch of store.recovered?.batches ?? []) {
    const steps = stepAgain(state.engine, batch);
    checkSteps(batch, steps);
    for (const step of steps) writeDown(step, batch.atUs, state, archive);
    if (store.follows !== true) continue;
    await state.records.flush();
    events += steps.length;
    if (events < options.eventsPerSnapshot) continue;
    events = 0;
    await store.writeSnapshot({ n: batch.n, atUs: batch.atUs, state: await snapshotOf(state) });
  }
  await state.records.flush();
  return state;
}

/** A copy of it all, once the records are durable that far. */
export async function snapshotOf({ engine, custody, records }: ServiceState): Promise<ServiceSnapshot> {
  await records.sync();
  return { engine: engine.snapshot(), custody: custody.snapshot(), records: records.position() };
}

/** What every step of a batch does to custody, records and archive, live as in recovery. */
export function writeDown(step: Step, atUs: number, { custody, records }: ServiceState, archive: BlockArchive): void {
  const { event, blobs, commands } = step;
  // A node that the engine did not take is none: made-up ones must fill neither memory nor the registry.
  const refused = commands.some((command) => command.kind === "alarm" && command.alarm.kind === "fleet-full");
  if (!refused) noteEvent(step, atUs, { custody, records });
  for (const command of commands) {
    if (isRepeat(command, custody)) continue;
    archive.note(command, records.consume(command, { atUs }));
    custody.noteCommand(command, event, blobs);
  }
  custody.noteEnd(event);
}

function noteEvent(
  { event, blobs }: Step,
  atUs: number,
  { custody, records }: Pick<ServiceState, "custody" | "records">,
): void {
  custody.noteEvent(event, blobs);
  if (event.kind === "node-joined") records.registered(event.node, atUs);
  if (event.kind !== "registry-changed") return;
  const text = blobs.find(({ hash }) => hash === event.hash);
  assert(text !== undefined, "the lines of a model registry come with the event that names them");
  records.modelsChanged(text.bytes, atUs);
}

/** A block that a producer asked for again; it was written down when it was sealed. */
export function isRepeat(command: Command, custody: Custody): boolean {
  return command.kind === "sealed" && custody.isSealed(command.block.height);
}

async function begin(
  { directory, chainId, key, challenges, seeds }: RecoveryOptions,
  config: EngineConfig,
  snapshot: ServiceSnapshot | undefined,
): Promise<ServiceState> {
  const { maxReorgDepth } = config.limits;
  const custody = new Custody(maxReorgDepth, snapshot?.custody);
  const records = await Records.open({
    directory,
    chainId,
    key,
    custody,
    challenges: { ...challenges, revealBlocks: maxReorgDepth },
    seeds,
    maxReorgDepth,
    position: snapshot?.records,
  });
  const engine = snapshot === undefined ? new Engine(config) : Engine.restore(config, snapshot.engine);
  return { engine, custody, records };
}
