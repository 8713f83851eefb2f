import type { NodeMessage } from "../live/transport.ts";

/** A copy that ended, or that was cancelled before its assignment came. */
interface EndedCopy {
  /** Nonce of the assignment; `undefined` when only a Cancel came. */
  readonly nonce: number | undefined;
  readonly lastWord: NodeMessage | undefined;
}

/**
 * What a node still knows of copies that are over, so that at-least-once delivery, in any order, starts nothing twice. Keeps
 * the latest `limit` copies.
 */
export class CopyMemory {
  readonly #limit: number;
  readonly #ended = new Map<number, EndedCopy>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#ended.size;
  }

  rememberEnd(copy: number, nonce: number, lastWord: NodeMessage): void {
    this.#remember(copy, { nonce, lastWord });
  }

  /** A Cancel that overtook its assignment. One that came after the copy's end changes nothing. */
  rememberCancel(copy: number): void {
    if (!this.#ended.has(copy)) this.#remember(copy, { nonce: undefined, lastWord: undefined });
  }

  /**
   * What is known of an assignment that arrives: `new`, `cancelled` before it came (known once: the Cancel is used up), or
   * the last word on it. A copy id with another nonce comes from another scheduler's life and is new.
   */
  recall(copy: number, nonce: number): "new" | "cancelled" | NodeMessage {
    const known = this.#ended.get(copy);
    if (known === undefined) return "new";
    if (known.nonce === undefined) {
      this.#ended.delete(copy);
      return "cancelled";
    }
    return known.nonce === nonce && known.lastWord !== undefined ? known.lastWord : "new";
  }

  #remember(copy: number, ended: EndedCopy): void {
    this.#ended.delete(copy);
    this.#ended.set(copy, ended);
    if (this.#ended.size <= this.#limit) return;
    const oldest = this.#ended.keys().next();
    if (oldest.done !== true) this.#ended.delete(oldest.value);
  }
}
