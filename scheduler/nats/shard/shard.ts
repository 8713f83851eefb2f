import { randomUUID } from "node:crypto";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { JournalStore, FileStoreOptions } from "../../live/journal-store.ts";
import { authenticatorOf, type NatsAuthentication, type NatsTls } from "../authentication.ts";
import { requireShard, SCHEDULER_INBOX } from "../subjects.ts";
import { Lease } from "./lease.ts";
import { assertShardLimits, DEFAULT_SHARD_LIMITS, type ShardLimits } from "./shard-limits.ts";
import { ShardStore, type ShardRole } from "./shard-store.ts";
import { ShardStream } from "./shard-stream.ts";

export interface ShardOptions {
  readonly servers: string | readonly string[];
  readonly authentication?: NatsAuthentication;
  readonly tls?: NatsTls;
  readonly shard: string;
  /** What operators call this scheduler. */
  readonly name: string;
  /** Servers that hold the journal: 1, or 3 for one that outlives a server. */
  readonly replicas: 1 | 3 | 5;
  /** What differs from `DEFAULT_SHARD_LIMITS`. */
  readonly limits?: Partial<ShardLimits>;
  /** Told whenever this scheduler follows, leads, or has been deposed. */
  readonly onRole?: (role: ShardRole) => void;
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
  /** Gives the lead back and closes the connection. Called after the scheduler is closed, or to end a standby. */
  close(): Promise<void>;
}

/** Connects to the broker. Rejects with the library's error when none is there. */
export async function openShard(options: ShardOptions): Promise<Shard> {
  requireShard(options.shard);
  const limits = { ...DEFAULT_SHARD_LIMITS, ...options.limits };
  assertShardLimits(limits);
  const connection = await connectTo(options);
  const over = new AbortController();
  let epoch = 0;
  const onRole = (role: ShardRole): void => {
    epoch = role.kind === "leading" ? role.epoch : epoch;
    options.onRole?.(role);
  };
  let lease: Lease | undefined;
  return {
    epoch: () => epoch,
    openJournal: async (file) => {
      const { shard, replicas, name } = options;
      const about = { connection, shard, replicas, limits, signal: over.signal };
      const stream = await ShardStream.open(about);
      const holder = `${name}/${randomUUID()}`;
      lease = new Lease({ ...about, holder });
      return ShardStore.open({ stream, lease, limits, signal: over.signal, onRole }, file);
    },
    close: async () => {
      await lease?.release();
      over.abort(new Error("the shard was closed"));
      await connection.close();
    },
  };
}

function connectTo({ servers, authentication, tls, name, shard }: ShardOptions): Promise<NatsConnection> {
  return connect({
    servers: typeof servers === "string" ? servers : [...servers],
    name: `pipe scheduler ${name}, shard ${shard}, journal`,
    inboxPrefix: SCHEDULER_INBOX,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    pingInterval: 2_000,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
    ...(authentication === undefined ? {} : { authenticator: authenticatorOf(authentication) }),
    ...(tls === undefined ? {} : { tls }),
  });
}
