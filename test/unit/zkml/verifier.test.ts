import { bn254 } from "@noble/curves/bn254.js";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { statementHash } from "../../../scheduler/proofs/statement.ts";
import type { Groth16Key } from "../../../scheduler/proofs/zkml/groth16.ts";
import { groth16, holds } from "../../../scheduler/proofs/zkml/groth16.ts";
import type { Groth16Proof } from "../../../scheduler/proofs/zkml/groth16-proof.ts";
import { decodeProof, encodeProof } from "../../../scheduler/proofs/zkml/groth16-proof.ts";
import { COORDINATE_ORDER, G1, G2, type PointG2, SCALAR_ORDER } from "../../../scheduler/proofs/zkml/points.ts";
import type { ZkCheck } from "../../../scheduler/proofs/zkml/proof-system.ts";
import { publicInputsOf } from "../../../scheduler/proofs/zkml/public-inputs.ts";
import { honestCheck, key, prepared, scalarOf, statement } from "./fixture.ts";
import { trapdoorKey } from "./trapdoor.ts";

const { Fp2, Fr } = bn254.fields;
const COORDINATES = ["A.x", "A.y", "B.x imaginary", "B.x real", "B.y imaginary", "B.y real", "C.x", "C.y"] as const;

let honest: ZkCheck<Groth16Key>;
let points: Groth16Proof;

beforeAll(async () => {
  honest = await honestCheck();
  points = decodeProof(honest.proof) as Groth16Proof;
});

const verdictOn = (changed: Partial<ZkCheck<Groth16Key>>) => groth16.verify({ ...honest, ...changed });
const rejected = (reason: string) => ({ ok: false, reason });

/** The proof with some of its eight coordinates replaced. */
function withCoordinates(change: (value: bigint, index: number) => bigint): Uint8Array {
  const hex = Buffer.from(honest.proof).toString("hex");
  const coordinates = Array.from({ length: 8 }, (_, i) => change(BigInt(`0x${hex.slice(64 * i, 64 * i + 64)}`), i));
  return Buffer.from(coordinates.map((value) => value.toString(16).padStart(64, "0")).join(""), "hex");
}

describe("the honest proof", () => {
  it("is accepted, and says which setup that rests on", () => {
    expect(groth16.verify(honest)).toEqual({ ok: true });
    expect(honest.proof).toHaveLength(256);
    expect(key.setup).toMatch(/^test setup/);
  });

  it("has one text only", () => {
    expect(Buffer.from(encodeProof(points))).toEqual(Buffer.from(honest.proof));
  });

  it("may be shuffled by anybody into another proof of the same statement, which helps nobody else", () => {
    const t = 12_345n;
    const shuffled = { a: points.a.multiply(t), b: points.b.multiply(Fr.inv(t)), c: points.c };
    const proof = encodeProof(shuffled);
    expect(verdictOn({ proof })).toEqual({ ok: true });
    expect(verdictOn({ proof, binding: statementHash({ ...statement, node: "node-2" }) })).toEqual(
      rejected("not-proved"),
    );
  });
});

describe("somebody else's proof", () => {
  const other = sha256Hex(Uint8Array.of(7));
  it.each([
    ["another node's answer under one's own name", { node: "node-2" }],
    ["an answer to another transaction", { txHash: other }],
    ["an answer to another call of the transaction", { callIndex: 1 }],
    ["an answer from another chain", { chainId: "pipe-2" }],
    ["an answer to an earlier assignment", { nonce: 0 }],
    ["an answer of another model", { model: "risk-small" }],
    ["an answer given in another mode", { mode: "vanilla" }],
    ["an answer to another input", { inputHash: other }],
    ["an answer with another output", { outputHash: other }],
  ] as const)("%s is not proved (P3)", (_what, change) => {
    expect(verdictOn({ binding: statementHash({ ...statement, ...change }) })).toEqual(rejected("not-proved"));
  });

  it("does not prove another input, output or model, even for the same statement", () => {
    for (let i = 0; i < honest.input.length; i += 1)
      expect(verdictOn({ input: honest.input.with(i, (honest.input[i] ?? 0) ^ 1) })).toEqual(rejected("not-proved"));
    expect(verdictOn({ output: Uint8Array.of((honest.output[0] ?? 0) ^ 1) })).toEqual(rejected("not-proved"));
    expect(verdictOn({ modelDigest: other })).toEqual(rejected("not-proved"));
  });
});

