import { bn254 } from "@noble/curves/bn254.js";
import { assert } from "../../shared/assert.ts";
import type { Equation, ModelKey } from "./groth16-key.ts";
import { readModelKey } from "./groth16-key.ts";
import type { Groth16Proof } from "./groth16-proof.ts";
import { decodeProof } from "./groth16-proof.ts";
import { SCALAR_ORDER } from "./points.ts";
import type { PreparedKey, ProofSystem } from "./proof-system.ts";
import { publicInputsOf } from "./public-inputs.ts";

export interface Groth16Key extends PreparedKey, ModelKey {
  readonly system: "groth16-bn254";
}

/** After this many the compiler has seen to a pairing. */
const WARM_UPS = 3;

/**
 * Groth16 (Jens Groth, "On the Size of Pairing-based Non-interactive Arguments", Eurocrypt 2016) over BN254, whose pairing
 * Ethereum checks on chain (EIP-197). About 20 ms for a proof.
 */
export const groth16: ProofSystem<Groth16Key> = {
  name: "groth16-bn254",

  prepare(verificationKey) {
    const key = readModelKey(verificationKey);
    return "fault" in key ? key : { system: "groth16-bn254", ...key };
  },

  warmUp({ equation }) {
    const { G1, G2 } = bn254;
    const points = { a: G1.Point.BASE, b: G2.Point.BASE, c: G1.Point.BASE };
    const publicInputs = equation.bases.slice(1).map(() => 1n);
    for (let time = 0; time < WARM_UPS; time += 1) holds(equation, publicInputs, points);
  },

  verify({ key, proof, ...claim }) {
    // The cheap checks first: what has a wrong length costs nothing, what has wrong points a millisecond.
    const publicInputs = publicInputsOf(key.circuit, claim);
    if (typeof publicInputs === "string") return { ok: false, reason: publicInputs };
    const points = decodeProof(proof);
    if (typeof points === "string") return { ok: false, reason: points };
    return holds(key.equation, publicInputs, points) ? { ok: true } : { ok: false, reason: "not-proved" };
  },
};

/**
 * Whether e(A, B) = e(alpha, beta) · e(X, gamma) · e(C, delta), where X is the sum of the bases weighted with the public
 * inputs. The right side's first factor is known; the other three pairings share one final exponentiation.
 */
export function holds(equation: Equation, publicInputs: readonly bigint[], { a, b, c }: Groth16Proof): boolean {
  const { Fp12 } = bn254.fields;
  const [constant, ...bases] = equation.bases;
  assert(
    constant !== undefined && bases.length === publicInputs.length,
    "one base for each public input, and one more",
  );
  let x = constant;
  for (const [i, base] of bases.entries()) {
    const scalar = publicInputs[i] ?? 0n;
    assert(scalar >= 0n && scalar < SCALAR_ORDER, "a public input that is no element of the field has two readings");
    if (scalar > 0n) x = x.add(base.multiplyUnsafe(scalar));
  }
  // At infinity this pairing would be 1; nobody finds public inputs for that, and refusing them is safe.
  if (x.is0()) return false;
  const [left, known, rest] = [a.toAffine(), x.negate().toAffine(), c.negate().toAffine()];
  const product = bn254.millerLoopBatch([
    [bn254.utils.calcPairingPrecomputes(b), left.x, left.y],
    [equation.gamma, known.x, known.y],
    [equation.delta, rest.x, rest.y],
  ]);
  return Fp12.eql(Fp12.finalExponentiate(product), equation.alphaBeta);
}
