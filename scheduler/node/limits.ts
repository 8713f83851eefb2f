/** Limits of an inference node (P11), with their reasons. */
export const NODE_LIMITS = {
  /** Copies at once. A worker thread computes one at a time; more slots only overlap modelled delays. */
  maxSlots: 64,
  maxQueue: 1_024,
  /** A thousand ether: the bonds of a full fleet stay a safe integer. */
  maxBondGwei: 2 ** 40,
  /** No fee that a call may name is higher. */
  maxPriceGwei: 2 ** 40,
  /** Ended copies whose last word can be repeated. At a thousand copies a second, one second: a redelivery comes sooner. */
  maxRememberedCopies: 1_024,
  /** A lease beyond ten minutes would outlive every transaction. */
  maxLeaseMs: 600_000,
  /** The largest context in use is of this order; it also keeps every delay within what a timer can wait. */
  maxTokensOut: 1_000_000,
  /** What the mempool admits as the input of a call. */
  maxInputBytes: 64 * 1024,
  /** Four times a second shows progress without a message per token. */
  progressIntervalMs: 250,
  reportIntervalMs: 250,
  /** Changes of load within this time are reported together. */
  reportDelayMs: 20,
} as const;
