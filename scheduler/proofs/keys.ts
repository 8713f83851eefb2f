import type { KeyObject } from "node:crypto";
import { createPrivateKey, createPublicKey, hkdfSync, sign, verify } from "node:crypto";

/** An Ed25519 key that signs; the secret stays inside. */
export interface SigningKey {
  /** 32 bytes, 64 lower-case hexadecimal digits. */
  readonly publicKeyHex: string;
  /** The signature: 64 bytes, 128 lower-case hexadecimal digits. Deterministic (RFC 8032). */
  sign(message: Uint8Array): string;
}

const SEED_BYTES = 32;
const PUBLIC_KEY_HEX = /^[0-9a-f]{64}$/;
const SIGNATURE_HEX = /^[0-9a-f]{128}$/;

/** DER wrapping of a raw Ed25519 seed (PKCS #8) and of a raw public key (SubjectPublicKeyInfo), as RFC 8410 lays down. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Parsed public keys; parsing costs about as much as a check. 4,096 covers every node and the senders of the hour. */
const MAX_CACHED_KEYS = 4096;
const parsedKeys = new Map<string, KeyObject>();

/** The key that RFC 8032 derives from a 32-byte seed. Throws a RangeError for another length. */
export function signingKeyFromSeed(seed: Uint8Array): SigningKey {
  if (seed.length !== SEED_BYTES) throw new RangeError(`an Ed25519 seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  return {
    publicKeyHex: spki.subarray(SPKI_PREFIX.length).toString("hex"),
    sign: (message) => sign(null, message, secret).toString("hex"),
  };
}

/** Whether the signature is the key's over the message. Malformed keys and signatures are simply not valid: never throws. */
export function verifySignature(publicKeyHex: string, message: Uint8Array, signatureHex: string): boolean {
  if (typeof signatureHex !== "string" || !SIGNATURE_HEX.test(signatureHex)) return false;
  const key = publicKey(publicKeyHex);
  if (key === undefined) return false;
  try {
    return verify(null, message, key, Buffer.from(signatureHex, "hex"));
  } catch {
    return false;
  }
}

/** An independent 32-byte seed for each label, by HKDF-SHA-256 (RFC 5869) without salt, the label as `info`. */
export function deriveSeed(secret: Uint8Array, label: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(0), label, SEED_BYTES));
}

function publicKey(publicKeyHex: string): KeyObject | undefined {
  const known = parsedKeys.get(publicKeyHex);
  if (known !== undefined) return known;
  if (typeof publicKeyHex !== "string" || !PUBLIC_KEY_HEX.test(publicKeyHex)) return undefined;
  const parsed = parsePublicKey(publicKeyHex);
  if (parsed === undefined) return undefined;
  if (parsedKeys.size >= MAX_CACHED_KEYS) forgetOldest();
  parsedKeys.set(publicKeyHex, parsed);
  return parsed;
}

function parsePublicKey(publicKeyHex: string): KeyObject | undefined {
  const key = Buffer.concat([SPKI_PREFIX, Buffer.from(publicKeyHex, "hex")]);
  try {
    return createPublicKey({ key, format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

function forgetOldest(): void {
  for (const oldest of parsedKeys.keys()) {
    parsedKeys.delete(oldest);
    return;
  }
}
