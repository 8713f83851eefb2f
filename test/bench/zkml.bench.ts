/**
 * How many Groth16 proofs one core verifies and how long one takes to make; beside it snarkjs (WebAssembly), which is at hand in
 * development only, on one thread as well. Proofs and keys are of the test setup.
 */
import { curves, groth16 as snarkjs } from "snarkjs";
import { readProvingFiles, readVerificationKey } from "../../scheduler/node/zkml/catalogue.ts";
import { createProver } from "../../scheduler/node/zkml/prover.ts";
import { witnessOf } from "../../scheduler/node/zkml/witness.ts";
import { groth16 } from "../../scheduler/proofs/zkml/groth16.ts";
import { decodeProof } from "../../scheduler/proofs/zkml/groth16-proof.ts";
import { publicInputsOf } from "../../scheduler/proofs/zkml/public-inputs.ts";
import { entry, honestCheck, MODEL, prepared } from "../unit/zkml/fixture.ts";
import { textG1, textG2 } from "../unit/zkml/trapdoor.ts";
import { encodeWitness } from "../unit/zkml/witness-file.ts";
import type { Figure } from "./figure.ts";

const ROUNDS = 30;
const PROOFS = 8;
const TARGET_PER_SECOND = 15;

/** The median of so many runs, after one that warms up. */
async function medianMs(rounds: number, act: () => unknown): Promise<number> {
  await act();
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedMs = performance.now();
    await act();
    times.push(performance.now() - startedMs);
  }
  return times.sort((a, b) => a - b)[rounds >> 1] ?? 0;
}

function accepted(verdict: boolean): void {
  if (!verdict) throw new Error("what is measured must be accepted");
}

export async function zkmlFigures(): Promise<Figure[]> {
  const check = await honestCheck();
  const { binding, input } = check;
  const verifyMs = await medianMs(ROUNDS, () => accepted(groth16.verify(check).ok));
  const flipped = { ...check, proof: check.proof.with(40, (check.proof[40] ?? 0) ^ 1) };
  const refuseMs = await medianMs(ROUNDS, () => accepted(!groth16.verify(flipped).ok));
  const json = readVerificationKey(entry);
  const prepareMs = await medianMs(PROOFS, () => prepared(json));
  const loadMs = await medianMs(PROOFS, () => createProver(MODEL));
  const prover = createProver(MODEL);
  const proveMs = await medianMs(PROOFS, () => prover.prove({ input, binding }));
  const theirs = await snarkjsMs(check, json);
  const perSecond = 1_000 / verifyMs;
  return [
    {
      name: "zkml: Groth16 proofs verified",
      value: perSecond,
      unit: "/s",
      target: `≥ ${TARGET_PER_SECOND}`,
      met: perSecond >= TARGET_PER_SECOND,
    },
    { name: "zkml: verified, time against snarkjs", value: verifyMs / theirs.verifyMs, unit: "×" },
    { name: "zkml: malformed proofs refused", value: 1_000 / refuseMs, unit: "/s" },
    { name: "zkml: a verification key prepared", value: prepareMs, unit: "ms" },
    { name: "zkml: a proof made", value: proveMs, unit: "ms" },
    { name: "zkml: made, time against snarkjs", value: proveMs / theirs.proveMs, unit: "×" },
    { name: "zkml: a prover loaded", value: loadMs, unit: "ms" },
  ];
}

/** The same proof verified and the same witness proved by snarkjs. */
async function snarkjsMs(check: Awaited<ReturnType<typeof honestCheck>>, key: unknown) {
  const points = decodeProof(check.proof);
  const inputs = publicInputsOf(check.key.circuit, check);
  if (typeof points === "string" || typeof inputs === "string") throw new Error("the check is honest");
  const { a, b, c } = points;
  const proof = { pi_a: textG1(a), pi_b: textG2(b), pi_c: textG1(c), protocol: "groth16", curve: "bn128" };
  const signals = inputs.map(String);
  const verifyMs = await medianMs(ROUNDS, async () => accepted(await snarkjs.verify(key, signals, proof)));
  // With its threads ended, so that it proves on one as we do.
  await (await curves.getCurveFromName("bn128")).terminate();
  const { perceptron, provingKey, wires } = readProvingFiles(entry);
  const witness = encodeWitness(witnessOf(perceptron, wires, check));
  const file = (data: Uint8Array) => ({ type: "mem", data }) as const;
  const prove = () => snarkjs.prove(file(provingKey), file(witness), undefined, { singleThread: true });
  const proveMs = await medianMs(PROOFS, prove);
  await (await curves.getCurveFromName("bn128")).terminate();
  return { verifyMs, proveMs };
}
