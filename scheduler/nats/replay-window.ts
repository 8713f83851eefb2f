/** Counters behind the highest one that may still come: what overtakes is a handful after a reconnect. */
const SPAN = 1024;
const WORD = 32;

/**
 * Which counters of a session have been taken: each once, in any order within the last 1,024. After the ring of bits of RFC 6479,
 * which clears words ahead instead of shifting.
 */
export class ReplayWindow {
  readonly #bits = new Uint32Array((2 * SPAN) / WORD);
  #next = 0;

  /** One more than the highest counter taken. */
  get next(): number {
    return this.#next;
  }

  isNew(counter: number): boolean {
    if (counter >= this.#next) return true;
    if (counter < this.#next - SPAN) return false;
    return ((this.#bits[this.#word(counter)] ?? 0) & bit(counter)) === 0;
  }

  /** Takes a counter that is new. */
  take(counter: number): void {
    if (counter >= this.#next) {
      const from = Math.floor((this.#next - 1) / WORD) + 1;
      const to = Math.floor(counter / WORD);
      const first = Math.max(from, to - this.#bits.length + 1);
      for (let word = first; word <= to; word++) this.#bits[word % this.#bits.length] = 0;
      this.#next = counter + 1;
    }
    const word = this.#word(counter);
    this.#bits[word] = (this.#bits[word] ?? 0) | bit(counter);
  }

  #word(counter: number): number {
    return Math.floor(counter / WORD) % this.#bits.length;
  }
}

function bit(counter: number): number {
  return 1 << (counter % WORD);
}
