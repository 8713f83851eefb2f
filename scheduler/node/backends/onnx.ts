import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { failedRun, type ModelRunner, type Run, type RunOptions } from "../model-runner.ts";
import { elementCount, readModel } from "../models/catalogue.ts";
import type { ManifestEntry, ModelFile } from "../models/catalogue.ts";
import { readZkManifest } from "../zkml/catalogue.ts";
import type { ZkProver } from "../zkml/prover.ts";

interface LoadedModel {
  readonly entry: ManifestEntry;
  readonly session: InferenceSession;
}

const FLOAT32_BYTES = 4;

/** Loads models of the catalogue, as `loadTensorModels`. Throws when a model is not in it, or its file not the manifest's. */
export async function loadModelRunner(models: readonly string[], wasmBinary: Uint8Array): Promise<ModelRunner> {
  return loadTensorModels(catalogued(models), wasmBinary);
}

function catalogued(models: readonly string[]): ReadonlyMap<string, ModelFile> {
  const files = new Map<string, ModelFile>();
  for (const model of models) {
    const file = readModel(model);
    if (file === undefined) throw new Error(`no model ${JSON.stringify(model)} in the catalogue`);
    files.set(model, file);
  }
  return files;
}

/**
 * Loads these models, once per thread. Throws when ONNX Runtime does not take one: a node that cannot compute what it offers must
 * not join.
 */
export async function loadTensorModels(
  files: ReadonlyMap<string, ModelFile>,
  wasmBinary: Uint8Array,
): Promise<ModelRunner> {
  env.logLevel = "error";
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = wasmBinary;
  const loaded = new Map<string, LoadedModel>();
  for (const [model, { entry, bytes }] of files) {
    // The arena allocator keeps what it once took; these models need a few kilobytes.
    const session = await InferenceSession.create(bytes, { enableCpuMemArena: false });
    loaded.set(model, { entry, session });
  }
  return new OnnxRunner(loaded);
}

/** What a node computes and proves with. */
export interface LoadedModels {
  readonly runner: ModelRunner;
  /** Provers of those models that have one, by model. */
  readonly zkProvers: ReadonlyMap<string, ZkProver>;
}

/**
 * Loads models of either catalogue, tensors for ONNX Runtime and perceptrons whose answers can be proved, and further tensors
 * from elsewhere. Throws as `loadModelRunner`.
 */
export async function loadModels(
  models: readonly string[],
  wasmBinary: Uint8Array,
  further: ReadonlyMap<string, ModelFile> = new Map(),
): Promise<LoadedModels> {
  const provable = new Set(readZkManifest().models.map(({ model }) => model));
  const isProvable = (model: string): boolean => provable.has(model);
  const files = catalogued(models.filter((model) => !isProvable(model)));
  const tensors = await loadTensorModels(new Map([...files, ...further]), wasmBinary);
  const zkProvers = new Map<string, ZkProver>();
  for (const model of models.filter(isProvable)) {
    // Loaded by those who need it only: every thread loads its own.
    const { createProver } = await import("../zkml/prover.ts");
    zkProvers.set(model, createProver(model));
  }
  const runner: ModelRunner = {
    warm: [...tensors.warm, ...zkProvers.keys()],
    async run(model, input, options) {
      const prover = zkProvers.get(model);
      if (prover === undefined) return tensors.run(model, input, options);
      const output = await prover.infer(input);
      return output === undefined ? NO_TENSOR : { ok: true, output };
    },
  };
  return { runner, zkProvers };
}

const NO_TENSOR = failedRun("error", "the input is not the model's tensor, or a number in it is not finite");

/**
 * Payloads are little-endian float32 tensors, as the manifest gives their shapes. The output is the same on every machine; there
 * is none when a number in or out is not finite, since the bits of NaN are not the same everywhere.
 */
class OnnxRunner implements ModelRunner {
  readonly warm: readonly string[];
  readonly #loaded: ReadonlyMap<string, LoadedModel>;
  /** Sessions share the thread's one WebAssembly instance, which takes one run at a time. */
  #previous: Promise<unknown> = Promise.resolve();

  constructor(loaded: ReadonlyMap<string, LoadedModel>) {
    this.#loaded = loaded;
    this.warm = [...loaded.keys()];
  }

  run(model: string, input: Uint8Array, { signal }: RunOptions): Promise<Run> {
    const loaded = this.#loaded.get(model);
    if (loaded === undefined) return Promise.resolve(failedRun("error", "the model is not loaded"));
    const tensor = decodeTensor(input, elementCount(loaded.entry.input));
    if (tensor === undefined) return Promise.resolve(NO_TENSOR);
    // One run cannot be interrupted, but those that wait for it need not begin.
    const result = this.#previous.then(() => (signal.aborted ? CANCELLED : execute(loaded, tensor)));
    this.#previous = result.catch(() => undefined);
    return result;
  }
}

const CANCELLED = failedRun("error", "the run was cancelled before it began");

async function execute({ entry, session }: LoadedModel, input: Float32Array): Promise<Run> {
  const tensor = new Tensor("float32", input, [...entry.input.shape]);
  const outputs = await session.run({ [entry.input.name]: tensor });
  const output = outputs[entry.output.name]?.data;
  if (output instanceof Float32Array && output.every(Number.isFinite))
    return { ok: true, output: encodeTensor(output) };
  return failedRun("error", "a number of the output is not finite");
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
