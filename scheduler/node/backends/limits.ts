import { assert } from "../../shared/assert.ts";
import { WIRE_LIMITS } from "../../proofs/wire-limits.ts";
import { NODE_LIMITS } from "../limits.ts";

/** Limits of backends (P11), with their reasons. */
export const BACKEND_LIMITS = {
  /** What an answer may carry. */
  maxOutputBytes: WIRE_LIMITS.maxOutputBytes,
  /** No lease is longer. */
  maxTotalMs: NODE_LIMITS.maxLeaseMs,
  /** Undici, which is under `fetch`, gives up waiting for headers or for the next bytes after five minutes. */
  maxFirstTokenMs: 300_000,
  /** The scheduler launches another copy elsewhere in less time than many retries take. */
  maxRetries: 5,
  /** Doubled with each retry. */
  firstRetryMs: 250,
  /** An input of 64 KiB has room for a conversation of hundreds of turns; more are not one. */
  maxMessages: 256,
  /** One event of a stream: servers send a token or a few in each, with some hundred bytes around it. */
  maxEventCharacters: 1024 * 1024,
  /** A whole stream: as many events of half a kilobyte as there are bytes of output, and some more that are no output. */
  streamBytes: (outputBytes: number): number => 1024 * 1024 + 512 * outputBytes,
  /** Of the body of a refusal; it only goes into the log. */
  maxRefusalBytes: 2 * 1024,
  /** After the last event of a stream its connection is kept if the stream ends within this time. */
  lingerMs: 500,
  /** Of the list of models that a server has. */
  maxModelListBytes: 1024 * 1024,
  probeIntervalMs: 10_000,
  probeMs: 5_000,
  /** However often a backend fails, it is not asked more often than this whether it is there. */
  probeGapMs: 1_000,
  /** Of each model's failures one in this time goes to the log, with the number of those before it. */
  failureLogMs: 1_000,
  /** Of a command's standard error; the end is what explains a failure. */
  stderrTailBytes: 4 * 1024,
  /** Words of a command, and characters of one. */
  maxCommandWords: 256,
  maxWordCharacters: 4_096,
  maxKillAfterMs: 60_000,
  /** Processes of one backend that run, or that were told to end and have not: two nodes' slots. */
  maxProcesses: 2 * NODE_LIMITS.maxSlots,
  /** Bytes of a model's file, which a node holds in memory, and of the manifest beside it. */
  maxModelBytes: 64 * 1024 * 1024,
  maxManifestBytes: 1024 * 1024,
} as const;

assert(BACKEND_LIMITS.maxFirstTokenMs <= BACKEND_LIMITS.maxTotalMs, "a first token comes before the end");
assert(BACKEND_LIMITS.probeMs < BACKEND_LIMITS.probeIntervalMs, "one probe ends before the next begins");
