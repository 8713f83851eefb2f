import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lengthGas } from "../../../mempool/evm/gas.ts";
import { decodeCall } from "../../../mempool/evm/precompile-abi.ts";
import { wadToNumber } from "../../../mempool/evm/numbers.ts";
import { REQUEST_LIMITS, SOLIDITY_MODES } from "../../../mempool/evm/requests.ts";
import { isConflictRule } from "../../../scheduler/proofs/conflict-rule.ts";
import { bytesOf, calldata, hexOf, REQUEST, reasonOf, resultOf, TERMS, understood } from "./calldata.ts";

const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/u);
const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const conflict = fc.oneof(
  fc.constant({ kind: 0, quorum: 0, toleranceWad: 0n }),
  fc.record({ kind: fc.constant(1), quorum: fc.integer({ min: 1, max: 5 }), toleranceWad: fc.constant(0n) }),
  fc.record({
    kind: fc.constant(2),
    quorum: fc.integer({ min: 1, max: 5 }),
    toleranceWad: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
  }),
);
const terms = fc.record({
  maxFeeGwei: fc.bigInt({ min: 0n, max: BigInt(REQUEST_LIMITS.maxFeeGwei) }),
  validityBlocks: fc.integer({ min: 0, max: REQUEST_LIMITS.maxValidityBlocks }),
  maxOutputBytes: fc.integer({ min: 1, max: 4_096 }),
  tokensIn: fc.integer({ min: 0, max: REQUEST_LIMITS.maxTokens }),
  tokensOut: fc.integer({ min: 0, max: REQUEST_LIMITS.maxTokens }),
  conflict,
});
const request = fc.record({
  model: id,
  mode: fc.integer({ min: 0, max: 3 }),
  input: bytes(300).map(hexOf),
  terms,
});

