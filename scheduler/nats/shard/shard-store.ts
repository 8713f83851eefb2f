import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { EngineConfig } from "../../engine/config.ts";
import type { Recovered } from "../../live/journal.ts";
import { JournalError } from "../../live/journal-error.ts";
import {
  type Batch,
  decodeLine,
  encodeBatch,
  encodeHeader,
  encodeMark,
  FORMAT,
  GENESIS_CHAIN,
  type JournalHeader,
  type JournalRecord,
} from "../../live/journal-format.ts";
import type { Snapshot } from "../../live/journal-snapshots.ts";
import { type FileStoreOptions, type JournalStore, openFileStore } from "../../live/journal-store.ts";
import type { Lease } from "./lease.ts";
import type { ShardLimits } from "./shard-limits.ts";
import { batchesFrom } from "./local-batches.ts";
import { Deposed, pause, type ShardStream } from "./shard-stream.ts";
import { LineReader, partsOf } from "./stream-lines.ts";

export interface ShardStoreParts {
  readonly stream: ShardStream;
  readonly lease: Lease;
  readonly limits: ShardLimits;
  /** Aborted when the shard is closed. */
  readonly signal: AbortSignal;
  /** Told when this scheduler leads, with the epoch that nodes tell it by, and when it does not any more. */
  readonly onRole: (role: ShardRole) => void;
}

export type ShardRole =
  | { readonly kind: "following"; readonly batch: number }
  | { readonly kind: "leading"; readonly epoch: number; readonly batch: number }
  | { readonly kind: "deposed"; readonly error: Error };

/** A batch that waits to become durable. */
interface Waiting {
  readonly batch: Batch;
  readonly durable: PromiseWithResolvers<void>;
}

/**
 * The journal of a shard that several schedulers share, of which one leads.
 *
 * S1. A batch is durable when the stream has it; the local files follow the stream and are never ahead of it.
 * S2. Reading the recovered batches ends when this scheduler leads: until then it is a standby that steps what the leader wrote.
 * S3. It leads from the moment on that its own mark stands at the stream's end. The mark's sequence is its epoch.
 * S4. Whoever finds another's message where its own should be has been deposed, and writes nothing any more.
 */
export class ShardStore implements JournalStore {
  readonly #parts: ShardStoreParts;
  readonly #options: FileStoreOptions;
  readonly #local: JournalStore;
  readonly follows = true;
  readonly #ended = Promise.withResolvers<Error>();
  readonly #reader: LineReader;
  readonly config: EngineConfig;
  readonly recovered: Recovered;
  /** Sequence of the last message that was read or written. */
  #sequence: number;
  #lastBatch: number;
  /** The last batch that the stream has. */
  #streamBatch = 0;
  #lastUs: number;
  #closedCleanly = true;
  #chain: string = GENESIS_CHAIN;
  readonly #waiting: Waiting[] = [];
  #leads = false;
  #writing = false;
  #failure: Error | undefined;
  /** Resolves when the latest batch is in the local files. */
  #kept: Promise<void> = Promise.resolve();

  /**
   * Opens the local files, beginning the stream where there is none. Rejects with a `JournalError`: `foreign` when the stream is
   * another chain's or another configuration's, `history-missing` when what follows the local files is not in it any more.
   */
  static async open(parts: ShardStoreParts, options: FileStoreOptions): Promise<ShardStore> {
    const header = (await headerOf(parts, options)) ?? (await beginStream(parts, options));
    requireSameEngine(options, header);
    const config = header.config as EngineConfig;
    const local = await openFileStore({ ...options, config });
    try {
      const last = local.nextBatch - 1;
      const { sequence, anchor } = await meetingPoint(parts.stream, last);
      if (anchor !== undefined) await requireSameBatch(options.directory, anchor);
      return new ShardStore(parts, { options, local, config, header, sequence, last });
    } catch (error) {
      await local.close(Date.now() * 1000);
      throw error;
    }
  }

  private constructor(
    parts: ShardStoreParts,
    opened: {
      readonly options: FileStoreOptions;
      readonly local: JournalStore;
      readonly config: EngineConfig;
      readonly header: JournalHeader;
      readonly sequence: number;
      readonly last: number;
    },
  ) {
    this.#parts = parts;
    this.#options = opened.options;
    this.#local = opened.local;
    this.config = opened.config;
    this.#sequence = opened.sequence;
    this.#lastBatch = opened.last;
    this.#lastUs = Math.max(opened.local.recovered?.lastUs ?? 0, opened.header.createdAtUs);
    this.#reader = new LineReader(undefined);
    this.recovered = this.#recovery(opened.header);
  }

