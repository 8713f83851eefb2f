import { assert } from "../shared/assert.ts";
import type { RegistrationEpoch } from "./transport.ts";

/**
 * Registration epochs: spans of time, counted from 1970, in each of which a node's attestation document has to answer another
 * nonce. The seeds that nonces are derived from come from the directory's secret, so that nobody can make documents in advance.
 */
export class RegistrationEpochs {
  readonly #chainId: string;
  readonly #lengthMs: number;
  readonly #seedOf: (epoch: number) => string;

  /** `seedOf`: the seed of an epoch, 64 hexadecimal digits; always the same. */
  constructor(chainId: string, lengthMs: number, seedOf: (epoch: number) => string) {
    assert(Number.isSafeInteger(lengthMs) && lengthMs > 0, "a registration epoch takes a whole number of milliseconds");
    this.#chainId = chainId;
    this.#lengthMs = lengthMs;
    this.#seedOf = seedOf;
  }

  current(nowMs: number): RegistrationEpoch {
    const epoch = Math.floor(nowMs / this.#lengthMs);
    return { chainId: this.#chainId, epoch, seed: this.seed(epoch) };
  }

  seed(epoch: number): string {
    return this.#seedOf(epoch);
  }

  /** The current epoch and the one before: a document takes a while to make and to arrive. */
  accepts(epoch: number, nowMs: number): boolean {
    const current = Math.floor(nowMs / this.#lengthMs);
    return epoch === current || epoch === current - 1;
  }
}
