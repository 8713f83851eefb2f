/** A number as JSON-RPC writes it: hexadecimal without leading zeros. */
export function quantity(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

export function dataHex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`;
}

/** A hash on its way out: inside there is no prefix. */
export function hashHex(hash: string): string {
  return `0x${hash}`;
}

/** Bytes of a word, filled up with zeros in front. */
export function wordHex(bytes: Uint8Array): string {
  return `0x${dataHex(bytes).slice(2).padStart(64, "0")}`;
}
