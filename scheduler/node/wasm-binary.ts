import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/**
 * ONNX Runtime's WebAssembly file, in shared memory: a host that starts several threads reads its 14 MB once and gives every
 * thread the same bytes.
 */
export function readWasmBinary(): Uint8Array {
  const file = readFileSync(createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"));
  const shared = new Uint8Array(new SharedArrayBuffer(file.length));
  shared.set(file);
  return shared;
}
