import { bn254 } from "@noble/curves/bn254.js";
import { assert } from "../../shared/assert.ts";
import { limbsOf } from "../../proofs/zkml/public-inputs.ts";
import type { ForwardPass, QuantisedPerceptron } from "./perceptron.ts";
import { forwardPass, perceptronDigest, widthsOf } from "./perceptron.ts";

/** Bits of an input and of the score. */
const BYTE_BITS = 8;
const { Fr } = bn254.fields;

/**
 * The value of every wire of the perceptron's circuit, in the order of `wires`: the names that perceptron.circom gives to its
 * signals, wire 0 being the constant one. Values are elements of the field, negative numbers as order minus value.
 */
export function witnessOf(
  perceptron: QuantisedPerceptron,
  wires: readonly string[],
  { input, binding }: { readonly input: Uint8Array; readonly binding: string },
): bigint[] {
  const pass = forwardPass(perceptron, input);
  const signals = new Signals();
  for (const [i, limb] of limbsOf(perceptronDigest(perceptron)).entries()) signals.set(`model[${i}]`, limb);
  for (const [i, limb] of limbsOf(binding).entries()) {
    signals.set(`binding[${i}]`, limb);
    signals.set(`square[${i}]`, limb * limb);
  }
  for (const [i, byte] of input.entries()) {
    signals.set(`x[${i}]`, byte);
    signals.setBits(`range[${i}]`, byte, BYTE_BITS);
  }
  setRectifiers(signals, pass, widthsOf(perceptron).hiddenBits);
  setScore(signals, pass, { shift: perceptron.shift, sumBits: widthsOf(perceptron).sumBits });
  return wires.map((wire) => signals.get(wire));
}

function setRectifiers(signals: Signals, { before, active }: ForwardPass, hiddenBits: number): void {
  for (const [j, value] of before.entries()) {
    signals.set(`relu[${j}].value`, value);
    signals.set(`relu[${j}].active`, active[j] ?? 0);
    signals.setBits(`relu[${j}].bits`, value + 2 ** hiddenBits, hiddenBits + 1);
  }
}

function setScore(
  signals: Signals,
  { sum, score }: ForwardPass,
  { shift, sumBits }: Record<"shift" | "sumBits", number>,
): void {
  const lifted = sum + 2 ** sumBits;
  const low = Math.floor(lifted / 2 ** shift) % 2 ** BYTE_BITS;
  const above = Math.floor((lifted % 2 ** sumBits) / 2 ** (shift + BYTE_BITS));
  const ones = above.toString(2).replaceAll("0", "").length;
  signals.set("score.value", sum);
  signals.setBits("score.bits", lifted, sumBits + 1);
  signals.set("score.inverse", ones === 0 ? 0n : Fr.inv(BigInt(ones)));
  signals.set("score.over", ones === 0 ? 0 : 1);
  signals.set("score.capped", ones === 0 ? low : 2 ** BYTE_BITS - 1);
  signals.set("score.score", score);
  signals.set("y[0]", score);
}

/** Signals by name. */
class Signals {
  readonly #values = new Map([["one", 1n]]);

  set(name: string, value: number | bigint): void {
    this.#values.set(name, Fr.create(BigInt(value)));
  }

  /** What the template `Bits` has inside. By division, since shifts of numbers end at 32 bits. */
  setBits(name: string, value: number, count: number): void {
    this.set(`${name}.value`, value);
    for (let i = 0; i < count; i += 1) this.set(`${name}.bit[${i}]`, Math.floor(value / 2 ** i) % 2);
  }

  get(name: string): bigint {
    const value = this.#values.get(name);
    assert(value !== undefined, `the wire ${name} has no value: circuit and witness are not of one make`);
    return value;
  }
}
