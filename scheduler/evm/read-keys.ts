/**
 * Which keys of the chain's state the transactions' last runs read. A block changes thousands of keys, of which the scheduler's
 * journal need hold only those that somebody read.
 */
export class ReadKeys {
  readonly #byTransaction = new Map<string, readonly string[]>();
  /** How many transactions read a key. */
  readonly #readers = new Map<string, number>();

  /** Transactions with a read set. */
  get size(): number {
    return this.#byTransaction.size;
  }

  watch(hash: string, keys: readonly string[]): void {
    this.forget(hash);
    this.#byTransaction.set(hash, keys);
    for (const key of keys) this.#readers.set(key, (this.#readers.get(key) ?? 0) + 1);
  }

  forget(hash: string): void {
    for (const key of this.#byTransaction.get(hash) ?? []) {
      const readers = (this.#readers.get(key) ?? 0) - 1;
      if (readers > 0) this.#readers.set(key, readers);
      else this.#readers.delete(key);
    }
    this.#byTransaction.delete(hash);
  }

  /** Those of these keys that somebody read. */
  relevant(changedKeys: readonly string[]): string[] {
    return changedKeys.filter((key) => this.#readers.has(key));
  }
}
