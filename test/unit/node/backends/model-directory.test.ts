import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readModelOf } from "../../../../scheduler/node/backends/model-directory.ts";
import { encodeTensor, loadTensorModels } from "../../../../scheduler/node/backends/onnx.ts";
import { readManifest } from "../../../../scheduler/node/models/catalogue.ts";
import { readWasmBinary } from "../../../../scheduler/node/wasm-binary.ts";
import { unhurried } from "../node-under-test.ts";

let directory = "";
const entry = readManifest().models[0];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pipe-models-"));
  await copyFile(
    new URL("../../../../scheduler/node/models/risk-small.onnx", import.meta.url),
    join(directory, "m.onnx"),
  );
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function manifest(changes: object): Promise<void> {
  const models = [{ ...entry, model: "mine", file: "m.onnx", ...changes }];
  return writeFile(join(directory, "manifest.json"), JSON.stringify({ models }));
}

it("a model of a directory computes as one of the package", async () => {
  await manifest({});
  const runner = await loadTensorModels(new Map([["mine", await readModelOf(directory, "mine")]]), readWasmBinary());
  expect(runner.warm).toEqual(["mine"]);
  const run = await runner.run("mine", encodeTensor(Array.from({ length: 16 }, () => 0.5)), unhurried());
  expect(run).toMatchObject({ ok: true });
});

describe("a directory is refused", () => {
  it.each([
    ["without the model", { model: "other" }, /does not have mine; it has other$/],
    ["with another file than the manifest means", { sha256: "00".repeat(32) }, /has SHA-256 35cb5e1c/],
    ["with a file that is elsewhere", { file: "../m.onnx" }, /is no manifest of models: .*/],
    ["with a file that is missing", { file: "n.onnx" }, /ENOENT/],
    ["with a shape that is none", { input: { name: "x", shape: [0] } }, /is no manifest of models/],
  ])("%s", async (_what, changes, message) => {
    await manifest(changes);
    await expect(readModelOf(directory, "mine")).rejects.toThrow(message);
  });

  it("without a manifest that can be read", async () => {
    await writeFile(join(directory, "manifest.json"), "{");
    await expect(readModelOf(directory, "mine")).rejects.toThrow(/manifest.json is no JSON$/);
    await expect(readModelOf(join(directory, "none"), "mine")).rejects.toThrow("ENOENT");
  });
});
