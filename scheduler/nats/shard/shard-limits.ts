import { assert } from "../../shared/assert.ts";

/** Limits of a shard's journal and lease (P11); the reasons stand beside the defaults. */
export interface ShardLimits {
  /** Who has not renewed its lease for this long does not lead any more. */
  readonly leaseMs: number;
  /** A standby asks this often whether there is something new. */
  readonly pollMs: number;
  /** Longest time that one question to the stream may take until it is asked again. */
  readonly requestMs: number;
  /** Pause before a question is asked again. */
  readonly retryMs: number;
  /** Bytes that are published at once; the server's own limit holds, too. */
  readonly maxPartBytes: number;
  /** Bytes of batches that become durable together. */
  readonly maxGroupBytes: number;
  /** Messages that are read at once when there is much to catch up with. */
  readonly readAhead: number;
  /** A local disk that has taken nothing for so long ends the lead, or the standing by. */
  readonly maxStallMs: number;
  /** Trouble with the lease that lasts is told this often. */
  readonly reportMs: number;
  /** Bytes that the stream holds; the oldest are dropped beyond it. */
  readonly maxStreamBytes: number;
}

export const DEFAULT_SHARD_LIMITS: ShardLimits = {
  // With it, half of it again that others wait, and what a claim takes, another leads within three seconds.
  leaseMs: 1_200,
  pollMs: 50,
  requestMs: 2_000,
  retryMs: 100,
  // Half of what a server takes as it is usually configured, so that headers have room.
  maxPartBytes: 512 * 1024,
  maxGroupBytes: 4 * 1024 * 1024,
  readAhead: 32,
  // Longer than disks pause that go on by themselves; what is acknowledged meanwhile is in the stream.
  maxStallMs: 30_000,
  // Seldom enough for a log that nobody reads, often enough for one that begins late.
  reportMs: 30_000,
  maxStreamBytes: 4 * 1024 * 1024 * 1024,
};

export function assertShardLimits(limits: ShardLimits): void {
  const positive = Object.values(limits).every((value) => Number.isSafeInteger(value) && value > 0);
  assert(positive, "a shard's limits are positive integers");
}
