import type { KeyObject } from "node:crypto";
import {
  authorityExtensions,
  type CertificateTerms,
  EMULATOR_ORGANISATION,
  generateCertificateKey,
  issueCertificate,
  leafExtensions,
} from "../../../scheduler/node/enclave-emulator-certificates.ts";
import { type DocumentFields, encodePayload, signDocument } from "../../../scheduler/node/enclave-emulator-document.ts";
import { createEnclaveKey } from "../../../scheduler/node/enclave-emulator-key.ts";
import { type EmulatorRoot, EnclaveEmulator, emulatorMeasurements } from "../../../scheduler/node/enclave-emulator.ts";
import {
  type AttestationBinding,
  type AttestationCheck,
  type AttestationLimits,
  type AttestationRules,
  AttestationVerifier,
  DEFAULT_ATTESTATION_LIMITS,
  enclaveUserData,
  registrationNonce,
} from "../../../scheduler/proofs/nitro/attestation.ts";

/** An emulator's root, an enclave under it, and whatever a forger with that root's key could make. */
export const NOW_MS = Date.UTC(2026, 0, 15, 12);
export const HOUR_MS = 3_600_000;
export const IMAGE = "pipe-node";
export const rootKey = generateCertificateKey();
/** The emulator's own root has room for one authority; this one for three, which forged chains need. */
export const root: EmulatorRoot = {
  certificate: issueCertificate({
    subject: EMULATOR_ORGANISATION,
    issuer: EMULATOR_ORGANISATION,
    subjectKey: rootKey,
    issuerKey: rootKey,
    validFromMs: NOW_MS - 48 * HOUR_MS,
    validToMs: NOW_MS + 1_000 * HOUR_MS,
    extensions: authorityExtensions(3),
  }),
  privateKey: new Uint8Array(rootKey.export({ format: "der", type: "pkcs8" })),
};
export const emulator = new EnclaveEmulator({ root, image: IMAGE, name: "node-1" });
export const enclaveKey = createEnclaveKey("ed25519");

export const rules: AttestationRules = { measurements: [emulatorMeasurements(IMAGE)], maxAgeMs: HOUR_MS };
export const binding: AttestationBinding = {
  chainId: "pipe-1",
  node: "node-1",
  nodeKey: "ab".repeat(32),
  registrationNonce: registrationNonce({ chainId: "pipe-1", node: "node-1", epochSeed: "cd".repeat(32) }),
};
export const check: AttestationCheck = { atMs: NOW_MS, rules, binding };

/** What an honest enclave asks for. */
export const request = {
  publicKey: enclaveKey.spki,
  userData: enclaveUserData(binding),
  nonce: new Uint8Array(Buffer.from(binding.registrationNonce, "hex")),
  nowMs: NOW_MS,
};

export function verifierWith(limits: Partial<AttestationLimits> = {}): AttestationVerifier {
  return new AttestationVerifier({
    roots: [root.certificate],
    limits: { ...DEFAULT_ATTESTATION_LIMITS, ...limits },
    allowEmulator: true,
  });
}

/** How a certificate differs from an honest one in its place. */
export type Twist = Partial<CertificateTerms>;

export interface ForgedChain {
  readonly authorities: readonly Uint8Array[];
  readonly certificate: Uint8Array;
  readonly key: KeyObject;
}

/** A chain under the root: one authority for each twist, and the leaf. */
export function forgeChain(authorities: readonly Twist[], leaf: Twist = {}): ForgedChain {
  const made = [root.certificate];
  let [issuer, issuerKey] = [EMULATOR_ORGANISATION, rootKey];
  for (const [index, twist] of authorities.entries()) {
    const subject = `authority ${index}`;
    const subjectKey = twist.subjectKey ?? generateCertificateKey();
    const extensions = authorityExtensions(authorities.length - 1 - index);
    made.push(issueCertificate({ ...lifetime, subject, issuer, subjectKey, issuerKey, extensions, ...twist }));
    [issuer, issuerKey] = [twist.subject ?? subject, subjectKey];
  }
  const key = leaf.subjectKey ?? generateCertificateKey();
  const names = { subject: "leaf", issuer };
  const honest = { ...lifetime, ...names, subjectKey: key, issuerKey, extensions: leafExtensions() };
  return { authorities: made, certificate: issueCertificate({ ...honest, ...leaf }), key };
}

const lifetime = { validFromMs: NOW_MS - HOUR_MS, validToMs: NOW_MS + HOUR_MS };

/** A document that an honest verifier accepts, but for what is given. */
export function forgeDocument(chain: ForgedChain = honestChain, fields: Partial<DocumentFields> = {}): Uint8Array {
  return signDocument(encodePayload(fieldsOf(chain, fields)), chain.key);
}

export function fieldsOf(chain: ForgedChain, fields: Partial<DocumentFields> = {}): DocumentFields {
  const { publicKey, userData, nonce, nowMs } = request;
  const { pcr0, pcr1, pcr2 } = emulatorMeasurements(IMAGE);
  const registers = [pcr0, pcr1, pcr2].map((hex, index) => [index, new Uint8Array(Buffer.from(hex, "hex"))] as const);
  const attachments = { publicKey, userData, nonce };
  const { authorities, certificate } = chain;
  const head = { moduleId: "emulator-forged", timestampMs: nowMs, pcrs: new Map(registers) };
  return { ...head, authorities, certificate, ...attachments, ...fields };
}

export const honestChain = forgeChain([{}]);
