import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { interleavedMSMUnsafe } from "@noble/curves/abstract/curve.js";
import { FFT, rootsOfUnity } from "@noble/curves/abstract/fft.js";
import { bn254 } from "@noble/curves/bn254.js";
import type { Groth16Proof } from "../../proofs/zkml/groth16-proof.ts";
import { G1, G2 } from "../../proofs/zkml/points.ts";
import type { Coefficient, ProvingKey } from "./proving-key.ts";

const { Fr } = bn254.fields;
/** Least number that is no square: its powers are the roots of unity that proving keys are made for. */
const ROOTS = rootsOfUnity(Fr, 5n);
/** Bits of the tables' windows: four points for each of the key's, which takes a tenth of a second once. */
const WINDOW_BITS = 4;

/** Proves that a witness satisfies the circuit's constraints. */
export interface WitnessProver {
  /**
   * About a third of a second of computing, in pieces between which the thread attends to other things; rejects with the
   * signal's reason once it is aborted. A witness that does not satisfy the constraints gives a proof that nobody accepts.
   */
  prove(witness: bigint[], signal?: AbortSignal): Promise<Groth16Proof>;
}

/** Makes the tables for a proving key. */
export function groth16Prover(key: ProvingKey): WitnessProver {
  const sums = {
    a: interleavedMSMUnsafe(G1, key.a, WINDOW_BITS),
    b1: interleavedMSMUnsafe(G1, key.b1, WINDOW_BITS),
    b2: interleavedMSMUnsafe(G2, key.b2, WINDOW_BITS),
    c: interleavedMSMUnsafe(G1, key.c, WINDOW_BITS),
    h: interleavedMSMUnsafe(G1, key.h, WINDOW_BITS),
  };
  return {
    async prove(witness, signal) {
      const breathe = () => setImmediate(undefined, { signal });
      // Two random numbers make proofs of the same witness look unrelated (Groth 2016, section 3.2).
      const [r, s] = [randomScalar(), randomScalar()];
      const a = sums.a(witness).add(key.alpha).add(key.delta1.multiply(r));
      await breathe();
      const b = sums.b2(witness).add(key.beta2).add(key.delta2.multiply(s));
      const b1 = sums.b1(witness).add(key.beta1).add(key.delta1.multiply(s));
      await breathe();
      const quotient = quotientOnCoset(key, witness);
      await breathe();
      const hidden = sums.c(witness.slice(key.publicCount + 1)).add(sums.h(quotient));
      await breathe();
      const c = hidden
        .add(a.multiply(s))
        .add(b1.multiply(r))
        .subtract(key.delta1.multiply(Fr.mul(r, s)));
      return { a, b, c };
    },
  };
}

/**
 * A · B - C on the domain moved by a root of unity of twice its order, where the key's points `h` expect it: they contain the
 * division by the domain's vanishing polynomial. C is A · B on the domain itself, as it is for every witness that is one.
 */
function quotientOnCoset(key: ProvingKey, witness: readonly bigint[]): bigint[] {
  const bits = Math.log2(key.domainSize);
  const transform = FFT(ROOTS, Fr);
  const a = evaluate(key, "a", witness);
  const b = evaluate(key, "b", witness);
  const c = a.map((value, i) => Fr.mul(value, b[i] ?? 0n));
  const shift = ROOTS.omega(bits + 1);
  const [aMoved, bMoved, cMoved] = [a, b, c].map((values) => {
    const coefficients = transform.inverse(values);
    let power = 1n;
    for (const [i, coefficient] of coefficients.entries()) {
      coefficients[i] = Fr.mul(coefficient, power);
      power = Fr.mul(power, shift);
    }
    return transform.direct(coefficients);
  });
  return (aMoved ?? []).map((value, i) => Fr.sub(Fr.mul(value, bMoved?.[i] ?? 0n), cMoved?.[i] ?? 0n));
}

/** What each constraint's linear combination on one side comes to. */
function evaluate(key: ProvingKey, matrix: Coefficient["matrix"], witness: readonly bigint[]): bigint[] {
  const rows = Array.from({ length: key.domainSize }, () => 0n);
  for (const { matrix: side, row, wire, value } of key.coefficients) {
    if (side === matrix) rows[row] = Fr.add(rows[row] ?? 0n, Fr.mul(value, witness[wire] ?? 0n));
  }
  return rows;
}

/** Uniform but for 2^-128, and never zero. */
function randomScalar(): bigint {
  return (BigInt(`0x${randomBytes(48).toString("hex")}`) % (Fr.ORDER - 1n)) + 1n;
}
