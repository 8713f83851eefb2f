import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { elementCount, readModel } from "./models/catalogue.ts";
import type { ManifestEntry } from "./models/catalogue.ts";
import { readZkManifest } from "./zkml/catalogue.ts";
import type { ZkProver } from "./zkml/prover.ts";

/** Executes models on byte payloads: little-endian float32 tensors in and out, as the manifest gives their shapes. */
export interface ModelRunner {
  /** Models that are loaded. */
  readonly models: readonly string[];
  /**
   * The output tensor's bytes, the same on every machine; `undefined` when the model is not loaded, the payload's length is
   * not the input tensor's, or a number in or out is not finite (bits of NaN are not the same everywhere).
   */
  run(model: string, input: Uint8Array): Promise<Uint8Array | undefined>;
}

interface LoadedModel {
  readonly entry: ManifestEntry;
  readonly session: InferenceSession;
}

const FLOAT32_BYTES = 4;

/**
 * Loads the models, once per thread. Throws when a model is not in the catalogue or its file is not what the manifest says:
 * a node that cannot compute what it offers must not join.
 */
export async function loadModelRunner(models: readonly string[], wasmBinary: Uint8Array): Promise<ModelRunner> {
  env.logLevel = "error";
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = wasmBinary;
  const loaded = new Map<string, LoadedModel>();
  for (const model of new Set(models)) {
    const file = readModel(model);
    if (file === undefined) throw new Error(`no model ${JSON.stringify(model)} in the catalogue`);
    // The arena allocator keeps what it once took; these models need a few kilobytes.
    const session = await InferenceSession.create(file.bytes, { enableCpuMemArena: false });
    loaded.set(model, { entry: file.entry, session });
  }
  return new OnnxRunner(loaded);
}

/** What a node computes and proves with. */
export interface LoadedModels {
  readonly runner: ModelRunner;
  /** Provers of those models that have one, by model. */
  readonly zkProvers: ReadonlyMap<string, ZkProver>;
}

/** Loads models of either catalogue: tensors for ONNX Runtime, perceptrons whose answers can be proved. Throws as `loadModelRunner`. */
export async function loadModels(models: readonly string[], wasmBinary: Uint8Array): Promise<LoadedModels> {
  const provable = new Set(readZkManifest().models.map(({ model }) => model));
  const isProvable = (model: string): boolean => provable.has(model);
  const tensors = await loadModelRunner(
    models.filter((model) => !isProvable(model)),
    wasmBinary,
  );
  const zkProvers = new Map<string, ZkProver>();
  for (const model of models.filter(isProvable)) {
    // Loaded by those who need it only: every thread loads its own.
    const { createProver } = await import("./zkml/prover.ts");
    zkProvers.set(model, createProver(model));
  }
  const runner: ModelRunner = {
    models: [...tensors.models, ...zkProvers.keys()],
    run: async (model, input) => zkProvers.get(model)?.infer(input) ?? tensors.run(model, input),
  };
  return { runner, zkProvers };
}

class OnnxRunner implements ModelRunner {
  readonly models: readonly string[];
  readonly #loaded: ReadonlyMap<string, LoadedModel>;
  /** Sessions share the thread's one WebAssembly instance, which takes one run at a time. */
  #previous: Promise<unknown> = Promise.resolve();

  constructor(loaded: ReadonlyMap<string, LoadedModel>) {
    this.#loaded = loaded;
    this.models = [...loaded.keys()];
  }

  run(model: string, input: Uint8Array): Promise<Uint8Array | undefined> {
    const loaded = this.#loaded.get(model);
    const tensor = loaded === undefined ? undefined : decodeTensor(input, elementCount(loaded.entry.input));
    if (loaded === undefined || tensor === undefined) return Promise.resolve(undefined);
    const result = this.#previous.then(() => execute(loaded, tensor));
    this.#previous = result.catch(() => undefined);
    return result;
  }
}

async function execute({ entry, session }: LoadedModel, input: Float32Array): Promise<Uint8Array | undefined> {
  const tensor = new Tensor("float32", input, [...entry.input.shape]);
  const outputs = await session.run({ [entry.input.name]: tensor });
  const output = outputs[entry.output.name]?.data;
  return output instanceof Float32Array && output.every(Number.isFinite) ? encodeTensor(output) : undefined;
}

/** The numbers of a payload; `undefined` when it does not hold exactly `elements` finite numbers. */
export function decodeTensor(bytes: Uint8Array, elements: number): Float32Array | undefined {
  if (bytes.length !== elements * FLOAT32_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = Float32Array.from({ length: elements }, (_, i) => view.getFloat32(i * FLOAT32_BYTES, true));
  return values.every(Number.isFinite) ? values : undefined;
}

/** The payload of these numbers: little-endian float32. */
export function encodeTensor(values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(values.length * FLOAT32_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat32(i * FLOAT32_BYTES, values[i] ?? 0, true);
  return bytes;
}
