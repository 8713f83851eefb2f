import {
  DiscardPolicy,
  type JetStreamClient,
  JetStreamApiCodes,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StoredMsg,
  type StreamConfig,
} from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/transport-node";
import { JournalError } from "../../live/journal-error.ts";
import { streamOf } from "../subjects.ts";
import { codeOf, isFinal, isForbidden, messageOf } from "./broker-errors.ts";
import type { ShardLimits } from "./shard-limits.ts";
import { HEADERS, type StreamMessage } from "./stream-lines.ts";

/** Something else stands where this scheduler was about to write: another one leads. */
export class Deposed extends Error {
  override readonly name = "Deposed";
  readonly code = "deposed";
}

export interface ShardStreamOptions {
  readonly connection: NatsConnection;
  readonly shard: string;
  /** Servers that hold a copy each: 1, or 3 for a stream that outlives a server. */
  readonly replicas: number;
  readonly limits: ShardLimits;
  /** Aborted when nothing is to be tried any more. */
  readonly signal: AbortSignal;
}

/** Servers that have just started may not have JetStream yet; those that do not answer so often have none. */
const MAX_UNANSWERED = 50;

/**
 * A shard's journal as a JetStream stream. Every write says which message it expects to be the last one, so that of two
 * schedulers that both believe to lead only one gets its write in (the other learns that it is deposed). A write whose
 * answer does not come is written again under the same expectation, which finds out what became of it.
 */
export class ShardStream {
  readonly #options: ShardStreamOptions;
  readonly #client: JetStreamClient;
  readonly #manager: JetStreamManager;
  readonly name: string;
  readonly #subject: string;
  #confirmedMs = Number.NEGATIVE_INFINITY;
  #checkedMs = Number.NEGATIVE_INFINITY;

