import { WIRE_LIMITS } from "../proofs/wire-limits.ts";
import { assert } from "../shared/assert.ts";

/** Limits of the transport over NATS (P11), on either side; the reasons stand beside the defaults. */
export interface NatsLimits {
  /** Longest time that the first connection may take; after it every later one is tried for ever. */
  readonly connectMs: number;
  /** Longest time that one server may take to greet. */
  readonly greetingMs: number;
  /** Pause before the second attempt to reconnect, doubled with each, and the longest. */
  readonly firstReconnectMs: number;
  readonly maxReconnectMs: number;
  /** The client asks the server this often whether it is there; after two questions without an answer it goes elsewhere. */
  readonly pingMs: number;
  /** Bytes sent that the server has not confirmed; beyond it what is said waits. */
  readonly maxUnconfirmedBytes: number;
  /** What waits while the server is away or slow, and how long it may; the oldest is lost first. */
  readonly maxWaitingMessages: number;
  readonly maxWaitingBytes: number;
  readonly maxWaitingMs: number;
  /** The scheduler announces itself this often, and after a `hello` not sooner than this after the last time. */
  readonly announceMs: number;
  readonly minAnnounceMs: number;
  /** `start` waits this long for nodes to join. */
  readonly settleMs: number;
  /** A join has to answer an announcement that is at most this old. */
  readonly joinWindowMs: number;
  /** Joins whose keys are being agreed on, and joins looked at in a second. */
  readonly maxPendingJoins: number;
  readonly maxJoinsPerSecond: number;
  /** Nodes with a session. */
  readonly maxNodes: number;
  /** Messages that one node may say in a second. */
  readonly maxMessagesPerSecond: number;
  /** A node that was not heard for this long has left. */
  readonly maxSilenceMs: number;
  /** A node that has left is forgotten after this long. */
  readonly forgetMs: number;
  /** A node is told this often at least that it is heard. */
  readonly heardMs: number;
  /** A node that was told nothing for this long joins anew. */
  readonly maxUnheardMs: number;
  /** Pause until a join without an answer is repeated, doubled with each, and the longest. */
  readonly firstRejoinMs: number;
  readonly maxRejoinMs: number;
  /** Copies of a leader that is gone go on for this long, in case its successor wants them. */
  readonly adoptMs: number;
  /** Messages in one direction after which a node agrees on new keys, and after which nothing more is sealed. */
  readonly renewAfterMessages: number;
  readonly maxSessionMessages: number;
  /** Longest time that saying farewell may take. */
  readonly farewellMs: number;
}

export const DEFAULT_NATS_LIMITS: NatsLimits = {
  connectMs: 10_000,
  // A server that was suspended accepts connections and says nothing.
  greetingMs: 3_000,
  // A broker that was restarted is back within a second or two.
  firstReconnectMs: 100,
  maxReconnectMs: 5_000,
  pingMs: 2_000,
  // A hundred of the largest messages; beyond it memory would grow with the server's slowness.
  maxUnconfirmedBytes: 8 * 1024 * 1024,
  maxWaitingMessages: 4_096,
  maxWaitingBytes: 16 * 1024 * 1024,
  // As long as a broker takes to come back, and a lease lasts; the Cancels of what was given up meanwhile wait behind it.
  maxWaitingMs: 30_000,
  announceMs: 2_000,
  minAnnounceMs: 200,
  // A node answers an announcement within milliseconds; one that comes later still joins.
  settleMs: 1_000,
  joinWindowMs: 60_000,
  // Agreeing on keys takes 1.5 ms: a third of one core at most.
  maxPendingJoins: 256,
  maxJoinsPerSecond: 200,
  // As many as the engine knows.
  maxNodes: 4_096,
  // Twice what a whole core can unseal: no node that works comes near it.
  maxMessagesPerSecond: 200_000,
  // Twelve reports that did not come.
  maxSilenceMs: 3_000,
  forgetMs: 600_000,
  heardMs: 5_000,
  // Three times that, so that a lost message or two mean nothing.
  maxUnheardMs: 16_000,
  firstRejoinMs: 500,
  maxRejoinMs: 8_000,
  // A successor gives every command again as soon as its nodes have joined.
  adoptMs: 5_000,
  // TLS 1.3 holds AES-GCM to 2^24.5 records of 16 KiB under one key.
  renewAfterMessages: 2 ** 23,
  maxSessionMessages: 2 ** 24,
  farewellMs: 2_000,
};

/** With what an embedder changes of them. Throws where they contradict each other. */
export function natsLimits(changes: Partial<NatsLimits> = {}): NatsLimits {
  const limits = { ...DEFAULT_NATS_LIMITS, ...changes };
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  assert(limits.minAnnounceMs <= limits.announceMs, "announcements on demand come no later than those by the clock");
  assert(limits.announceMs <= limits.joinWindowMs, "the latest announcement can be answered");
  assert(limits.joinWindowMs <= limits.forgetMs, "a node is remembered for as long as its joins could be repeated");
  assert(2 * limits.heardMs <= limits.maxUnheardMs, "a node is told twice that it is heard before it doubts it");
  assert(limits.renewAfterMessages < limits.maxSessionMessages, "keys are renewed before they are used up");
  return limits;
}

/** Offers, and warm models, that one node may name; the live shell's limit is the same. */
export const MAX_MODELS = 256;
/** Room for names, numbers and CBOR's own bytes beside the payload of a message. */
const ENVELOPE_BYTES = 1024;
/** One offer as CBOR at its longest. */
const OFFER_BYTES = 160;
/** Session and counter before, and the tag behind what is sealed. */
export const SEAL_BYTES = 16 + 8 + 16;

/** Messages in one frame, and bytes after which a frame is full: enough to make sealing it worth its cost. */
export const MAX_FRAME_MESSAGES = 256;
export const FULL_FRAME_BYTES = 64 * 1024;

/** Bytes of what is published, by the last token of its subject. Looked at before anything else. */
export const MAX_MESSAGE_BYTES = {
  announce: 1024,
  hello: 16,
  join: MAX_MODELS * OFFER_BYTES + WIRE_LIMITS.maxAttestationBytes + 2 * ENVELOPE_BYTES,
  // A frame that is nearly full, and the largest message behind it.
  sealed: 2 * FULL_FRAME_BYTES + 32 * ENVELOPE_BYTES,
} as const;

assert(
  MAX_MESSAGE_BYTES.join < FULL_FRAME_BYTES + 16 * ENVELOPE_BYTES,
  "terms fit into a frame when those of a join do, whatever is in it already",
);
