import { jetstream, JetStreamApiCodes } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { JournalError } from "../../live/journal-error.ts";
import { LEADERS, requireShard } from "../subjects.ts";
import { codeOf, isFinal, isForbidden, messageOf } from "./broker-errors.ts";
import { type LeaseReport, LeaseReports, type LeaseTrouble } from "./lease-reports.ts";
import { pause } from "./shard-stream.ts";
import type { ShardLimits } from "./shard-limits.ts";

export interface LeaseOptions {
  readonly connection: NatsConnection;
  readonly shard: string;
  /** Who asks, shown to operators; no two processes have the same. */
  readonly holder: string;
  readonly replicas: number;
  readonly limits: ShardLimits;
  readonly signal: AbortSignal;
  /** Told of trouble at once, and of what lasts every half a minute; never by each attempt. */
  readonly onReport: (report: LeaseReport) => void;
}

/** No key has been written so often. */
const NO_REVISION = Number.MAX_SAFE_INTEGER;

const OTHERS_HAVE_IT: ReadonlySet<number | undefined> = new Set([
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
]);

/**
 * Who is to lead a shard: a key that vanishes when it is not renewed, taken by compare-and-set. It only decides who *tries*: what
 * keeps two leaders apart is the stream, which takes one's writes. So a leader whose lease ran out while no server could be
 * reached goes on when it gets it back, unless another has written meanwhile.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #over = new AbortController();
  #done: Promise<void> | undefined;
  #revision: number | undefined;
  #hasLed = false;
  /** Since when nobody has it, as far as the broker answers. */
  #freeSinceMs: number | undefined;
  #held = Promise.withResolvers<void>();
  readonly #reports: LeaseReports;
  #confirmedMs = Number.NEGATIVE_INFINITY;
  #heldSinceMs = Number.POSITIVE_INFINITY;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#reports = new LeaseReports({ intervalMs: options.limits.reportMs, tell: options.onReport });
  }

  /**
   * Asks for everything that holding it takes, and changes nothing. Rejects with a `JournalError` when the broker plainly refuses:
   * a scheduler that went on would stand by for ever. What may pass by itself is told when the lease is wanted.
   */
  async check(): Promise<void> {
    try {
      const bucket = await this.#bucket();
      await bucket.get(this.#key);
      await bucket.update(this.#key, this.#options.holder, NO_REVISION);
    } catch (error) {
      if (error instanceof JournalError) throw error;
      if (isForbidden(error) || isFinal(error)) throw refused(this.#key, error);
    }
  }

  /** Asks for it from now on, and keeps it once it is held. */
  want(): void {
    this.#done ??= this.#keep();
  }

  get isHeld(): boolean {
    return this.#revision !== undefined;
  }

  /** Resolves when it is held. */
  get held(): Promise<void> {
    return this.#held.promise;
  }

  /** When that was asked which a majority of its replicas last granted, by `performance.now()`; before that nobody else had it. */
  get confirmedMs(): number {
    return this.#confirmedMs;
  }

  /** When that was asked by which it was taken; it may have been another's before. */
  get heldSinceMs(): number {
    return this.#heldSinceMs;
  }

  /** Why the last attempt to take or keep it failed; `undefined` when it did not. */
  get trouble(): LeaseTrouble | undefined {
    return this.#reports.trouble;
  }

  /** Gives it back, so that another need not wait until it runs out. */
  async release(): Promise<void> {
    this.#over.abort();
    await this.#done;
  }

  async #keep(): Promise<void> {
    const signal = AbortSignal.any([this.#over.signal, this.#options.signal]);
    let bucket: KV | undefined;
    while (!signal.aborted) {
      try {
        bucket ??= await this.#bucket();
        await this.#renew(bucket);
        this.#reports.succeeded();
      } catch (error) {
        if (!signal.aborted) this.#reports.failed(error, performance.now());
      }
      await pause(this.#options.limits.leaseMs / 4, signal);
    }
    const revision = this.#revision;
    this.#lost();
    if (bucket === undefined || revision === undefined || this.#options.connection.isClosed()) return;
    await bucket.delete(this.#key, { previousSeq: revision }).catch(() => undefined);
  }

  get #key(): string {
    return requireShard(this.#options.shard);
  }

  async #renew(bucket: KV): Promise<void> {
    const { holder } = this.#options;
    const askedMs = performance.now();
    try {
      if (this.#revision !== undefined) this.#revision = await bucket.update(this.#key, holder, this.#revision);
      else if (await this.#isFree(bucket)) {
        this.#revision = await bucket.create(this.#key, holder);
        this.#heldSinceMs = askedMs;
      } else return;
      this.#confirmedMs = askedMs;
    } catch (error) {
      this.#freeSinceMs = undefined;
      // Silence says nothing: the key runs out by itself, and until then nobody else has it.
      if (!OTHERS_HAVE_IT.has(codeOf(error))) throw error;
      // It was renewed without our hearing of it, or it ran out and may be another's by now.
      const entry = await bucket.get(this.#key);
      if (entry?.operation !== "PUT" || entry.string() !== holder) return this.#lost();
      this.#revision = entry.revision;
    }
    this.#hasLed = true;
    this.#held.resolve();
  }

  /**
   * Whether it may be taken. A key that ran out while the broker was electing leaders of its own is the last holder's, if that lives:
   * others wait for a while before they take what nobody gave back.
   */
  async #isFree(bucket: KV): Promise<boolean> {
    const entry = await bucket.get(this.#key);
    if (entry?.operation === "PUT") this.#freeSinceMs = undefined;
    else if (this.#hasLed || entry !== null) return true;
    else this.#freeSinceMs ??= performance.now();
    return this.#freeSinceMs !== undefined && performance.now() - this.#freeSinceMs >= this.#options.limits.leaseMs / 2;
  }

  #lost(): void {
    if (this.#revision === undefined) return;
    this.#revision = undefined;
    this.#held = Promise.withResolvers();
  }

  async #bucket(): Promise<KV> {
    const { connection, replicas, limits } = this.#options;
    const client = jetstream(connection, { timeout: limits.requestMs });
    const bucket = await new Kvm(client).create(LEADERS, { ttl: limits.leaseMs, history: 1, replicas });
    const { ttl } = await bucket.status();
    if (ttl === limits.leaseMs) return bucket;
    const lasts = ttl === 0 ? "for ever" : `for ${ttl} ms`;
    throw new JournalError("foreign", `keys of ${LEADERS} last ${lasts}, not for ${limits.leaseMs} ms`, {
      remedy: `Stop the schedulers, remove the bucket with NATS's own tools, and start them again: they make it anew.`,
    });
  }
}

function refused(key: string, cause: unknown): JournalError {
  const remedy = `Let this user use the bucket ${LEADERS} and its key ${key}, as pipe nats-config writes it.`;
  const message = `the lease of shard ${key} cannot be used: ${messageOf(cause)}`;
  return new JournalError("write-failed", message, { remedy, cause });
}
