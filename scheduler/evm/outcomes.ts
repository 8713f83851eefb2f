/** What became of a transaction that is in no pool any more, or was never taken. */
export interface EvmOutcome {
  readonly state: "refused" | "refunded" | "replaced" | "withdrawn" | "dropped";
  /** A sentence, or "". */
  readonly reason: string;
  readonly advice: string;
}

/** The latest outcomes by hash; the oldest are forgotten. */
export class Outcomes {
  readonly #kept: number;
  readonly #byHash = new Map<string, EvmOutcome>();
  /** Why the last run of a transaction that is still known failed. */
  readonly #failures = new Map<string, string>();

  constructor(kept: number) {
    this.#kept = kept;
  }

  get(hash: string): EvmOutcome | undefined {
    return this.#byHash.get(hash);
  }

  note(hash: string, outcome: EvmOutcome): void {
    const reason = outcome.reason === "" ? (this.#failures.get(hash) ?? "") : outcome.reason;
    this.#failures.delete(hash);
    this.#byHash.delete(hash);
    this.#byHash.set(hash, { ...outcome, reason });
    this.#bound(this.#byHash);
  }

  /** It will leave, and this is why. */
  failed(hash: string, reason: string): void {
    this.#failures.set(hash, reason);
    this.#bound(this.#failures);
  }

  /** Why its last run failed, if it did. */
  failureOf(hash: string): string | undefined {
    return this.#failures.get(hash);
  }

  /** It will not leave for that any more. */
  recovered(hash: string): void {
    this.#failures.delete(hash);
  }

  /** It is known again: sent anew, or brought back by a reorg. */
  forget(hash: string): void {
    this.#byHash.delete(hash);
    this.#failures.delete(hash);
  }

  #bound(map: Map<string, unknown>): void {
    for (const oldest of map.keys()) {
      if (map.size <= this.#kept) return;
      map.delete(oldest);
    }
  }
}
