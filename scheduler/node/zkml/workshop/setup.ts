import { curves, type MemoryFile, powersOfTau, zKey } from "snarkjs";

/** Room for 2^9 = 512 constraints, public inputs included. */
const POWER = 9;
/** 2^10 rounds of hashing, the least that snarkjs takes: there is nothing to protect here. */
const BEACON_ROUNDS_EXPONENT = 10;
/** "pipe test setup, no security", in hexadecimal: published, so that everybody can make the same keys. */
const BEACON = Buffer.from("pipe test setup, no security").toString("hex");

/** Said wherever the key or what was verified with it is shown. */
export const TEST_SETUP = "test setup: one party, published randomness, so that anybody can forge proofs";

/**
 * Both phases of a Groth16 setup, with a published beacon as the only randomness. Hence the same keys each time, and a trapdoor
 * that is no secret: good for tests and demonstrations only.
 */
export async function testSetup(r1cs: Uint8Array): Promise<{ provingKey: Uint8Array; verificationKey: object }> {
  const curve = await curves.getCurveFromName("bn128");
  try {
    const [empty, powers, prepared, initial, final] = Array.from({ length: 5 }, (): MemoryFile => ({ type: "mem" }));
    if (!empty || !powers || !prepared || !initial || !final) throw new Error("five files");
    await powersOfTau.newAccumulator(curve, POWER, empty);
    await powersOfTau.beacon(empty, powers, "test setup", BEACON, BEACON_ROUNDS_EXPONENT);
    await powersOfTau.preparePhase2(powers, prepared);
    await zKey.newZKey({ type: "mem", data: r1cs }, prepared, initial);
    await zKey.beacon(initial, final, "test setup", BEACON, BEACON_ROUNDS_EXPONENT);
    return { provingKey: final.data ?? new Uint8Array(), verificationKey: await zKey.exportVerificationKey(final) };
  } finally {
    await curve.terminate();
  }
}
