import { hash } from "node:crypto";

const HASH_HEX = /^[0-9a-f]{64}$/;

/** Stands where there is no hash yet: before the first line of a chain, and as the root of a block without receipts. */
export const ZERO_HASH = "0".repeat(64);

/** SHA-256 of the bytes, as 64 lower-case hexadecimal digits without prefix. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** Whether the value is written as this project writes every 32-byte hash or key: lower-case hexadecimal, no prefix. */
export function isHashHex(value: unknown): value is string {
  return typeof value === "string" && HASH_HEX.test(value);
}
