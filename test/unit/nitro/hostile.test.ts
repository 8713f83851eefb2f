import { describe, expect, it } from "vitest";
import { describeAttestationFault } from "../../../scheduler/proofs/nitro/attestation.ts";
import { ATTESTATION_FAULTS } from "../../../scheduler/proofs/nitro/faults.ts";
import { honest } from "./attack.ts";
import { CHAIN } from "./attacks-on-chains.ts";
import { BYTES, FIELDS, MESSAGE } from "./attacks-on-decoding.ts";
import { POLICY } from "./attacks-on-policy.ts";
import { check, verifierWith } from "./forge.ts";

const ATTACKS = { bytes: BYTES, messages: MESSAGE, fields: FIELDS, chains: CHAIN, contents: POLICY };

describe.each(Object.entries(ATTACKS))("hostile %s", (_, attacks) => {
  it.each(attacks)("$title: $reason", ({ document, limits, check: asked, reason }) => {
    const verifier = verifierWith(limits);
    const bytes = document();
    expect(verifier.verify(bytes, { ...check, ...asked })).toEqual({ ok: false, reason });
    expect(verifier.verify(bytes, { ...check, ...asked }), "again").toEqual({ ok: false, reason });
  });
});

describe("the hostile corpus", () => {
  it("would be accepted without its attacks", () => {
    expect(verifierWith().verify(honest, check)).toMatchObject({ ok: true });
  });

  it("has an attack for every reason, and each reason has its advice", () => {
    const reached = new Set(Object.values(ATTACKS).flatMap((attacks) => attacks.map(({ reason }) => reason)));
    expect([...reached].sort()).toEqual([...ATTESTATION_FAULTS].sort());
    const advice = ATTESTATION_FAULTS.map(describeAttestationFault);
    expect(new Set(advice).size).toBe(ATTESTATION_FAULTS.length);
    for (const text of advice) expect(text).toMatch(/^[A-Z].{20,}\.$/s);
  });

  it("includes an honest document with any bit flipped", () => {
    const verifier = verifierWith();
    expect(verifier.verify(honest, check).ok).toBe(true);
    // A prime step: every bit within a byte has its turn. The first bytes, which no signature covers, in full.
    for (let bit = 0; bit < honest.length * 8; bit += bit < 160 ? 1 : 13) {
      const flipped = Uint8Array.from(honest);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verifier.verify(flipped, check).ok, `bit ${bit}`).toBe(false);
    }
  });
});
