import type { Commands } from "../engine/commands.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { Command } from "../engine/recorder.ts";
import { Recorder } from "../engine/recorder.ts";
import { assert } from "../shared/assert.ts";
import { NEVER } from "../shared/vocabulary.ts";
import type { LiveClock } from "./clock.ts";
import type { Asker, Blob, InboxItem } from "./inbox.ts";
import { Inbox } from "./inbox.ts";
import type { Batch } from "./journal-format.ts";
import { digestCommands } from "./journal-format.ts";
import type { LiveLimits } from "./limits.ts";

/** What the loop needs of the engine; the loop is the only one that steps it. */
export interface SteppedEngine {
  step(nowUs: number, event: EngineEvent, commands: Commands): void;
  nextWakeUs(): number;
}

/** Makes batches durable, in order. A rejected append is fatal. */
export interface BatchJournal {
  append(batch: Batch): Promise<void>;
}

/** An event with what stepping it gave. */
export interface Step {
  readonly event: EngineEvent;
  readonly blobs: readonly Blob[];
  readonly commands: readonly Command[];
  readonly asker: Asker | undefined;
}

export interface SteppedBatch {
  readonly n: number;
  readonly atUs: number;
  readonly steps: readonly Step[];
}

export interface LoopOptions<Engine extends SteppedEngine> {
  readonly engine: Engine;
  readonly clock: LiveClock;
  readonly limits: LiveLimits;
  readonly journal: BatchJournal;
  /** Number of the first batch. */
  readonly firstBatch: number;
  /** Carries out a durable batch. Called in order, never blocks, never throws. */
  readonly carryOut: (batch: SteppedBatch) => void;
  /** Called when a snapshot is due and every batch is carried out; nothing is stepped until it resolves. */
  readonly takeSnapshot: (at: { readonly n: number; readonly atUs: number }) => Promise<void>;
  /** Makes of what was thrown the error that everybody is told. */
  readonly failureOf: (cause: unknown) => Error;
  /** The journal failed, or the engine or `carryOut` threw: nothing is stepped any more. */
  readonly onFailure: (error: Error) => void;
}

/** Longest delay that the platform's timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The one owner of the engine. Events wait in the inbox; each turn takes a batch, stamps it with one time, steps it, and
 * hands it to the journal. What came out is carried out when the batch is durable, in order. The next batch may be stepped
 * meanwhile: nothing leaves before its own append, so an event is never outrun by its effects.
 */
export class Loop<Engine extends SteppedEngine> {
  readonly #options: LoopOptions<Engine>;
  readonly #recorder = new Recorder();
  readonly inbox: Inbox;
  #nextBatch: number;
  #inFlight = 0;
  #lastAppend: Promise<void> = Promise.resolve();
  #turnDue = false;
  #timer: NodeJS.Timeout | undefined;
  #batchesSinceSnapshot = 0;
  #eventsSinceSnapshot = 0;
  /** A snapshot shows engine and records at the same batch, so nothing is stepped from now until it is taken. */
  #snapshotDue = false;
  #stopped = false;
  #failure: Error | undefined;

  constructor(options: LoopOptions<Engine>) {
    this.#options = options;
    this.inbox = new Inbox(options.limits);
    this.#nextBatch = options.firstBatch;
  }

  /** Why it does not go on any more. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Stops at once: what is under way, and whatever is asked from now on, fails because of this. */
  abort(cause: unknown): void {
    this.#fail(cause, []);
  }

