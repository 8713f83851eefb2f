import { AbiFunction, AbiParameters, Hex } from "ox";

/** The address of the precompile, which OpenGradient's has as well. */
export const INFERENCE_ADDRESS = "0x00000000000000000000000000000000000000f4";

/**
 * The precompile's interface as this side decodes it; contracts/IPipeInference.sol has it as contracts see it, and a test holds
 * the two together. Where that says `string`, this says `bytes`: the encoding is the same, and the library would strip zeros from
 * the beginning of a string and replace what is no UTF-8, so that two questions would become one.
 */
export const CALL_TERMS = [
  "struct Terms { uint64 maxFeeGwei; uint32 validityBlocks; uint32 maxOutputBytes; uint32 tokensIn; uint32 tokensOut; Conflict conflict; }",
  "struct Conflict { uint8 kind; uint8 quorum; uint128 toleranceWad; }",
] as const;
const REQUEST = ["struct Request { bytes model; uint8 mode; bytes input; Terms terms; }", ...CALL_TERMS] as const;

export const ONE_REQUEST = AbiParameters.from([...REQUEST, "Request request"]);
export const MANY_REQUESTS = AbiParameters.from([...REQUEST, "Request[] requests"]);

const CONFLICT_TYPE = "(uint8,uint8,uint128)";
const TERMS_TYPE = `(uint64,uint32,uint32,uint32,uint32,${CONFLICT_TYPE})`;
const REQUEST_TYPE = `(string,uint8,bytes,${TERMS_TYPE})`;

const TENSORS_TYPE = "((string,(int128,int128)[])[],(string,string[])[])";
const CHAT_TYPE =
  "(uint8,string,(string,string,string,string,(string,string,string)[])[],(string,string,string)[],string,uint32,string[],uint32)";

/** First four bytes of the calldata, by function; hexadecimal with 0x. */
export const SELECTORS = {
  infer: AbiFunction.getSelector(`function infer(${REQUEST_TYPE})`),
  inferMany: AbiFunction.getSelector(`function inferMany(${REQUEST_TYPE}[])`),
  tryInfer: AbiFunction.getSelector(`function tryInfer(${REQUEST_TYPE})`),
  prefetch: AbiFunction.getSelector(`function prefetch(${REQUEST_TYPE})`),
  runModelInference: AbiFunction.getSelector(
    `function runModelInference((uint8,string,${TENSORS_TYPE}),${TERMS_TYPE},(uint8,uint8,uint8))`,
  ),
  runLLMCompletion: AbiFunction.getSelector(
    `function runLLMCompletion((uint8,string,string,uint32,string[],uint32),${TERMS_TYPE})`,
  ),
  runLLMChat: AbiFunction.getSelector(`function runLLMChat(${CHAT_TYPE},${TERMS_TYPE})`),
} as const;

const BYTES = AbiParameters.from("bytes output");
const BYTES_LIST = AbiParameters.from("bytes[] outputs");
const KNOWN_BYTES = AbiParameters.from("bool known, bytes output");

/** What `infer` returns. */
export function encodeBytes(output: Uint8Array): Uint8Array {
  return Hex.toBytes(AbiParameters.encode(BYTES, [Hex.fromBytes(output)]));
}

/** What `inferMany` returns. */
export function encodeBytesList(outputs: readonly Uint8Array[]): Uint8Array {
  return Hex.toBytes(AbiParameters.encode(BYTES_LIST, [outputs.map((output) => Hex.fromBytes(output))]));
}

/** What `tryInfer` returns. */
export function encodeKnownBytes(output: Uint8Array | undefined): Uint8Array {
  const bytes = output === undefined ? "0x" : Hex.fromBytes(output);
  return Hex.toBytes(AbiParameters.encode(KNOWN_BYTES, [output !== undefined, bytes]));
}

/** What `prefetch` returns: something, since Solidity looks for code where it expects nothing. */
export function encodeAnnounced(): Uint8Array {
  const word = new Uint8Array(32);
  word[31] = 1;
  return word;
}
