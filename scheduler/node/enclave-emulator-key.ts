import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { EnclaveKey } from "../proofs/nitro/enclave-key.ts";

/** The key that an enclave makes inside itself and has attested. In the emulator it is an ordinary key in ordinary memory. */
export interface EnclaveSigningKey {
  readonly key: EnclaveKey;
  /** What `public_key` of a document carries: SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** 64 bytes, as `verifyEnclaveSignature` takes them. */
  sign(message: Uint8Array): Uint8Array;
}

/** A fresh key. It lives as long as its enclave, and is never stored. */
export function createEnclaveKey(algorithm: EnclaveKey["algorithm"]): EnclaveSigningKey {
  const secret = generate(algorithm);
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  return {
    key: { algorithm, spkiHex: spki.toString("hex") },
    spki: new Uint8Array(spki),
    sign: (message) =>
      new Uint8Array(
        algorithm === "ed25519"
          ? sign(null, message, secret)
          : sign("sha256", message, { key: secret, dsaEncoding: "ieee-p1363" }),
      ),
  };
}

function generate(algorithm: EnclaveKey["algorithm"]): KeyObject {
  return algorithm === "ed25519"
    ? generateKeyPairSync("ed25519").privateKey
    : generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}
