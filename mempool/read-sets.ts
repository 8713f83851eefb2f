import type { PendingTransaction } from "./pending.ts";

/** Which transactions read which keys of the chain's state, so that a change re-runs only those that it concerns (P10). */
export class ReadSets {
  readonly #readers = new Map<string, Set<PendingTransaction>>();

  watch(tx: PendingTransaction, keys: readonly string[]): void {
    this.unwatch(tx);
    tx.readSet = keys;
    for (const key of keys) {
      const readers = this.#readers.get(key);
      if (readers === undefined) this.#readers.set(key, new Set([tx]));
      else readers.add(tx);
    }
  }

  unwatch(tx: PendingTransaction): void {
    for (const key of tx.readSet) {
      const readers = this.#readers.get(key);
      if (readers?.delete(tx) && readers.size === 0) this.#readers.delete(key);
    }
    tx.readSet = NOTHING;
  }

  /** Those that read one of these keys, in the mempool's order. */
  readersOf(keys: readonly string[]): PendingTransaction[] {
    const found = new Set<PendingTransaction>();
    for (const key of keys) for (const tx of this.#readers.get(key) ?? []) found.add(tx);
    return [...found].sort((a, b) => a.seq - b.seq);
  }
}

const NOTHING: readonly string[] = [];