describe("a damaged proof", () => {
  it("is refused whichever of its 2,048 bits was flipped", () => {
    const reasons = new Map<string, number>();
    for (let bit = 0; bit < 8 * honest.proof.length; bit += 1) {
      const proof = honest.proof.slice();
      proof[bit >> 3] = (proof[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const verdict = verdictOn({ proof });
      const reason = verdict.ok ? "accepted" : verdict.reason;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    expect([...reasons.keys()].sort()).toEqual(["non-canonical-coordinate", "point-off-curve"]);
  });

  it.each([
    ["empty", 0],
    ["truncated by a byte", 255],
    ["padded by a byte", 257],
    ["two proofs in a row", 512],
    ["a megabyte", 1 << 20],
  ])("%s has the wrong length", (_what, length) => {
    const proof = Uint8Array.from({ length }, (_, i) => honest.proof[i % 256] ?? 0);
    expect(verdictOn({ proof })).toEqual(rejected("bad-proof-length"));
  });

  it.each(COORDINATES)("has no second way to write %s", (name) => {
    const proof = withCoordinates((value, i) => (COORDINATES[i] === name ? value + COORDINATE_ORDER : value));
    expect(verdictOn({ proof })).toEqual(rejected("non-canonical-coordinate"));
  });

  it.each(COORDINATES)("is off the curve when %s is another", (name) => {
    const proof = withCoordinates((value, i) => (COORDINATES[i] === name ? (value + 1n) % COORDINATE_ORDER : value));
    expect(verdictOn({ proof })).toEqual(rejected("point-off-curve"));
  });

  it.each([
    ["A", [0, 1]],
    ["B", [2, 3, 4, 5]],
    ["C", [6, 7]],
    ["all three", [0, 1, 2, 3, 4, 5, 6, 7]],
  ])("is refused with %s at infinity", (_what, zeros) => {
    expect(verdictOn({ proof: withCoordinates((value, i) => (zeros.includes(i) ? 0n : value)) })).toEqual(
      rejected("point-at-infinity"),
    );
  });

  it("is refused, not thrown over, whatever stands in its coordinates", () => {
    const special = fc.constantFrom(0n, 1n, 2n, COORDINATE_ORDER - 1n, COORDINATE_ORDER, 2n ** 256n - 1n);
    const coordinate = fc.oneof(special, fc.constant(undefined), fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }));
    fc.assert(
      fc.property(fc.array(coordinate, { minLength: 8, maxLength: 8 }), (chosen) => {
        fc.pre(chosen.some((value) => value !== undefined));
        expect(verdictOn({ proof: withCoordinates((value, i) => chosen[i] ?? value) }).ok).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  it("is not proved with a point negated, swapped, or taken from elsewhere in its group", () => {
    const changes: Partial<Groth16Proof>[] = [
      { a: points.a.negate() },
      { b: points.b.negate() },
      { c: points.c.negate() },
      { a: points.c, c: points.a },
      { a: G1.BASE },
      { b: G2.BASE },
      { c: G1.BASE },
    ];
    for (const change of changes)
      expect(verdictOn({ proof: encodeProof({ ...points, ...change }) })).toEqual(rejected("not-proved"));
    // Both signs at once cancel out in the equation: that is the same proof, shuffled.
    const negated = { ...points, a: points.a.negate(), b: points.b.negate() };
    expect(verdictOn({ proof: encodeProof(negated) })).toEqual({ ok: true });
  });

  it("is refused with real and imaginary parts in the other order", () => {
    const swapped = [0, 1, 3, 2, 5, 4, 6, 7];
    const original = Array.from({ length: 8 }, (_, i) => honest.proof.slice(32 * i, 32 * i + 32));
    const proof = Buffer.concat(swapped.map((i) => original[i] ?? new Uint8Array()));
    expect(verdictOn({ proof })).toEqual(rejected("point-off-curve"));
  });
});

describe("a point on the twist outside G2", () => {
  /** Some point of the twist; of all of them one in 2^254 is in G2. */
  function pointOnTwist(): PointG2 {
    for (let c0 = 1n; ; c0 += 1n) {
      const x = Fp2.fromBigTuple([c0, 3n]);
      const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), G2.CURVE().b);
      try {
        return G2.fromAffine({ x, y: Fp2.sqrt(square) });
      } catch {
        // This x has no point: one in two has none.
      }
    }
  }

  /** The point times the group's order, without reducing it to zero as a scalar. */
  const timesOrder = (point: PointG2) => point.multiplyUnsafe(SCALAR_ORDER - 1n).add(point);

  it("is refused as B", () => {
    const point = pointOnTwist();
    expect(timesOrder(point).is0()).toBe(false);
    expect(verdictOn({ proof: encodeProof({ ...points, b: point }) })).toEqual(rejected("point-in-wrong-subgroup"));
  });

  it("is refused when added to the right B, though the rest of the proof is honest", () => {
    const torsion = timesOrder(pointOnTwist());
    const b = points.b.add(torsion);
    expect(verdictOn({ proof: encodeProof({ ...points, b }) })).toEqual(rejected("point-in-wrong-subgroup"));
  });

  it("is told apart as multiplying with the order tells it", () => {
    const torsion = timesOrder(pointOnTwist());
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: SCALAR_ORDER - 1n }), fc.boolean(), (scalar, inside) => {
        const point = inside ? G2.BASE.multiply(scalar) : G2.BASE.multiply(scalar).add(torsion);
        expect(timesOrder(point).is0()).toBe(inside);
        const verdict = verdictOn({ proof: encodeProof({ ...points, b: point }) });
        expect(verdict).toEqual(rejected(inside ? "not-proved" : "point-in-wrong-subgroup"));
      }),
      { numRuns: 10 },
    );
  });
});

