import { readFileSync } from "node:fs";
import { sha256Hex } from "../../proofs/digest.ts";

/** A tensor float32 that a model takes or gives. */
export interface TensorShape {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface ManifestEntry {
  readonly model: string;
  /** File beside the manifest. */
  readonly file: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly sha256: string;
  readonly input: TensorShape;
  readonly output: TensorShape;
  /** What the model is, and what it is not. */
  readonly description: string;
}

export interface Manifest {
  readonly models: readonly ManifestEntry[];
}

/** A model's file as read and checked against the manifest. */
export interface ModelFile {
  readonly entry: ManifestEntry;
  readonly bytes: Uint8Array;
}

let manifest: Manifest | undefined;

/** The models that ship with the package; `manifest.json` beside this file, written by make-models.ts. */
export function readManifest(): Manifest {
  manifest ??= JSON.parse(readFileSync(new URL("manifest.json", import.meta.url), "utf8")) as Manifest;
  return manifest;
}

/** The model's file, or `undefined` for a name that the manifest does not have. Throws when the file is not the manifest's. */
export function readModel(model: string): ModelFile | undefined {
  const entry = readManifest().models.find((candidate) => candidate.model === model);
  if (entry === undefined) return undefined;
  const bytes = readFileSync(new URL(entry.file, import.meta.url));
  const found = sha256Hex(bytes);
  if (found !== entry.sha256) throw new Error(`${entry.file} has SHA-256 ${found}, the manifest says ${entry.sha256}`);
  return { entry, bytes };
}

/** How many numbers the tensor holds. */
export function elementCount(tensor: TensorShape): number {
  return tensor.shape.reduce((product, dimension) => product * dimension, 1);
}
