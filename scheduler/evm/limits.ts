/** Limits of an EVM producer; the reasons stand beside the defaults. */
export interface ProducerLimits {
  /** Gas that one transaction may ask for. */
  readonly maxTransactionGas: bigint;
  /** First runs that wait for the machine, from whoever. */
  readonly maxFirstRuns: number;
  /** Transactions that ask models, in one block. */
  readonly maxInferencePerBlock: number;
  /** What a transaction's calls may cost in all when its access list does not say. */
  readonly defaultCapGwei: number;
  /** Blocks in which it may be sealed when its access list does not say. */
  readonly defaultTtlBlocks: number;
  /** Tips below this are not taken, in wei. */
  readonly minTipWei: bigint;
  /** Outcomes of transactions that are in no pool any more, kept for those who ask. */
  readonly keptOutcomes: number;
}

export const DEFAULT_PRODUCER_LIMITS: ProducerLimits = {
  // Some hundred milliseconds of this machine's: nothing may hold up a block, or others' first runs, for longer.
  maxTransactionGas: 8_000_000n,
  // A few seconds of the machine; beyond that, sending again is the better answer.
  maxFirstRuns: 1_024,
  maxInferencePerBlock: 1_000,
  // A hundredth of an ether: five of the dearest answers of a usual fleet.
  defaultCapGwei: 10_000_000,
  // Half a minute of 500 ms blocks: a large model's answer and a second one after it.
  defaultTtlBlocks: 60,
  minTipWei: 1n,
  keptOutcomes: 16_384,
};
