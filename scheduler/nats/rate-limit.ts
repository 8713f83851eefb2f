/** A bucket of one second's worth: so many may pass in a second, and as many at once. */
export class RateLimit {
  readonly #perSecond: number;
  #left: number;
  #atMs = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
  }

  take(nowMs: number, count = 1): boolean {
    const gained = ((nowMs - this.#atMs) / 1000) * this.#perSecond;
    this.#atMs = nowMs;
    this.#left = Math.min(this.#perSecond, this.#left + gained);
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }
}
