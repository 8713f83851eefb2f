import { isHashHex } from "../../proofs/digest.ts";
import { encodeProof } from "../../proofs/zkml/groth16-proof.ts";
import { readProvingFiles, readZkManifest } from "./catalogue.ts";
import { groth16Prover } from "./groth16-prover.ts";
import { forwardPass } from "./perceptron.ts";
import { readProvingKey } from "./proving-key.ts";
import { witnessOf } from "./witness.ts";

export interface ProvedOutput {
  readonly output: Uint8Array;
  /** 256 bytes, as docs/ZKML.md lays them out. */
  readonly proof: Uint8Array;
}

/** Computes a model and proves what came out. */
export interface ZkProver {
  readonly model: string;
  /** 64 hexadecimal digits; the registry's must be the same. */
  readonly modelDigest: string;
  /** Where the proving key comes from. Shown wherever its proofs are. */
  readonly setup: string;
  /** The output alone, which a statement needs before it can be bound; `undefined` when the input has another length. */
  infer(input: Uint8Array): Uint8Array | undefined;
  /**
   * The output and its proof for a statement, whose SHA-256 is `binding` (64 hexadecimal digits, else a RangeError). About a
   * quarter of a second, in pieces between which the thread attends to messages; rejects with an AbortError when `signal` is
   * aborted meanwhile. `undefined` when the input has another length.
   */
  prove(task: {
    readonly input: Uint8Array;
    readonly binding: string;
    readonly signal?: AbortSignal;
  }): Promise<ProvedOutput | undefined>;
}

/**
 * Loads a model's weights and keys, a tenth of a second once per thread. Throws when the package has no such model or a file is
 * not what the manifest says.
 */
export function createProver(model: string): ZkProver {
  const { models } = readZkManifest();
  const entry = models.find((candidate) => candidate.model === model);
  if (entry === undefined)
    throw new Error(`no model ${JSON.stringify(model)} with proofs; there is ${models.map((m) => m.model).join(", ")}`);
  const { perceptron, provingKey, wires } = readProvingFiles(entry);
  const prover = groth16Prover(readProvingKey(provingKey));
  const { count, bytes } = entry.circuit.input;

  function infer(input: Uint8Array): Uint8Array | undefined {
    return input.length === count * bytes ? Uint8Array.of(forwardPass(perceptron, input).score) : undefined;
  }

  return {
    model,
    modelDigest: entry.modelDigest,
    setup: entry.setup,
    infer,
    async prove({ input, binding, signal }) {
      if (!isHashHex(binding)) throw new RangeError("binding is not 64 lower-case hexadecimal digits");
      const output = infer(input);
      if (output === undefined) return undefined;
      const proof = await prover.prove(witnessOf(perceptron, wires, { input, binding }), signal);
      return { output, proof: encodeProof(proof) };
    },
  };
}
