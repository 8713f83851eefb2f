import { decode, Tokenizer, type Token, Type } from "cborg";
import { demand, Refused } from "./faults.ts";
import type { AttestationLimits } from "./limits.ts";

export type CborLimits = Pick<AttestationLimits, "maxDepth" | "maxItems">;

/** What stands under COSE's tag 18. */
export class Sign1 {
  readonly content: unknown;

  constructor(content: unknown) {
    this.content = content;
  }
}

const OPTIONS = {
  allowIndefinite: true,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
};
const COSE_SIGN1 = 18;

/**
 * Decodes one CBOR item that fills the bytes: maps become `Map`s, and lengths may be definite or not, but for strings in pieces,
 * which no attestation document has. Throws `Refused`, and nothing else, on any other bytes. Limits are kept token by token,
 * before anything is built, so that neither depth nor a declared length costs memory or stack.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits): unknown {
  const tokenizer = new BoundedTokenizer(bytes, limits);
  const tags = { [COSE_SIGN1]: (content: () => unknown) => new Sign1(content()) };
  try {
    return decode(bytes, { ...OPTIONS, tokenizer, tags, useMaps: true, rejectDuplicateMapKeys: true });
  } catch (cause) {
    if (cause instanceof Refused) throw cause;
    // The decoder has no codes; this is how it words the one fault that is told apart.
    throw new Refused(String(cause).includes("repeat map key") ? "duplicate-key" : "not-cbor", { cause });
  }
}

/** An array, map or tag that is not complete. `missing` is infinite until a break ends it. */
interface Open {
  readonly missing: number;
  seen: number;
}

class BoundedTokenizer extends Tokenizer {
  readonly #open: Open[] = [];
  readonly #limits: CborLimits;
  #items = 0;

  constructor(bytes: Uint8Array, limits: CborLimits) {
    super(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), OPTIONS);
    this.#limits = limits;
  }

  override next(): Token {
    const token = super.next();
    this.#items += 1;
    demand(this.#items <= this.#limits.maxItems, "too-many-items");
    // A break ends what has no length, and nothing else. The decoder would take one for a value of a map.
    if (Type.equals(token.type, Type.break)) demand(this.#open.pop()?.missing === Number.POSITIVE_INFINITY, "not-cbor");
    else this.#begin(token);
    this.#closeComplete();
    return token;
  }

  #begin(token: Token): void {
    const inside = this.#open.at(-1);
    if (inside !== undefined) inside.seen += 1;
    if (token.type.terminal) return;
    demand(this.#open.length < this.#limits.maxDepth, "too-deep");
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
