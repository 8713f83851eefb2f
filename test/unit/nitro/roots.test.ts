import { X509Certificate } from "node:crypto";
import { BasicConstraints, id_ce_basicConstraints, id_ce_keyUsage, KeyUsage, KeyUsageFlags } from "@peculiar/asn1-x509";
import { describe, expect, it } from "vitest";
import {
  authorityExtensions,
  extension,
  generateCertificateKey,
  issueCertificate,
  leafExtensions,
} from "../../../scheduler/node/enclave-emulator-certificates.ts";
import { createEmulatorRoot } from "../../../scheduler/node/enclave-emulator.ts";
import {
  AttestationVerifier,
  AWS_NITRO_ROOT_SHA256,
  DEFAULT_ATTESTATION_LIMITS as limits,
  RootError,
  type TrustedRoot,
} from "../../../scheduler/proofs/nitro/attestation.ts";
import { forgeChain, NOW_MS } from "./forge.ts";

const emulated = createEmulatorRoot({ nowMs: NOW_MS }).certificate;

function certificate(twist: Partial<Parameters<typeof issueCertificate>[0]>): Uint8Array {
  const key = generateCertificateKey();
  const [validFromMs, validToMs] = [NOW_MS, NOW_MS + 1];
  const names = { subject: "somebody", issuer: "somebody", subjectKey: key, issuerKey: key };
  return issueCertificate({ ...names, validFromMs, validToMs, extensions: authorityExtensions(1), ...twist });
}

function opening(root: TrustedRoot, allowEmulator = true) {
  return () => new AttestationVerifier({ roots: [root], limits, allowEmulator });
}

describe("a configured root", () => {
  it("is not an emulator's, unless that is allowed", () => {
    for (const root of [emulated, new X509Certificate(emulated).toString()]) {
      expect(() => new AttestationVerifier({ roots: [root], limits })).toThrow(RootError);
      expect(opening(root, false)).toThrow(/emulator.*AWS's root \(SHA-256 641a0321/);
      expect(opening(root)().roots).toEqual([{ fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/), emulated: true }]);
    }
  });

  it("of an emulator says so in every certificate, and is never AWS's", () => {
    const { subject, fingerprint256 } = new X509Certificate(emulated);
    expect(subject).toContain("PIPE ENCLAVE EMULATOR – NOT AN ENCLAVE");
    expect(fingerprint256.replaceAll(":", "").toLowerCase()).not.toBe(AWS_NITRO_ROOT_SHA256);
    const { authorities, certificate: leaf } = forgeChain([{}]);
    for (const der of [...authorities, leaf]) expect(new X509Certificate(der).subject).toMatch(/EMULATOR/);
  });

  it("is one certificate, self-signed, an authority, on P-384", () => {
    const leaf = certificate({ extensions: leafExtensions() });
    const [otherKey, { certificate: issued }] = [generateCertificateKey(), forgeChain([{}])];
    expect(opening("no certificate")).toThrow(/PEM or DER/);
    expect(opening(new Uint8Array(0))).toThrow(/PEM or DER/);
    expect(opening(leaf)).toThrow(/not a self-signed certificate authority/);
    expect(opening(issued)).toThrow(/not a self-signed certificate authority/);
    expect(opening(certificate({ issuerKey: otherKey }))).toThrow(/not a self-signed certificate authority/);
    expect(opening(certificate({ extensions: [] }))).toThrow(RootError);
    const noAuthority = extension(id_ce_basicConstraints, new BasicConstraints({ cA: false }));
    const mayIssue = extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign));
    expect(opening(certificate({ extensions: [noAuthority, mayIssue] }))).toThrow(RootError);
    expect(opening(certificate({}))).not.toThrow();
    expect(() => new AttestationVerifier({ roots: [], limits })).toThrow("roots is empty");
  });

  it("stands beside others", () => {
    const other = createEmulatorRoot({ nowMs: NOW_MS }).certificate;
    const verifier = new AttestationVerifier({ roots: [emulated, other], limits, allowEmulator: true });
    expect(new Set(verifier.roots.map(({ fingerprint }) => fingerprint)).size).toBe(2);
  });
});
