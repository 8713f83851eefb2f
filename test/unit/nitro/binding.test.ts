import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { enclaveUserData, registrationNonce } from "../../../scheduler/proofs/nitro/attestation.ts";

interface Vector {
  readonly chainId: string;
  readonly node: string;
  readonly nodeKey: string;
  readonly epochSeed: string;
  readonly userData: string;
  readonly nonce: string;
}

const document = readFileSync(new URL("../../../docs/ATTESTATION.md", import.meta.url), "utf8");
const vectors = [...document.matchAll(/```json vector\n([\s\S]*?)```/g)].map(
  ([, json]) => JSON.parse(json ?? "") as Vector,
);

const name = fc.string({ maxLength: 8 });
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const nodes = fc.record({ chainId: name, node: name, nodeKey: hash, epochSeed: hash });

describe("what binds a document to a node", () => {
  it("has the published test vectors", () => {
    expect(vectors).toHaveLength(2);
    for (const vector of vectors) {
      expect(Buffer.from(enclaveUserData(vector)).toString("hex")).toBe(vector.userData);
      expect(registrationNonce(vector)).toBe(vector.nonce);
    }
  });

  it("differs whenever a field differs", () => {
    const fields = fc.constantFrom("chainId", "node", "nodeKey", "epochSeed");
    fc.assert(
      fc.property(nodes, nodes, fields, (one, other, field) => {
        fc.pre(one[field] !== other[field]);
        const changed = { ...one, [field]: other[field] };
        if (field !== "epochSeed") expect(enclaveUserData(changed)).not.toEqual(enclaveUserData(one));
        if (field !== "nodeKey") expect(registrationNonce(changed)).not.toBe(registrationNonce(one));
      }),
    );
  });

  it("is strict about keys and seeds", () => {
    const node = { chainId: "pipe-1", node: "node-1" };
    for (const bad of ["", "AB".repeat(32), "ab".repeat(31), `0x${"ab".repeat(32)}`]) {
      expect(() => enclaveUserData({ ...node, nodeKey: bad })).toThrow(/nodeKey/);
      expect(() => registrationNonce({ ...node, epochSeed: bad })).toThrow(/epochSeed/);
    }
  });
});