  /** Rejects with the server's error when it has no JetStream, or the stream there is another. */
  static async open(options: ShardStreamOptions): Promise<ShardStream> {
    const { connection, limits } = options;
    const client = jetstream(connection, { timeout: limits.requestMs });
    const manager = await jetstreamManager(connection, { timeout: limits.requestMs, checkAPI: false });
    const stream = new ShardStream(options, client, manager);
    let unanswered = 0;
    await stream.#again(() =>
      stream.#create().catch((error: unknown) => {
        unanswered += error instanceof Error && error.name === "JetStreamNotEnabled" ? 1 : 0;
        throw unanswered < MAX_UNANSWERED ? error : refused(stream.name, error);
      }),
    );
    return stream;
  }

  private constructor(options: ShardStreamOptions, client: JetStreamClient, manager: JetStreamManager) {
    this.#options = options;
    this.#client = client;
    this.#manager = manager;
    this.name = streamOf(options.shard);
    this.#subject = `pipe.v1.${options.shard}.journal`;
  }

  /** When the last of our messages was sent that got in, by `performance.now()`: nobody else had led until then. */
  get confirmedMs(): number {
    return this.#confirmedMs;
  }

  /** When the stream last ended with what we know, as of when that was asked. */
  get checkedMs(): number {
    return Math.max(this.#checkedMs, this.#confirmedMs);
  }

  /** Bytes that one message may hold, so that its headers have room, too. */
  get maxPartBytes(): number {
    const taken = this.#options.connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    return Math.max(1, Math.min(this.#options.limits.maxPartBytes, Math.floor(taken / 2)));
  }

  /** The sequences of the first message that is still there and of the last one; 0 for the last of none. */
  async range(): Promise<{ readonly first: number; readonly last: number }> {
    const { state } = await this.#again(() => this.#manager.streams.info(this.name));
    return { first: Math.max(1, state.first_seq), last: state.last_seq };
  }

  /** Whether nothing follows the message. */
  async endsWith(sequence: number): Promise<boolean> {
    const askedMs = performance.now();
    const { last } = await this.range();
    if (last <= sequence) this.#checkedMs = askedMs;
    return last <= sequence;
  }

  /** `undefined` when it was not written yet, or is not there any more. */
  async message(sequence: number): Promise<StreamMessage | undefined> {
    const stored = await this.#again(() => this.#stored(sequence));
    if (stored === undefined) return undefined;
    const [batch, part] = [HEADERS.batch, HEADERS.part].map((name) => Number(stored.header.get(name)));
    return {
      sequence,
      batch: Number.isSafeInteger(batch) ? (batch as number) : 0,
      part: Number.isSafeInteger(part) ? (part as number) : 0,
      id: stored.header.get(HEADERS.id),
      data: stored.data,
    };
  }

  /**
   * Writes one message after `last`. Resolves when as many servers as a majority of its replicas have it.
   * @throws Deposed when there is another one; the signal's reason when it is aborted.
   */
  async append(last: number, { batch, part, id, data }: Omit<StreamMessage, "sequence">): Promise<number> {
    const named = headers();
    named.set(HEADERS.batch, String(batch));
    named.set(HEADERS.part, String(part));
    const options = {
      msgID: id,
      headers: named,
      expect: { lastSequence: last },
      timeout: this.#options.limits.requestMs,
    };
    for (;;) {
      let sentMs = 0;
      const sequence = await this.#again(async () => {
        sentMs = performance.now();
        try {
          return (await this.#client.publish(this.#subject, data, options)).seq;
        } catch (error) {
          if (codeOf(error) !== JetStreamApiCodes.StreamWrongLastSequence) throw error;
          return undefined;
        }
      });
      if (sequence === last + 1) {
        this.#confirmedMs = sentMs;
        return sequence;
      }
      // An earlier try may have got in without our hearing of it.
      const found = await this.message(last + 1);
      if (found?.id === id) return last + 1;
      const end = (await this.range()).last;
      if (end < last) throw new Deposed(`${this.name} ends with message ${end}: it has lost those up to ${last}`);
      if (found !== undefined || end > last) throw this.deposedAfter(last);
      // Nothing stands there, though something was to: a server has it that has not agreed with the others on it yet.
      await pause(this.#options.limits.retryMs, this.#options.signal);
    }
  }

  /** Why who wrote message `last` leads no more. */
  deposedAfter(last: number): Deposed {
    return new Deposed(`another scheduler has written to ${this.name} after message ${last}: it leads the shard now`);
  }

  async #create(): Promise<void> {
    const { limits, replicas } = this.#options;
    const found = await this.#manager.streams.info(this.name).catch((error: unknown) => {
      if (codeOf(error) === JetStreamApiCodes.StreamNotFound) return undefined;
      throw error;
    });
    if (found !== undefined) return this.#requireDurable(found.config);
    await this.#manager.streams.add({
      name: this.name,
      subjects: [this.#subject],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      num_replicas: replicas,
      max_bytes: limits.maxStreamBytes,
      // What was written stays as it was.
      deny_delete: true,
    });
  }

  /** One that somebody made otherwise, or for fewer servers, would lose what it acknowledged. */
  #requireDurable({ num_replicas, storage, max_age, max_msgs }: StreamConfig): void {
    const { replicas } = this.#options;
    const lasts = storage === StorageType.File && max_age === 0 && max_msgs === -1;
    if (lasts && num_replicas >= replicas) return;
    const what = lasts ? `is on ${num_replicas} of the servers, not on ${replicas}` : "does not keep what it is given";
    const remedy = "Change the stream with NATS's own tools, or start every scheduler as it was made.";
    throw new JournalError("foreign", `the stream ${this.name} ${what}`, { remedy });
  }

  async #stored(sequence: number): Promise<StoredMsg | undefined> {
    try {
      return (await this.#manager.streams.getMessage(this.name, { seq: sequence })) ?? undefined;
    } catch (error) {
      if (codeOf(error) === JetStreamApiCodes.NoMessageFound) return undefined;
      throw error;
    }
  }

  /** Asks until there is an answer: servers elect leaders, connections come back. */
  async #again<A>(ask: () => Promise<A>): Promise<A> {
    const { signal, limits } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await ask();
      } catch (error) {
        if (isFinal(error) || isForbidden(error)) throw refused(this.name, error);
        if (error instanceof JournalError) throw error;
        if (this.#options.connection.isClosed()) throw refused(this.name, error);
        await pause(limits.retryMs, signal);
      }
    }
  }
}

function refused(name: string, cause: unknown): JournalError {
  const remedy = "Check that the servers have JetStream with enough room, and that this user may use the stream.";
  return new JournalError("write-failed", `the stream ${name} cannot be used: ${messageOf(cause)}`, { remedy, cause });
}

/** Resolves after a while, or at once when it is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
