/** Changes that are remembered: a race that is older than so many of them goes by the oldest. */
const REMEMBERED = 64;

/**
 * A number that changes now and then, such as the delay after which a duplicate is sent, as a function of time. The systems
 * read theirs when a request starts and keep it for that request; a policy keeps nothing for a race, so it looks up what held
 * when its copy was launched.
 */
export class Thresholds {
  readonly #changes: [fromUs: number, value: number][];

  constructor(changes: readonly (readonly [number, number])[] = []) {
    this.#changes = changes.map(([fromUs, value]) => [fromUs, value]);
  }

  get latest(): number | undefined {
    return this.#changes.at(-1)?.[1];
  }

  set(fromUs: number, value: number): void {
    if (this.latest === value) return;
    this.#changes.push([fromUs, value]);
    if (this.#changes.length > REMEMBERED) this.#changes.shift();
  }

  /** What held at that time; `undefined` before the first change. */
  at(us: number): number | undefined {
    for (let index = this.#changes.length - 1; index >= 0; index--) {
      const [fromUs, value] = this.#changes[index] as [number, number];
      if (fromUs <= us) return value;
    }
    return this.#changes.length === REMEMBERED ? this.#changes[0]?.[1] : undefined;
  }

  snapshot(): readonly (readonly [number, number])[] {
    return this.#changes.map(([fromUs, value]) => [fromUs, value] as const);
  }
}