describe("questions in bytes", () => {
  it("are understood as viem encodes them", () => {
    fc.assert(
      fc.property(fc.constantFrom("infer", "tryInfer", "prefetch"), request, (functionName, asked) => {
        const call = understood(calldata(functionName, [asked]));
        expect(call.tolerant).toBe(functionName !== "infer");
        expect(call.announces).toBe(functionName === "prefetch");
        expect(call.requests).toHaveLength(1);
        const [found] = call.requests;
        expect(found).toMatchObject({
          model: asked.model,
          mode: SOLIDITY_MODES[asked.mode],
          input: bytesOf(asked.input),
          maxFeeGwei: Number(asked.terms.maxFeeGwei),
          validityBlocks: asked.terms.validityBlocks,
          maxOutputBytes: asked.terms.maxOutputBytes,
          tokensIn: asked.terms.tokensIn,
          tokensOut: asked.terms.tokensOut,
        });
        expect(isConflictRule(found?.conflict)).toBe(true);
        expect(found?.conflict.kind).toBe(["first-valid", "agree", "median"][asked.terms.conflict.kind]);
      }),
      { numRuns: 200 },
    );
  });

  it("come in lists of up to sixteen", () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 16 }), (asked) => {
        const call = understood(calldata("inferMany", [asked]));
        expect(call.requests.map(({ model }) => model)).toEqual(asked.map(({ model }) => model));
        const outputs = asked.map((_, index) => Uint8Array.of(index));
        expect(resultOf("inferMany", call, outputs)).toEqual(outputs.map(hexOf));
      }),
      { numRuns: 50 },
    );
    expect(reasonOf(decodeCall(calldata("inferMany", [Array(17).fill(REQUEST)])))).toBe("requests: 1 to 16");
    expect(reasonOf(decodeCall(calldata("inferMany", [[]])))).toBe("requests: 1 to 16");
  });

  it("are answered with bytes, known or not", () => {
    const output = Uint8Array.of(1, 2, 3);
    expect(resultOf("infer", understood(calldata("infer", [REQUEST])), [output])).toBe("0x010203");
    expect(resultOf("tryInfer", understood(calldata("tryInfer", [REQUEST])), [output])).toEqual([true, "0x010203"]);
    expect(resultOf("tryInfer", understood(calldata("tryInfer", [REQUEST])), [undefined])).toEqual([false, "0x"]);
    expect(resultOf("prefetch", understood(calldata("prefetch", [REQUEST])), [undefined])).toBe(true);
  });

  it("have a marker of the asked length where only a simulation looks", () => {
    const marker = resultOf("infer", understood(calldata("infer", [REQUEST])), [undefined]);
    expect(marker).toBe(hexOf(new Uint8Array(TERMS.maxOutputBytes)));
  });

  it("revert for an answer longer than asked", () => {
    for (const functionName of ["infer", "tryInfer", "prefetch"]) {
      const result = resultOf(functionName, understood(calldata(functionName, [REQUEST])), [new Uint8Array(65)]);
      expect(result).toMatchObject({ errorName: "OutputTooLong", args: [65n, 64n] });
    }
  });

  it.each([
    ["model: 1 to 64 letters, digits, dots, hyphens, underscores", { model: "" }],
    ["model: 1 to 64 letters, digits, dots, hyphens, underscores", { model: "a b" }],
    ["model: 1 to 64 letters, digits, dots, hyphens, underscores", { model: "\0risk-small" }],
    ["model: 1 to 64 letters, digits, dots, hyphens, underscores", { model: "x".repeat(65) }],
    ["mode: not known", { mode: 4 }],
    ["input: too long", { input: `0x${"00".repeat(65_537)}` }],
    ["maxFeeGwei: too high", { terms: { ...TERMS, maxFeeGwei: 2n ** 31n + 1n } }],
    ["validityBlocks: too many", { terms: { ...TERMS, validityBlocks: 1_025 } }],
    ["tokensIn: too many", { terms: { ...TERMS, tokensIn: 2 ** 24 + 1 } }],
    ["tokensOut: too many", { terms: { ...TERMS, tokensOut: 2 ** 24 + 1 } }],
    ["maxOutputBytes: at least one", { terms: { ...TERMS, maxOutputBytes: 0 } }],
    ["maxOutputBytes: too many", { terms: { ...TERMS, maxOutputBytes: 65_537 } }],
    ["conflict: kind not known", { terms: { ...TERMS, conflict: { kind: 3, quorum: 1, toleranceWad: 0n } } }],
    [
      "conflict: the first valid answer has no quorum",
      { terms: { ...TERMS, conflict: { kind: 0, quorum: 1, toleranceWad: 0n } } },
    ],
    ["conflict: quorum of 1 to 5", { terms: { ...TERMS, conflict: { kind: 1, quorum: 6, toleranceWad: 0n } } }],
    ["conflict: quorum of 1 to 5", { terms: { ...TERMS, conflict: { kind: 2, quorum: 0, toleranceWad: 0n } } }],
    [
      "conflict: only a median has a tolerance",
      { terms: { ...TERMS, conflict: { kind: 1, quorum: 2, toleranceWad: 1n } } },
    ],
  ])("are refused: %s", (reason, changed) => {
    const call = decodeCall(calldata("infer", [{ ...REQUEST, ...changed }]));
    expect(reasonOf(call)).toBe(reason);
  });

  it("weigh a median's tolerance as the nearest float64", () => {
    expect(wadToNumber(10n ** 16n)).toBe(0.01);
    expect(wadToNumber(0n)).toBe(0);
    expect(wadToNumber(2n ** 128n - 1n)).toBe(Number((2n ** 128n - 1n).toString()) / 1e18);
  });
});

