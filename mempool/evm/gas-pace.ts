/**
 * How fast the machine burns gas, as a moving mean: whether a transaction may fit into the time that is left is a guess, since the
 * clock stops it in any case.
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
    this.#gasPerMs += WEIGHT * (sample - this.#gasPerMs);
  }
}

const MIN_SAMPLE_GAS = 20_000n;
/** A pause of the whole process is no reason to refuse everything: below that nothing real lies. */
const MIN_GAS_PER_MS = 500;
/** Storing something costs much gas and little time; nobody burns gas like that who wants to be slow. */
const MAX_GAS_PER_MS = 20_000;
const WEIGHT = 0.1;
