import { JournalError } from "../../live/journal-error.ts";
import type { Batch } from "../../live/journal-format.ts";
import type { JournalStore } from "../../live/journal-store.ts";
import { pause } from "./shard-stream.ts";

export interface LocalCopyOptions {
  readonly store: JournalStore;
  /** Bytes that may wait for the disk. */
  readonly maxWaitingBytes: number;
  /** A disk that has taken nothing for so long, though something waits, is as good as broken. */
  readonly maxStallMs: number;
  readonly signal: AbortSignal;
  /** The files cannot be written any more. */
  readonly onFailure: (error: Error) => void;
}

/**
 * A shard's batches in the local files. Nobody waits for them to get there, since the stream has them; but who hands over more
 * asks for room first, so that a disk that stands still is noticed and does not fill the memory.
 */
export class LocalCopy {
  readonly #options: LocalCopyOptions;
  /** Durable as far as batches were handed over; never rejects. */
  #kept = Promise.resolve();
  #waiting = 0;
  #progressMs = 0;

  constructor(options: LocalCopyOptions) {
    this.#options = options;
  }

  keep(batch: Batch): void {
    const { store, onFailure } = this.#options;
    if (this.#waiting === 0) this.#progressMs = performance.now();
    this.#waiting += 1;
    this.#kept = store.append(batch).then(
      () => {
        this.#waiting -= 1;
        this.#progressMs = performance.now();
      },
      (error: unknown) => onFailure(error as Error),
    );
  }

  /** Resolves when everything that was handed over is durable, or has failed. */
  get kept(): Promise<void> {
    return this.#kept;
  }

  /** Why nothing more may be handed over; `undefined` while the disk goes on. */
  get stalled(): JournalError | undefined {
    const { maxStallMs } = this.#options;
    if (this.#waiting === 0 || performance.now() - this.#progressMs <= maxStallMs) return undefined;
    return new JournalError("write-failed", `the local journal has taken nothing for ${maxStallMs} ms`, {
      remedy: "Repair the disk and start again: every acknowledged batch is in the shard's stream.",
    });
  }

  /** Resolves when there is room for more. @throws JournalError when the disk stands still; the signal's reason. */
  async room(): Promise<void> {
    const { store, maxWaitingBytes, maxStallMs, signal } = this.#options;
    while (store.backlogBytes > maxWaitingBytes) {
      const { stalled } = this;
      if (stalled !== undefined) throw stalled;
      await Promise.race([this.#kept, pause(Math.ceil(maxStallMs / 4), signal)]);
      signal.throwIfAborted();
    }
  }
}
