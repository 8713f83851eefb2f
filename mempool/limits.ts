import { assert } from "../scheduler/shared/assert.ts";

/** Limits of the inference mempool; the reasons stand beside the defaults. */
export interface MempoolLimits {
  readonly maxPending: number;
  readonly maxPendingPerSender: number;
  readonly maxAccounts: number;
  readonly maxCallsPerTransaction: number;
  /** Largest k of a conflict rule. */
  readonly maxQuorum: number;
  readonly maxRounds: number;
  readonly maxTtlBlocks: number;
  readonly maxFeeGwei: number;
  readonly maxGasPriceGwei: number;
  readonly maxReadSet: number;
  /** A replacement must offer at least this percentage of the old gas price. */
  readonly replacementPercent: number;
  /** Admission refuses a call whose probability of being answered within the time to live is below this. */
  readonly minFeasibility: number;
  /** Blocks that a reorg can take back; older ones are final and forgotten. */
  readonly maxReorgDepth: number;
  readonly maxTransactionsPerBlock: number;
}

export const DEFAULT_MEMPOOL_LIMITS: MempoolLimits = {
  // At 2 KB each a full mempool takes 400 MB, what a producer's machine can spare.
  maxPending: 200_000,
  // One sender cannot fill more than a thousandth of the mempool's usual load.
  maxPendingPerSender: 256,
  // A deposit account is about 200 bytes: 200 MB at the most.
  maxAccounts: 1_000_000,
  // A race is a few hundred bytes and up to maxCopies messages; sixteen covers agents that batch ten questions.
  maxCallsPerTransaction: 16,
  // Each is paid, and has to be of another operator: who wants more than a majority of nine wants another mode.
  maxQuorum: 5,
  // Each round is one pre-execution; a contract that needs more dependent answers than this loops.
  maxRounds: 32,
  // Eight and a half minutes of 500 ms blocks: beyond that, asking again is the better answer.
  maxTtlBlocks: 1_024,
  // 2.1 ether for one inference; the largest power of two with which a full mempool's escrow stays a safe integer.
  maxFeeGwei: 2 ** 31,
  // A thousand ether for one unit of gas is a mistake.
  maxGasPriceGwei: 2 ** 40,
  maxReadSet: 4_096,
  // The bump that go-ethereum's transaction pool asks for.
  replacementPercent: 110,
  minFeasibility: 0.01,
  // Two epochs of 32 slots.
  maxReorgDepth: 64,
  maxTransactionsPerBlock: 100_000,
};

/** Relations between limits, checked when an engine is made. */
export function assertLimits(limits: MempoolLimits): void {
  for (const [name, value] of Object.entries(limits)) assert(value > 0, `limit ${name} must be positive`);
  assert(limits.maxPendingPerSender <= limits.maxPending, "one sender's limit must fit into the mempool");
  assert(
    limits.maxPending * limits.maxCallsPerTransaction * limits.maxFeeGwei <= Number.MAX_SAFE_INTEGER,
    "the sum of all escrows must stay a safe integer",
  );
  assert(limits.minFeasibility < 1, "minFeasibility is a probability below one");
  assert(limits.replacementPercent >= 100, "a replacement must not be cheaper than what it replaces");
}
