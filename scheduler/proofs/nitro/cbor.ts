import { decode, Tokenizer, type Token, Type } from "cborg";
import { demand, Refused } from "./faults.ts";
import type { AttestationLimits } from "./limits.ts";

export type CborLimits = Pick<AttestationLimits, "maxDocumentBytes" | "maxDepth" | "maxItems">;

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
  demand(bytes.length <= limits.maxDocumentBytes, "too-large");
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
  missing: number;
  readonly pairs: boolean;
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
    if (Type.equals(token.type, Type.break)) this.#end();
    else this.#begin(token);
    return token;
  }

  #begin(token: Token): void {
    const inside = this.#open.at(-1);
    if (inside !== undefined) inside.seen += 1;
    if (!token.type.terminal) {
      demand(this.#open.length < this.#limits.maxDepth, "too-deep");
      const pairs = Type.equals(token.type, Type.map);
      const missing = Type.equals(token.type, Type.tag) ? 1 : token.value * (pairs ? 2 : 1);
      this.#open.push({ missing, pairs, seen: 0 });
    }
    this.#closeComplete();
  }

  /** A break ends what has no length, and nothing else; in a map not between a key and its value. */
  #end(): void {
    const ended = this.#open.pop();
    const mayEnd = ended?.missing === Number.POSITIVE_INFINITY && !(ended.pairs && ended.seen % 2 === 1);
    demand(mayEnd, "not-cbor");
    this.#closeComplete();
  }

  #closeComplete(): void {
    for (let last = this.#open.at(-1); last !== undefined && last.seen === last.missing; last = this.#open.at(-1)) {
      this.#open.pop();
    }
  }
}
