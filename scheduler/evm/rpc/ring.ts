import { assert } from "../../shared/assert.ts";

/** The latest so many things that happened. Places count from 0 and go on for ever; what is before `begin` is gone. */
export class Ring<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  #end = 0;

  constructor(capacity: number) {
    assert(capacity > 0, "a ring holds something");
    this.#capacity = capacity;
  }

  /** Place of the oldest that is kept. */
  get begin(): number {
    return Math.max(0, this.#end - this.#capacity);
  }

  /** Place of what comes next. */
  get end(): number {
    return this.#end;
  }

  push(item: T): void {
    this.#items[this.#end++ % this.#capacity] = item;
  }

  at(place: number): T {
    assert(place >= this.begin && place < this.#end, "the place is in the ring");
    return this.#items[place % this.#capacity] as T;
  }

  /** Everything from this place on, which is not before `begin`. */
  since(place: number): T[] {
    return Array.from({ length: this.#end - place }, (_, index) => this.at(place + index));
  }
}
