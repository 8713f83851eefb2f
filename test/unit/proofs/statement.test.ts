import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signingKeyFromSeed, verifySignature } from "../../../scheduler/proofs/keys.ts";
import type { Statement } from "../../../scheduler/proofs/statement.ts";
import { encodeStatement, signStatement, statementHash } from "../../../scheduler/proofs/statement.ts";
import { MODES } from "../../../scheduler/shared/vocabulary.ts";

interface Vector {
  readonly statement: Statement;
  readonly encoding: string;
  readonly hash: string;
  readonly seed: string;
  readonly publicKey: string;
  readonly signature: string;
}

const document = readFileSync(new URL("../../../docs/STATEMENT.md", import.meta.url), "utf8");
const vectors = [...document.matchAll(/```json vector\n([\s\S]*?)```/g)].map(
  ([, json]) => JSON.parse(json ?? "") as Vector,
);

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const name = fc.string({ maxLength: 8 });
const statements: fc.Arbitrary<Statement> = fc.record({
  chainId: name,
  txHash: hash,
  callIndex: fc.nat(20),
  model: name,
  inputHash: hash,
  mode: fc.constantFrom(...MODES),
  node: name,
  nonce: fc.maxSafeNat(),
  outputHash: hash,
});

describe("statement", () => {
  it("has the published test vectors", () => {
    expect(vectors).toHaveLength(2);
    for (const { statement, encoding, hash: published, seed, publicKey, signature } of vectors) {
      const key = signingKeyFromSeed(Buffer.from(seed, "hex"));
      expect(Buffer.from(encodeStatement(statement)).toString("hex")).toBe(encoding);
      expect(statementHash(statement)).toBe(published);
      expect(key.publicKeyHex).toBe(publicKey);
      expect(signStatement(statement, key)).toBe(signature);
      expect(verifySignature(publicKey, encodeStatement(statement), signature)).toBe(true);
    }
  });

  it("binds every field (P3): whichever differs, the hash differs and the proof fails", () => {
    const key = signingKeyFromSeed(new Uint8Array(32).fill(5));
    fc.assert(
      fc.property(statements, statements, fc.constantFrom(...FIELDS), (one, other, field) => {
        fc.pre(one[field] !== other[field]);
        const changed = { ...one, [field]: other[field] };
        expect(statementHash(changed)).not.toBe(statementHash(one));
        expect(verifySignature(key.publicKeyHex, encodeStatement(changed), signStatement(one, key))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("is strict about its fields", () => {
    const good = vectors[0]?.statement as Statement;
    for (const field of ["txHash", "inputHash", "outputHash"] as const) {
      for (const bad of [good[field].toUpperCase(), `0x${good[field]}`, good[field].slice(2), ""]) {
        expect(() => encodeStatement({ ...good, [field]: bad })).toThrow(RangeError);
      }
    }
    expect(() => encodeStatement({ ...good, mode: "other" as "vanilla" })).toThrow(RangeError);
    expect(() => encodeStatement({ ...good, nonce: -1 })).toThrow(RangeError);
    expect(() => encodeStatement({ ...good, callIndex: 0.5 })).toThrow(RangeError);
  });
});

const FIELDS = ["chainId", "txHash", "callIndex", "model", "inputHash", "mode", "node", "nonce", "outputHash"] as const;
