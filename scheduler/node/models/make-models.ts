/**
 * Makes the models that ship with the package, and their manifest. Deterministic: the same bytes each time it is run.
 *
 *     node scheduler/node/models/make-models.ts
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { seededUniform } from "../behaviour/random.ts";
import type { Uniform } from "../behaviour/random.ts";
import type { Manifest, ManifestEntry } from "./catalogue.ts";
import { encodeOnnx } from "./onnx-format.ts";
import type { Layer, Perceptron } from "./onnx-format.ts";
import { trainRiskClassifier } from "./train-risk.ts";

const CHAT_WIDTHS = [64, 128, 64, 32] as const;

/** Random weights, uniform with the variance 2 / inputs that keeps signals alive through rectifiers (He et al. 2015). */
function randomLayer(uniform: Uniform, inputs: number, outputs: number, activation: Layer["activation"]): Layer {
  const bound = Math.sqrt(6 / inputs);
  const draw = () => (uniform() * 2 - 1) * bound;
  return {
    inputs,
    outputs,
    weights: Float32Array.from({ length: inputs * outputs }, draw),
    bias: Float32Array.from({ length: outputs }, () => (uniform() * 2 - 1) * 0.1),
    activation,
  };
}

function chatMini(): Perceptron {
  const uniform = seededUniform(70_000);
  const [a, b, c, d] = CHAT_WIDTHS;
  return {
    name: "chat-mini",
    description:
      "Stands in where a chat model would be: a perceptron 64-128-64-32 with seeded random weights. It was not trained " +
      "and says nothing; what is real about it is that every node computes it and gets the same bytes.",
    layers: [
      randomLayer(uniform, a, b, "Relu"),
      randomLayer(uniform, b, c, "Relu"),
      randomLayer(uniform, c, d, "none"),
    ],
  };
}

function riskSmall(): Perceptron {
  const { layers, heldOutAccuracy } = trainRiskClassifier({ features: 16, hidden: 32 }, seededUniform(16_321));
  return {
    name: "risk-small",
    description:
      "A risk classifier, perceptron 16-32-1: probability that a case is risky, from 16 features in [-1, 1]. Trained on " +
      `synthetic cases labelled by a made-up rule (right in ${(heldOutAccuracy * 100).toFixed(0)} % of 2,000 cases held ` +
      "out); it knows nothing about real risk.",
    layers,
  };
}

/** The files' contents by name, the manifest's included. */
export function makeModels(): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const entries: ManifestEntry[] = [];
  for (const perceptron of [riskSmall(), chatMini()]) {
    const bytes = encodeOnnx(perceptron);
    const file = `${perceptron.name}.onnx`;
    files.set(file, bytes);
    entries.push({
      model: perceptron.name,
      file,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      input: { name: "x", shape: [1, perceptron.layers[0]?.inputs ?? 0] },
      output: { name: "y", shape: [1, perceptron.layers.at(-1)?.outputs ?? 0] },
      description: perceptron.description,
    });
  }
  const manifest: Manifest = { models: entries };
  files.set("manifest.json", new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`));
  return files;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, bytes] of makeModels()) writeFileSync(new URL(file, import.meta.url), bytes);
}
