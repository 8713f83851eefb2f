import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createEnclaveKey } from "../../../scheduler/node/enclave-emulator-key.ts";
import { EnclaveEmulator, emulatorMeasurements } from "../../../scheduler/node/enclave-emulator.ts";
import {
  type AttestationCheck,
  type AttestationVerdict,
  type AttestationVerifier,
  type Measurements,
  requireAttestationRules,
  verifyEnclaveSignature,
} from "../../../scheduler/proofs/nitro/attestation.ts";
import {
  binding,
  check,
  emulator,
  enclaveKey,
  forgeChain,
  forgeDocument,
  HOUR_MS,
  NOW_MS,
  request,
  root,
  rules,
  verifierWith,
} from "./forge.ts";

function reasonOf(verdict: AttestationVerdict): string {
  return verdict.ok ? "ok" : verdict.reason;
}

describe("an attestation", () => {
  it("says who the enclave is, and that an emulator is one", () => {
    const verdict = verifierWith().verify(emulator.attest(request), check);
    expect(verdict).toMatchObject({
      ok: true,
      attestation: {
        moduleId: "emulator-node-1",
        timestampMs: NOW_MS,
        key: enclaveKey.key,
        nonce: binding.registrationNonce,
        emulated: true,
        root: verifierWith().roots[0]?.fingerprint,
      },
    });
  });

  it.each(["ed25519", "p256"] as const)("lets the attested %s key sign, and no other", (algorithm) => {
    const signing = createEnclaveKey(algorithm);
    const verdict = verifierWith().verify(emulator.attest({ ...request, publicKey: signing.spki }), check);
    if (!verdict.ok) expect.fail(verdict.reason);
    const { key } = verdict.attestation;
    const message = Buffer.from("a statement");
    expect(verifyEnclaveSignature(key, message, signing.sign(message))).toBe(true);
    expect(verifyEnclaveSignature(key, message, createEnclaveKey(algorithm).sign(message))).toBe(false);
  });

  it("holds as long as its age and its certificates allow, whichever ends first", () => {
    const verifier = verifierWith();
    const document = forgeDocument(forgeChain([{}], { validToMs: NOW_MS + 600_000 }));
    const expiryWith = (maxAgeMs: number): number | undefined => {
      const verdict = verifier.verify(document, { ...check, rules: { ...rules, maxAgeMs } });
      return verdict.ok ? verdict.attestation.expiresMs : undefined;
    };
    expect(expiryWith(1_000)).toBe(NOW_MS + 1_000);
    expect(expiryWith(HOUR_MS)).toBe(NOW_MS + 600_000);
    expect(reasonOf(verifier.verify(document, { ...check, atMs: NOW_MS + 600_000 }))).toBe("ok");
    expect(reasonOf(verifier.verify(document, { ...check, atMs: NOW_MS + 600_001 }))).toBe("expired");
  });

  it("is bound by the certificate of the chain that expires first, whichever that is", () => {
    const soon = { validToMs: NOW_MS + 60_000 };
    for (const chain of [forgeChain([soon]), forgeChain([soon, {}]), forgeChain([{}], soon)]) {
      const verdict = verifierWith().verify(forgeDocument(chain), check);
      expect(verdict.ok && verdict.attestation.expiresMs).toBe(NOW_MS + 60_000);
    }
  });

  it("takes what the format allows: other registers, no attachments but ours, a tag", () => {
    const pcrs = new Map(
      Array.from({ length: 32 }, (_, index) => [index, new Uint8Array(48).fill(index + 1)] as const),
    );
    const measurements = { pcr0: "01".repeat(48), pcr1: "02".repeat(48), pcr2: "03".repeat(48) };
    const document = forgeDocument(undefined, { pcrs });
    const tagged = Buffer.concat([Buffer.from([0xd2]), document]);
    for (const bytes of [document, tagged]) {
      const verdict = verifierWith().verify(bytes, { ...check, rules: { ...rules, measurements: [measurements] } });
      expect(verdict.ok && Object.keys(verdict.attestation.pcrs)).toHaveLength(32);
    }
  });

  it("refuses rules that nobody, or a debug enclave, could satisfy", () => {
    const [listed] = rules.measurements as readonly [Measurements];
    const withPcr0 = (pcr0: string) => ({ ...rules, measurements: [{ ...listed, pcr0 }] });
    expect(requireAttestationRules(rules)).toBe(rules);
    expect(() => requireAttestationRules({ ...rules, measurements: [] })).toThrow("at least one enclave image");
    expect(() => requireAttestationRules(withPcr0("AB".repeat(48)))).toThrow("measurements[0].pcr0");
    expect(() => requireAttestationRules(withPcr0("ab".repeat(32)))).toThrow("96 lower-case");
    expect(() => requireAttestationRules(withPcr0("00".repeat(48)))).toThrow("debug mode");
    for (const maxAgeMs of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => requireAttestationRules({ ...rules, maxAgeMs })).toThrow(RangeError);
    }
  });

  it("is not asked for with a malformed check", () => {
    const document = emulator.attest(request);
    for (const bad of [
      { ...check, atMs: Number.NaN },
      { ...check, binding: { ...binding, nodeKey: "AB".repeat(32) } },
      { ...check, binding: { ...binding, registrationNonce: "" } },
    ]) {
      expect(() => verifierWith().verify(document, bad)).toThrow(RangeError);
    }
  });
});

