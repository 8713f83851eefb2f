import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerHash, decodeAnswer, encodeAnswer } from "../../../scheduler/proofs/answer.ts";
import type { Proof } from "../../../scheduler/live/transport.ts";
import { isProof, orderProofKeys } from "../../../scheduler/proofs/proof.ts";
import { WIRE_LIMITS } from "../../../scheduler/proofs/wire-limits.ts";

const hex = (minBytes: number, maxBytes: number) =>
  fc.uint8Array({ minLength: minBytes, maxLength: maxBytes }).map((bytes) => Buffer.from(bytes).toString("hex"));
const signature = hex(1, WIRE_LIMITS.maxSignatureBytes);
const proofs: fc.Arbitrary<Proof> = fc.oneof(
  fc.record({ kind: fc.constantFrom("vanilla" as const, "optimistic" as const), signature }),
  fc.record({ kind: fc.constant("tee" as const), signature, attestation: hex(32, 32) }),
  fc.record({ kind: fc.constant("zkml" as const), signature, proof: hex(1, 300) }),
);
const answers = fc.record({ output: fc.uint8Array({ maxLength: 60 }), proof: proofs });

describe("an answer's encoding", () => {
  it("comes back as it was, for every kind of proof", () => {
    fc.assert(
      fc.property(answers, (answer) => {
        expect(decodeAnswer(encodeAnswer(answer))).toEqual(answer);
      }),
      { numRuns: 300 },
    );
  });

  it("differs for every two answers that differ", () => {
    fc.assert(
      fc.property(answers, answers, (one, another) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(another));
        expect(answerHash(one)).not.toBe(answerHash(another));
      }),
      { numRuns: 300 },
    );
  });

  it("decodes from no other bytes, and never throws", () => {
    const changed = fc.tuple(answers, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([answer, place, by]) => {
      const bytes = encodeAnswer(answer);
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ by;
      return bytes;
    });
    const cut = fc.tuple(answers, fc.nat()).map(([answer, place]) => {
      const bytes = encodeAnswer(answer);
      return bytes.slice(0, place % bytes.length);
    });
    const padded = fc.tuple(answers, fc.uint8Array({ minLength: 1, maxLength: 20 })).map(([answer, more]) => {
      return new Uint8Array([...encodeAnswer(answer), ...more]);
    });
    fc.assert(
      fc.property(fc.oneof(changed, cut, padded, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        const decoded = decodeAnswer(bytes);
        if (decoded !== undefined) expect(encodeAnswer(decoded)).toEqual(bytes);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("the form of a proof", () => {
  const good = "ab".repeat(64);
  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a string", "vanilla"],
    ["no kind", { signature: good }],
    ["an unknown kind", { kind: "trust", signature: good }],
    ["a kind that every object has", { kind: "constructor", signature: good }],
    ["upper case", { kind: "vanilla", signature: good.toUpperCase() }],
    ["half a byte", { kind: "vanilla", signature: "abc" }],
    ["an empty signature", { kind: "vanilla", signature: "" }],
    ["a megabyte of signature", { kind: "vanilla", signature: "ab".repeat(1 << 20) }],
    ["a member too many", { kind: "vanilla", signature: good, attestation: "ab".repeat(32) }],
    ["a tee proof without attestation", { kind: "tee", signature: good }],
    ["a short attestation", { kind: "tee", signature: good, attestation: "ab" }],
    ["a zkml proof without proof", { kind: "zkml", signature: good }],
    ["a megabyte of proof", { kind: "zkml", signature: good, proof: "ab".repeat(1 << 20) }],
  ])("is not that of %s", (_, value) => {
    expect(isProof(value)).toBe(false);
  });

  it("holds for every proof, and its keys can be put in order", () => {
    fc.assert(
      fc.property(proofs, (proof) => {
        const turned = Object.fromEntries(Object.entries(proof).toReversed()) as unknown as Proof;
        expect(isProof(turned)).toBe(true);
        expect(JSON.stringify(orderProofKeys(turned))).toBe(JSON.stringify(orderProofKeys(proof)));
      }),
    );
  });
});
