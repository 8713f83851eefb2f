import { describe, expect, it } from "vitest";
import { scriptedContract } from "../../support/evm/scripted-evm.ts";
import { testContract } from "../../support/solidity.ts";
import { hexOf } from "./calldata.ts";

const float32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const call = await scriptedContract(testContract("Codec"));

describe("the library in Solidity", () => {
  it("asks in decimals, and reads the answer", async () => {
    const { asked, result } = await call("askNumber", [[15n, -25n], 1n, 6], () => float32(0.625));
    expect(result).toBe(625_000n);
    expect(asked).toMatchObject([
      {
        model: "risk-small",
        mode: "tee",
        input: float32(1.5, -2.5),
        maxFeeGwei: 7_000,
        validityBlocks: 32,
        maxOutputBytes: 4,
        conflict: { kind: "agree", k: 3 },
      },
    ]);
    expect((await call("askNumber", [[0n], 0n, 6], () => float32(-0.625))).result).toBe(-625_000n);
  });

  it("goes on with zero where only a simulation looks", async () => {
    expect(await call("askNumber", [[0n], 0n, 6], () => undefined)).toMatchObject({ failed: false, result: 0n });
  });

  it("asks in words", async () => {
    const { asked, result } = await call("complete", ["Why?"], () => Buffer.from("Because."));
    expect(result).toBe("Because.");
    const terms = { tokensIn: 100, tokensOut: 50, maxOutputBytes: 364 };
    expect(asked).toMatchObject([{ mode: "optimistic", input: new Uint8Array(Buffer.from("Why?")), ...terms }]);
  });

  it("holds a conversation", async () => {
    const { asked, result } = await call("chat", ["Why?"], () => Buffer.from("Because."));
    expect(result).toBe("Because.");
    expect(JSON.parse(Buffer.from(asked[0]?.input ?? []).toString())).toEqual({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Why?" },
      ],
    });
    expect(asked[0]?.conflict).toEqual({ kind: "median", k: 2, tolerance: 0.01 });
  });

  it.each([
    [0.5, 5n * 10n ** 17n],
    [-2, -2n * 10n ** 18n],
    [0, 0n],
    [2 ** 62, 2n ** 62n * 10n ** 18n],
    [2 ** -60, 0n],
    [Math.fround(0.1), 100_000_001_490_116_119n],
    [2 ** -149, 0n],
  ])("reads a float32 of %d", async (value, expected) => {
    const { result } = await call("readFloat32Wad", [hexOf(float32(9, value)), 1n], () => undefined);
    expect(result).toBe(expected);
  });

  it.each([2 ** 63, -(2 ** 63), Number.POSITIVE_INFINITY, Number.NaN])("reads no float32 of %d", async (value) => {
    expect((await call("readFloat32Wad", [hexOf(float32(value)), 0n], () => undefined)).failed).toBe(true);
  });
});
