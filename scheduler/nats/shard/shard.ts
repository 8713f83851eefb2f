import { randomUUID } from "node:crypto";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { JournalStore, FileStoreOptions } from "../../live/journal-store.ts";
import { connectionTo, type NatsPlace } from "../authentication.ts";
import { requireShard, SCHEDULER_INBOX } from "../subjects.ts";
import { unreachable } from "../unreachable.ts";
import { Lease } from "./lease.ts";
import type { LeaseReport, LeaseTrouble } from "./lease-reports.ts";
import { assertShardLimits, DEFAULT_SHARD_LIMITS, type ShardLimits } from "./shard-limits.ts";
import { ShardStore, type ShardRole } from "./shard-store.ts";
import { ShardStream } from "./shard-stream.ts";

export interface ShardOptions extends NatsPlace {
  readonly shard: string;
  /** What operators call this scheduler. */
  readonly name: string;
  /** Servers that hold the journal: 1, or 3 for one that outlives a server. */
  readonly replicas: 1 | 3 | 5;
  /** What differs from `DEFAULT_SHARD_LIMITS`. */
  readonly limits?: Partial<ShardLimits>;
  /** Told whenever this scheduler follows, leads, or has been deposed. */
  readonly onRole?: (role: ShardRole) => void;
  /** Told of trouble with the lease and of its end, each kind of it at most every `reportMs`. */
  readonly onLease?: (report: LeaseReport) => void;
}

/** How sure this scheduler can be that nobody else leads. */
export interface ShardStanding {
  readonly leads: boolean;
  /**
   * Milliseconds since that was asked which a majority of the brokers last granted to this scheduler as the leader: its lease, or
   * something for its journal. Once it is more than `leaseMs`, another may lead. `Infinity` for who never led.
   */
  readonly unconfirmedMs: number;
  readonly leaseMs: number;
  /** Why the lease cannot be taken or kept at present. */
  readonly trouble: LeaseTrouble | undefined;
}

/** A shard that this scheduler follows or leads. */
export interface Shard {
  /**
   * For `createPipe`: keeps the journal in the shard's stream. A scheduler that is made with it is a standby until it leads;
   * `createPipe` resolves then.
   */
  readonly openJournal: (options: FileStoreOptions) => Promise<JournalStore>;
  /** The epoch of its leadership, for the transport; 0 while it does not lead. */
  readonly epoch: () => number;
  readonly standing: () => ShardStanding;
  /** Gives the lead back and closes the connection. Called after the scheduler is closed, or to end a standby. */
  close(): Promise<void>;
}

/** Connects to the broker. Rejects with `NatsUnreachable` when none takes us. */
export async function openShard(options: ShardOptions): Promise<Shard> {
  requireShard(options.shard);
  const limits = { ...DEFAULT_SHARD_LIMITS, ...options.limits };
  assertShardLimits(limits);
  const connection = await connectTo(options);
  const over = new AbortController();
  let epoch = 0;
  let leads = false;
  const onRole = (role: ShardRole): void => {
    epoch = role.kind === "leading" ? role.epoch : epoch;
    leads = role.kind === "leading";
    options.onRole?.(role);
  };
  let [lease, stream]: [Lease?, ShardStream?] = [];
  return {
    epoch: () => epoch,
    standing: () => {
      const unconfirmedMs = performance.now() - confirmedMs(lease, stream);
      return { leads, unconfirmedMs, leaseMs: limits.leaseMs, trouble: lease?.trouble };
    },
    openJournal: async (file) => {
      const { shard, replicas, name } = options;
      const about = { connection, shard, replicas, limits, signal: over.signal };
      stream = await ShardStream.open(about);
      const holder = `${name}/${randomUUID()}`;
      lease = new Lease({ ...about, holder, onReport: (report) => options.onLease?.(report) });
      await lease.check();
      return ShardStore.open({ stream, lease, limits, signal: over.signal, onRole }, file);
    },
    close: async () => {
      await lease?.release();
      over.abort(new Error("the shard was closed"));
      await connection.close();
    },
  };
}

/** A lease that was taken again says nothing until the journal was looked at: another may have had it, and led on. */
function confirmedMs(lease: Lease | undefined, stream: ShardStream | undefined): number {
  if (lease === undefined || stream === undefined) return Number.NEGATIVE_INFINITY;
  const byLease = stream.checkedMs >= lease.heldSinceMs ? lease.confirmedMs : Number.NEGATIVE_INFINITY;
  return Math.max(byLease, stream.confirmedMs);
}

function connectTo({ name, shard, ...place }: ShardOptions): Promise<NatsConnection> {
  const connecting = connect({
    ...connectionTo(place),
    name: `pipe scheduler ${name}, shard ${shard}, journal`,
    inboxPrefix: SCHEDULER_INBOX,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    pingInterval: 2_000,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
  });
  return connecting.catch((error: unknown) => Promise.reject(unreachable(place.servers, error)));
}
