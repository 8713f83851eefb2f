import { jetstream, JetStreamApiError } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { LEADERS, requireShard } from "../subjects.ts";
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
}

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

  constructor(options: LeaseOptions) {
    this.#options = options;
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
      } catch {
        // Held by another, or nobody could be asked: asked again below.
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
    try {
      if (this.#revision !== undefined) this.#revision = await bucket.update(this.#key, holder, this.#revision);
      else if (await this.#isFree(bucket)) this.#revision = await bucket.create(this.#key, holder);
      else return;
    } catch (error) {
      this.#freeSinceMs = undefined;
      // Silence says nothing: the key runs out by itself, and until then nobody else has it.
      if (!(error instanceof JetStreamApiError)) return;
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

  #bucket(): Promise<KV> {
    const { connection, replicas, limits } = this.#options;
    return new Kvm(jetstream(connection, { timeout: limits.requestMs })).create(LEADERS, {
      ttl: limits.leaseMs,
      history: 1,
      replicas,
    });
  }
}
