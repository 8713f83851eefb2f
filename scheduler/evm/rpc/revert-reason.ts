/** Longest reason that goes into a message; the bytes are beside it whole. */
const MAX_REASON_BYTES = 1024;
const ERROR_SELECTOR = "08c379a0";
const PANIC_SELECTOR = "4e487b71";

/** Solidity's panic codes, in go-ethereum's words where it has some. */
const PANICS: Readonly<Record<number, string>> = {
  0: "generic panic",
  1: "assert(false)",
  17: "arithmetic underflow or overflow",
  18: "division or modulo by zero",
  33: "enum overflow",
  34: "invalid encoded storage byte array accessed",
  49: "out-of-bounds array access; popping on an empty array",
  50: "out-of-bounds access of an array or bytesN",
  65: "out of memory",
  81: "uninitialized function",
};

/** The sentence in the bytes of a revert, if they are `Error(string)` or `Panic(uint256)`. Never throws; reads a bounded part. */
export function revertReason(data: Uint8Array): string | undefined {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const selector = bytes.toString("hex", 0, 4);
  if (selector === PANIC_SELECTOR && bytes.length >= 36) {
    const code = smallWord(bytes, 4);
    return code === undefined ? "unknown panic code" : (PANICS[code] ?? `unknown panic code: 0x${code.toString(16)}`);
  }
  if (selector !== ERROR_SELECTOR) return undefined;
  const offset = smallWord(bytes, 4);
  if (offset === undefined) return undefined;
  const length = smallWord(bytes, 4 + offset);
  if (length === undefined) return undefined;
  const start = 4 + offset + 32;
  if (start + length > bytes.length) return undefined;
  const text = bytes.toString("utf8", start, start + Math.min(length, MAX_REASON_BYTES));
  return length > MAX_REASON_BYTES ? `${text}…` : text;
}

/** The 32-byte word at `offset` if it is there and small. */
function smallWord(bytes: Buffer, offset: number): number | undefined {
  if (offset + 32 > bytes.length) return undefined;
  for (let i = offset; i < offset + 28; i++) if (bytes[i] !== 0) return undefined;
  return bytes.readUInt32BE(offset + 28);
}