describe("hostile calldata", () => {
  const DATA = calldata("inferMany", [[REQUEST, REQUEST]]);

  it("never throws, whatever the bytes", () => {
    const selector = fc.constantFrom(...inferenceSelectors());
    const garbage = fc.oneof(
      bytes(200),
      fc.tuple(selector, bytes(400)).map(([start, rest]) => Uint8Array.from([...start, ...rest])),
      fc
        .tuple(selector, fc.array(fc.oneof(fc.constantFrom(0, 32, 64, 1, 2 ** 31), fc.nat(512)), { maxLength: 40 }))
        .map(([start, words]) => Uint8Array.from([...start, ...words.flatMap(wordOf)])),
    );
    fc.assert(
      fc.property(garbage, (data) => {
        const call = decodeCall(data);
        if (call.ok) return;
        expect(call.gas).toBe(lengthGas(data.length));
        expect(reasonOf(call)).toBeTypeOf("string");
      }),
      { numRuns: 2_000 },
    );
  });

  it("with one byte changed is refused, or another question", () => {
    fc.assert(
      fc.property(fc.nat(DATA.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const data = Uint8Array.from(DATA);
        data[at] = (data[at] ?? 0) ^ change;
        const call = decodeCall(data);
        if (call.ok) expect(call.requests).not.toEqual(understood(DATA).requests);
        else expect(reasonOf(call)).toBeTypeOf("string");
      }),
      { numRuns: 1_000 },
    );
  });

  it("that is cut short or has something behind it is refused", () => {
    for (let length = 0; length < DATA.length; length += 7) expect(decodeCall(DATA.subarray(0, length)).ok).toBe(false);
    expect(decodeCall(Uint8Array.from([...DATA, 0])).ok).toBe(false);
    expect(decodeCall(Uint8Array.from([...DATA, ...new Uint8Array(32)])).ok).toBe(false);
  });

  it("whose parts lie over each other is refused before it is decoded", () => {
    // A list whose every entry is the list: a few kilobytes that a decoder following offsets would unfold without end.
    const words = [32, 1_000, ...Array(1_000).fill(0)];
    for (const start of inferenceSelectors()) {
      const data = Uint8Array.from([...start, ...words.flatMap(wordOf)]);
      expect(reasonOf(decodeCall(data))).toMatch(/^calldata: not the encoding/u);
    }
    // Two requests in one place.
    const twins = Uint8Array.from(DATA);
    twins.set(wordOf(64), 4 + 64 + 32);
    expect(decodeCall(twins).ok).toBe(false);
  });

  it("of the largest size is read once, and what is larger not at all", () => {
    const largest = new Uint8Array(REQUEST_LIMITS.maxCallBytes + 1);
    largest.set(DATA);
    expect(reasonOf(decodeCall(largest))).toBe("calldata: too long");
    const before = performance.now();
    for (let index = 0; index < 1_000; index++) decodeCall(largest);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it("costs by its length, and is not read for less", () => {
    const { gas } = understood(DATA);
    expect(decodeCall(DATA, gas)).toMatchObject({ ok: true, gas });
    expect(decodeCall(DATA, lengthGas(DATA.length) - 1n)).toMatchObject({ ok: false, gas: lengthGas(DATA.length) });
  });
});

describe("gas", () => {
  const gasOf = (changed: object, termsChanged: object = {}): bigint =>
    understood(calldata("infer", [{ ...REQUEST, ...changed, terms: { ...TERMS, ...termsChanged } }])).gas;

  it("follows from the calldata alone, not from answers", () => {
    const call = understood(calldata("infer", [REQUEST]));
    const before = call.gas;
    for (const output of [undefined, new Uint8Array(0), new Uint8Array(64), new Uint8Array(65)]) call.encode([output]);
    expect(call.gas).toBe(before);
    expect(understood(calldata("infer", [REQUEST])).gas).toBe(before);
  });

  it("counts proofs, answers taken and bytes sent", () => {
    const bare = gasOf({});
    expect(gasOf({ mode: 1 }) - bare).toBe(300_000n);
    expect(gasOf({ mode: 0 }) - bare).toBe(-85_000n);
    expect(gasOf({}, { maxOutputBytes: 65 }) - bare).toBe(16n);
    expect(gasOf({ input: `0x${"00".repeat(33)}` }) - bare).toBe(100n);
    expect(gasOf({}, { conflict: { kind: 1, quorum: 3, toleranceWad: 0n } }) - bare).toBe(200_000n);
  });

  it("of many is that of each and of the whole length", () => {
    const one = calldata("infer", [REQUEST]);
    const many = calldata("inferMany", [[REQUEST, REQUEST, REQUEST]]);
    const each = understood(one).gas - lengthGas(one.length);
    expect(understood(many).gas).toBe(3n * each + lengthGas(many.length));
  });
});

function wordOf(value: number): number[] {
  const word = new Array<number>(32).fill(0);
  for (let index = 31, rest = value; rest > 0; index--, rest = Math.floor(rest / 256)) word[index] = rest % 256;
  return word;
}

function inferenceSelectors(): Uint8Array[] {
  const text = { mode: 0, modelCID: "m", stop_sequence: [], temperature: 0, max_tokens: 1 };
  const chat = { ...text, messages: [], tools: [], tool_choice: "" };
  const model = { mode: 0, modelCID: "m", input: { numbers: [], strings: [] } };
  const calls = [
    calldata("infer", [REQUEST]),
    calldata("inferMany", [[]]),
    calldata("tryInfer", [REQUEST]),
    calldata("prefetch", [REQUEST]),
    calldata("runModelInference", [model, TERMS, { input: 0, output: 0, decimals: 0 }]),
    calldata("runLLMCompletion", [{ ...text, prompt: "" }, TERMS]),
    calldata("runLLMChat", [chat, TERMS]),
  ];
  return calls.map((data) => data.subarray(0, 4));
}
