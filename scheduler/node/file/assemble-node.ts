import { dirname, resolve } from "node:path";
import type { NodeMessage, RegistrationEpoch } from "../../live/transport.ts";
import type { NodeTerms } from "../../shared/vocabulary.ts";
import type { Backend, NodeLog, Probe } from "../backends/backend.ts";
import { BackendRunner } from "../backends/backend-runner.ts";
import { ExecBackend } from "../backends/exec.ts";
import type { LoadedModels } from "../backends/onnx.ts";
import { readModelOf } from "../backends/model-directory.ts";
import { OpenAiBackend } from "../backends/openai.ts";
import { InferenceNode } from "../inference-node.ts";
import type { ModelRunner } from "../model-runner.ts";
import { type AttestedBy, NodeEnclave } from "../node-enclave.ts";
import type { ModelFile } from "../models/catalogue.ts";
import { proversOf } from "../provers.ts";
import { readWasmBinary } from "../wasm-binary.ts";
import type { ZkProver } from "../zkml/prover.ts";
import { type Environment, type NodeFile, NodeFileError, termsOf } from "./node-file.ts";
import type { ExecSection, ModelSection, OpenAiSection } from "./node-sections.ts";

/** A node as its file describes it, before anybody carries its messages. */
export interface AssembledNode {
  readonly terms: NodeTerms;
  /** What each model's backend said when it was last asked whether it would answer. */
  readonly probes: ReadonlyMap<string, Probe>;
  /** Makes the node; called once. */
  create(say: (message: NodeMessage) => void): InferenceNode;
  /** A document of its enclave for this epoch, for nodes that offer mode `tee`. */
  readonly attest: ((epoch: RegistrationEpoch) => AttestedBy) | undefined;
  /** Lets answers under way come to their end, for so long. */
  retire(withinMs: number): Promise<void>;
  /** Resolves when nothing of its backends is left. */
  close(): Promise<void>;
}

export interface AssembleOptions {
  readonly environment: Environment;
  readonly log: NodeLog;
}

/**
 * Makes the backends of a node file and asks each once whether it answers; one that does not is only cold. Rejects with a
 * `NodeFileError` when a variable is not set, and with an Error when ONNX Runtime does not take a model.
 */
export async function assembleNode(file: NodeFile, { environment, log }: AssembleOptions): Promise<AssembledNode> {
  if (file.missing.length > 0) throw new NodeFileError(file.path, file.missing);
  const { models } = file.sections;
  const tensors = await loadTensors(models);
  const backends = new Map<string, Backend>();
  for (const section of models) {
    const { model, backend } = section;
    if (backend.kind === "openai") backends.set(model, openAi(backend, environment, log));
    else if (backend.kind === "exec") backends.set(model, exec(model, backend, { file, environment }));
    else backends.set(model, inProcess(model, tensors?.runner));
  }
  const runner = new BackendRunner(backends, log);
  await runner.start();
  return new FileNode(file, runner, tensors?.zkProvers ?? new Map());
}

class FileNode implements AssembledNode {
  readonly terms: NodeTerms;
  readonly #file: NodeFile;
  readonly #runner: BackendRunner;
  readonly #zkProvers: ReadonlyMap<string, ZkProver>;
  readonly #enclave: NodeEnclave | undefined;
  readonly attest: AssembledNode["attest"];
  #node: InferenceNode | undefined;

  constructor(file: NodeFile, runner: BackendRunner, zkProvers: ReadonlyMap<string, ZkProver>) {
    this.terms = termsOf(file);
    this.#file = file;
    this.#runner = runner;
    this.#zkProvers = zkProvers;
    const { terms } = this;
    const isAttested = file.emulator !== undefined && terms.offers.some(({ mode }) => mode === "tee");
    const enclave = isAttested ? new NodeEnclave(terms.id, file.emulator) : undefined;
    this.#enclave = enclave;
    this.attest = enclave === undefined ? undefined : (epoch) => enclave.attest(terms, epoch, Date.now());
  }

  get probes(): ReadonlyMap<string, Probe> {
    return this.#runner.probes;
  }

  create(say: (message: NodeMessage) => void): InferenceNode {
    const { key, sections } = this.#file;
    const limited = sections.models.flatMap(({ model, concurrency }) =>
      concurrency === undefined ? [] : [[model, concurrency] as const],
    );
    this.#node = new InferenceNode({
      terms: this.terms,
      provers: proversOf({ key, enclave: this.#enclave, zkProvers: this.#zkProvers }),
      runner: this.#runner,
      concurrency: new Map(limited),
      // An answer takes the time that it takes.
      temperament: { latency: { kind: "none" }, speed: 1, fault: { kind: "none" }, luckHex: "00".repeat(32) },
      say,
    });
    return this.#node;
  }

  async retire(withinMs: number): Promise<void> {
    await this.#node?.retire(withinMs);
  }

  close(): Promise<void> {
    return this.#runner.close();
  }
}

/** What is computed in this process; `undefined` when nothing is. */
async function loadTensors(models: readonly ModelSection[]): Promise<LoadedModels | undefined> {
  const further = new Map<string, ModelFile>();
  const packaged: string[] = [];
  for (const { model, backend } of models) {
    if (backend.kind !== "onnx") continue;
    if (backend.directory === undefined) packaged.push(model);
    else further.set(model, await readModelOf(backend.directory, model));
  }
  if (further.size === 0 && packaged.length === 0) return undefined;
  // Only here: most nodes have no such model, and ONNX Runtime takes a while to load.
  const { loadModels } = await import("../backends/onnx.ts");
  return loadModels(packaged, readWasmBinary(), further);
}

function inProcess(model: string, runner: ModelRunner | undefined): Backend {
  if (runner === undefined) throw new Error(`${model} was not loaded`);
  return {
    run: (input, options) => runner.run(model, input, options),
    probe: async () => ({ ok: true }),
    close: async () => undefined,
  };
}

function openAi(
  { kind: _, apiKeyEnv, seed, url, ...rest }: OpenAiSection,
  environment: Environment,
  log: NodeLog,
): Backend {
  const apiKey = apiKeyEnv === undefined ? undefined : environment[apiKeyEnv];
  const settings = { ...rest, url: url.replace(/\/+$/, ""), apiKey, seed: seed === "none" ? undefined : seed };
  return new OpenAiBackend(settings, log);
}

/** Where programs are looked for when the node itself was not told. */
const USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

function exec(
  model: string,
  { kind: _, directory, environment: passed = [], ...rest }: ExecSection,
  { file, environment }: { readonly file: NodeFile; readonly environment: Environment },
): Backend {
  const own = Object.fromEntries(passed.map((name) => [name, environment[name] ?? ""]));
  const settings = {
    ...rest,
    model,
    directory: directory ?? dirname(resolve(file.path)),
    environment: { PATH: environment["PATH"] ?? USUAL_PATH, ...own },
  };
  return new ExecBackend(settings);
}
