import { seededUniform } from "../../behaviour/random.ts";
import { drawRiskCase, isRisky, trainRiskClassifier } from "../../models/train-risk.ts";
import type { Layer } from "../../models/onnx-format.ts";
import type { QuantisedPerceptron } from "../perceptron.ts";
import { forwardPass, ZERO_POINT } from "../perceptron.ts";

const FEATURES = 8;
const HIDDEN = 16;
const HELD_OUT = 2_000;
/** Weights keep a sign and seven bits. */
const LARGEST_WEIGHT = 127;
/** Points of the score, out of 256, for one unit of the log-odds: scores are clamped beyond odds of about fifty to one. */
const POINTS_PER_LOGIT = 32;

/** The risk classifier in the integers of the circuit; the same on each run. */
export function trainPerceptron(): QuantisedPerceptron {
  const { layers } = trainRiskClassifier({ features: FEATURES, hidden: HIDDEN }, seededUniform(8_161));
  const perceptron = quantise("risk-tiny", layers);
  const accuracy = accuracyOf(perceptron);
  const description =
    "A risk classifier in whole numbers, perceptron 8-16-1, whose answers can be proved in zero knowledge: a score from 0 to " +
    "255, 128 for even odds, from 8 features of one byte each, 128 for zero. Trained on synthetic cases labelled by a made-up " +
    `rule (right in ${(accuracy * 100).toFixed(0)} % of 2,000 cases held out); it knows nothing about real risk.`;
  return { ...perceptron, description };
}

/**
 * Rounds weights to integers. One unit of a hidden neuron is 1 / (hiddenScale · ZERO_POINT), one of the sum that divided by
 * outputScale, and the shift is the power of two next to what makes a point of the score out of it.
 */
function quantise(model: string, [first, second]: readonly [Layer, Layer]): QuantisedPerceptron {
  const hiddenScale = LARGEST_WEIGHT / largest(first.weights);
  const outputScale = LARGEST_WEIGHT / largest(second.weights);
  const hiddenUnit = hiddenScale * ZERO_POINT;
  const rounded = (values: Float32Array, scale: number) => Array.from(values, (value) => Math.round(value * scale));
  const weights = rounded(first.weights, hiddenScale);
  return {
    model,
    description: "",
    hiddenWeights: Array.from({ length: HIDDEN }, (_, j) => weights.filter((_weight, at) => at % HIDDEN === j)),
    hiddenBias: rounded(first.bias, hiddenUnit),
    outputWeights: rounded(second.weights, outputScale),
    outputBias: Math.round((second.bias[0] ?? 0) * hiddenUnit * outputScale),
    shift: Math.round(Math.log2((hiddenUnit * outputScale) / POINTS_PER_LOGIT)),
  };
}

function accuracyOf(perceptron: QuantisedPerceptron): number {
  const uniform = seededUniform(2_000);
  let right = 0;
  for (let i = 0; i < HELD_OUT; i += 1) {
    const features = drawRiskCase(uniform, FEATURES);
    const input = Uint8Array.from(features, (feature) => Math.floor((feature + 1) * ZERO_POINT));
    if (forwardPass(perceptron, input).score >= ZERO_POINT === isRisky(features)) right += 1;
  }
  return right / HELD_OUT;
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
