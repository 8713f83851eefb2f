import { decode } from "cborg";
import { BoundedTokenizer, type CborLimits } from "../bounded-cbor.ts";
import { Refused } from "./faults.ts";

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
 * which no attestation document has. Throws `Refused`, and nothing else, on any other bytes.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits): unknown {
  const tokenizer = new BoundedTokenizer(bytes, limits, OPTIONS, (fault) => {
    throw new Refused(fault);
  });
  const tags = { [COSE_SIGN1]: (content: () => unknown) => new Sign1(content()) };
  try {
    return decode(bytes, { ...OPTIONS, tokenizer, tags, useMaps: true, rejectDuplicateMapKeys: true });
  } catch (cause) {
    if (cause instanceof Refused) throw cause;
    // The decoder has no codes; this is how it words the one fault that is told apart.
    throw new Refused(String(cause).includes("repeat map key") ? "duplicate-key" : "not-cbor", { cause });
  }
}
