import { curves, groth16 as snarkjs } from "snarkjs";
import { afterAll, describe, expect, it } from "vitest";
import { readProvingFiles, readVerificationKey } from "../../../scheduler/node/zkml/catalogue.ts";
import { createProver } from "../../../scheduler/node/zkml/prover.ts";
import { readProvingKey } from "../../../scheduler/node/zkml/proving-key.ts";
import { statementHash } from "../../../scheduler/proofs/statement.ts";
import { groth16 } from "../../../scheduler/proofs/zkml/groth16.ts";
import { decodeProof, encodeProof, type Groth16Proof } from "../../../scheduler/proofs/zkml/groth16-proof.ts";
import { pointG1, pointG2 } from "../../../scheduler/proofs/zkml/points.ts";
import { publicInputsOf } from "../../../scheduler/proofs/zkml/public-inputs.ts";
import { witnessOf } from "../../../scheduler/node/zkml/witness.ts";
import { entry, honestCheck, input, key, MODEL, output, prover, statement } from "./fixture.ts";
import { textG1, textG2 } from "./trapdoor.ts";
import { encodeWitness } from "./witness-file.ts";

afterAll(async () => (await curves.getCurveFromName("bn128")).terminate());

const binding = statementHash(statement);

describe("the prover", () => {
  it("names its model, and says that its keys come from a test setup", () => {
    expect(prover).toMatchObject({ model: MODEL, modelDigest: entry.modelDigest });
    expect(prover.setup).toMatch(/^test setup/);
  });

  it("makes another proof each time, all of them good", async () => {
    const [one, other] = [await honestCheck(), await honestCheck()];
    expect(Buffer.compare(one.proof, other.proof)).not.toBe(0);
    for (const check of [one, other]) expect(groth16.verify(check)).toEqual({ ok: true });
  });

  it("gives nothing for an input that is none", async () => {
    for (const length of [0, 7, 9, 64]) {
      expect(prover.infer(new Uint8Array(length))).toBeUndefined();
      expect(await prover.prove({ input: new Uint8Array(length), binding })).toBeUndefined();
    }
  });

  it("refuses a binding that is no digest", async () => {
    await expect(prover.prove({ input, binding: binding.toUpperCase() })).rejects.toThrow(RangeError);
  });

  it("ends when it is told to, and proves the next", async () => {
    const stopped = new AbortController();
    const proving = prover.prove({ input, binding, signal: stopped.signal });
    setImmediate(() => stopped.abort());
    await expect(proving).rejects.toMatchObject({ name: "AbortError" });
    expect(await prover.prove({ input, binding })).toMatchObject({ output });
  });

  it("says which models there are when asked for another", () => {
    expect(() => createProver("chat-large")).toThrow('no model "chat-large" with proofs; there is risk-tiny');
  });

  it("does not load a file that is not a proving key", () => {
    const { provingKey } = readProvingFiles(entry);
    expect(() => readProvingKey(provingKey.slice(0, -1))).toThrow("truncated");
    expect(() => readProvingKey(new Uint8Array(64))).toThrow("not a proving key");
  });

  it("cannot prove another output", async () => {
    // What a cheating node would do: the honest computation, with the answer it wants written over the result.
    const { groth16Prover } = await import("../../../scheduler/node/zkml/groth16-prover.ts");
    const { perceptron, provingKey, wires } = readProvingFiles(entry);
    const witness = witnessOf(perceptron, wires, { input, binding });
    const lie = Uint8Array.of((output[0] ?? 0) ^ 1);
    for (const wire of ["y[0]", "score.score", "score.capped"]) witness[wires.indexOf(wire)] = BigInt(lie[0] ?? 0);
    const proof = encodeProof(await groth16Prover(readProvingKey(provingKey)).prove(witness));
    const check = { key, modelDigest: entry.modelDigest, binding, input, output: lie, proof };
    expect(groth16.verify(check)).toEqual({ ok: false, reason: "not-proved" });
  });
});

describe("snarkjs, an implementation of its own,", () => {
  it("accepts our proofs for the public inputs that we derive, and no other", async () => {
    const check = await honestCheck();
    const { a, b, c } = decodeProof(check.proof) as Groth16Proof;
    const json = { pi_a: textG1(a), pi_b: textG2(b), pi_c: textG1(c), protocol: "groth16", curve: "bn128" };
    const inputs = (publicInputsOf(key.circuit, check) as readonly bigint[]).map(String);
    expect(await snarkjs.verify(readVerificationKey(entry), inputs, json)).toBe(true);
    expect(await snarkjs.verify(readVerificationKey(entry), inputs.with(4, "7"), json)).toBe(false);
  });

  it("makes proofs of our witnesses that we accept", async () => {
    const { perceptron, provingKey, wires } = readProvingFiles(entry);
    const witness = encodeWitness(witnessOf(perceptron, wires, { input, binding }));
    const { proof, publicSignals } = await snarkjs.prove(
      { type: "mem", data: provingKey },
      { type: "mem", data: witness },
      undefined,
      { singleThread: true },
    );
    const claim = { modelDigest: entry.modelDigest, binding, input, output };
    expect(publicSignals.map(BigInt)).toEqual(publicInputsOf(key.circuit, claim));
    const pair = (texts: readonly string[] | undefined) =>
      [BigInt(texts?.[0] ?? ""), BigInt(texts?.[1] ?? "")] as const;
    const points = {
      a: pointG1(...pair(proof.pi_a)),
      b: pointG2(pair(proof.pi_b[0]), pair(proof.pi_b[1])),
      c: pointG1(...pair(proof.pi_c)),
    } as Groth16Proof;
    expect(groth16.verify({ ...claim, key, proof: encodeProof(points) })).toEqual({ ok: true });
  });
});
