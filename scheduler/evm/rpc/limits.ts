import { assert } from "../../shared/assert.ts";

/** Limits of the JSON-RPC face (P11); the reasons stand beside the defaults. */
export interface RpcLimits {
  /** Bytes of a request's body, and of a WebSocket message. */
  readonly maxBodyBytes: number;
  /** Bytes of bodies that are being read, of all HTTP requests together. */
  readonly maxBodyBytesInFlight: number;
  /** Requests of one batch. */
  readonly maxBatch: number;
  /** Characters of one answer, or of those of a batch together. */
  readonly maxResponseCharacters: number;
  /** Characters of answers that are not read yet, of all HTTP requests together. */
  readonly maxUnreadCharacters: number;
  /** Open connections, WebSockets included. Further ones are closed at once. */
  readonly maxConnections: number;
  readonly maxWebSockets: number;
  /** Longest time that the headers may take to come, and the whole request. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Pause between requests after which a kept connection is closed. */
  readonly keepAliveMs: number;
  readonly maxHeaderBytes: number;
  /** Longest time that one request may wait for the chain. */
  readonly callTimeoutMs: number;
  /** Requests to the chain under way, of all who ask. */
  readonly maxChainRequests: number;
  /** Transactions that were sent and wait for their answer, of all who send. */
  readonly maxTransactionsUnderWay: number;
  /** Messages of one WebSocket that wait for their answer. */
  readonly maxMessagesInFlight: number;
  /** Blocks that one question for logs covers. */
  readonly maxLogRange: number;
  /** Logs that one answer holds. */
  readonly maxLogs: number;
  /** Logs that one question for logs may look at. */
  readonly maxLogsLookedAt: number;
  /** Addresses of one filter, and alternatives at one place of its topics. */
  readonly maxFilterAlternatives: number;
  /** Filters that are installed, of all who ask. */
  readonly maxFilters: number;
  /** A filter that nobody asks for so long is taken away. */
  readonly filterExpiryMs: number;
  /** Pending transactions that filters can be told later. */
  readonly keptPendingHashes: number;
  /** Subscriptions of one WebSocket, and of all. */
  readonly maxSubscriptions: number;
  readonly maxSubscriptionsInAll: number;
  /** Bytes that wait to be read by a WebSocket's client; who is further behind is cut off. */
  readonly maxUnreadBytes: number;
  /** A WebSocket that does not answer a ping within so long is cut off. */
  readonly heartbeatMs: number;
  /** Blocks of one `eth_feeHistory`, and percentiles. */
  readonly maxFeeHistoryBlocks: number;
  readonly maxPercentiles: number;
  /** How long requests under way may take to end when the server stops. */
  readonly stopMs: number;
}

export const DEFAULT_RPC_LIMITS: RpcLimits = {
  // Eight of the largest transactions that Ethereum's pools take.
  maxBodyBytes: 1024 * 1024,
  // As the scheduler's HTTP API has it.
  maxBodyBytesInFlight: 64 * 1024 * 1024,
  // A tenth of go-ethereum's: viem and ethers send at most a hundred by default.
  maxBatch: 100,
  // As go-ethereum limits a batch's answers.
  maxResponseCharacters: 25_000_000,
  // Ten of the largest.
  maxUnreadCharacters: 250_000_000,
  maxConnections: 512,
  maxWebSockets: 256,
  headersTimeoutMs: 10_000,
  // A megabyte at 280 kbit/s.
  requestTimeoutMs: 30_000,
  keepAliveMs: 20_000,
  maxHeaderBytes: 16 * 1024,
  // Above it clients give up by themselves: viem after ten seconds.
  callTimeoutMs: 10_000,
  // One thread answers them; at 20 ms each, the last one waits for a little more than a second.
  maxChainRequests: 64,
  // As many as connections and their messages bring at once; the producer has a limit of its own for first runs.
  maxTransactionsUnderWay: 2_048,
  maxMessagesInFlight: 64,
  // A quarter of an hour of 500 ms blocks.
  maxLogRange: 2_048,
  // What the large providers answer with.
  maxLogs: 10_000,
  // Some 50 ms of looking.
  maxLogsLookedAt: 1_000_000,
  // go-ethereum has a thousand; each alternative costs a look-up in a set only.
  maxFilterAlternatives: 1_000,
  maxFilters: 1_024,
  // As go-ethereum has it.
  filterExpiryMs: 300_000,
  // Each is 64 characters: a megabyte or two.
  keptPendingHashes: 16_384,
  maxSubscriptions: 64,
  // To tell all of them one thing takes some 10 ms.
  maxSubscriptionsInAll: 2_048,
  // Some hundred full heads with their logs.
  maxUnreadBytes: 4 * 1024 * 1024,
  heartbeatMs: 30_000,
  maxFeeHistoryBlocks: 1_024,
  maxPercentiles: 100,
  stopMs: 5_000,
};

export function assertRpcLimits(limits: RpcLimits): void {
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  assert(limits.maxBodyBytes <= limits.maxBodyBytesInFlight, "one body fits into what is read at a time");
  assert(limits.maxResponseCharacters <= limits.maxUnreadCharacters, "one answer fits into what is not read yet");
  assert(limits.maxWebSockets <= limits.maxConnections, "a WebSocket is a connection");
}