  get nextBatch(): number {
    return this.#lastBatch + 1;
  }

  get backlogBytes(): number {
    return this.#local.backlogBytes;
  }

  /** Resolves when this scheduler has been deposed, or its files cannot be written. */
  get ended(): Promise<Error> {
    return this.#ended.promise;
  }

  append(batch: Batch): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#lastBatch = batch.n;
    const durable = Promise.withResolvers<void>();
    this.#waiting.push({ batch, durable });
    if (!this.#writing) void this.#write();
    return durable.promise;
  }

  writeSnapshot(snapshot: Snapshot): Promise<unknown> {
    return this.#local.writeSnapshot(snapshot);
  }

  async close(atUs: number): Promise<void> {
    const { lease } = this.#parts;
    const leads = this.#leads && this.#failure === undefined;
    this.#failure ??= new JournalError("closed", "the journal was closed", { remedy: "Open it again." });
    const closed = { kind: "closed", n: this.#lastBatch, atUs } as const;
    if (leads) await this.#mark(closed).catch(() => undefined);
    await lease.release();
    await this.#local.close(atUs);
  }

  // ── following ────────────────────────────────────────────────────────────────────────────────────────────────────

  #recovery(header: JournalHeader): Recovered {
    const local = this.#local.recovered;
    const batches = this.#batches();
    const [lastBatch, lastUs, closedCleanly] = [() => this.#lastBatch, () => this.#lastUs, () => this.#closedCleanly];
    return {
      header,
      snapshot: local?.snapshot,
      batches,
      tornTail: local?.tornTail ?? false,
      refusedSnapshots: local?.refusedSnapshots ?? [],
      get lastBatch() {
        return lastBatch();
      },
      get lastUs() {
        return lastUs();
      },
      get closedCleanly() {
        return closedCleanly();
      },
    };
  }

  /** What the local files hold, then what comes by the stream, until this scheduler leads. */
  async *#batches(): AsyncGenerator<Batch, void, undefined> {
    yield* this.#local.recovered?.batches ?? [];
    const { stream, lease, limits, signal, onRole } = this.#parts;
    onRole({ kind: "following", batch: this.#lastBatch });
    for (;;) {
      const tries = lease.isHeld;
      const { first, last } = await stream.range();
      if (this.#sequence + 1 < first) throw historyMissing(this.#lastBatch);
      while (this.#sequence < last) yield* this.#readAhead(last);
      // Whoever has much to catch up with would keep everybody waiting.
      lease.want();
      if (tries && (await this.#claim())) return;
      await Promise.race([pause(limits.pollMs, signal), lease.isHeld ? undefined : lease.held]);
      signal.throwIfAborted();
    }
  }

  async *#readAhead(last: number): AsyncGenerator<Batch, void, undefined> {
    const count = Math.min(this.#parts.limits.readAhead, last - this.#sequence);
    const wanted = Array.from({ length: count }, (_, index) => this.#parts.stream.message(this.#sequence + 1 + index));
    for (const message of await Promise.all(wanted)) {
      if (message === undefined) throw historyMissing(this.#lastBatch);
      for (const line of this.#reader.read(message)) {
        const batch = this.#note(decodeLine(line));
        if (batch !== undefined) yield batch;
      }
      this.#sequence = message.sequence;
      // Whoever catches up with much must not outrun its disk.
      if (this.#local.backlogBytes > this.#parts.limits.maxGroupBytes) await this.#kept;
    }
  }

  /** Takes a record of the stream into the local files. */
  #note(record: JournalRecord | string): Batch | undefined {
    if (typeof record === "string") throw damagedStream(record);
    if (record.kind === "header") return undefined;
    this.#lastUs = Math.max(this.#lastUs, record.atUs);
    this.#closedCleanly = record.kind === "closed";
    this.#streamBatch = record.n;
    if (record.kind !== "batch" || record.n <= this.#lastBatch) return undefined;
    if (record.n !== this.#lastBatch + 1) throw damagedStream(`batch ${record.n} follows batch ${this.#lastBatch}`);
    const { kind: _kind, ...batch } = record;
    this.#keep(batch);
    this.#lastBatch = batch.n;
    return batch;
  }

  /**
   * Servers that lost power can lose what they acknowledged: then the files of a scheduler hold more than the stream, and it
   * writes that again before anything else.
   */
  async #restore(): Promise<void> {
    for await (const batch of batchesFrom(this.#options.directory, this.#streamBatch + 1)) {
      if (batch.n !== this.#streamBatch + 1) throw historyMissing(this.#streamBatch);
      const { bytes, chain } = encodeBatch(batch, this.#chain);
      await this.#send(bytes, batch.n);
      this.#chain = chain;
      this.#streamBatch = batch.n;
    }
  }

  /** False when another scheduler wrote first. */
  async #claim(): Promise<boolean> {
    const { onRole } = this.#parts;
    this.#chain = this.#reader.chain ?? GENESIS_CHAIN;
    const { program } = this.#options;
    const before = this.#sequence;
    try {
      if (this.#streamBatch < this.#lastBatch) await this.#restore();
      await this.#mark({ kind: "opened", n: this.#lastBatch, atUs: Date.now() * 1000, program });
    } catch (error) {
      // What was written again is not read again: a new start finds its place.
      if (error instanceof Deposed && this.#sequence === before) return false;
      throw error;
    }
    this.#leads = true;
    onRole({ kind: "leading", epoch: this.#sequence, batch: this.#lastBatch });
    return true;
  }

  // ── leading ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes what waits durable, in groups, one after the other: which message is the last is known before the next is sent. */
  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      const [group, count] = this.#nextGroup();
      const written = this.#waiting.slice(0, count);
      try {
        await this.#send(group.bytes, (written[0] as Waiting).batch.n);
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
        break;
      }
      this.#chain = group.chain;
      this.#waiting.splice(0, count);
      for (const { batch, durable } of written) {
        this.#keep(batch);
        durable.resolve();
      }
    }
    this.#writing = false;
  }

  #nextGroup(): readonly [{ readonly bytes: Buffer; readonly chain: string }, number] {
    const lines: Buffer[] = [];
    let [bytes, chain] = [0, this.#chain];
    for (const { batch } of this.#waiting) {
      const line = encodeBatch(batch, chain);
      lines.push(line.bytes);
      bytes += line.bytes.length;
      chain = line.chain;
      if (bytes >= this.#parts.limits.maxGroupBytes) break;
    }
    return [{ bytes: Buffer.concat(lines), chain }, lines.length];
  }

  async #mark(mark: Parameters<typeof encodeMark>[0]): Promise<void> {
    const { bytes, chain } = encodeMark(mark, this.#chain);
    await this.#send(bytes, mark.n + 1);
    this.#chain = chain;
  }

  async #send(group: Buffer, batch: number): Promise<void> {
    const id = randomUUID();
    for (const [index, data] of partsOf(group, this.#parts.limits.maxPartBytes).entries()) {
      const message = { batch, part: index + 1, id: `${id}.${index + 1}`, data };
      this.#sequence = await this.#parts.stream.append(this.#sequence, message);
    }
  }

  /** Into the local files; nobody waits for them, since the stream has it. */
  #keep(batch: Batch): void {
    this.#kept = this.#local.append(batch).catch((error: unknown) => this.#fail(error as Error));
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#parts.onRole({ kind: "deposed", error });
    this.#ended.resolve(error);
    for (const { durable } of this.#waiting.splice(0)) durable.reject(error);
  }
}

/** The stream's first record, where the stream has one. */
async function headerOf({ stream }: ShardStoreParts, options: FileStoreOptions): Promise<JournalHeader | undefined> {
  const { first, last } = await stream.range();
  if (last === 0) return undefined;
  const message = first === 1 ? await stream.message(1) : undefined;
  const [line] = message === undefined ? [] : new LineReader(GENESIS_CHAIN).read(message);
  const record = line === undefined ? undefined : decodeLine(line);
  if (typeof record === "object" && record.kind === "header") return record;
  // Its beginning has been dropped: what the local files say must do.
  const { program, chainId, config } = options;
  return {
    kind: "header",
    format: FORMAT,
    segment: 1,
    firstBatch: 1,
    previous: GENESIS_CHAIN,
    program,
    chainId,
    config,
    createdAtUs: 0,
  };
}

async function beginStream(parts: ShardStoreParts, options: FileStoreOptions): Promise<JournalHeader> {
  const { program, chainId, config } = options;
  const createdAtUs = Date.now() * 1000;
  const about = { segment: 1, firstBatch: 1, previous: GENESIS_CHAIN, program, chainId, config, createdAtUs };
  const header: JournalHeader = { kind: "header", format: FORMAT, ...about };
  const { bytes } = encodeHeader(header);
  try {
    await parts.stream.append(0, { batch: 1, part: 1, id: randomUUID(), data: bytes });
    return header;
  } catch (error) {
    if (!(error instanceof Deposed)) throw error;
    // Two began it at the same moment.
    return (await headerOf(parts, options)) ?? header;
  }
}

function requireSameEngine({ chainId, config }: FileStoreOptions, header: JournalHeader): void {
  const theirs = header.config as EngineConfig;
  const ours = JSON.parse(JSON.stringify({ ...config, policy: theirs.policy })) as unknown;
  if (header.chainId === chainId && isDeepStrictEqual(ours, theirs)) return;
  const what = header.chainId === chainId ? "engine configuration" : "chain";
  throw new JournalError("foreign", `the shard's stream was begun with another ${what}`, {
    remedy: "Start with the one that the other schedulers have, or use another shard.",
  });
}

/** Where a stream begins to be read, and the last batch that it and the local files both have. */
interface MeetingPoint {
  /** The message before the first to be read. */
  readonly sequence: number;
  readonly anchor: Batch | undefined;
}

/** The group that holds the last common batch. What comes before it is in the local files. */
async function meetingPoint(stream: ShardStream, last: number): Promise<MeetingPoint> {
  for (let wanted = last; wanted > 0; ) {
    const start = await startOfGroup(stream, wanted);
    const { batch, records } = await readGroup(stream, start);
    const anchor = records.findLast((record) => record.kind === "batch" && record.n <= last);
    if (anchor?.kind === "batch") return { sequence: start - 1, anchor };
    // A mark alone: the batch before it stands further back.
    wanted = Math.min(wanted, batch) - 1;
  }
  const { first } = await stream.range();
  if (first > 1) throw historyMissing(last);
  return { sequence: 0, anchor: undefined };
}

/** The first message of the last group that began with batch `n` or an earlier one: what messages say of it does not fall. */
async function startOfGroup(stream: ShardStream, n: number): Promise<number> {
  const { first, last } = await stream.range();
  let [low, high] = [first, last];
  let part = (await stream.message(first))?.part ?? 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const message = await stream.message(middle);
    if (message === undefined) throw historyMissing(n);
    if (message.batch > n) high = middle - 1;
    else [low, part] = [middle, message.part];
  }
  const start = low - (part - 1);
  if (start < first) throw historyMissing(n);
  return start;
}

async function readGroup(stream: ShardStream, start: number) {
  const reader = new LineReader(undefined);
  const records: JournalRecord[] = [];
  let message = await stream.message(start);
  const batch = message?.batch ?? 0;
  for (let part = 1; message !== undefined && message.part === part; part++) {
    for (const line of reader.read(message)) {
      const record = decodeLine(line);
      if (typeof record === "string") throw damagedStream(record);
      records.push(record);
    }
    message = await stream.message(start + part);
  }
  return { batch, records };
}

async function requireSameBatch(directory: string, { n, atUs, digest }: Batch): Promise<void> {
  for await (const ours of batchesFrom(directory, n)) {
    if (ours.n === n && ours.atUs === atUs && ours.digest === digest) return;
    break;
  }
  throw forked(n);
}

function historyMissing(last: number): JournalError {
  return new JournalError("history-missing", `what follows batch ${last} is not in the shard's stream any more`, {
    remedy: "Stop this scheduler and start it with a copy of the leader's directory; nothing was changed.",
  });
}

function damagedStream(what: string): JournalError {
  const remedy = "Let the scheduler with the longest journal begin a new stream; nothing was changed.";
  return new JournalError("damaged", `the shard's stream is damaged: ${what}`, { remedy });
}

function forked(n: number): JournalError {
  return new JournalError("foreign", `batch ${n} of the local journal is another one than in the shard's stream`, {
    remedy: "Keep this directory for its records and start with a new one, which the stream will fill.",
  });
}
