import { existsSync, readFileSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  AttestationVerifier,
  AWS_NITRO_ROOT_SHA256,
  DEFAULT_ATTESTATION_LIMITS,
} from "../../../scheduler/proofs/nitro/attestation.ts";
import { type AttestationRules, measurementsOf } from "../../../scheduler/proofs/nitro/rules.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { binding, HOUR_MS } from "./forge.ts";

/** Documents of real enclaves. They are not ours to ship, so that a checkout may be without them. */
const FOLDER = new URL("../../../../shared/vectors/nitro/", import.meta.url);
const present = existsSync(FOLDER);
if (!present) console.warn(`real attestation documents are not checked: ${FOLDER.pathname} is absent`);

interface RealDocument {
  readonly file: string;
  readonly base64?: boolean;
  readonly at: string;
  /** What AWS signed, whatever it says. */
  readonly authentic: boolean;
  /** What a registry that lists the document's own measurements makes of it. */
  readonly reason: "debug-enclave" | "wrong-nonce" | "bad-signature";
  readonly pcr0?: string;
  readonly nonceBytes?: number;
}

const DOCUMENTS: readonly RealDocument[] = [
  {
    file: "evervault/valid-attestation-doc-bytes",
    at: "2022-10-13T08:58:02.136Z",
    authentic: true,
    reason: "wrong-nonce",
    pcr0: "f4d48b81",
    nonceBytes: 256,
  },
  {
    file: "evervault/valid-attestation-doc-base64",
    base64: true,
    at: "2023-09-18T15:03:30.860Z",
    authentic: true,
    reason: "debug-enclave",
    pcr0: "00000000",
  },
  {
    file: "evervault/debug-mode-attestation-doc-bytes",
    at: "2022-10-12T13:50:06.081Z",
    authentic: true,
    reason: "debug-enclave",
    pcr0: "00000000",
  },
  {
    file: "eternis/example_attestation",
    base64: true,
    at: "2024-09-09T19:49:12.400Z",
    authentic: true,
    reason: "debug-enclave",
    nonceBytes: 20,
  },
  {
    file: "eternis/invalid_attestation",
    base64: true,
    at: "2024-07-23T21:29:40.771Z",
    authentic: false,
    reason: "bad-signature",
  },
  { file: "marlin/aws.bin", at: "2024-12-13T07:37:58.960Z", authentic: true, reason: "wrong-nonce", pcr0: "189038ec" },
];

function read({ file, base64 = false }: RealDocument): Uint8Array {
  const bytes = readFileSync(new URL(file, FOLDER));
  return base64 ? Buffer.from(bytes.toString("utf8"), "base64") : bytes;
}

function awsVerifier(): AttestationVerifier {
  const pem = readFileSync(new URL("evervault/nitro.pem", FOLDER), "utf8");
  return new AttestationVerifier({ roots: [pem], limits: DEFAULT_ATTESTATION_LIMITS });
}

describe.skipIf(!present)("documents of real enclaves", () => {
  it("begin with the root that is named in the source", () => {
    const pem = readFileSync(new URL("evervault/nitro.pem", FOLDER));
    expect(sha256Hex(new X509Certificate(pem).raw)).toBe(AWS_NITRO_ROOT_SHA256);
    expect(awsVerifier().roots).toEqual([{ fingerprint: AWS_NITRO_ROOT_SHA256, emulated: false }]);
  });

  it.each(DOCUMENTS)("$file at its own time", (document) => {
    const atMs = Date.parse(document.at);
    const verdict = awsVerifier().authenticate(read(document), atMs);
    if (!document.authentic) {
      expect(verdict).toEqual({ ok: false, reason: "bad-signature" });
      return;
    }
    if (!verdict.ok) expect.fail(verdict.reason);
    expect(verdict.document).toMatchObject({ timestampMs: atMs, root: AWS_NITRO_ROOT_SHA256, emulated: false });
    if (document.pcr0 !== undefined) expect(verdict.document.pcrs[0]?.slice(0, 8)).toBe(document.pcr0);
    if (document.nonceBytes !== undefined) expect(verdict.document.nonce).toHaveLength(2 * document.nonceBytes);
  });

  it.each(DOCUMENTS.filter(({ authentic }) => authentic))("$file only while its chain is valid", (document) => {
    const verifier = awsVerifier();
    const bytes = read(document);
    const atMs = Date.parse(document.at);
    const verdict = verifier.authenticate(bytes, atMs);
    if (!verdict.ok) expect.fail(verdict.reason);
    const { validFromMs, validToMs } = verdict.document;
    expect(validToMs - validFromMs, "an enclave's certificate lives three hours").toBeLessThan(3.1 * HOUR_MS);
    for (const fresh of [verifier, awsVerifier()]) {
      expect(fresh.authenticate(bytes, validToMs).ok).toBe(true);
      expect(fresh.authenticate(bytes, validToMs + 1)).toEqual({ ok: false, reason: "expired" });
      expect(fresh.authenticate(bytes, validFromMs).ok).toBe(true);
      expect(fresh.authenticate(bytes, validFromMs - 1)).toEqual({ ok: false, reason: "not-yet-valid" });
      expect(fresh.authenticate(bytes, Date.UTC(2026, 0))).toEqual({ ok: false, reason: "expired" });
    }
  });

  it.each(DOCUMENTS)("$file is refused for $reason when it is not ours", (document) => {
    const verifier = awsVerifier();
    const atMs = Date.parse(document.at);
    const authentic = verifier.authenticate(read(document), atMs);
    const measurements = authentic.ok ? [measurementsOf(authentic.document.pcrs)] : [];
    const rules: AttestationRules = { measurements, maxAgeMs: HOUR_MS };
    const verdict = verifier.verify(read(document), { atMs, rules, binding });
    expect(verdict).toEqual({ ok: false, reason: document.reason });
  });

  it("fail with any bit of them flipped", () => {
    const verifier = awsVerifier();
    const [document] = DOCUMENTS as readonly [RealDocument];
    const bytes = Uint8Array.from(read(document));
    const atMs = Date.parse(document.at);
    // A prime step: every byte position within words and every bit within bytes has its turn.
    for (let bit = 0; bit < bytes.length * 8; bit += 211) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verifier.authenticate(flipped, atMs).ok, `bit ${bit}`).toBe(false);
    }
  });
});
