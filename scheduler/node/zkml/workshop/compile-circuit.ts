import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { limbsOf } from "../../../proofs/zkml/public-inputs.ts";
import type { QuantisedPerceptron } from "../perceptron.ts";
import { perceptronDigest, widthsOf } from "../perceptron.ts";

/** Far below the 254 bits of the field's order, so that no sum wraps, and within what numbers of JavaScript hold exactly. */
const MAX_BITS = 40;

/** What the compiler makes of the circuit. */
export interface CompiledCircuit {
  /** Constraints, in the binary form of circom. */
  readonly r1cs: Uint8Array;
  /** The name of each wire's signal; wire 0 is the constant one. */
  readonly wires: readonly string[];
  /** circom's own calculator of witnesses, to hold ours against. It contains code of circom (GPL), so it never ships. */
  readonly calculator: Uint8Array;
}

/** The circuit of this very model: the template of perceptron.circom with the weights as constants. */
export function circuitSource(perceptron: QuantisedPerceptron): string {
  const { hiddenWeights, hiddenBias, outputWeights, outputBias, shift } = perceptron;
  const [modelHigh, modelLow] = limbsOf(perceptronDigest(perceptron));
  const { hiddenBits, sumBits } = widthsOf(perceptron);
  if (sumBits < shift + 8) throw new RangeError(`sums of ${sumBits} bits leave no score of 8 bits after ${shift}`);
  if (Math.max(hiddenBits, sumBits) > MAX_BITS) throw new RangeError(`sums of more than ${MAX_BITS} bits`);
  const parameters = [
    hiddenWeights[0]?.length,
    hiddenWeights.length,
    modelHigh,
    modelLow,
    JSON.stringify(hiddenWeights),
    JSON.stringify(hiddenBias),
    JSON.stringify(outputWeights),
    outputBias,
    hiddenBits,
    sumBits,
    shift,
  ];
  return [
    "pragma circom 2.1.0;",
    'include "perceptron.circom";',
    `component main {public [model, binding, y, x]} = Perceptron(\n  ${parameters.join(",\n  ")}\n);\n`,
  ].join("\n");
}

/** Compiles it with circom2 in a folder of its own. Throws with the compiler's words when that fails. */
export function compileCircuit(perceptron: QuantisedPerceptron): CompiledCircuit {
  const folder = mkdtempSync(join(tmpdir(), "pipe-circuit-"));
  try {
    copyFileSync(new URL("perceptron.circom", import.meta.url), join(folder, "perceptron.circom"));
    writeFileSync(join(folder, "main.circom"), circuitSource(perceptron));
    const compiler = fileURLToPath(import.meta.resolve("circom2/cli.js"));
    // O1 only merges signals that are equal; anything more would leave constraints that nobody wrote.
    const options = ["main.circom", "--r1cs", "--sym", "--wasm", "--O1"];
    const done = spawnSync(process.execPath, [compiler, ...options], { cwd: folder, encoding: "utf8" });
    if (done.status !== 0) throw new Error(`circom2 ended with ${done.status}:\n${done.stdout}${done.stderr}`);
    return {
      r1cs: readFileSync(join(folder, "main.r1cs")),
      wires: wiresOf(readFileSync(join(folder, "main.sym"), "utf8")),
      calculator: readFileSync(join(folder, "main_js", "main.wasm")),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Lines `label,wire,component,main.name`; of signals that share a wire the first names it, and -1 stands for no wire. */
function wiresOf(symbols: string): string[] {
  const wires = ["one"];
  for (const line of symbols.trim().split("\n")) {
    const [, wire, , name] = line.split(",");
    if (name !== undefined && Number(wire) > 0) wires[Number(wire)] ??= name.replace(/^main\./, "");
  }
  return wires;
}
