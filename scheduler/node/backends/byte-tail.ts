/** The last bytes of a stream. */
export class ByteTail {
  readonly #limit: number;
  #bytes = Buffer.alloc(0);
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(bytes: Uint8Array): void {
    this.#total += bytes.length;
    // A copy: a view would keep all of what came.
    const latest = bytes.subarray(Math.max(0, bytes.length - this.#limit));
    const room = this.#limit - latest.length;
    const before = this.#bytes.subarray(Math.max(0, this.#bytes.length - room));
    this.#bytes = Buffer.concat([before, latest]);
  }

  /** As text; `…` stands for what is left out before it. */
  text(): string {
    return `${this.#total > this.#bytes.length ? "…" : ""}${this.#bytes.toString("utf8")}`;
  }
}
