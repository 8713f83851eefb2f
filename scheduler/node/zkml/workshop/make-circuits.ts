/**
 * Makes the models whose answers can be proved, with their circuits, keys and manifest. Deterministic: the same bytes each time.
 * The setup is a test setup (see setup.ts). Takes about ten seconds, and development dependencies.
 *
 *     node scheduler/node/zkml/workshop/make-circuits.ts
 */
import { mkdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { sha256Hex } from "../../../proofs/digest.ts";
import type { ZkFile, ZkManifest, ZkManifestEntry } from "../catalogue.ts";
import { perceptronDigest } from "../perceptron.ts";
import { compileCircuit } from "./compile-circuit.ts";
import { TEST_SETUP, testSetup } from "./setup.ts";
import { trainPerceptron } from "./train-perceptron.ts";

const FOLDER = new URL("../models/", import.meta.url);
/** Elements are single bytes; the output is one score. */
const BYTE = 1;

/** The files' contents by name, the manifest's included. */
export async function makeCircuits(): Promise<ReadonlyMap<string, Uint8Array>> {
  const perceptron = trainPerceptron();
  const { r1cs, wires } = compileCircuit(perceptron);
  const { provingKey, verificationKey } = await testSetup(r1cs);
  const circuit = {
    input: { count: perceptron.hiddenWeights[0]?.length ?? 0, bytes: BYTE },
    output: { count: 1, bytes: BYTE },
  };
  const { model, description } = perceptron;
  const contents: Readonly<Record<ZkFile, readonly [file: string, bytes: Uint8Array]>> = {
    perceptron: [`${model}.json`, jsonBytes(perceptron)],
    verificationKey: [`${model}.verification-key.json`, jsonBytes({ setup: TEST_SETUP, circuit, ...verificationKey })],
    provingKey: [`${model}.zkey`, provingKey],
    wires: [`${model}.wires.json`, jsonBytes(wires)],
  };
  const described = ([file, bytes]: readonly [string, Uint8Array]) => ({ file, sha256: sha256Hex(bytes) });
  const entry: ZkManifestEntry = {
    model,
    modelDigest: perceptronDigest(perceptron),
    proofSystem: "groth16-bn254",
    setup: TEST_SETUP,
    circuit,
    description,
    files: {
      perceptron: described(contents.perceptron),
      verificationKey: described(contents.verificationKey),
      provingKey: described(contents.provingKey),
      wires: described(contents.wires),
    },
  };
  const manifest: ZkManifest = { models: [entry] };
  return new Map([...Object.values(contents), ["manifest.json", jsonBytes(manifest)]]);
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, undefined, 1)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(FOLDER, { recursive: true });
  for (const [file, bytes] of await makeCircuits()) writeFileSync(new URL(file, FOLDER), bytes);
}
