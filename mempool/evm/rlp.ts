import { type NestedUint8Array, RLP } from "@ethereumjs/rlp";

/** A byte string, or a list. */
export type RlpItem = Uint8Array | NestedUint8Array;

/** Lists within lists: an access list's keys are the deepest that a transaction or block has, six within a block. */
const MAX_DEPTH = 8;
/**
 * Each item becomes an object of some hundred bytes, so that single bytes would grow a hundredfold. The shortest that there are in
 * masses are entries of an access list without keys: three items in 23 bytes.
 */
const MIN_BYTES_PER_ITEM = 6;
/** Beside these: the few fields of what is small. */
const FREE_ITEMS = 256;
/** Twice what a block of 60 million units of gas can have in transfers; and no list is longer than the library's writer takes. */
const MAX_ITEMS = 2 ** 16;

/**
 * The one item that these bytes encode; `undefined` when they are none, or more, nested too deeply, or of too many parts. The
 * library's reader is strict, but goes as deep as it is led, and copies all that is left at each level: a look without copies
 * comes first.
 */
export function readRlp(bytes: Uint8Array): RlpItem | undefined {
  if (bytes.length === 0 || !isModest(bytes)) return undefined;
  try {
    return RLP.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether lists stand in lists, and items are, within the limits, as far as the bytes can be read at all. */
function isModest(bytes: Uint8Array): boolean {
  /** Where the lists end that are open; a reader that comes this far has no more of them open. */
  const ends: number[] = [];
  const maxItems = Math.min(MAX_ITEMS, FREE_ITEMS + bytes.length / MIN_BYTES_PER_ITEM);
  let items = 0;
  for (let at = 0; at < bytes.length; ) {
    while (at >= (ends.at(-1) ?? bytes.length)) ends.pop();
    if (++items > maxItems) return false;
    const head = bytes[at++] ?? 0;
    if (head < 0x80) continue;
    const isList = head >= 0xc0;
    let length = head - (isList ? 0xc0 : 0x80);
    const digits = length - 55;
    if (digits > 0) {
      length = 0;
      for (let i = 0; i < digits; i++) length = length * 256 + (bytes[at++] ?? 0);
    }
    if (isList) ends.push(at + length);
    else at += length;
    if (ends.length > MAX_DEPTH) return false;
  }
  return true;
}
