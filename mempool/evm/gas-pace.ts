/**
 * How fast the machine burns gas, on the safe side: at once as slow as the slowest transaction, and only gradually fast again. What a
 * transaction may take is bounded by this before it begins; the clock bounds it while it runs.
 */
export class GasPace {
  #gasPerMs: number;

  constructor(startGasPerMs: number) {
    this.#gasPerMs = startGasPerMs;
  }

  get gasPerMs(): number {
    return this.#gasPerMs;
  }

  msFor(gas: bigint): number {
    return Number(gas) / this.#gasPerMs;
  }

  /** A transaction spent so much gas on instructions, which is without what it costs to be a transaction. */
  measured(gas: bigint, ms: number): void {
    // Below that, what every transaction takes says more than the machine.
    if (gas < MIN_SAMPLE_GAS) return;
    const sample = Math.min(MAX_GAS_PER_MS, Math.max(MIN_GAS_PER_MS, Number(gas) / ms));
    const weight = sample < this.#gasPerMs ? SLOWER : FASTER;
    this.#gasPerMs += weight * (sample - this.#gasPerMs);
  }

  /** A transaction that should have ended in time did not. */
  overran(): void {
    this.#gasPerMs = Math.max(MIN_GAS_PER_MS, this.#gasPerMs / 2);
  }
}

const MIN_SAMPLE_GAS = 20_000n;
/** A pause of the whole process is no reason to refuse everything: below that nothing real lies. */
const MIN_GAS_PER_MS = 500;
/** Storing something costs much gas and little time; nobody burns gas like that who wants to be slow. */
const MAX_GAS_PER_MS = 10_000;
const SLOWER = 0.5;
const FASTER = 0.02;
