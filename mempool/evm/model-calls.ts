import { AbiParameters, Hex } from "ox";
import { NUMBER_ENCODINGS, type NumberEncoding } from "../../scheduler/proofs/output-number.ts";
import { isCanonicalLayout } from "./abi-layout.ts";
import { decodeNumbers, encodeNumbers, type FixedPoint, MAX_OUTPUT_DECIMALS, numberBytes } from "./numbers.ts";
import { outputNotFinite, outputNotNumbers, outputOutOfRange } from "./precompile-errors.ts";
import { CALL_TERMS } from "./precompile-interface.ts";
import { demand, requestOf } from "./requests.ts";
import { type EncodedResult, returned, type UnderstoodCall } from "./understood-call.ts";

/** Names say `bytes` where Solidity says `string`; see precompile-interface.ts. */
const TENSORS = [
  "struct Number { int128 value; int128 decimals; }",
  "struct NumberTensor { bytes name; Number[] values; }",
  "struct StringTensor { bytes name; bytes[] values; }",
] as const;

const ARGUMENTS = AbiParameters.from([
  ...CALL_TERMS,
  ...TENSORS,
  "struct ModelInput { NumberTensor[] numbers; StringTensor[] strings; }",
  "struct ModelInferenceRequest { uint8 mode; bytes modelCID; ModelInput input; }",
  "struct Format { uint8 input; uint8 output; uint8 decimals; }",
  "ModelInferenceRequest request, Terms terms, Format format",
]);

const MODEL_OUTPUT = AbiParameters.from([
  ...TENSORS,
  "struct ModelOutput { NumberTensor[] numbers; StringTensor[] strings; bool is_simulation_result; }",
  "ModelOutput output",
]);

/** The encoding of an enum's value; `undefined` for `TEXT`, the one after the numbers' encodings. Refuses others. */
function encodingOf(value: number, where: string): NumberEncoding | undefined {
  demand(value <= NUMBER_ENCODINGS.length, `${where}: encoding not known`);
  return NUMBER_ENCODINGS[value];
}

/** `runModelInference`: tensors of decimals, or one text, in; one tensor of decimals, or one text, out. */
export function decodeModelInference(data: Uint8Array): UnderstoodCall {
  demand(isCanonicalLayout(ARGUMENTS, data), "calldata: not the encoding of a model inference");
  const [{ mode, modelCID, input }, terms, format] = AbiParameters.decode(ARGUMENTS, data);
  const request = requestOf({
    model: Hex.toBytes(modelCID),
    mode,
    input: inputBytes(input, encodingOf(format.input, "format.input")),
    terms,
  });
  const encoding = encodingOf(format.output, "format.output");
  demand(format.decimals <= MAX_OUTPUT_DECIMALS, "format.decimals: too many");
  demand(encoding !== undefined || format.decimals === 0, "format.decimals: a text has none");
  const numbers = encoding === undefined ? 0 : Math.floor(request.maxOutputBytes / numberBytes(encoding));
  return {
    requests: [request],
    tolerant: false,
    announces: false,
    numbers,
    respond: ([output]) =>
      encoding === undefined
        ? textOutput(output ?? new Uint8Array(request.maxOutputBytes), output === undefined)
        : numbersOutput(output ?? new Uint8Array(numbers * numberBytes(encoding)), output === undefined, {
            encoding,
            decimals: format.decimals,
          }),
  };
}

/** Numbers of all tensors one after the other, since nodes take one tensor; or the one text's bytes. Names are not sent. */
function inputBytes(
  { numbers, strings }: { readonly numbers: readonly Numbers[]; readonly strings: readonly Strings[] },
  encoding: NumberEncoding | undefined,
): Uint8Array {
  if (encoding === undefined) {
    demand(numbers.length === 0, "input: a text has no number tensors");
    const text = strings[0]?.values[0];
    demand(
      strings.length === 1 && strings[0]?.values.length === 1 && text !== undefined,
      "input: a text is one string tensor of one string",
    );
    return Hex.toBytes(text);
  }
  demand(strings.length === 0, "input: numbers have no string tensors");
  const values = numbers.flatMap((tensor) => tensor.values);
  const encoded = encodeNumbers(encoding, values);
  demand(typeof encoded !== "number", `input: number ${encoded} is out of range`);
  return encoded;
}

interface Numbers {
  readonly values: readonly FixedPoint[];
}

interface Strings {
  readonly values: readonly Hex.Hex[];
}

/** What the one output tensor is called; nodes do not tell its name. */
const OUTPUT_NAME = Hex.fromString("output");

function numbersOutput(
  output: Uint8Array,
  isMarker: boolean,
  { encoding, decimals }: { readonly encoding: NumberEncoding; readonly decimals: number },
): EncodedResult {
  const found = decodeNumbers(encoding, output, decimals);
  if ("kind" in found) {
    if (found.kind === "length") return { ok: false, revert: outputNotNumbers(output.length) };
    const problem = found.kind === "not-finite" ? outputNotFinite : outputOutOfRange;
    return { ok: false, revert: problem(found.element) };
  }
  const values = found.map((value) => ({ value, decimals: BigInt(decimals) }));
  return modelOutput({ numbers: [{ name: OUTPUT_NAME, values }], strings: [], is_simulation_result: isMarker });
}

function textOutput(output: Uint8Array, isMarker: boolean): EncodedResult {
  const strings = [{ name: OUTPUT_NAME, values: [Hex.fromBytes(output)] }];
  return modelOutput({ numbers: [], strings, is_simulation_result: isMarker });
}

function modelOutput(output: Parameters<typeof AbiParameters.encode<typeof MODEL_OUTPUT>>[1][0]): EncodedResult {
  return returned(Hex.toBytes(AbiParameters.encode(MODEL_OUTPUT, [output])));
}
