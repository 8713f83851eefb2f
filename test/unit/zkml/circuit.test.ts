import fc from "fast-check";
import { curves, type MemoryFile, r1cs, wtns } from "snarkjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readProvingFiles } from "../../../scheduler/node/zkml/catalogue.ts";
import type { QuantisedPerceptron } from "../../../scheduler/node/zkml/perceptron.ts";
import { forwardPass, perceptronDigest, widthsOf } from "../../../scheduler/node/zkml/perceptron.ts";
import { witnessOf } from "../../../scheduler/node/zkml/witness.ts";
import type { CompiledCircuit } from "../../../scheduler/node/zkml/workshop/compile-circuit.ts";
import { compileCircuit } from "../../../scheduler/node/zkml/workshop/compile-circuit.ts";
import { SCALAR_ORDER } from "../../../scheduler/proofs/zkml/points.ts";
import { limbsOf } from "../../../scheduler/proofs/zkml/public-inputs.ts";
import type { Combination, Constraint } from "./determination.ts";
import { determined } from "./determination.ts";
import { entry } from "./fixture.ts";
import { encodeWitness } from "./witness-file.ts";

const { perceptron, wires } = readProvingFiles(entry);
const binding = "5a".repeat(32);
const PUBLIC = [
  "model[0]",
  "model[1]",
  "binding[0]",
  "binding[1]",
  "y[0]",
  ...Array.from({ length: 8 }, (_, i) => `x[${i}]`),
];
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

const input = (byte: fc.Arbitrary<number>) =>
  fc.array(byte, { minLength: 8, maxLength: 8 }).map((bytes) => Uint8Array.from(bytes));
const inputs = fc.oneof(input(fc.nat(255)), input(fc.constantFrom(0, 127, 128, 255)));

let circuit: CompiledCircuit;

beforeAll(() => {
  circuit = compileCircuit(perceptron);
}, 60_000);
afterAll(async () => (await curves.getCurveFromName("bn128")).terminate());

const memory = (data: Uint8Array): MemoryFile => ({ type: "mem", data });

/** Whether the witness satisfies every constraint, as snarkjs finds. */
const satisfies = (witness: readonly bigint[]) =>
  wtns.check(memory(circuit.r1cs), memory(encodeWitness(witness)), SILENT);

/** What circom's own calculator makes of these inputs. */
async function calculated(
  of: CompiledCircuit,
  model: QuantisedPerceptron,
  x: Uint8Array,
  y: number,
): Promise<bigint[]> {
  const file: MemoryFile = { type: "mem" };
  const signals = { model: limbsOf(perceptronDigest(model)), binding: limbsOf(binding), x: [...x], y: [y] };
  await wtns.calculate(signals, memory(of.calculator), file);
  return wtns.exportJson(file);
}

it("the circuit's wires are the ones that ship, the public ones first", () => {
  expect(circuit.wires).toEqual(wires);
  expect(wires.slice(0, 1 + PUBLIC.length)).toEqual(["one", ...PUBLIC]);
});

describe("witness, circuit and plain inference", () => {
  it("agree on every wire, as circom's own calculator finds them, and no other score satisfies the circuit", async () => {
    await fc.assert(
      fc.asyncProperty(inputs, fc.integer({ min: 1, max: 255 }), async (x, error) => {
        const { score } = forwardPass(perceptron, x);
        const ours = witnessOf(perceptron, wires, { input: x, binding });
        expect(ours).toEqual(await calculated(circuit, perceptron, x, score));
        expect(await satisfies(ours)).toBe(true);
        expect(await satisfies(ours.with(wires.indexOf("y[0]"), BigInt((score + error) % 256)))).toBe(false);
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it("agree for other weights, where scores are clamped at both ends and sums reach their widths", async () => {
    const weights = [127, -127, 127, -127, 127, -127, 127, -127];
    const ends = [[255, 0, 255, 0, 255, 0, 255, 0], [0, 255, 0, 255, 0, 255, 0, 255], Array(8).fill(128)];
    const scores = new Set<number>();
    for (const outputWeight of [127, -127]) {
      const model: QuantisedPerceptron = {
        model: "extreme",
        description: "All weights at their ends.",
        hiddenWeights: [weights, weights.map((weight) => -weight)],
        hiddenBias: [1_000, -1_000],
        outputWeights: [outputWeight, outputWeight],
        outputBias: 0,
        shift: 12,
      };
      const extreme = compileCircuit(model);
      const { sumBits } = widthsOf(model);
      for (const x of ends.map((bytes) => Uint8Array.from(bytes))) {
        const { score, sum } = forwardPass(model, x);
        expect(Math.abs(sum)).toBeLessThan(2 ** sumBits);
        const ours = witnessOf(model, extreme.wires, { input: x, binding });
        expect(ours).toEqual(await calculated(extreme, model, x, score));
        scores.add(score);
      }
    }
    expect([...scores].sort((a, b) => a - b)).toEqual([0, 96, 159, 255]);
  }, 60_000);
});

describe("no prover has a choice", () => {
  let constraints: readonly Constraint[];
  /** The prover may set everything but the input and the binding, which verifiers know. */
  const given = wires.flatMap((name, wire) => (/^(?:x|binding)\[/.test(name) ? [wire] : []));
  const open = (of: readonly Constraint[]) => {
    const found = determined(of, given);
    return wires.filter((_, wire) => !found.has(wire));
  };
  /** Where no bit is above the score, any number serves as the inverse of zero, and nothing depends on it. */
  const HARMLESS = ["score.inverse"];

  beforeAll(async () => {
    const { constraints: sides } = await r1cs.exportJson(memory(circuit.r1cs), SILENT);
    const combination = (side: Readonly<Record<string, bigint | string>>): Combination =>
      new Map(Object.entries(side).map(([wire, value]) => [Number(wire), BigInt(value)]));
    constraints = sides.map(([a, b, c]) => ({ a: combination(a), b: combination(b), c: combination(c) }));
  });

  it("input and binding determine model, output and every wire between them", () => {
    expect(open(constraints)).toEqual(HARMLESS);
  });

  it("takes every single constraint: without any one of them something is open", () => {
    const superfluous = constraints.filter((_, dropped) => {
      const rest = constraints.filter((_constraint, i) => i !== dropped);
      return open(rest).length === HARMLESS.length;
    });
    expect(superfluous).toEqual([]);
  }, 60_000);

  it("so a witness with one wire altered is none", async () => {
    const witness = witnessOf(perceptron, wires, {
      input: Uint8Array.from([250, 3, 240, 240, 128, 127, 0, 255]),
      binding,
    });
    const wire = fc.integer({ min: 1, max: wires.length - 1 }).filter((at) => !HARMLESS.includes(wires[at] ?? ""));
    await fc.assert(
      fc.asyncProperty(wire, fc.bigInt({ min: 1n, max: SCALAR_ORDER - 1n }), async (at, error) => {
        expect(await satisfies(witness.with(at, ((witness[at] ?? 0n) + error) % SCALAR_ORDER))).toBe(false);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});
