import type { Uniform } from "../behaviour/random.ts";
import type { Layer } from "./onnx-format.ts";

/** Widths of a perceptron features-hidden-1. The rule below looks at seven features. */
export interface RiskWidths {
  readonly features: number;
  readonly hidden: number;
}

const STEPS = 60_000;
const HELD_OUT = 2_000;
const LEARNING_RATE = 0.05;

/** Weights are rounded to this grid, so that the last bit of an exponential function cannot change the file. */
const GRID = 1 / 1024;

/**
 * The made-up rule that labels a case: two features weigh in directly, two pairs interact, one counts only in the extreme,
 * the others are noise.
 */
export function isRisky(x: Float64Array): boolean {
  const at = (i: number) => x[i] ?? 0;
  return 1.5 * at(0) - at(1) + 2 * at(2) * at(3) - at(4) * at(5) + (Math.abs(at(6)) > 0.8 ? 1 : 0) > 0.2;
}

/** Features uniform in [-1, 1). */
export function drawRiskCase(uniform: Uniform, features: number): Float64Array {
  return Float64Array.from({ length: features }, () => uniform() * 2 - 1);
}

/** A perceptron features-hidden-1, rectifier then sigmoid, with the state that plain gradient descent needs. */
class Classifier {
  readonly widths: RiskWidths;
  readonly w0: Float64Array;
  readonly b0: Float64Array;
  readonly w1: Float64Array;
  b1 = 0;
  readonly #hidden: Float64Array;

  constructor(widths: RiskWidths, uniform: Uniform) {
    const { features, hidden } = widths;
    const draw = (inputs: number) => (uniform() * 2 - 1) * Math.sqrt(6 / inputs);
    this.widths = widths;
    this.b0 = new Float64Array(hidden);
    this.#hidden = new Float64Array(hidden);
    this.w0 = Float64Array.from({ length: features * hidden }, () => draw(features));
    this.w1 = Float64Array.from({ length: hidden }, () => draw(hidden));
  }

  /** The probability that the case is risky. */
  predict(x: Float64Array): number {
    const { features, hidden } = this.widths;
    let logit = this.b1;
    for (let j = 0; j < hidden; j++) {
      let sum = this.b0[j] ?? 0;
      for (let i = 0; i < features; i++) sum += (x[i] ?? 0) * (this.w0[i * hidden + j] ?? 0);
      const active = sum > 0 ? sum : 0;
      this.#hidden[j] = active;
      logit += active * (this.w1[j] ?? 0);
    }
    return 1 / (1 + Math.exp(-logit));
  }

  /** One step down the gradient of the cross-entropy, whose derivative by the logit is prediction − label. */
  learn(x: Float64Array, label: number, rate: number): void {
    const { features, hidden } = this.widths;
    const slope = (this.predict(x) - label) * rate;
    this.b1 -= slope;
    for (let j = 0; j < hidden; j++) {
      const active = this.#hidden[j] ?? 0;
      if (active === 0) continue;
      const back = slope * (this.w1[j] ?? 0);
      this.w1[j] = (this.w1[j] ?? 0) - slope * active;
      this.b0[j] = (this.b0[j] ?? 0) - back;
      for (let i = 0; i < features; i++) {
        const at = i * hidden + j;
        this.w0[at] = (this.w0[at] ?? 0) - back * (x[i] ?? 0);
      }
    }
  }

  roundToGrid(): void {
    const round = (value: number) => Math.round(value / GRID) * GRID;
    for (const values of [this.w0, this.b0, this.w1]) values.set(values.map(round));
    this.b1 = round(this.b1);
  }
}

/** Trains by stochastic gradient descent on fresh cases; the same layers for the same stream of random numbers. */
export function trainRiskClassifier(
  widths: RiskWidths,
  uniform: Uniform,
): { layers: readonly [Layer, Layer]; heldOutAccuracy: number } {
  const classifier = new Classifier(widths, uniform);
  for (let step = 0; step < STEPS; step++) {
    const x = drawRiskCase(uniform, widths.features);
    classifier.learn(x, isRisky(x) ? 1 : 0, LEARNING_RATE * (1 - step / STEPS));
  }
  classifier.roundToGrid();
  let right = 0;
  for (let i = 0; i < HELD_OUT; i++) {
    const x = drawRiskCase(uniform, widths.features);
    if (classifier.predict(x) > 0.5 === isRisky(x)) right += 1;
  }
  return { layers: layersOf(classifier), heldOutAccuracy: right / HELD_OUT };
}

function layersOf(classifier: Classifier): [Layer, Layer] {
  const { features, hidden } = classifier.widths;
  return [
    {
      inputs: features,
      outputs: hidden,
      weights: Float32Array.from(classifier.w0),
      bias: Float32Array.from(classifier.b0),
      activation: "Relu",
    },
    {
      inputs: hidden,
      outputs: 1,
      weights: Float32Array.from(classifier.w1),
      bias: Float32Array.of(classifier.b1),
      activation: "Sigmoid",
    },
  ];
}
