/** Everything that the swarm does to a system on purpose. A seed that wants one of these and never gets it tests nothing. */
export const FAULT_KINDS = [
  // Nodes.
  "node-crash",
  "node-stall",
  "node-grey",
  "node-silent",
  "node-refuses",
  "node-fails",
  "node-late",
  "dishonest-proof",
  "wrong-output",
  "challenge",
  "bond-change",
  "equivocation",
  "framed-node",
  "proof-made-again",
  "stolen-answer",
  "answered-then-failed",
  // The network between the scheduler and its nodes.
  "message-lost",
  "message-duplicated",
  "message-reordered",
  "message-replayed",
  "partition",
  // The scheduler's own surroundings.
  "verifier-crash",
  "verifier-timeout",
  "verdict-repeated",
  "execution-failed",
  "late-timer",
  "clock-forward",
  "clock-back",
  "suspended",
  // The scheduler itself.
  "engine-crash",
  "record-lost",
  "record-torn",
  "commands-cut-short",
  "recovered-unexecuted",
  // The chain.
  "reorg",
  "failed-seal",
  "missed-seal",
  "state-change",
  "skipped-block",
  // Users and operators.
  "flood",
  "policy-change-mid-race",
  "fleet-change",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** How often each fault had an effect, not how often it was drawn. */
export class FaultTally {
  readonly #counts = new Map<FaultKind, number>();

  count(kind: FaultKind): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  /** Every kind, those that never fired with 0. */
  get counts(): FaultCounts {
    return Object.fromEntries(FAULT_KINDS.map((kind) => [kind, this.#counts.get(kind) ?? 0])) as FaultCounts;
  }
}

export type FaultCounts = Readonly<Record<FaultKind, number>>;

export function addCounts(one: FaultCounts, other: FaultCounts): FaultCounts {
  return Object.fromEntries(FAULT_KINDS.map((kind) => [kind, one[kind] + other[kind]])) as FaultCounts;
}

export const NO_FAULTS: FaultCounts = new FaultTally().counts;
