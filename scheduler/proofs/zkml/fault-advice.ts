import type { ZkFault } from "./proof-system.ts";

const ADVICE: Readonly<Record<ZkFault, string>> = {
  "bad-public-input":
    "The model's digest or the statement's is not 64 lower-case hexadecimal digits. Correct the model registry's entry.",
  "bad-input-encoding":
    "The input is not as long as the model's circuit takes it, so nobody can prove an answer. Send what the registry's entry says.",
  "bad-output-encoding": "The output is not as long as the model's circuit gives it. Answer with what the prover gave.",
  "bad-proof-length":
    "A Groth16 proof over BN254 has exactly 256 bytes. Send the proof alone, without key or public inputs.",
  "non-canonical-coordinate":
    "A coordinate is not below the field's order. Reduce coordinates, and write them big endian.",
  "point-at-infinity": "A point of the proof is at infinity, where no honest proof has one. Prove again.",
  "point-off-curve":
    "A point of the proof is not on the curve: bytes were damaged or stand in another order than docs/ZKML.md gives.",
  "point-in-wrong-subgroup": "B is on the curve but not in G2. No honest prover makes such a point; look at the node.",
  "not-proved":
    "The proof is of another statement, model, input or output, or was made with another proving key. Prove for this assignment, " +
    "with the key that belongs to the registry's verification key.",
};

/** What a fault means for whoever has to mend it, in one or two sentences. */
export function describeZkFault(fault: ZkFault): string {
  return ADVICE[fault];
}
