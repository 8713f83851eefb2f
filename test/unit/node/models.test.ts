import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { readManifest, readModel } from "../../../scheduler/node/models/catalogue.ts";
import { makeModels } from "../../../scheduler/node/models/make-models.ts";
import { readInitializers } from "../../../scheduler/node/models/onnx-format.ts";
import { decodeTensor, encodeTensor, loadModelRunner } from "../../../scheduler/node/backends/onnx.ts";
import type { ModelRunner } from "../../../scheduler/node/model-runner.ts";
import { seededUniform } from "../../../scheduler/node/behaviour/random.ts";
import { readWasmBinary } from "../../../scheduler/node/wasm-binary.ts";
import { unhurried } from "./node-under-test.ts";
import { forwardPass } from "./forward-pass.ts";

const MODELS = ["risk-small", "chat-mini"] as const;
const MAX_FILE_BYTES = 100_000;
const WIDTHS = { "risk-small": [16, 1], "chat-mini": [64, 32] } as const;

let runner: ModelRunner;

/** The output; `undefined` when there is none. */
async function outputOf(model: string, input: Uint8Array): Promise<Uint8Array | undefined> {
  const run = await runner.run(model, input, unhurried());
  return run.ok ? run.output : undefined;
}

beforeAll(async () => {
  runner = await loadModelRunner(MODELS, readWasmBinary());
});

describe("the models that ship", () => {
  it("are what the script makes, byte by byte", () => {
    const made = makeModels();
    expect([...made.keys()].sort()).toEqual(["chat-mini.onnx", "manifest.json", "risk-small.onnx"]);
    for (const [file, bytes] of made) {
      const shipped = readFileSync(new URL(`../../../scheduler/node/models/${file}`, import.meta.url));
      expect(Buffer.compare(shipped, bytes), file).toBe(0);
      expect(shipped.length, file).toBeLessThan(MAX_FILE_BYTES);
    }
  });

  it("stand in the manifest with their shapes", () => {
    const shapes = readManifest().models.map(({ model, input, output }) => [model, input.shape, output.shape]);
    expect(shapes).toEqual(MODELS.map((model) => [model, [1, WIDTHS[model][0]], [1, WIDTHS[model][1]]]));
    expect(readModel("no-such-model")).toBeUndefined();
  });

  it.each(MODELS)("%s computes what its weights say", async (model) => {
    const uniform = seededUniform(5);
    const weights = readInitializers(readModel(model)?.bytes ?? new Uint8Array());
    for (let round = 0; round < 20; round++) {
      const x = Float32Array.from({ length: WIDTHS[model][0] }, () => uniform() * 2 - 1);
      const bytes = await outputOf(model, encodeTensor(x));
      const y = decodeTensor(bytes ?? new Uint8Array(), WIDTHS[model][1]);
      const expected = forwardPass(weights, x, model === "risk-small");
      expect(y).toHaveLength(expected.length);
      for (const [i, value] of expected.entries()) expect(y?.[i]).toBeCloseTo(value, 4);
    }
  });

  it("risk-small tells apart what it was trained to tell apart", async () => {
    const risk = async (x: readonly number[]) =>
      decodeTensor((await outputOf("risk-small", encodeTensor(x))) ?? new Uint8Array(), 1)?.[0];
    const rest = Array.from({ length: 9 }, () => 0);
    expect(await risk([1, -1, 0.9, 0.9, 0, 0, 0, ...rest])).toBeGreaterThan(0.95);
    expect(await risk([-1, 1, 0.9, -0.9, 0, 0, 0, ...rest])).toBeLessThan(0.05);
  });
});

describe("a payload that is no input", () => {
  it.each([
    ["too short", new Uint8Array(60)],
    ["too long", new Uint8Array(68)],
    ["empty", new Uint8Array(0)],
    ["not a number", encodeTensor(Array.from({ length: 16 }, (_, i) => (i === 3 ? Number.NaN : 0)))],
    ["infinite", encodeTensor(Array.from({ length: 16 }, (_, i) => (i === 3 ? Number.POSITIVE_INFINITY : 0)))],
    ["so large that the output is not finite", encodeTensor(Array.from({ length: 16 }, () => 3e38))],
  ])("%s gives no output, and the next one is computed", async (_what, payload) => {
    expect(await outputOf("risk-small", payload)).toBeUndefined();
    expect(await outputOf("risk-small", new Uint8Array(64))).toHaveLength(4);
  });

  it("is refused for a model that is not loaded", async () => {
    expect(await outputOf("chat-large", new Uint8Array(64))).toBeUndefined();
  });

  it("is not looked at when nobody wants the output any more", async () => {
    const signal = AbortSignal.abort();
    expect(await runner.run("risk-small", new Uint8Array(64), { ...unhurried(), signal })).toMatchObject({ ok: false });
  });

  it("keeps a node from loading a model that nobody knows", async () => {
    await expect(loadModelRunner(["chat-large"], readWasmBinary())).rejects.toThrow("chat-large");
  });
});
