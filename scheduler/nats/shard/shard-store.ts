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
import { LocalCopy } from "./local-copy.ts";
import { batchesFrom, requireKept } from "./local-batches.ts";
import { type BatchIdentity, damagedStream, historyMissing, meetingPoint, requireSameBatch } from "./meeting-point.ts";
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
  readonly #ended = Promise.withResolvers<Error>();
  #reader: LineReader;
  readonly config: EngineConfig;
  readonly recovered: Recovered;
  /** Sequence of the last message that was read or written. */
  #sequence: number;
  #lastBatch: number;
  /** The last batch that the stream has, as far as it was read. */
  #streamLast: BatchIdentity | undefined;
  /** The last batch that the local files and the stream are known to have both. */
  #agreed: number;
  #lastUs: number;
  #closedCleanly = true;
  #chain: string = GENESIS_CHAIN;
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  readonly #copy: LocalCopy;
  #following = false;
  /** Its own mark stands in the stream, and so does all that it wrote since. */
  #leads = false;
  #failure: Error | undefined;

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
      if (last > (anchor?.n ?? 0)) await requireKept(options.directory, anchor?.n ?? 1);
      if (anchor !== undefined) await requireSameBatch(options.directory, anchor);
      const agreed = anchor?.n ?? 0;
      return new ShardStore(parts, { options, local, config, header, sequence, last, agreed });
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
      readonly agreed: number;
    },
  ) {
    this.#parts = parts;
    this.#options = opened.options;
    this.#local = opened.local;
    this.config = opened.config;
    this.#sequence = opened.sequence;
    this.#lastBatch = opened.last;
    this.#agreed = opened.agreed;
    this.#lastUs = Math.max(opened.local.recovered?.lastUs ?? 0, opened.header.createdAtUs);
    this.#copy = new LocalCopy({
      store: opened.local,
      maxWaitingBytes: parts.limits.maxGroupBytes,
      maxStallMs: parts.limits.maxStallMs,
      signal: parts.signal,
      onFailure: (error) => this.#fail(error),
    });
    this.#reader = new LineReader(undefined);
    this.recovered = this.#recovery(opened.header);
  }

  get nextBatch(): number {
    return this.#lastBatch + 1;
  }

  get backlogBytes(): number {
    return this.#local.backlogBytes;
  }

  /** From the end of the local files on: only then are there batches of which a snapshot can be written. */
  get follows(): boolean {
    return this.#following;
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
    this.#writing ??= this.#write();
    return durable.promise;
  }

  writeSnapshot(snapshot: Snapshot): Promise<unknown> {
    return this.#local.writeSnapshot(snapshot);
  }

  async close(atUs: number): Promise<void> {
    const { lease, limits, signal } = this.#parts;
    const says = this.#failure === undefined && lease.isHeld;
    this.#failure ??= new JournalError("closed", "the journal was closed", { remedy: "Open it again." });
    // A courtesy to who reads it: when no broker can be reached, the end does not wait for one.
    if (says) await Promise.race([this.#sayClosed(atUs), pause(limits.requestMs, signal)]);
    await lease.release();
    await this.#local.close(atUs);
  }

  /** After what is under way, of which no message may be cut off from the next; and by who leads alone. */
  async #sayClosed(atUs: number): Promise<void> {
    await this.#writing;
    if (!this.#leads) return;
    await this.#mark({ kind: "closed", n: this.#lastBatch, atUs }).catch(() => undefined);
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
    this.#following = true;
    onRole({ kind: "following", batch: this.#lastBatch });
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const tries = lease.isHeld;
      const { first, last } = await stream.range();
      if (last < this.#sequence) await this.#meetAgain(last);
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
        const batch = await this.#note(decodeLine(line));
        if (batch !== undefined) yield batch;
      }
      this.#sequence = message.sequence;
      await this.#copy.room();
    }
  }

  /** Once the local files hold what they were handed. @throws what has ended this journal. */
  async #settled(): Promise<void> {
    await this.#copy.kept;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The stream has lost what it had acknowledged, and may have gone on from there. */
  async #meetAgain(last: number): Promise<void> {
    if (last === 0) await beginStream(this.#parts, this.#options);
    const { sequence, anchor } = await meetingPoint(this.#parts.stream, this.#lastBatch);
    if (this.#lastBatch > (anchor?.n ?? 0)) await requireKept(this.#options.directory, anchor?.n ?? 1);
    if (anchor !== undefined) await this.#agree(anchor);
    this.#agreed = anchor?.n ?? 0;
    this.#sequence = sequence;
    this.#streamLast = undefined;
    this.#reader = new LineReader(undefined);
  }

  /** @throws JournalError `foreign` when the local files hold another one: then the stream has gone another way. */
  async #agree(batch: BatchIdentity): Promise<void> {
    await this.#settled();
    await requireSameBatch(this.#options.directory, batch);
    this.#agreed = batch.n;
  }

  /** Takes a record of the stream into the local files. */
  async #note(record: JournalRecord | string): Promise<Batch | undefined> {
    if (typeof record === "string") throw damagedStream(record);
    if (record.kind === "header") return undefined;
    this.#lastUs = Math.max(this.#lastUs, record.atUs);
    this.#closedCleanly = record.kind === "closed";
    if (record.kind !== "batch") return undefined;
    const { kind: _kind, ...batch } = record;
    this.#streamLast = { n: batch.n, atUs: batch.atUs, digest: batch.digest };
    if (batch.n === this.#lastBatch && batch.n > this.#agreed) await this.#agree(batch);
    if (batch.n <= this.#lastBatch) return undefined;
    if (batch.n !== this.#lastBatch + 1) throw damagedStream(`batch ${batch.n} follows batch ${this.#lastBatch}`);
    this.#copy.keep(batch);
    this.#lastBatch = batch.n;
    this.#agreed = batch.n;
    return batch;
  }

  /**
   * Servers that lost power can lose what they acknowledged: then the files of a scheduler hold more than the stream, and it
   * writes that again before anything else, unless another has led on from the shorter stream.
   */
  async #restore(): Promise<void> {
    const last = this.#streamLast;
    if (last !== undefined && last.n > this.#agreed) await this.#agree(last);
    await this.#settled();
    let next = (last?.n ?? 0) + 1;
    for await (const batch of batchesFrom(this.#options.directory, next)) {
      if (batch.n !== next) break;
      const { bytes, chain } = encodeBatch(batch, this.#chain);
      await this.#send(bytes, batch.n);
      this.#chain = chain;
      next += 1;
    }
    if (next <= this.#lastBatch) throw historyMissing(next - 1);
  }

  /** False when another scheduler wrote first. */
  async #claim(): Promise<boolean> {
    const { onRole } = this.#parts;
    this.#chain = this.#reader.chain ?? GENESIS_CHAIN;
    const { program } = this.#options;
    const read = this.#sequence;
    try {
      if ((this.#streamLast?.n ?? 0) < this.#lastBatch) await this.#restore();
      await this.#mark({ kind: "opened", n: this.#lastBatch, atUs: Date.now() * 1000, program });
    } catch (error) {
      if (!(error instanceof Deposed)) throw error;
      // What was restored until then is read like any other's.
      this.#sequence = read;
      return false;
    }
    this.#leads = true;
    onRole({ kind: "leading", epoch: this.#sequence, batch: this.#lastBatch });
    this.#watch().catch(() => undefined);
    return true;
  }

  // ── leading ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Who has been deposed and has nothing to write would go on answering what is not so any more. */
  async #watch(): Promise<void> {
    const { stream, limits, signal } = this.#parts;
    while (this.#leads && this.#failure === undefined && !signal.aborted) {
      await pause(limits.leaseMs, signal);
      if (this.#copy.stalled !== undefined) this.#fail(this.#copy.stalled);
      if (this.#writing !== undefined) continue;
      const ours = this.#sequence;
      const isLast = await stream.endsWith(ours);
      // What was written meanwhile got in: then nobody else has led.
      const isOurs = isLast || this.#writing !== undefined || this.#sequence !== ours;
      if (!isOurs) this.#fail(stream.deposedAfter(ours));
    }
  }

  /** Makes what waits durable, in groups, one after the other: which message is the last is known before the next is sent. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      try {
        await this.#copy.room();
        const [group, count] = this.#nextGroup();
        const written = this.#waiting.slice(0, count);
        await this.#send(group.bytes, (written[0] as Waiting).batch.n);
        this.#chain = group.chain;
        this.#waiting.splice(0, count);
        for (const { batch, durable } of written) {
          this.#copy.keep(batch);
          durable.resolve();
        }
      } catch (error) {
        this.#leads = false;
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#writing = undefined;
    if (this.#failure !== undefined) this.#rejectWaiting(this.#failure);
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
    for (const [index, data] of partsOf(group, this.#parts.stream.maxPartBytes).entries()) {
      const message = { batch, part: index + 1, id: `${id}.${index + 1}`, data };
      this.#sequence = await this.#parts.stream.append(this.#sequence, message);
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    // At once: what is left to close may stand still for long, and another can lead meanwhile.
    void this.#parts.lease.release();
    this.#parts.onRole({ kind: "deposed", error });
    this.#ended.resolve(error);
    this.#rejectWaiting(error);
  }

  #rejectWaiting(error: Error): void {
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
  await requireKept(options.directory, 1);
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