  /** Something came into the inbox. */
  ring(): void {
    if (this.#turnDue || this.#stopped || this.#snapshotDue) return;
    if (this.#inFlight >= this.#options.limits.maxBatchesInFlight) return;
    this.#turnDue = true;
    setImmediate(() => this.#turn());
  }

  /** An event that must not be lost: a reply to a command, or the block producer's. */
  reply(event: EngineEvent, blobs: readonly Blob[] = []): void {
    if (this.#stopped) return;
    this.inbox.reply({ event, blobs, asker: undefined });
    this.ring();
  }

  /** A node joined or left; what this node's own next word says better is not stepped. */
  registration(node: string, event: EngineEvent, blobs: readonly Blob[]): void {
    if (this.#stopped) return;
    this.inbox.registration(node, { event, blobs, asker: undefined });
    this.ring();
  }

  /** A node's message; may be dropped when too many wait. */
  message(event: EngineEvent, blobs: readonly Blob[]): void {
    if (this.#stopped) return;
    this.inbox.message({ event, blobs, asker: undefined });
    this.ring();
  }

  /**
   * An event whose consequences somebody waits for: the commands that it produced, once they are durable and carried out.
   * `undefined` when too many requests wait. `urgent` ones always have room.
   */
  ask(event: EngineEvent, blobs: readonly Blob[], urgent: boolean): Promise<readonly Command[]> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    assert(!this.#stopped, "a loop that was stopped is not asked");
    const { promise, resolve, reject } = Promise.withResolvers<readonly Command[]>();
    const item: InboxItem = { event, blobs, asker: { answered: resolve, failed: reject } };
    if (urgent) this.inbox.reply(item);
    else if (!this.inbox.request(item)) return undefined;
    this.ring();
    return promise;
  }

  /** Looks at the engine; answers when everything that it has seen is durable. */
  async read<A>(look: (engine: Engine, nowUs: number) => A): Promise<A> {
    const seen = look(this.#options.engine, this.#options.clock.nowUs());
    await this.#lastAppend;
    if (this.#failure !== undefined) throw this.#failure;
    return seen;
  }

  /** Number of the last batch that was stepped. */
  get lastBatch(): number {
    return this.#nextBatch - 1;
  }

  /** Steps what waits, waits until it is carried out, and stops. Nothing may be asked any more. */
  async stop(): Promise<void> {
    const busy = (): boolean => this.inbox.length > 0 || this.#inFlight > 0 || this.#snapshotDue;
    while (this.#failure === undefined && busy()) {
      this.ring();
      await this.#lastAppend;
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #turn(): void {
    this.#turnDue = false;
    if (this.#stopped || this.#snapshotDue) return;
    const items = this.inbox.drain();
    const nowUs = this.#options.clock.nowUs();
    try {
      const steps = items.map(({ event, blobs, asker }) => this.#step(nowUs, event, blobs, asker));
      if (this.#options.engine.nextWakeUs() <= nowUs) steps.push(this.#step(nowUs, { kind: "woken" }, [], undefined));
      if (steps.length > 0) this.#append(nowUs, steps);
      this.#armTimer(nowUs);
    } catch (error) {
      return this.#fail(error, items);
    }
    if (this.inbox.length > 0) this.ring();
  }

  #step(nowUs: number, event: EngineEvent, blobs: readonly Blob[], asker: Asker | undefined): Step {
    this.#options.engine.step(nowUs, event, this.#recorder);
    const commands = this.#recorder.take();
    // The inputs of a transaction that was refused are of no use to anybody.
    const kept = commands.some(({ kind }) => kind === "rejected") ? [] : blobs;
    return { event, blobs: kept, commands, asker };
  }

  #append(atUs: number, steps: readonly Step[]): void {
    const n = this.#nextBatch++;
    const batch: SteppedBatch = { n, atUs, steps };
    this.#inFlight += 1;
    this.#countForSnapshot(steps.length);
    const durable = this.#options.journal.append(journalled(batch));
    // Whoever awaits it comes later; until then a failure is nobody's.
    durable.catch(() => undefined);
    this.#lastAppend = this.#lastAppend
      .then(() => durable)
      .then(() => this.#carryOut(batch))
      .catch((error: unknown) => this.#fail(error, batch.steps));
  }

  #carryOut(batch: SteppedBatch): void {
    this.#inFlight -= 1;
    if (this.#failure !== undefined) return failAskers(batch.steps, this.#failure);
    this.#options.carryOut(batch);
    for (const { asker, commands } of batch.steps) asker?.answered(commands);
    if (this.#snapshotDue && this.#inFlight === 0) void this.#takeSnapshot(batch);
    else this.#goOn();
  }

  #goOn(): void {
    if (this.inbox.length > 0) this.ring();
    else this.#armTimer(this.#options.clock.nowUs());
  }

  #countForSnapshot(events: number): void {
    this.#batchesSinceSnapshot += 1;
    this.#eventsSinceSnapshot += events;
    const { batchesPerSnapshot, eventsPerSnapshot } = this.#options.limits;
    this.#snapshotDue =
      this.#batchesSinceSnapshot >= batchesPerSnapshot || this.#eventsSinceSnapshot >= eventsPerSnapshot;
  }

  async #takeSnapshot({ n, atUs }: SteppedBatch): Promise<void> {
    try {
      await this.#options.takeSnapshot({ n, atUs });
    } catch (error) {
      this.#fail(error, []);
    }
    this.#batchesSinceSnapshot = 0;
    this.#eventsSinceSnapshot = 0;
    this.#snapshotDue = false;
    this.#goOn();
  }

  #armTimer(nowUs: number): void {
    clearTimeout(this.#timer);
    const wakeUs = this.#options.engine.nextWakeUs();
    if (this.#stopped || wakeUs === NEVER) return;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil((wakeUs - nowUs) / 1000)));
    this.#timer = setTimeout(() => this.ring(), delayMs);
  }

  #fail(cause: unknown, under: readonly { readonly asker: Asker | undefined }[]): void {
    const first = this.#failure === undefined;
    this.#failure ??= this.#options.failureOf(cause);
    this.#stopped = true;
    clearTimeout(this.#timer);
    failAskers(under, this.#failure);
    failAskers(this.inbox.clear(), this.#failure);
    if (first) this.#options.onFailure(this.#failure);
  }
}

function failAskers(asking: readonly { readonly asker: Asker | undefined }[], error: Error): void {
  for (const { asker } of asking) asker?.failed(error);
}

/** The batch as the journal holds it. */
function journalled({ n, atUs, steps }: SteppedBatch): Batch {
  const events = steps.map(({ event }) => event);
  const commands = steps.flatMap((step) => step.commands);
  const blobs = steps.flatMap((step) => step.blobs);
  const batch = { n, atUs, events, commands: commands.length, digest: digestCommands(commands) };
  if (blobs.length === 0) return batch;
  const text = blobs.map(({ hash, bytes }) => [hash, Buffer.from(bytes).toString("base64")] as const);
  return { ...batch, blobs: Object.fromEntries(text) };
}

/** The steps that a journalled batch gave, found again with an engine that stands where it stood then. */
export function stepAgain(engine: SteppedEngine, batch: Batch): readonly Step[] {
  const recorder = new Recorder();
  return batch.events.map((event) => {
    engine.step(batch.atUs, event, recorder);
    return { event, blobs: blobsOf(event, batch), commands: recorder.take(), asker: undefined };
  });
}

/** The bytes that came with an event: a transaction's inputs, a copy's answer, a node's attestation, a registry's lines. */
function blobsOf(event: EngineEvent, { blobs = {} }: Batch): readonly Blob[] {
  const hashes = namedHashes(event);
  return [...new Set(hashes)].flatMap((hash) => {
    const base64 = blobs[hash];
    return base64 === undefined ? [] : [{ hash, bytes: new Uint8Array(Buffer.from(base64, "base64")) }];
  });
}

function namedHashes(event: EngineEvent): readonly string[] {
  if (event.kind === "submitted") return event.transaction.calls?.map(({ inputHash }) => inputHash) ?? [];
  if (event.kind === "node-joined") return event.node.attestation === undefined ? [] : [event.node.attestation.hash];
  if (event.kind === "registry-changed") return [event.hash];
  return event.kind === "copy-answered" ? [event.answerHash] : [];
}

/** What stepping a batch again gave differs from what it gave when it was journalled (P13). */
export class ReplayDiffers extends Error {
  override readonly name = "ReplayDiffers";
  readonly batch: number;

  constructor(batch: number) {
    super(`batch ${batch} of the journal gives other commands than when it was written: the program has changed`);
    this.batch = batch;
  }
}

/** Throws `ReplayDiffers` when the steps are not those that the journal tells of. */
export function checkSteps(batch: Batch, steps: readonly Step[]): void {
  const digest = digestCommands(steps.flatMap(({ commands }) => commands));
  if (digest !== batch.digest) throw new ReplayDiffers(batch.n);
}
