/**
 * Which keys of the chain's state the transactions' last runs read. A block changes thousands of keys, of which the scheduler's
 * journal need hold only those that somebody read.
 */
export class ReadKeys {
  readonly #byTransaction = new Map<string, readonly string[]>();
  readonly #readers = new Map<string, Set<string>>();

  /** Transactions with a read set. */
  get size(): number {
    return this.#byTransaction.size;
  }

  watch(hash: string, keys: readonly string[]): void {
    this.forget(hash);
    this.#byTransaction.set(hash, keys);
    for (const key of keys) {
      const readers = this.#readers.get(key);
      if (readers === undefined) this.#readers.set(key, new Set([hash]));
      else readers.add(hash);
    }
  }

  forget(hash: string): void {
    for (const key of this.#byTransaction.get(hash) ?? []) {
      const readers = this.#readers.get(key);
      readers?.delete(hash);
      if (readers?.size === 0) this.#readers.delete(key);
    }
    this.#byTransaction.delete(hash);
  }

  /** Those of these keys that somebody read, and by how many transactions. */
  relevant(changedKeys: readonly string[]): { readonly keys: readonly string[]; readonly readers: number } {
    const keys = changedKeys.filter((key) => this.#readers.has(key));
    const readers = new Set(keys.flatMap((key) => [...(this.#readers.get(key) ?? [])]));
    return { keys, readers: readers.size };
  }
}
