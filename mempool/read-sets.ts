import type { PendingTransaction } from "./pending.ts";

/** Which transactions read which keys of the chain's state, so that a change re-runs only those that it concerns (P10). */
export class ReadSets {
  readonly #readers = new Map<string, Set<PendingTransaction>>();
  /** Counts changes of the state. */
  #changes = 0;
  /** Number of each key's last change. */
  #lastChange = new Map<string, number>();
  /** Changes up to this number may be missing from `lastChange`. */
  #forgottenThrough = 0;

  /** Number of the latest change: what a pre-execution that starts now can have seen. */
  get changes(): number {
    return this.#changes;
  }

  /** The state changed under these keys. */
  changed(keys: readonly string[]): void {
    this.#changes++;
    if (this.#lastChange.size + keys.length > MAX_REMEMBERED_KEYS) {
      this.#lastChange.clear();
      this.#forgottenThrough = this.#changes;
    }
    for (const key of keys) this.#lastChange.set(key, this.#changes);
  }

  /** Whether one of these keys changed after that change, or may have. */
  changedSince(change: number, keys: readonly string[]): boolean {
    if (keys.length === 0) return false;
    if (change < this.#forgottenThrough) return true;
    return keys.some((key) => (this.#lastChange.get(key) ?? 0) > change);
  }

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

  snapshot() {
    return {
      changes: this.#changes,
      lastChange: [...this.#lastChange],
      forgottenThrough: this.#forgottenThrough,
    };
  }

  restore(snapshot: ReturnType<ReadSets["snapshot"]>, transactions: Iterable<PendingTransaction>): void {
    this.#changes = snapshot.changes;
    this.#lastChange = new Map(snapshot.lastChange);
    this.#forgottenThrough = snapshot.forgottenThrough;
    for (const tx of transactions) this.watch(tx, tx.readSet);
  }
}

/** About 10 MB of keys; beyond that, pre-executions under way are run again to be safe. */
const MAX_REMEMBERED_KEYS = 65_536;

const NOTHING: readonly string[] = [];