describe("what a verifier remembers", () => {
  const otherImage = "another-image";
  let documents: readonly Uint8Array[] = [];
  beforeAll(() => {
    const other = new EnclaveEmulator({ root, image: otherImage, name: "node-2" });
    const short = forgeChain([{}], { validToMs: NOW_MS + 1_000 });
    const tampered = Uint8Array.from(emulator.attest(request));
    tampered[tampered.length - 1] = (tampered.at(-1) as number) ^ 1;
    documents = [
      emulator.attest(request),
      emulator.attest({ ...request, nowMs: NOW_MS - 1_800_000 }),
      other.attest(request),
      forgeDocument(short),
      forgeDocument(short, { nonce: undefined }),
      tampered,
    ];
  });

  const checks: fc.Arbitrary<AttestationCheck> = fc.record({
    atMs: fc.constantFrom(-HOUR_MS, -60_001, -1, 0, 1_000, 1_001, HOUR_MS, HOUR_MS + 1).map((ms) => NOW_MS + ms),
    rules: fc.record({
      measurements: fc.subarray([...rules.measurements, emulatorMeasurements(otherImage)]),
      maxAgeMs: fc.constantFrom(1, 1_800_000, 2 * HOUR_MS),
    }),
    binding: fc.constantFrom(
      binding,
      { ...binding, node: "node-2" },
      { ...binding, registrationNonce: "00".repeat(32) },
    ),
  });

  it("never changes a verdict: the same as from a verifier that remembers nothing", () => {
    const steps = fc.array(fc.tuple(fc.nat(5), checks), { minLength: 2, maxLength: 12 });
    let accepted = 0;
    fc.assert(
      fc.property(steps, fc.constantFrom(1, 2, 100), (taken, room) => {
        const limits = { maxCachedCertificates: room, maxCachedDocuments: room };
        const remembering = verifierWith(limits);
        for (const [index, asked] of taken) {
          const document = documents[index] as Uint8Array;
          const verdict = remembering.verify(document, asked);
          expect(verdict).toEqual(verifierWith().verify(document, asked));
          if (verdict.ok) accepted += 1;
        }
      }),
      { numRuns: 25 },
    );
    expect(accepted, "some must have been accepted").toBeGreaterThan(0);
  });

  it("ends with time, rules and binding, and comes back with them", () => {
    const verifier = verifierWith();
    const document = forgeDocument();
    const ask = (change: Partial<AttestationCheck>) => reasonOf(verifier.verify(document, { ...check, ...change }));
    expect(ask({})).toBe("ok");
    expect(ask({ atMs: NOW_MS + HOUR_MS + 1 })).toBe("expired");
    expect(ask({ rules: { ...rules, maxAgeMs: 1 }, atMs: NOW_MS + 2 })).toBe("too-old");
    expect(ask({ rules: { ...rules, measurements: [emulatorMeasurements("other")] } })).toBe("wrong-measurements");
    expect(ask({ binding: { ...binding, registrationNonce: "11".repeat(32) } })).toBe("wrong-nonce");
    expect(ask({ binding: { ...binding, node: "node-2" } })).toBe("wrong-user-data");
    expect(ask({})).toBe("ok");
  });

  it("is not taken over by a document that shares its chain", () => {
    const verifier: AttestationVerifier = verifierWith();
    const chain = forgeChain([{}]);
    expect(reasonOf(verifier.verify(forgeDocument(chain), check))).toBe("ok");
    const unsigned = forgeDocument({ ...chain, key: forgeChain([{}]).key });
    expect(reasonOf(verifier.verify(unsigned, check))).toBe("bad-signature");
    const otherLeaf = forgeChain([{}]).certificate;
    expect(reasonOf(verifier.verify(forgeDocument({ ...chain, certificate: otherLeaf }), check))).toBe("broken-chain");
    const { authorities } = forgeChain([{}]);
    expect(reasonOf(verifier.verify(forgeDocument({ ...chain, authorities }), check))).toBe("broken-chain");
  });
});
