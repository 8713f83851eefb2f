/**
 * Why an attestation document is refused, and what its sender can do about it. The keys are the reasons, in the order in which
 * they are looked for: the bytes, the chain, the signature, the time, and only then what the document says. So
 * `debug-enclave` means that AWS's own key says so.
 */
const ADVICE = {
  "too-large": "The document is longer than the limit. Send the bytes as the Nitro security module returned them.",
  "not-cbor":
    "The bytes are not one complete CBOR item. Send the raw document: not in base64, not cut off, nothing appended.",
  "too-deep":
    "The document nests arrays, maps or tags more deeply than the limit. Send it as the security module returned it.",
  "too-many-items": "The document holds more data items than the limit. Send it as the security module returned it.",
  "duplicate-key": "A map of the document holds one key twice. Send it as the security module returned it.",
  "not-cose-sign1":
    "The bytes are not a COSE_Sign1 message with protected headers, empty unprotected headers, payload and signature.",
  "wrong-algorithm": "The message is not signed with ES384, which is the only algorithm of attestation documents.",
  "not-an-attestation":
    "The payload lacks a mandatory field of an attestation document, or one has another type or size.",
  "chain-too-long": "The document carries more certificates than the limit.",
  "unknown-root":
    "The document's chain begins with another root than those pinned here. Enclaves of this chain need the root that its operator published.",
  "bad-certificate": "A certificate of the document is not one DER-encoded X.509 certificate of version 3.",
  "weak-algorithm": "A certificate has a key that is not on P-384, or is signed otherwise than with ECDSA and SHA-384.",
  "broken-chain": "A certificate was not issued by the one before it.",
  "unknown-critical-extension":
    "A certificate has a critical extension that is not understood here, and so must not be relied upon.",
  "not-an-authority":
    "A certificate signs others without being a certificate authority, or the enclave's certificate is one.",
  "wrong-key-usage": "A certificate's key is used for what its key usage does not allow.",
  "path-too-long": "A certificate authority has more authorities below it than its path length allows.",
  "bad-signature":
    "The document's signature is not that of the key in its certificate. Get a new document from the enclave.",
  "not-yet-valid": "A certificate of the document is not valid yet. Check the clocks.",
  expired:
    "A certificate of the document has expired; an enclave's own lives for three hours. Get a new document from the enclave.",
  "dated-ahead": "The document is dated after the time of the check. Check the clocks.",
  "too-old": "The document is older than this model's registry entry allows. Get a new document from the enclave.",
  "debug-enclave":
    "The enclave runs in debug mode, where its operator can read its memory. Start it without --debug-mode.",
  "wrong-measurements":
    "The enclave's image is none of those that the model registry lists. Run a listed image, or have yours listed.",
  "wrong-nonce":
    "The document was not made for this registration. Request one with the nonce of the current registration epoch.",
  "wrong-user-data":
    "The document was made for another chain, node or node key. Request one with the user data of this node.",
  "bad-enclave-key":
    "The document's public key is missing, or is neither Ed25519 nor P-256 in DER-encoded SubjectPublicKeyInfo.",
} as const;

export type AttestationFault = keyof typeof ADVICE;

export const ATTESTATION_FAULTS = Object.keys(ADVICE) as readonly AttestationFault[];

/** What is wrong and what can be done about it, in one or two sentences. */
export function describeAttestationFault(fault: AttestationFault): string {
  return ADVICE[fault];
}

/** Carries a fault from where it is found to the verifier's entry, which returns it. Never leaves this folder. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly fault: AttestationFault;

  constructor(fault: AttestationFault, options?: ErrorOptions) {
    super(ADVICE[fault], options);
    this.fault = fault;
  }
}

/** Refuses the document unless the condition holds. */
export function demand(condition: boolean, fault: AttestationFault): asserts condition {
  if (!condition) throw new Refused(fault);
}
