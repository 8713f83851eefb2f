import { groth16 } from "./groth16.ts";
import type { ProofSystem } from "./proof-system.ts";

/** The proof systems that are known. Another one is another file, and a line here. */
const PROOF_SYSTEMS: readonly ProofSystem[] = [groth16];

export const PROOF_SYSTEM_NAMES: readonly string[] = PROOF_SYSTEMS.map(({ name }) => name);

export function proofSystem(name: string): ProofSystem | undefined {
  return PROOF_SYSTEMS.find((one) => one.name === name);
}
