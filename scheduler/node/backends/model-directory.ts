import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Result, Schema } from "effect";
import { sha256Hex } from "../../proofs/digest.ts";
import { Hash, Id, integer } from "../../proofs/fields.ts";
import type { ManifestEntry, ModelFile } from "../models/catalogue.ts";
import { BACKEND_LIMITS } from "./limits.ts";

const MANIFEST = "manifest.json";

/** Names of a model's tensors, and of its file: none leads out of the directory. */
const Name = Schema.String.check(Schema.isPattern(/^[^/\\\0]{1,255}$/));
const Tensor = Schema.Struct({
  name: Name,
  shape: Schema.Array(integer(1, BACKEND_LIMITS.maxModelBytes)).check(Schema.isMinLength(1), Schema.isMaxLength(8)),
});
const Entry = Schema.Struct({
  model: Id,
  file: Name,
  sha256: Hash,
  input: Tensor,
  output: Tensor,
  description: Schema.String,
});
const decode = Schema.decodeUnknownResult(Schema.Struct({ models: Schema.Array(Entry) }), { errors: "first" });

/**
 * A model of a directory of .onnx files with a `manifest.json` like the package's own. Rejects with an Error that says what is
 * wrong: there is no such model, or its file is not the one that the manifest means.
 */
export async function readModelOf(directory: string, model: string): Promise<ModelFile> {
  const manifest = join(directory, MANIFEST);
  const text = await readBounded(manifest, BACKEND_LIMITS.maxManifestBytes);
  const { models } = parse(manifest, text.toString("utf8"));
  const entry = models.find((candidate) => candidate.model === model);
  if (entry === undefined) {
    throw new Error(
      `${manifest} does not have ${model}; it has ${models.map((one) => one.model).join(", ") || "none"}`,
    );
  }
  const path = join(directory, entry.file);
  const bytes = await readBounded(path, BACKEND_LIMITS.maxModelBytes);
  const found = sha256Hex(bytes);
  if (found !== entry.sha256) throw new Error(`${path} has SHA-256 ${found}, the manifest says ${entry.sha256}`);
  return { entry, bytes };
}

function parse(manifest: string, text: string): { readonly models: readonly ManifestEntry[] } {
  const read = decode(parsedJson(manifest, text));
  if (Result.isSuccess(read)) return read.success;
  throw new Error(`${manifest} is no manifest of models: ${String(read.failure).split("\n")[0]}`);
}

function parsedJson(manifest: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${manifest} is no JSON`, { cause });
  }
}

async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > maxBytes) throw new Error(`${path} is longer than ${maxBytes} bytes`);
  return readFile(path);
}