describe("what is claimed", () => {
  it.each([0, 7, 9, 64 * 1024])("is refused with an input of %i bytes", (length) => {
    expect(verdictOn({ input: new Uint8Array(length) })).toEqual(rejected("bad-input-encoding"));
  });

  it.each([0, 2, 64 * 1024])("is refused with an output of %i bytes", (length) => {
    expect(verdictOn({ output: new Uint8Array(length) })).toEqual(rejected("bad-output-encoding"));
  });

  it("cannot move the border between output and input", () => {
    const moved = { output: Buffer.concat([honest.output, honest.input.slice(0, 1)]), input: honest.input.slice(1) };
    expect(verdictOn(moved)).toEqual(rejected("bad-input-encoding"));
  });

  it.each(["", "0x", "AB".repeat(32), "ab".repeat(31), "ab".repeat(33)])("is refused with the digest %j", (digest) => {
    expect(verdictOn({ binding: digest })).toEqual(rejected("bad-public-input"));
    expect(verdictOn({ modelDigest: digest })).toEqual(rejected("bad-public-input"));
  });

  it("has public inputs below the field's order, whatever it says, and none that is not is ever taken", () => {
    const largest = publicInputsOf(key.circuit, {
      modelDigest: "f".repeat(64),
      binding: "f".repeat(64),
      input: new Uint8Array(8).fill(255),
      output: Uint8Array.of(255),
    });
    expect(largest).toEqual([...Array(4).fill(2n ** 128n - 1n), ...Array(9).fill(255n)]);
    const inputs = publicInputsOf(key.circuit, honest) as readonly bigint[];
    expect(holds(key.equation, inputs, points)).toBe(true);
    // The same residue, written again: other implementations have accepted it.
    const second = inputs.with(4, (inputs[4] ?? 0n) + SCALAR_ORDER);
    expect(() => holds(key.equation, second, points)).toThrow("two readings");
    expect(() => holds(key.equation, inputs.with(4, -1n), points)).toThrow("two readings");
    expect(() => holds(key.equation, inputs.slice(1), points)).toThrow("one base for each");
  });
});

describe("a key of the prover's own", () => {
  it("proves anything, and nothing against the registry's key", () => {
    let word = 1;
    const own = trapdoorKey(key.circuit, () => scalarOf(() => (word = Math.imul(word, 747_796_405) + 1)));
    const lie = { ...honest, output: Uint8Array.of((honest.output[0] ?? 0) ^ 255) };
    const proof = encodeProof(own.forge(publicInputsOf(key.circuit, lie) as readonly bigint[]));
    expect(groth16.verify({ ...lie, proof, key: prepared(own.json) })).toEqual({ ok: true });
    // Whoever verifies takes the key from the registry; 256 bytes of proof have no room for another.
    expect(groth16.verify({ ...lie, proof })).toEqual(rejected("not-proved"));
    const withKey = Buffer.concat([proof, Buffer.from(JSON.stringify(own.json))]);
    expect(groth16.verify({ ...lie, proof: withKey })).toEqual(rejected("bad-proof-length"));
  });
});

describe("the equation", () => {
  it("holds for the claim that was proved and for no other, in circuits of any shape", () => {
    const element = fc.record({ count: fc.integer({ min: 1, max: 4 }), bytes: fc.integer({ min: 1, max: 4 }) });
    const scalars = fc.infiniteStream(fc.nat());
    fc.assert(
      fc.property(element, element, scalars, fc.nat(), (ins, outs, words, pick) => {
        const shape = { input: ins, output: outs };
        const word = () => words.next().value as number;
        const { json, forge } = trapdoorKey(shape, () => scalarOf(word));
        const bytes = (length: number) => Uint8Array.from({ length }, () => word() % 256);
        const claim = {
          modelDigest: sha256Hex(bytes(4)),
          binding: sha256Hex(bytes(4)),
          input: bytes(ins.count * ins.bytes),
          output: bytes(outs.count * outs.bytes),
        };
        const proof = encodeProof(forge(publicInputsOf(shape, claim) as readonly bigint[]));
        const check = { ...claim, proof, key: prepared(json) };
        expect(groth16.verify(check)).toEqual({ ok: true });
        const at = pick % claim.input.length;
        const input = claim.input.with(at, ((claim.input[at] ?? 0) + 1) % 256);
        expect(groth16.verify({ ...check, input })).toEqual(rejected("not-proved"));
      }),
      { numRuns: 8 },
    );
  });
});
