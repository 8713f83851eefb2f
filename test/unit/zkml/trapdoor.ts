import { bn254 } from "@noble/curves/bn254.js";
import type { Groth16Proof } from "../../../scheduler/proofs/zkml/groth16-proof.ts";
import type { PointG1, PointG2 } from "../../../scheduler/proofs/zkml/points.ts";
import { G1, G2 } from "../../../scheduler/proofs/zkml/points.ts";
import type { CircuitShape } from "../../../scheduler/proofs/zkml/public-inputs.ts";
import { publicInputCount } from "../../../scheduler/proofs/zkml/public-inputs.ts";

const { Fr } = bn254.fields;

/**
 * A verification key whose secrets are known, and what they are good for: a proof of anything (Groth 2016, section 3.2, calls it
 * the simulator). For whoever may choose the key, every claim can be proved.
 */
export function trapdoorKey(shape: CircuitShape, scalar: () => bigint) {
  const [alpha, beta, gamma, delta] = [scalar(), scalar(), scalar(), scalar()];
  const bases = Array.from({ length: publicInputCount(shape) + 1 }, scalar);
  const json = {
    protocol: "groth16",
    curve: "bn128",
    nPublic: publicInputCount(shape),
    vk_alpha_1: textG1(G1.BASE.multiply(alpha)),
    vk_beta_2: textG2(G2.BASE.multiply(beta)),
    vk_gamma_2: textG2(G2.BASE.multiply(gamma)),
    vk_delta_2: textG2(G2.BASE.multiply(delta)),
    IC: bases.map((base) => textG1(G1.BASE.multiply(base))),
    setup: "test setup: known secrets",
    circuit: shape,
  };

  /** (a·b - alpha·beta - x·gamma) / delta stands in C, for any a and b. */
  function forge(publicInputs: readonly bigint[]): Groth16Proof {
    const [a, b] = [scalar(), scalar()];
    const x = publicInputs.reduce((sum, input, i) => Fr.add(sum, Fr.mul(input, bases[i + 1] ?? 0n)), bases[0] ?? 0n);
    const rest = Fr.sub(Fr.sub(Fr.mul(a, b), Fr.mul(alpha, beta)), Fr.mul(x, gamma));
    return { a: G1.BASE.multiply(a), b: G2.BASE.multiply(b), c: G1.BASE.multiply(Fr.div(rest, delta)) };
  }

  return { json, forge };
}

/** The usual JSON form of points. */
export function textG1(point: PointG1): string[] {
  const { x, y } = point.toAffine();
  return [`${x}`, `${y}`, "1"];
}

export function textG2(point: PointG2): string[][] {
  const { x, y } = point.toAffine();
  return [
    [`${x.c0}`, `${x.c1}`],
    [`${y.c0}`, `${y.c1}`],
    ["1", "0"],
  ];
}
