/**
 * Ethereum's RLP, as much of it as blocks, tries and the first look at a transaction need. Encoding takes parts that are encoded
 * already, so that a trie node does not encode its children again; decoding is strict, bounded in depth, and copies nothing.
 */

/** A byte string, or a list. */
export type RlpItem = Uint8Array | readonly RlpItem[];

/** Lists within lists: an access list's keys are the deepest that a transaction or block has, five within a block. */
const MAX_DEPTH = 8;

const EMPTY = new Uint8Array(0);

/** The encoding of a byte string. */
export function rlpBytes(bytes: Uint8Array): Uint8Array {
  const first = bytes[0];
  if (bytes.length === 1 && first !== undefined && first < 0x80) return bytes;
  return withHead(0x80, [bytes], bytes.length);
}

/** The encoding of a whole number, without leading zeros. */
export function rlpNumber(value: bigint | number): Uint8Array {
  return rlpBytes(numberBytes(value));
}

/** The encoding of a list of items that are encoded already. */
export function rlpList(items: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const item of items) length += item.length;
  return withHead(0xc0, items, length);
}

export function rlpEncode(item: RlpItem): Uint8Array {
  return item instanceof Uint8Array ? rlpBytes(item) : rlpList(item.map(rlpEncode));
}

/** Big endian, without leading zeros; zero is empty. */
export function numberBytes(value: bigint | number): Uint8Array {
  const hex = value.toString(16);
  return value === 0n || value === 0
    ? EMPTY
    : new Uint8Array(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex"));
}

/** The one item that these bytes encode, as views of them; `undefined` when they are none, or more, or nested too deeply. */
export function rlpDecode(bytes: Uint8Array): RlpItem | undefined {
  const read = readItem(bytes, 0, bytes.length, 0);
  return read !== undefined && read.end === bytes.length ? read.item : undefined;
}

interface Read {
  readonly item: RlpItem;
  readonly end: number;
}

function readItem(bytes: Uint8Array, at: number, limit: number, depth: number): Read | undefined {
  const head = bytes[at];
  if (head === undefined || at >= limit || depth > MAX_DEPTH) return undefined;
  if (head < 0x80) return { item: bytes.subarray(at, at + 1), end: at + 1 };
  const base = head < 0xc0 ? 0x80 : 0xc0;
  const span = readSpan(bytes, at, base);
  if (span === undefined || span.end > limit) return undefined;
  const { start, end } = span;
  if (base === 0x80) {
    const alone = end - start === 1 ? bytes[start] : undefined;
    return alone !== undefined && alone < 0x80 ? undefined : { item: bytes.subarray(start, end), end };
  }
  const items: RlpItem[] = [];
  for (let place = start; place < end; ) {
    const read = readItem(bytes, place, end, depth + 1);
    if (read === undefined) return undefined;
    items.push(read.item);
    place = read.end;
  }
  return { item: items, end };
}

/** Where the content of a string or list lies. Lengths are written in the shortest way, or not at all. */
function readSpan(bytes: Uint8Array, at: number, base: number): { start: number; end: number } | undefined {
  const short = (bytes[at] ?? 0) - base;
  if (short <= 55) return { start: at + 1, end: at + 1 + short };
  const digits = short - 55;
  // Four bytes of length are four gigabytes.
  if (digits > 4 || at + 1 + digits > bytes.length || bytes[at + 1] === 0) return undefined;
  let length = 0;
  for (let i = 0; i < digits; i++) length = length * 256 + (bytes[at + 1 + i] ?? 0);
  return length <= 55 ? undefined : { start: at + 1 + digits, end: at + 1 + digits + length };
}

function withHead(base: number, parts: readonly Uint8Array[], length: number): Uint8Array {
  let place: number;
  let encoded: Uint8Array;
  if (length <= 55) {
    encoded = new Uint8Array(1 + length);
    encoded[0] = base + length;
    place = 1;
  } else {
    const digits = numberBytes(length);
    encoded = new Uint8Array(1 + digits.length + length);
    encoded[0] = base + 55 + digits.length;
    encoded.set(digits, 1);
    place = 1 + digits.length;
  }
  for (const part of parts) {
    encoded.set(part, place);
    place += part.length;
  }
  return encoded;
}
