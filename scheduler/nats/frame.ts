import { FULL_FRAME_BYTES, MAX_FRAME_MESSAGES } from "./limits.ts";

/**
 * Collects what is said to one end in one go: it leaves as one sealed frame when whoever speaks has finished, without waiting for
 * anything. Sealing costs several times what a message does, and under load many are said at once.
 */
export class Frame {
  readonly #send: (items: readonly Uint8Array[]) => void;
  #items: Uint8Array[] = [];
  #bytes = 0;

  constructor(send: (items: readonly Uint8Array[]) => void) {
    this.#send = send;
  }

  add(item: Uint8Array): void {
    const isFull = this.#items.length >= MAX_FRAME_MESSAGES || this.#bytes >= FULL_FRAME_BYTES;
    if (isFull) this.flush();
    if (this.#items.length === 0) queueMicrotask(() => this.flush());
    this.#items.push(item);
    this.#bytes += item.length;
  }

  flush(): void {
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.clear();
    this.#send(items);
  }

  clear(): void {
    this.#items = [];
    this.#bytes = 0;
  }
}
