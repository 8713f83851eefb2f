import { readFileSync } from "node:fs";
import { sha256Hex } from "../../proofs/digest.ts";
import type { CircuitShape } from "../../proofs/zkml/public-inputs.ts";
import type { QuantisedPerceptron } from "./perceptron.ts";
import { perceptronDigest } from "./perceptron.ts";

/** What there is of each model: weights, the two keys, and the names of the circuit's wires. */
export type ZkFile = "perceptron" | "verificationKey" | "provingKey" | "wires";

/** A model whose answers can be proved. */
export interface ZkManifestEntry {
  readonly model: string;
  /** What its proofs name it by: SHA-256 over the model's canonical encoding, hexadecimal. */
  readonly modelDigest: string;
  readonly proofSystem: string;
  /** Where its keys come from. Shown wherever the model is. */
  readonly setup: string;
  readonly circuit: CircuitShape;
  /** What the model is, and what it is not. */
  readonly description: string;
  /** Files beside the manifest; SHA-256 in hexadecimal. */
  readonly files: Readonly<Record<ZkFile, { readonly file: string; readonly sha256: string }>>;
}

export interface ZkManifest {
  readonly models: readonly ZkManifestEntry[];
}

const FOLDER = new URL("models/", import.meta.url);

/** The models that ship with the package; written by workshop/make-circuits.ts. */
export function readZkManifest(): ZkManifest {
  return readJson(readFileSync(new URL("manifest.json", FOLDER))) as ZkManifest;
}

/** What a verifier's registry needs of a model: its digest and its verification key (parsed JSON). */
export function readVerificationKey(entry: ZkManifestEntry): unknown {
  return readJson(readChecked(entry, "verificationKey"));
}

/** What a prover needs: weights, the proving key, and the circuit's wires by name. */
export function readProvingFiles(entry: ZkManifestEntry): {
  readonly perceptron: QuantisedPerceptron;
  readonly provingKey: Uint8Array;
  readonly wires: readonly string[];
} {
  const perceptron = readJson(readChecked(entry, "perceptron")) as QuantisedPerceptron;
  if (perceptronDigest(perceptron) !== entry.modelDigest)
    throw new Error(`${entry.files.perceptron.file} is not the model of the manifest`);
  return {
    perceptron,
    provingKey: readChecked(entry, "provingKey"),
    wires: readJson(readChecked(entry, "wires")) as string[],
  };
}

/** Throws when the file is not the manifest's: keys and weights of different makes only give proofs that nobody accepts. */
function readChecked({ files }: ZkManifestEntry, name: ZkFile): Uint8Array {
  const { file, sha256 } = files[name];
  const bytes = readFileSync(new URL(file, FOLDER));
  const found = sha256Hex(bytes);
  if (found !== sha256) throw new Error(`${file} has SHA-256 ${found}, the manifest says ${sha256}`);
  return bytes;
}

function readJson(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}
