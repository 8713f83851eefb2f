import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inferenceOptions, readOptions } from "../../../mempool/evm/options.ts";
import { INFERENCE_ADDRESS } from "../../../mempool/evm/precompile-abi.ts";

const key = (digits: string, value: string) => `0x${digits.padEnd(48, "0")}${value.padStart(16, "0")}`;
const entry = (...storageKeys: string[]) => ({ address: INFERENCE_ADDRESS, storageKeys });

describe("a transaction's options", () => {
  it("are read as they were written, among other entries", () => {
    const options = fc.record(
      { capGwei: fc.integer({ min: 0, max: 2 ** 44 }), ttlBlocks: fc.integer({ min: 1, max: 1024 }) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(options, (wanted) => {
        const made = inferenceOptions(wanted);
        const other = { address: "0x00000000000000000000000000000000000000f5", storageKeys: [key("ff", "1")] };
        expect(readOptions(made === undefined ? [other] : [other, made])).toEqual({ ok: true, options: wanted });
      }),
    );
  });

  it("stand where the documentation says", () => {
    expect(inferenceOptions({ capGwei: 1_000_000, ttlBlocks: 8 })).toEqual({
      address: INFERENCE_ADDRESS,
      storageKeys: [
        "0x01010000000000000000000000000000000000000000000000000000000f4240",
        "0x0102000000000000000000000000000000000000000000000000000000000008",
      ],
    });
    expect(inferenceOptions({})).toBeUndefined();
  });

  it("are read whatever the case of their digits", () => {
    const shouted = { address: INFERENCE_ADDRESS.replace("f4", "F4"), storageKeys: [key("0101", "FF")] };
    expect(readOptions([shouted])).toEqual({ ok: true, options: { capGwei: 255 } });
  });

  it.each([
    ["an inference option that is not known", [entry(key("0201", "1"))]],
    ["an inference option that is not known", [entry(key("0103", "1"))]],
    ["an inference option that is not known", [entry(key("010100000001", "1"))]],
    ["an inference option that is not known", [entry("0x0101")]],
    ["an inference option that is not known", [entry(`${key("0101", "1")}00`)]],
    ["capGwei is stated twice", [entry(key("0101", "1")), entry(key("0101", "1"))]],
    ["capGwei must be 0 to 17592186044416", [entry(key("0101", "ffffffffffffffff"))]],
    ["ttlBlocks must be 1 to 1024", [entry(key("0102", "0"))]],
    ["ttlBlocks must be 1 to 1024", [entry(key("0102", "401"))]],
  ])("are a problem: %s", (problem, list) => {
    expect(readOptions(list)).toEqual({ ok: false, problem });
  });

  it.each([{ capGwei: -1 }, { capGwei: 0.5 }, { ttlBlocks: 0 }, { ttlBlocks: 1025 }])(
    "are not written: %o",
    (options) => {
      expect(() => inferenceOptions(options)).toThrow(RangeError);
    },
  );
});
