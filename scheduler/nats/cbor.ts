import { decode, encode, rfc8949EncodeOptions, type Token, Type } from "cborg";
import { BoundedTokenizer } from "../proofs/bounded-cbor.ts";

/** The protocol's CBOR (RFC 8949), in its deterministic form (section 4.2.1). */

const OPTIONS = {
  // Shortest forms and nothing of indefinite length; of the order of keys the shapes see to.
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
};
/** The deepest is an offer: frame, message, body, terms, list, map. The largest frame of 256 dispatches has 7,000 items. */
const LIMITS = { maxDepth: 6, maxItems: 65_536 };

/** The protocol has no floating point: an integer has one form. */
class IntegersOnly extends BoundedTokenizer {
  override next(): Token {
    const token = super.next();
    if (Type.equals(token.type, Type.float)) throw new RangeError("a floating point number");
    return token;
  }
}

export function encodeCbor(plain: unknown): Uint8Array {
  return encode(plain, rfc8949EncodeOptions);
}

/** What the bytes say, all of them, with maps as `Map`s; `undefined`, which no item stands for, when it cannot be read. Never throws. */
export function decodeCbor(bytes: Uint8Array): unknown {
  try {
    const tokenizer = new IntegersOnly(bytes, LIMITS, OPTIONS, (fault) => {
      throw new RangeError(fault);
    });
    return decode(bytes, { ...OPTIONS, tokenizer, useMaps: true, rejectDuplicateMapKeys: true });
  } catch {
    return undefined;
  }
}

/** An array of items that are encoded already. Its head is that of their number, of another type. */
export function arrayOf(items: readonly Uint8Array[]): Uint8Array {
  const head = encodeCbor(items.length);
  head[0] = (head[0] ?? 0) | (ARRAY << 5);
  return Buffer.concat([head, ...items]);
}

const ARRAY = 4;
