import { type KeyObject, verify } from "node:crypto";
import { sha256Hex } from "../digest.ts";
import { type AttestationBinding, enclaveUserData, requireHashHex } from "./binding.ts";
import { ChainVerifier, type Validity } from "./chain.ts";
import { readDocument, type UncheckedDocument } from "./document.ts";
import { type EnclaveKey, readEnclaveKey } from "./enclave-key.ts";
import { type AttestationFault, demand, Refused } from "./faults.ts";
import type { AttestationLimits } from "./limits.ts";
import { LruMap } from "./lru-map.ts";
import { type PinnedRoot, readRoot, type TrustedRoot } from "./roots.ts";
import { type AttestationRules, isDebug, isListed, measurementsOf } from "./rules.ts";

export type { AttestationBinding } from "./binding.ts";
export { enclaveUserData, registrationNonce } from "./binding.ts";
export { type EnclaveKey, verifyEnclaveSignature } from "./enclave-key.ts";
export { type AttestationFault, describeAttestationFault } from "./faults.ts";
export { type AttestationLimits, DEFAULT_ATTESTATION_LIMITS } from "./limits.ts";
export { AWS_NITRO_ROOT_SHA256, RootError, type TrustedRoot } from "./roots.ts";
export { type AttestationRules, type Measurements, requireAttestationRules } from "./rules.ts";

/** What a document says, once its signature and its chain were found to be right at a time. Plain data, bytes in hexadecimal. */
export interface AuthenticDocument extends Validity {
  readonly moduleId: string;
  readonly timestampMs: number;
  /** Registers by their number. */
  readonly pcrs: Readonly<Record<string, string>>;
  readonly publicKey: string | undefined;
  readonly userData: string | undefined;
  readonly nonce: string | undefined;
  /** SHA-256 of the root certificate's DER. */
  readonly root: string;
  /** True when the root is an enclave emulator's: then nothing is protected, and every report has to say so. */
  readonly emulated: boolean;
}

/** An enclave that may serve a model: who it is, and until when that holds. Plain data, bytes in hexadecimal. */
export interface Attestation {
  readonly moduleId: string;
  readonly timestampMs: number;
  readonly pcrs: Readonly<Record<string, string>>;
  readonly key: EnclaveKey;
  readonly userData: string;
  readonly nonce: string;
  /** Still holds at this time: the end of the chain's validity or of the document's age, whichever comes first. */
  readonly expiresMs: number;
  readonly root: string;
  readonly emulated: boolean;
}

export type AttestationVerdict =
  | { readonly ok: true; readonly attestation: Attestation }
  | { readonly ok: false; readonly reason: AttestationFault };

export type AuthenticityVerdict =
  | { readonly ok: true; readonly document: AuthenticDocument }
  | { readonly ok: false; readonly reason: AttestationFault };

/** What a document is held against. */
export interface AttestationCheck {
  /** Milliseconds since 1970, as the caller states it: verdicts depend on nothing else that changes. */
  readonly atMs: number;
  readonly rules: AttestationRules;
  readonly binding: AttestationBinding;
}

export interface AttestationVerifierOptions {
  readonly roots: readonly TrustedRoot[];
  readonly limits: AttestationLimits;
  /** Takes an enclave emulator's root as well, for development. Left out, such a root is an error. */
  readonly allowEmulator?: boolean;
}

/**
 * Verifies AWS Nitro attestation documents. Neither clock nor network: the same document, check and roots give the same verdict
 * on every machine, whatever was verified before. What was verified is remembered without regard to time, rules and binding,
 * and these are compared anew each time, so that no verdict outlives its conditions.
 */
export class AttestationVerifier {
  /** SHA-256 of each pinned root, and whether it is an emulator's. */
  readonly roots: readonly Pick<PinnedRoot, "fingerprint" | "emulated">[];
  readonly #limits: AttestationLimits;
  readonly #chains: ChainVerifier;
  readonly #documents: LruMap<AuthenticDocument>;

