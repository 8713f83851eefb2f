import { assert } from "../shared/assert.ts";
import { WIRE_LIMITS } from "../proofs/wire-limits.ts";

/** Limits of the HTTP server (P11); the reasons stand beside the defaults. */
export interface HttpLimits {
  /** Bytes of a request's body. */
  readonly maxBodyBytes: number;
  /** Bytes of bodies that are being read, of all requests together; beyond it requests are refused as `overloaded`. */
  readonly maxBodyBytesInFlight: number;
  /** Bytes of a request's line and headers; longer ones are refused as `headers-too-large`. */
  readonly maxHeaderBytes: number;
  /** Connections that are served; requests on further ones are refused as `too-many-connections`. */
  readonly maxConnections: number;
  /** Connections beyond those, so that they can be told; what comes on top is closed without a word. */
  readonly maxRefusedConnections: number;
  /** Longest time that the headers may take to come, and the whole request. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** A connection on which nothing goes on for so long is closed: also of a follower that does not read. */
  readonly idleTimeoutMs: number;
  /** Pause between requests after which a kept connection is closed. */
  readonly keepAliveMs: number;
  /** Followers of events, and those among them who need no token. */
  readonly maxFollowers: number;
  readonly maxOpenFollowers: number;
  /** Events that are kept for followers; who is further behind is told how many are lost to it. */
  readonly keptEvents: number;
  /** Characters that one write to a follower holds, the event that fills it apart. */
  readonly maxFrameCharacters: number;
  readonly heartbeatMs: number;
  /** How long requests under way may take to end when the server stops. */
  readonly stopMs: number;
  /** How long the scheduler may take to say how it is. */
  readonly readyTimeoutMs: number;
  /** Keys of deposits that are remembered, so that asked again they are not made again. */
  readonly keptDeposits: number;
  /** Keys of the chain's state that one message may say have changed. */
  readonly maxStateKeys: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  // Of the largest transaction; a policy file may have 24 KB less than its own limit.
  maxBodyBytes: WIRE_LIMITS.maxTransactionBytes,
  // Sixty-four of the largest at a time: what a thousand clients can make the process hold.
  maxBodyBytesInFlight: 64 * 1024 * 1024,
  // Node's own default: no honest client comes near it.
  maxHeaderBytes: 16 * 1024,
  // Each takes some 20 KB, and a file handle of which systems give 1,024 to begin with.
  maxConnections: 768,
  maxRefusedConnections: 128,
  headersTimeoutMs: 10_000,
  // A megabyte at 280 kbit/s.
  requestTimeoutMs: 30_000,
  // Four heartbeats.
  idleTimeoutMs: 60_000,
  // More than the pause between two blocks, so that a producer keeps its connection.
  keepAliveMs: 20_000,
  maxFollowers: 256,
  maxOpenFollowers: 192,
  // Some ten seconds of a busy scheduler; at a kilobyte each, four megabytes.
  keptEvents: 4_096,
  maxFrameCharacters: 64 * 1024,
  heartbeatMs: 15_000,
  stopMs: 10_000,
  readyTimeoutMs: 1_000,
  keptDeposits: 4_096,
  // As many as a transaction may have read.
  maxStateKeys: 4_096,
};

/** Relations between limits, checked when a server is made. */
export function assertHttpLimits(limits: HttpLimits): void {
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  assert(limits.maxBodyBytes <= limits.maxBodyBytesInFlight, "one body must fit into what is read at a time");
  assert(limits.headersTimeoutMs <= limits.requestTimeoutMs, "headers come before the whole request");
  assert(limits.heartbeatMs < limits.idleTimeoutMs, "a follower that reads must not be taken for idle");
  assert(limits.maxOpenFollowers < limits.maxFollowers, "the producer can always follow");
}
