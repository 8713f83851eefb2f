import { xoroshiro128plus, xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";

/** The engine's own seeded generator (xoroshiro128+). Its state is part of the snapshot. */
export class Random {
  #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    const generator = xoroshiro128plus(seed);
    // A small seed leaves most bits of the state equal, and the first numbers show it; far along the sequence nothing does.
    generator.jump();
    this.#generator = generator;
  }

  /** Uniform integer in [0, bound). Taken from the high bits, since this generator's lowest bit is its weakest. */
  below(bound: number): number {
    // Not through `unit`: a real that leaves a function is an allocation, and placement draws often.
    return Math.floor(((this.#generator.next() >>> 0) / 2 ** 32) * bound);
  }

  /** Uniform real in [0, 1) with 32 bits. */
  unit(): number {
    return (this.#generator.next() >>> 0) / 2 ** 32;
  }

  /** Uniform safe integer of 52 bits, for assignment nonces. */
  nonce(): number {
    return (this.#generator.next() >>> 6) * 2 ** 26 + (this.#generator.next() >>> 6);
  }

  get state(): readonly number[] {
    return this.#generator.getState();
  }

  set state(state: readonly number[]) {
    this.#generator = xoroshiro128plusFromState(state);
  }
}
