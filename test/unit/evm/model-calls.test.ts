import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { INFERENCE_GAS, lengthGas } from "../../../mempool/evm/gas.ts";
import { calldata, errorOf, reasonOf, resultOf, TERMS, understood } from "./calldata.ts";
import { decodeCall } from "../../../mempool/evm/precompile-abi.ts";

const FLOAT32 = 0;
const UINT8 = 3;
const TEXT = 6;

interface Asked {
  readonly numbers?: readonly object[];
  readonly strings?: readonly object[];
  readonly format?: object;
  readonly terms?: object;
}

function ask({ numbers = [], strings = [], format, terms }: Asked): Uint8Array {
  return calldata("runModelInference", [
    { mode: 1, modelCID: "risk-tiny", input: { numbers, strings } },
    { ...TERMS, ...terms },
    { input: FLOAT32, output: FLOAT32, decimals: 6, ...format },
  ]);
}

const decimal = (value: bigint, decimals = 0n) => ({ value, decimals });
const tensor = (...values: object[]) => ({ name: "x", values });
const float32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe("a question in decimals", () => {
  it("is one tensor of bytes to the model", () => {
    const call = understood(ask({ numbers: [tensor(decimal(15n, 1n), decimal(-2n)), tensor(decimal(25n, 2n))] }));
    expect(call.requests).toMatchObject([{ model: "risk-tiny", mode: "zkml", input: float32(1.5, -2, 0.25) }]);
    expect(call.tolerant).toBe(false);
  });

  it("takes another encoding for the output", () => {
    const format = { input: UINT8, output: FLOAT32, decimals: 2 };
    const call = understood(ask({ numbers: [tensor(decimal(200n))], format }));
    expect(call.requests[0]?.input).toEqual(Uint8Array.of(200));
    expect(resultOf("runModelInference", call, [float32(0.125)])).toEqual({
      numbers: [{ name: "output", values: [{ value: 12n, decimals: 2n }] }],
      strings: [],
      is_simulation_result: false,
    });
  });

  it("may be a text, and so may its answer", () => {
    const format = { input: TEXT, output: TEXT, decimals: 0 };
    const call = understood(ask({ strings: [{ name: "t", values: ["Größe?"] }], format }));
    expect(Buffer.from(call.requests[0]?.input ?? []).toString()).toBe("Größe?");
    expect(resultOf("runModelInference", call, [Buffer.from("1,80 m")])).toEqual({
      numbers: [],
      strings: [{ name: "output", values: ["1,80 m"] }],
      is_simulation_result: false,
    });
  });

  it("has zeros for an answer that is not known, and says so", () => {
    const call = understood(ask({ numbers: [tensor(decimal(1n))], terms: { maxOutputBytes: 11 } }));
    const zero = { value: 0n, decimals: 6n };
    expect(resultOf("runModelInference", call, [undefined])).toEqual({
      numbers: [{ name: "output", values: [zero, zero] }],
      strings: [],
      is_simulation_result: true,
    });
  });

  it("pays for every number that the answer may have, known or not", () => {
    const data = ask({ numbers: [tensor(decimal(1n))], terms: { maxOutputBytes: 11 } });
    const expected = lengthGas(data.length) + INFERENCE_GAS.answer.zkml + 11n * 16n + 2n * INFERENCE_GAS.outputNumber;
    expect(understood(data).gas).toBe(expected);
  });

  it.each([
    ["OutputNotFinite", float32(1, Number.NaN), 1n],
    ["OutputNotFinite", float32(Number.NEGATIVE_INFINITY), 0n],
    ["OutputOutOfRange", float32(0, 0, 3e38), 2n],
    ["OutputNotNumbers", new Uint8Array(5), 5n],
  ])("reverts with %s, and does not throw", (errorName, output, argument) => {
    const call = understood(ask({ numbers: [tensor(decimal(1n))] }));
    expect(resultOf("runModelInference", call, [output])).toEqual({ errorName, args: [argument] });
  });

  it("never throws for any output", () => {
    const call = understood(ask({ numbers: [tensor(decimal(1n))] }));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (output) => {
        const encoded = call.encode([output]);
        if (!encoded.ok) expect(errorOf(encoded.revert).errorName).toMatch(/^Output/u);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, Asked]>([
    ["input: number 1 is out of range", { numbers: [tensor(decimal(1n), decimal(2n ** 127n - 1n, -5n))] }],
    ["input: number 0 is out of range", { numbers: [tensor(decimal(1n, 401n))] }],
    ["input: number 0 is out of range", { numbers: [tensor(decimal(256n))], format: { input: UINT8 } }],
    ["input: numbers have no string tensors", { strings: [{ name: "t", values: ["x"] }] }],
    ["input: a text has no number tensors", { numbers: [tensor()], format: { input: TEXT } }],
    ["input: a text is one string tensor of one string", { format: { input: TEXT } }],
    [
      "input: a text is one string tensor of one string",
      { strings: [{ name: "t", values: ["x", "y"] }], format: { input: TEXT } },
    ],
    ["format.decimals: too many", { format: { decimals: 39 } }],
    ["format.decimals: a text has none", { format: { output: TEXT } }],
    ["format.output: encoding not known", { format: { output: 7 } }],
    ["format.input: encoding not known", { format: { input: 7 } }],
  ])("is refused: %s", (reason, asked) => {
    expect(reasonOf(decodeCall(ask(asked)))).toBe(reason);
  });

  it("may fill the input", () => {
    const full = ask({ numbers: [tensor(...Array<object>(16_384).fill(decimal(-15n, 1n)))] });
    expect(understood(full).requests[0]?.input).toEqual(float32(...Array<number>(16_384).fill(-1.5)));
    const more = ask({ numbers: [tensor(...Array<object>(16_385).fill(decimal(-15n, 1n)))] });
    expect(reasonOf(decodeCall(more))).toBe("input: too long");
  });
});
