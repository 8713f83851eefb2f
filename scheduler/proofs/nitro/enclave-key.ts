import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { LruMap } from "./lru-map.ts";

/** The key that an enclave attested and signs statements with. Plain data. */
export interface EnclaveKey {
  readonly algorithm: "ed25519" | "p256";
  /** SubjectPublicKeyInfo (DER) as lower-case hexadecimal: 44 bytes for Ed25519, 91 for P-256 (uncompressed point). */
  readonly spkiHex: string;
}

/** Bytes of SubjectPublicKeyInfo of each kind, in its only form that is taken. */
const SPKI_BYTES = { ed25519: 44, p256: 91 } as const;

/** Parsed keys; parsing costs as much as a check. As many as the nodes whose documents are remembered. */
const MAX_CACHED_KEYS = 4_096;
const parsedKeys = new LruMap<KeyObject>(MAX_CACHED_KEYS);

/** The key in SubjectPublicKeyInfo (hexadecimal DER), or `undefined` when that is not a key on Ed25519 or P-256. */
export function readEnclaveKey(spkiHex: string): EnclaveKey | undefined {
  const key = parse(spkiHex);
  const algorithm = key && algorithmOf(key);
  if (algorithm === undefined || spkiHex.length !== 2 * SPKI_BYTES[algorithm]) return undefined;
  return { algorithm, spkiHex };
}

/**
 * Whether the signature over the message is the enclave key's: 64 bytes, for Ed25519 as RFC 8032 lays down, for P-256 r ‖ s with
 * SHA-256. Malformed keys and signatures are simply not valid: never throws.
 */
export function verifyEnclaveSignature(key: EnclaveKey, message: Uint8Array, signature: Uint8Array): boolean {
  const parsed = parse(key.spkiHex);
  if (parsed === undefined || algorithmOf(parsed) !== key.algorithm) return false;
  try {
    return key.algorithm === "ed25519"
      ? verify(null, message, parsed, signature)
      : verify("sha256", message, { key: parsed, dsaEncoding: "ieee-p1363" }, signature);
  } catch {
    return false;
  }
}

function algorithmOf(key: KeyObject): EnclaveKey["algorithm"] | undefined {
  if (key.asymmetricKeyType === "ed25519") return "ed25519";
  return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? "p256" : undefined;
}

function parse(spkiHex: string): KeyObject | undefined {
  const known = parsedKeys.get(spkiHex);
  if (known !== undefined) return known;
  try {
    const parsed = createPublicKey({ key: Buffer.from(spkiHex, "hex"), format: "der", type: "spki" });
    parsedKeys.set(spkiHex, parsed);
    return parsed;
  } catch {
    return undefined;
  }
}