  /** Throws a `RootError` on a root that cannot be used, and a RangeError without any. */
  constructor({ roots, limits, allowEmulator = false }: AttestationVerifierOptions) {
    if (roots.length === 0) throw new RangeError("roots is empty: configure AWS's root certificate");
    const pinned = roots.map((root) => readRoot(root, allowEmulator));
    this.roots = pinned.map(({ fingerprint, emulated }) => ({ fingerprint, emulated }));
    this.#limits = limits;
    this.#chains = new ChainVerifier(pinned, limits);
    this.#documents = new LruMap(limits.maxCachedDocuments);
  }

  /** Signature, chain, validity at the stated time, rules and binding. Never throws on bad documents; a RangeError on a bad check. */
  verify(document: Uint8Array, check: AttestationCheck): AttestationVerdict {
    const expected = {
      userData: Buffer.from(enclaveUserData(check.binding)).toString("hex"),
      nonce: requireHashHex("registrationNonce", check.binding.registrationNonce),
    };
    return verdictOf(() => {
      const authentic = this.#authenticate(document, check.atMs);
      return { ok: true, attestation: this.#judge(authentic, check, expected) };
    });
  }

  /** Signature, chain and validity at the stated time only: whether AWS says so, not whether it is what we want to hear. */
  authenticate(document: Uint8Array, atMs: number): AuthenticityVerdict {
    return verdictOf(() => ({ ok: true, document: this.#authenticate(document, atMs) }));
  }

  #authenticate(bytes: Uint8Array, atMs: number): AuthenticDocument {
    if (!Number.isSafeInteger(atMs)) throw new RangeError("atMs is not a whole number of milliseconds");
    demand(bytes.length <= this.#limits.maxDocumentBytes, "too-large");
    const id = sha256Hex(bytes);
    let document = this.#documents.get(id);
    if (document === undefined) {
      document = this.#open(bytes);
      this.#documents.set(id, document);
    }
    demand(atMs >= document.validFromMs, "not-yet-valid");
    demand(atMs <= document.validToMs, "expired");
    return document;
  }

  /** All that does not depend on the time. */
  #open(bytes: Uint8Array): AuthenticDocument {
    const unchecked = readDocument(bytes, this.#limits);
    const leaf = this.#chains.checkLeaf(unchecked.authorities, unchecked.leaf);
    demand(isSignedBy(leaf.key, unchecked), "bad-signature");
    const { moduleId, timestampMs, pcrs, publicKey, userData, nonce } = unchecked;
    return {
      moduleId,
      timestampMs,
      pcrs: Object.fromEntries([...pcrs].map(([index, pcr]) => [index, hexOf(pcr)])),
      publicKey: publicKey && hexOf(publicKey),
      userData: userData && hexOf(userData),
      nonce: nonce && hexOf(nonce),
      validFromMs: leaf.validFromMs,
      validToMs: leaf.validToMs,
      root: leaf.root.fingerprint,
      emulated: leaf.root.emulated,
    };
  }

  #judge(
    document: AuthenticDocument,
    { atMs, rules }: AttestationCheck,
    expected: { readonly userData: string; readonly nonce: string },
  ): Attestation {
    const { moduleId, timestampMs, pcrs, publicKey, userData, nonce, root, emulated } = document;
    demand(timestampMs - atMs <= this.#limits.maxClockSkewMs, "dated-ahead");
    demand(atMs - timestampMs <= rules.maxAgeMs, "too-old");
    const measured = measurementsOf(pcrs);
    demand(!isDebug(measured), "debug-enclave");
    demand(isListed(measured, rules), "wrong-measurements");
    demand(nonce === expected.nonce, "wrong-nonce");
    demand(userData === expected.userData, "wrong-user-data");
    const key = publicKey === undefined ? undefined : readEnclaveKey(publicKey);
    demand(key !== undefined, "bad-enclave-key");
    const expiresMs = Math.min(document.validToMs, timestampMs + rules.maxAgeMs);
    return { moduleId, timestampMs, pcrs, key, userData, nonce, expiresMs, root, emulated };
  }
}

function isSignedBy(key: KeyObject, { signed, signature }: UncheckedDocument): boolean {
  try {
    return verify("sha384", signed, { key, dsaEncoding: "ieee-p1363" }, signature);
  } catch {
    return false;
  }
}

function verdictOf<V>(act: () => V): V | { readonly ok: false; readonly reason: AttestationFault } {
  try {
    return act();
  } catch (error) {
    if (error instanceof Refused) return { ok: false, reason: error.fault };
    throw error;
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
