import { type DecodeOptions, Tokenizer, type Token, Type } from "cborg";

export interface CborLimits {
  readonly maxDepth: number;
  readonly maxItems: number;
}

export type CborFault = "too-many-items" | "too-deep" | "not-cbor";

/** An array, map or tag that is not complete. `missing` is infinite until a break ends it. */
interface Open {
  readonly missing: number;
  seen: number;
}

/**
 * Keeps limits token by token, before anything is built, so that neither depth nor a declared length costs memory or stack. For
 * `decode` of one item, with the same options; `refuse` throws what its caller knows.
 */
export class BoundedTokenizer extends Tokenizer {
  readonly #open: Open[] = [];
  readonly #limits: CborLimits;
  readonly #refuse: (fault: CborFault) => never;
  #items = 0;

  constructor(bytes: Uint8Array, limits: CborLimits, options: DecodeOptions, refuse: (fault: CborFault) => never) {
    super(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), options);
    this.#limits = limits;
    this.#refuse = refuse;
  }

  override next(): Token {
    const token = super.next();
    this.#items += 1;
    if (this.#items > this.#limits.maxItems) this.#refuse("too-many-items");
    // A break ends what has no length, and nothing else. The decoder would take one for a value of a map.
    if (!Type.equals(token.type, Type.break)) this.#begin(token);
    else if (this.#open.pop()?.missing !== Number.POSITIVE_INFINITY) this.#refuse("not-cbor");
    this.#closeComplete();
    return token;
  }

  #begin(token: Token): void {
    const inside = this.#open.at(-1);
    if (inside !== undefined) inside.seen += 1;
    if (token.type.terminal) return;
    if (this.#open.length >= this.#limits.maxDepth) this.#refuse("too-deep");
    this.#open.push({ missing: itemsInside(token), seen: 0 });
  }

  #closeComplete(): void {
    for (let last = this.#open.at(-1); last !== undefined && last.seen === last.missing; last = this.#open.at(-1)) {
      this.#open.pop();
    }
  }
}

function itemsInside({ type, value }: Token): number {
  if (Type.equals(type, Type.tag)) return 1;
  return Type.equals(type, Type.map) ? 2 * value : value;
}
